"""TIME_WINDOW: fires when the time lies outside the allowed hours of the tenant's zone."""

from datetime import datetime, time
from functools import lru_cache

from pipeline.clock import from_epoch_ms
from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import TimeWindow, Window

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
KEPT = 512  # times of day; every rule has a few


def evaluate(condition: TimeWindow, case: Case) -> Verdict:
    """Sent outside school hours. A window that ends before it starts goes over midnight into the next day."""
    times = [from_epoch_ms(one.value).astimezone(case.zone) for one in read(condition.field, case) if one.value is not None]
    if not times:
        return Verdict(False, "The time is not known")
    outside = next((local for local in times if not any(_inside(window, local) for window in condition.allowed_windows)), None)
    if outside is None and not case.explain:
        return CLEAR
    shown = outside or times[0]
    message = f"{NAMES[shown.weekday()]} {shown:%H:%M} local time, {'outside' if outside else 'inside'} the allowed hours"
    details = {"submissionHour": shown.hour, "timezone": case.zone.key}
    return Verdict(outside is not None, message, value=f"{shown:%H:%M}", details=details)


def _inside(window: Window, local: datetime) -> bool:
    day, at = local.weekday(), local.time()
    start, end = _clock(window.start), _clock(window.end)
    if start <= end:
        return DAYS[day] in window.days and start <= at <= end
    return (DAYS[day] in window.days and at >= start) or (DAYS[day - 1] in window.days and at <= end)


@lru_cache(maxsize=KEPT)
def _clock(value: str) -> time:
    return time.fromisoformat(value)
