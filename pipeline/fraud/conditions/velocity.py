"""VELOCITY: fires when the applicant sent more than `threshold` reports within `windowHours`, this one included."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, plural
from pipeline.masterdata.fraud_models import Velocity


def evaluate(condition: Velocity, case: Case) -> Verdict:
    """One teacher reports faster than dogs are met."""
    count = case.history.within_hours[condition.window_hours]
    if count <= condition.threshold and not case.explain:
        return CLEAR
    message = f"{plural(count, 'report')} within {condition.window_hours} h, limit {condition.threshold}"
    return Verdict(count > condition.threshold, message, condition.threshold, count)
