"""The effect job `payout.poll`: asks the provider about payouts of which it has told us nothing.

With every webhook lost this alone brings each payout to its end. Reading only: whatever fails here is tried later.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.jobs.failures import waiting
from pipeline.jobs.job import NOT_FAILED
from pipeline.payouts import provider_state
from pipeline.payouts.answers import Paused, Refused, Unknown
from pipeline.payouts.calls import Trouble, again_after
from pipeline.payouts.commit import settle_each
from pipeline.payouts.polling import Pace
from pipeline.payouts.provider import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, Lines, Paid, Provider, target_of
from pipeline.payouts.reasons import LOW_BALANCE
from pipeline.payouts.settle import Finding, Seen
from pipeline.payouts.states import RANKS
from pipeline.runtime import Runtime

NAME = "payout.poll"
BATCH = 32  # at the advised 10 calls a second a round of some three seconds
LINES = 4
LEASE = timedelta(seconds=60)
BALANCE_EVERY = timedelta(minutes=1)  # while payouts wait for money
NOT_THERE = "The provider says that it does not have this payout. Ask its support."

_CLAIM = text(f"""
    WITH due AS (
        SELECT q.id FROM payout.attempt q WHERE q.next_poll_at <= :now AND {NOT_FAILED}
        ORDER BY q.next_poll_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED)
    UPDATE payout.attempt a SET next_poll_at = :lease FROM due WHERE a.id = due.id
    RETURNING a.id, a.payout_id, a.provider_payout_id, a.polls
""")  # noqa: S608 - a constant fragment, no value
_AGAIN = text("""
    UPDATE payout.attempt a SET next_poll_at = v.at, last_error = v.why
    FROM unnest(CAST(:ids AS uuid[]), CAST(:ats AS timestamptz[]), CAST(:whys AS text[])) AS v (id, at, why)
    WHERE a.id = v.id
""")
_LOST = text("""
    UPDATE payout.payout SET needs_person = :why, modified_at = :now
    WHERE id = ANY (:ids) AND status IN ('INITIATED', 'PROCESSING')
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_poll_at) AS due FROM payout.attempt WHERE next_poll_at IS NOT NULL AND provider_rank < 5
""")
_SHORT = text("SELECT EXISTS (SELECT FROM payout.attempt WHERE provider_status = 'queued' AND reason = :reason)")


@dataclass(frozen=True)
class _Asked:
    """What one look at the provider gave."""

    row: Row[Any]
    answer: Paid | Refused | Unknown | Paused


class PollJob:
    """Claims attempts that are due to be asked for, asks, and settles what the provider shows."""

    name = NAME

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._lines = Lines(target_of(rt.settings), LINES)
        self._pace = Pace()
        self._looked_at: datetime | None = None  # when somebody last asked whether payouts wait for money

    def run_once(self, now: datetime) -> int:
        return 0 if self._pace.rests(now) else self._pace.found(self._poll(now), now)

    def _poll(self, now: datetime) -> int:
        last_start = time.monotonic() + LEASE.total_seconds() - CONNECT_TIMEOUT_S - READ_TIMEOUT_S
        with self._rt.database.worker() as conn:
            if provider_state.paused_until(conn, now) is not None:
                return 0
            claimed = conn.execute(_CLAIM, {"job": NAME, "now": now, "limit": BATCH, "lease": now + LEASE}).all()
            short = False
            if self._looked_at is None or self._looked_at <= now - BALANCE_EVERY:
                self._looked_at = now
                short = bool(conn.execute(_SHORT, {"reason": LOW_BALANCE}).scalar_one())
        if short:
            self._read_balance()
        if not claimed:
            return 0
        asked = self._lines.run([partial(_ask, row=row, last_start=last_start) for row in claimed])
        self._finish(asked)
        return len(claimed)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        """Payouts under way at the provider; paid ones, which are asked for once a day for a week, are not counted."""
        with self._rt.database.worker() as conn:
            row = conn.execute(_WAITING).one()
            failed = waiting(conn, NAME, now)
        return (row.waiting, row.due) if row.waiting else failed

    def _finish(self, asked: Sequence[_Asked]) -> None:
        """Settle what was seen, put off what was not, and call a person for what the provider says it does not have. Commits."""
        now = self._rt.clock.now()
        findings: list[Finding] = []
        troubles: list[Trouble] = []
        lost: list[UUID] = []
        again: list[tuple[UUID, datetime, str]] = []
        for one in asked:
            if isinstance(one.answer, Paid) and one.answer.payout.status in RANKS:
                findings.append(Seen(one.row.id, one.answer.payout, "POLL", now))
                continue
            if isinstance(one.answer, Refused):
                lost.append(one.row.payout_id)
                again.append((one.row.id, now + timedelta(days=1), one.answer.description))
                continue
            why = one.answer.why if isinstance(one.answer, Unknown | Paused) else "UNREADABLE_ANSWER"
            troubles.append((why, one.answer.wait_s if isinstance(one.answer, Paused) else None))
            again.append((one.row.id, now + again_after(one.row.polls), why))
        with self._rt.database.worker() as conn:
            provider_state.note_calls(conn, troubles, len(asked) > len(troubles), now)
            if again:
                params = {"ids": [a[0] for a in again], "ats": [a[1] for a in again], "whys": [a[2] for a in again]}
                conn.execute(_AGAIN, params)
            if lost:
                conn.execute(_LOST, {"ids": lost, "now": now, "why": NOT_THERE})
        settle_each(self._rt, NAME, findings, now)

    def _read_balance(self) -> None:
        """Remember what the account holds while payouts wait for money: the screen shows what is missing. Commits."""
        (balance,) = self._lines.run([_balance])
        with self._rt.database.worker() as conn:
            if isinstance(balance, int):
                provider_state.note_balance(conn, balance, self._rt.clock.now())


def _ask(provider: Provider, row: Row[Any], last_start: float) -> _Asked:
    if time.monotonic() > last_start:
        return _Asked(row, Unknown("NOT_SENT"))
    answer = provider.fetch_payout(row.provider_payout_id)
    if isinstance(answer, Paid | Refused | Unknown | Paused):
        return _Asked(row, answer)
    return _Asked(row, Unknown("UNREADABLE_ANSWER"))


def _balance(provider: Provider) -> int | object:
    return provider.balance_paise()


def read_balance(conn: Connection) -> tuple[int | None, datetime | None]:
    """What the account held when it was last asked for, in paise, and when that was."""
    row = conn.execute(text("SELECT balance_paise, balance_read_at FROM payout.provider")).one_or_none()
    return (row.balance_paise, row.balance_read_at) if row is not None else (None, None)
