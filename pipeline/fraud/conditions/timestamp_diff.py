"""TIMESTAMP_DIFF: fires when two times of the report lie more than `maxDiffMinutes` apart."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, span
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import TimestampDiff

MINUTE_MS = 60_000


def evaluate(condition: TimestampDiff, case: Case) -> Verdict:
    """Photo and selfie were not taken together. Where a path names several times, the two farthest apart count."""
    limit_min = condition.max_diff_minutes
    one = [found.value for found in read(condition.field1, case) if found.value is not None]
    other = [found.value for found in read(condition.field2, case) if found.value is not None]
    if not one or not other:
        return Verdict(False, "Not both photos tell when they were taken", limit_min)
    apart_ms = max(max(one) - min(other), max(other) - min(one))
    if apart_ms <= limit_min * MINUTE_MS and not case.explain:
        return CLEAR
    apart_min = apart_ms / MINUTE_MS
    message = f"Photo and selfie {span(apart_min)} apart, limit {limit_min} min"
    return Verdict(apart_ms > limit_min * MINUTE_MS, message, limit_min, round(apart_min, 2))
