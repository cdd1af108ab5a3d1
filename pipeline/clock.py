"""Time as one object, handed down as `now`, so that a replay or a test can hold it.

No other module asks the operating system for the time of day.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo


class Clock(Protocol):
    """Tells the present moment, always timezone-aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SettableClock:
    """A clock that stands still until it is moved: for replays, the demo and tests."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def advance(self, by: timedelta) -> None:
        self._at += by


def epoch_ms(at: datetime | None) -> int | None:
    """Milliseconds since 1970-01-01 UTC, as packets carry time; None stays None."""
    return None if at is None else round(at.timestamp() * 1000)


def from_epoch_ms(ms: int) -> datetime:
    """The UTC moment of a packet's millisecond time. Raises OverflowError or ValueError outside years 1-9999."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The tenant's calendar day that contains `at`."""
    return at.astimezone(zone).date()


def local_month(at: datetime, zone: ZoneInfo) -> date:
    """The first day of the tenant's calendar month that contains `at`."""
    return local_day(at, zone).replace(day=1)


def next_local_midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """When the tenant's next calendar day begins, in UTC."""
    tomorrow = local_day(at, zone) + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone).astimezone(UTC)
