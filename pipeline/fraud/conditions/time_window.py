"""TIME_WINDOW: fires when the report was received outside the allowed hours of the tenant's zone."""

from datetime import time

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import TimeWindow

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")


def evaluate(condition: TimeWindow, case: Case) -> Verdict:
    """Sent outside school hours."""
    local = case.received_at.astimezone(case.zone)
    day = DAYS[local.weekday()]
    allowed = any(
        day in window.days and time.fromisoformat(window.start) <= local.time() <= time.fromisoformat(window.end)
        for window in condition.allowed_windows
    )
    return Verdict(
        not allowed,
        f"Received {day} {local:%H:%M} ({case.zone.key}), {'inside' if allowed else 'outside'} the allowed hours",
        {"submissionHour": local.hour, "timezone": case.zone.key},
    )
