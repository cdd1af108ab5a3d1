"""The stretch of time that a dashboard is about, and the one before it that it is compared with. Pure: dates in, dates out.

Days, months and financial years are the tenant's; the ends are moments in UTC, the later one excluded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from dashboard import formats

Unit = Literal["day", "week", "month"]

DAYS_BY_DAY = 92  # a quarter: longer curves are told by weeks
DAYS_BY_WEEK = 731  # two years: longer ones by months
FINANCIAL_YEAR_MONTH = 4  # April
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  # before any report


@dataclass(frozen=True)
class Period:
    """From when until when, what went before, and how both are called. `before` None: there is nothing to compare with."""

    from_at: datetime
    to_at: datetime
    before: tuple[datetime, datetime] | None
    before_label: str
    unit: Unit

    def words(self, zone: ZoneInfo) -> str:
        """First and last day, in the tenant's zone."""
        if self.from_at == BEGINNING:
            return "All reports"
        first, last = (formats.local_date(at, zone) for at in (self.from_at, self.to_at - timedelta(microseconds=1)))
        return first if first == last else f"{first} to {last}"


def last_days(number: int) -> Callable[[datetime, ZoneInfo], Period]:
    """Today and the days before it, `number` in all."""

    def period(until: datetime, zone: ZoneInfo) -> Period:
        first = _today(until, zone) - timedelta(days=number - 1)
        earlier = (_start(first - timedelta(days=number), zone), until - timedelta(days=number))
        return Period(_start(first, zone), until, earlier, "the day before" if number == 1 else f"the {number} days before", "day")

    return period


def this_month(until: datetime, zone: ZoneInfo) -> Period:
    """The month so far, against as much of the month before."""
    first = _today(until, zone).replace(day=1)
    return _so_far(first, _month_before(first), until, zone, "the same days of last month", "day")


def last_month(until: datetime, zone: ZoneInfo) -> Period:
    """The whole month before this one, against the one before that."""
    end = _today(until, zone).replace(day=1)
    first = _month_before(end)
    return Period(
        _start(first, zone), _start(end, zone), (_start(_month_before(first), zone), _start(first, zone)), "the month before", "day"
    )


def financial_year(until: datetime, zone: ZoneInfo) -> Period:
    """April until now, against the same months of the year before."""
    today = _today(until, zone)
    year = today.year if today.month >= FINANCIAL_YEAR_MONTH else today.year - 1
    first = date(year, FINANCIAL_YEAR_MONTH, 1)
    return _so_far(first, first.replace(year=year - 1), until, zone, "the same time last year", unit_for((today - first).days + 1))


def all_time(until: datetime, _zone: ZoneInfo) -> Period:
    """Everything there is; nothing went before."""
    return Period(BEGINNING, until, None, "", "month")


def between(first: date, last: date, zone: ZoneInfo) -> Period:
    """The chosen days, both included, against as many before them."""
    number = (last - first).days + 1
    before = (_start(first - timedelta(days=number), zone), _start(first, zone))
    label = "the day before" if number == 1 else f"the {number} days before"
    return Period(_start(first, zone), _start(last + timedelta(days=1), zone), before, label, unit_for(number))


CHOICES: dict[str, Callable[[datetime, ZoneInfo], Period]] = {
    "Today": last_days(1),
    "Last 7 days": last_days(7),
    "Last 30 days": last_days(30),
    "This month": this_month,
    "Last month": last_month,
    "This financial year": financial_year,
    "All time": all_time,
}
DEFAULT = "Last 30 days"
OWN = "Chosen days"


def buckets(unit: Unit, first: date, last: date) -> list[date]:
    """The first days of all days, weeks or months from `first` to `last`, so that a curve falls to zero where nothing came."""
    found = []
    at = first - timedelta(days=first.weekday()) if unit == "week" else first.replace(day=1) if unit == "month" else first
    while at <= last:
        found.append(at)
        at = at + timedelta(days=1 if unit == "day" else 7) if unit != "month" else (at + timedelta(days=32)).replace(day=1)
    return found


def _so_far(first: date, first_before: date, until: datetime, zone: ZoneInfo, label: str, unit: Unit) -> Period:
    start, start_before = _start(first, zone), _start(first_before, zone)
    return Period(start, until, (start_before, min(start_before + (until - start), start)), label, unit)


def unit_for(days: int) -> Unit:
    """How finely a curve of so many days is told."""
    return "day" if days <= DAYS_BY_DAY else "week" if days <= DAYS_BY_WEEK else "month"


def _today(at: datetime, zone: ZoneInfo) -> date:
    return (at - timedelta(microseconds=1)).astimezone(zone).date()  # the end is excluded: midnight belongs to the day before


def _start(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _month_before(first: date) -> date:
    return (first - timedelta(days=1)).replace(day=1)
