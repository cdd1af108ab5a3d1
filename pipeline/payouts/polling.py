"""When the provider is asked about a payout of which it has told us nothing. No database here; the job is in poll.py.

Webhooks may all be lost, and some changes have none (cancelled; queued on a current account). So every payout is asked for
until it is final, ever more seldom, and a paid one a few times more, since its reversal may come days after.
"""

from datetime import datetime, time, timedelta

from pipeline.payouts.states import FINAL_RANK, UNPAID

FIRST = timedelta(minutes=2)  # a webhook comes within seconds, if it comes
DELAYS = tuple(timedelta(minutes=m) for m in (3, 5, 10, 30, 60, 180))  # after the first poll; the last one repeats
AFTER_PAID = timedelta(days=1)  # how often a paid one is asked for
REVERSAL_WINDOW = timedelta(days=7)  # three working days with a weekend and a holiday between
LOOK_EVERY = timedelta(seconds=1)  # polls and retries are due in minutes and hours
STUCK_AFTER_WORKING_DAYS = 3  # the network's own deadline for a doubtful credit


def first_poll_at(rank: int, status: str, at: datetime) -> datetime | None:
    """When to ask after the status was seen at `at`; None: nothing can follow."""
    if rank < FINAL_RANK:
        return at + FIRST
    return None if rank > FINAL_RANK or status in UNPAID else at + AFTER_PAID


def next_poll_at(rank: int, polls: int, accepted_at: datetime, at: datetime) -> datetime | None:
    """When to ask again after the poll number `polls` (from 1) told nothing new; None: no more."""
    if rank < FINAL_RANK:
        return at + DELAYS[min(polls, len(DELAYS)) - 1]
    return at + AFTER_PAID if rank == FINAL_RANK and at < accepted_at + REVERSAL_WINDOW else None


def is_stuck(rank: int, accepted_at: datetime, at: datetime) -> bool:
    """Whether a payout has been on its way for more than three working days (Monday to Friday; holidays are not known)."""
    if rank >= FINAL_RANK:
        return False
    day, end = accepted_at.date(), at.date()
    working = 0
    while day < end and working <= STUCK_AFTER_WORKING_DAYS:
        day += timedelta(days=1)
        working += day.weekday() < 5
    return working > STUCK_AFTER_WORKING_DAYS


def stuck_before(at: datetime) -> datetime:
    """The moment before which the provider took whatever `is_stuck` at `at`: the same rule as a bound, for a statement."""
    day, working = at.date(), 0
    while working <= STUCK_AFTER_WORKING_DAYS:
        working += day.weekday() < 5
        day -= timedelta(days=1)
    return datetime.combine(day + timedelta(days=1), time(), at.tzinfo)


class Pace:
    """Spares the database a look that would find nothing: what is due in minutes need not be looked for at every round."""

    def __init__(self, every: timedelta = LOOK_EVERY) -> None:
        self._every = every
        self._empty_at: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether the last look found nothing and was less than the interval ago."""
        return self._empty_at is not None and self._empty_at <= now < self._empty_at + self._every

    def found(self, number: int, now: datetime) -> int:
        """Remember what a look found; gives the number back."""
        self._empty_at = None if number else now
        return number
