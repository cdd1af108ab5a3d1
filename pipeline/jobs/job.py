"""The three kinds of work. A stage's status column is its queue; nothing here knows what the rows mean.

A *batch* touches only the database: it claims subjects by their status and changes them in one transaction. An *effect*
calls out: it commits intent and lease, calls with no transaction open, and commits the outcome. A *periodic* task runs
once in each interval.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

BACKOFF_FIRST_S = 10
BACKOFF_LAST_S = 3600  # an hour: a person has time to see the dead letter before the next try
MAX_ATTEMPTS = 8  # about three hours of backoff


class Job(Protocol):
    """Anything the worker loop can run."""

    @property
    def name(self) -> str: ...

    def run_once(self, now: datetime) -> int:
        """Do one bounded piece of work; the number of subjects handled, 0 when nothing is due."""
        ...

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        """How many subjects wait for later and when the first is due; None when none does."""
        ...


class Claim(Protocol):
    """Locks due subjects (`FOR UPDATE SKIP LOCKED`) and returns their ids; `only` narrows the claim to some of them.

    Subjects in jobs.failure that are not due again are left out: see `NOT_FAILED`.
    """

    def __call__(self, conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]: ...


# To be put into a claim's WHERE; needs :job, :now and the subject's column named `id` of table alias `q`
NOT_FAILED = """NOT EXISTS (SELECT FROM jobs.failure f WHERE f.job = :job AND f.subject = q.id
                AND (f.dead_at IS NOT NULL OR f.next_attempt_at > :now))"""


def backoff(attempts: int) -> timedelta:
    """Exponential: 10 s, 20 s, 40 s … up to an hour."""
    return timedelta(seconds=min(BACKOFF_FIRST_S * 2 ** (attempts - 1), BACKOFF_LAST_S))


@dataclass(frozen=True)
class Periodic:
    """A task that runs once per interval, whichever worker comes first."""

    name: str
    every: timedelta
    task: Callable[[datetime], None]
