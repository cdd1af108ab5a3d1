"""How the provider is at present: whether the whole queue waits for it, and what the account held when it was last asked.

A pause is nobody's failed payout and costs no retry. It grows while calls go on failing and ends with the first answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from pipeline.payouts.answers import Why

# A person must put these right, so asking again soon is of no use
OUR_FAULT: frozenset[str] = frozenset({"UNAUTHORISED", "IP_REFUSED", "NOT_ENABLED", "WRONG_ACCOUNT"})
OUR_FAULT_PAUSE_S = 300
# Whoever says so is overburdened or half down: others wait too, even if some calls of the same round were answered
WAIT_FOR_IT: frozenset[str] = frozenset({"THROTTLED", "SERVER_ERROR"})
FIRST_PAUSE_S = 1.0  # a restarting provider is back in seconds
LONGEST_PAUSE_S = 60.0  # an outage is noticed to be over within a minute

_READ = text("SELECT paused_until, pause_reason, pauses FROM payout.provider")
_PAUSE = text("""
    INSERT INTO payout.provider AS s (paused_until, pause_reason, pauses) VALUES (:until, :reason, 1)
    ON CONFLICT (only_row) DO UPDATE
    SET paused_until = greatest(excluded.paused_until, s.paused_until), pause_reason = excluded.pause_reason, pauses = s.pauses + 1
""")
# An answer to a call that another worker made before the pause does not end it
_RESUME = text("""
    UPDATE payout.provider SET paused_until = NULL, pause_reason = NULL, pauses = 0
    WHERE pauses > 0 AND (paused_until IS NULL OR paused_until <= :now)
""")
_BALANCE = text("""
    INSERT INTO payout.provider (balance_paise, balance_read_at) VALUES (:balance, :now)
    ON CONFLICT (only_row) DO UPDATE SET balance_paise = excluded.balance_paise, balance_read_at = excluded.balance_read_at
""")


def paused_until(conn: Connection, now: datetime) -> datetime | None:
    """Until when the queue waits; None when it does not."""
    row = conn.execute(_READ).one_or_none()
    return row.paused_until if row is not None and row.paused_until is not None and row.paused_until > now else None


def pause_s(why: Why, pauses: int, wait_s: float | None) -> float:
    """How long to wait after `pauses` pauses in a row, in seconds; the provider's own wish counts when it is longer."""
    own = OUR_FAULT_PAUSE_S if why in OUR_FAULT else min(FIRST_PAUSE_S * 2 ** min(pauses, 10), LONGEST_PAUSE_S)
    return max(own, wait_s or 0)


def note_calls(conn: Connection, troubles: Sequence[tuple[Why, float | None]], answered: bool, now: datetime) -> None:
    """After a round of calls: pause when none was answered or one tells to wait, else go on when one was. Does not commit."""
    real = [trouble for trouble in troubles if trouble[0] != "NOT_SENT"]  # our own time was up: the provider was not asked
    asked = [trouble for trouble in real if trouble[0] in OUR_FAULT | WAIT_FOR_IT]
    if real and (asked or not answered):
        row = conn.execute(_READ).one_or_none()
        why, wait_s = max(asked or real, key=lambda trouble: pause_s(trouble[0], 0, trouble[1]))
        until = now + timedelta(seconds=pause_s(why, row.pauses if row else 0, wait_s))
        conn.execute(_PAUSE, {"until": until, "reason": why})
    elif answered:
        conn.execute(_RESUME, {"now": now})


def note_balance(conn: Connection, balance_paise: int, now: datetime) -> None:
    """Remember what the account holds. Does not commit."""
    conn.execute(_BALANCE, {"balance": balance_paise, "now": now})
