"""TIMESTAMP_AGE: fires when any of the named times is more than `maxAgeHours` before receipt."""

from pipeline.clock import epoch_ms
from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import TimestampAge

HOUR_MS = 3_600_000


def evaluate(condition: TimestampAge, case: Case) -> Verdict:
    """The evidence is old."""
    limit_h = condition.max_age_hours
    times_ms = [found.value for found in read(condition.field, case) if found.value is not None]
    if not times_ms:
        return Verdict(False, "No photo tells when it was taken", limit_h)
    age_ms = (epoch_ms(case.received_at) or 0) - min(times_ms)
    if age_ms <= limit_h * HOUR_MS and not case.explain:
        return CLEAR
    age_h = age_ms / HOUR_MS
    return Verdict(age_ms > limit_h * HOUR_MS, f"Oldest photo is {age_h:.1f} h old, limit {limit_h} h", limit_h, round(age_h, 2))
