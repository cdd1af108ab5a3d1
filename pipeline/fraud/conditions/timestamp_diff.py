"""TIMESTAMP_DIFF: fires when dog photo and selfie lie more than `maxDiffMinutes` apart."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import TimestampDiff


def evaluate(condition: TimestampDiff, case: Case) -> Verdict:
    """Photo and selfie were not taken together."""
    limit_min = float(condition.max_diff_minutes)
    dog, selfie = case.photo("DOG_PHOTO"), case.photo("SELFIE")
    if dog is None or selfie is None or dog.taken_at is None or selfie.taken_at is None:
        return Verdict(False, "Photo or selfie does not tell when it was taken")
    apart_min = abs((dog.taken_at - selfie.taken_at).total_seconds()) / 60
    return Verdict(
        apart_min > limit_min,
        f"Photo and selfie {apart_min:.1f} min apart, limit {limit_min:g} min",
        {"threshold": limit_min, "actual": round(apart_min, 2)},
    )
