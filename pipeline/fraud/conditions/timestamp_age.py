"""TIMESTAMP_AGE: fires when any photo is older than `maxAgeHours` at receipt."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import TimestampAge


def evaluate(condition: TimestampAge, case: Case) -> Verdict:
    """The evidence is old."""
    limit_h = float(condition.max_age_hours)
    ages_h = [(case.received_at - photo.taken_at).total_seconds() / 3600 for photo in case.photos if photo.taken_at is not None]
    if not ages_h:
        return Verdict(False, "No photo tells when it was taken")
    oldest_h = max(ages_h)
    return Verdict(
        oldest_h > limit_h,
        f"Oldest photo is {oldest_h:.1f} h old, limit {limit_h:g} h",
        {"threshold": limit_h, "actual": round(oldest_h, 2)},
    )
