"""INTERVAL: fires when the applicant's report before this one is less than `minIntervalMinutes` old."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import Interval


def evaluate(condition: Interval, case: Case) -> Verdict:
    """Two reports in a row."""
    limit_min = condition.min_interval_minutes
    before = case.history.before
    if before is None:
        return Verdict(False, "No report shortly before", limit_min)
    minutes = (case.received_at - before.created_at).total_seconds() / 60
    return Verdict(
        minutes < limit_min, f"{minutes:.1f} min after the report before, at least {limit_min} min", limit_min, round(minutes, 2)
    )
