"""AGGREGATE_COUNT: fires when the applicant sent more than `threshold` reports within `periodDays`, this one included."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, plural
from pipeline.masterdata.fraud_models import AggregateCount


def evaluate(condition: AggregateCount, case: Case) -> Verdict:
    """Many reports over a time. One day is the tenant's calendar day; more days roll."""
    count = case.history.within_days[condition.period_days]
    if count <= condition.threshold and not case.explain:
        return CLEAR
    span = "today" if condition.period_days == 1 else f"within {condition.period_days} days"
    cap = "" if condition.cap_value is None else f" of at most {condition.cap_value}"
    message = f"{plural(count, 'report')}{cap} {span}, limit {condition.threshold}"
    return Verdict(count > condition.threshold, message, condition.threshold, count)
