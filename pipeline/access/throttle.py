"""Slowing down who guesses: failed sign-ins are counted by name and address together, by name alone, and by address alone.

Kept as keyed hashes, from which no person can be read. A name that nobody has is counted like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from pipeline.errors import AppError
from pipeline.vault.keys import Keyring
from pipeline.vault.seal import keyed_hash

FAILURE_WINDOW = timedelta(minutes=15)


@dataclass(frozen=True)
class Limit:
    """How many failures within the window, and how long the subject then waits."""

    failures: int
    wait: timedelta


PAIR = Limit(8, FAILURE_WINDOW)  # a person mistypes less often than that
# One name tried from many addresses. The owner waits with the guesser, so it takes more failures and lasts less.
ACCOUNT = Limit(40, timedelta(minutes=5))
# Many names tried from one address. A school's teachers share one, and so does everybody behind a proxy that hides them.
ADDRESS = Limit(200, timedelta(minutes=1))

_LOCKED = text("SELECT max(locked_until) FROM access.sign_in_throttle WHERE subject = ANY (:subjects) AND locked_until > :now")
_COUNT = text("""
    INSERT INTO access.sign_in_throttle AS t (subject, failures, window_starts_at) VALUES (:subject, 1, :now)
    ON CONFLICT (subject) DO UPDATE SET
        failures = CASE WHEN t.window_starts_at < :window THEN 1 ELSE t.failures + 1 END,
        window_starts_at = CASE WHEN t.window_starts_at < :window THEN :now ELSE t.window_starts_at END,
        locked_until = CASE WHEN t.window_starts_at >= :window AND t.failures + 1 >= :allowed THEN CAST(:until AS timestamptz) END
""")
_FORGET = text("DELETE FROM access.sign_in_throttle WHERE subject = :subject")


class Throttle:
    """The three counters of one attempt. Nothing here commits."""

    def __init__(self, keyring: Keyring, username: str, client: str, door: str = "sign-in") -> None:
        name = username.strip().casefold()
        self._pair = keyed_hash(keyring, door, f"{name}|{client}")
        self._subjects: Sequence[tuple[bytes, Limit]] = sorted(  # always locked in one order
            [
                (self._pair, PAIR),
                (keyed_hash(keyring, door, f"name|{name}"), ACCOUNT),
                (keyed_hash(keyring, door, f"address|{client}"), ADDRESS),
            ],
            key=lambda subject: subject[0],
        )

    def check(self, conn: Connection, now: datetime) -> None:
        """Raise SDCRS_SIGN_IN_THROTTLED while any of the three waits."""
        until = conn.execute(_LOCKED, {"subjects": [subject for subject, _ in self._subjects], "now": now}).scalar_one()
        if until is not None:
            raise AppError("SDCRS_SIGN_IN_THROTTLED", retryAfterSeconds=int((until - now).total_seconds()) + 1)

    def failed(self, conn: Connection, now: datetime) -> None:
        """Count a failure for all three."""
        for subject, limit in self._subjects:
            conn.execute(
                _COUNT,
                {
                    "subject": subject,
                    "now": now,
                    "window": now - FAILURE_WINDOW,
                    "allowed": limit.failures,
                    "until": now + limit.wait,
                },
            )

    def passed(self, conn: Connection) -> None:
        """Forget this person's own slips at this address; what is counted over many of them stays until its window ends."""
        conn.execute(_FORGET, {"subject": self._pair})
