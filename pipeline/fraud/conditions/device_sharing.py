"""DEVICE_SHARING: fires when `minUniqueUsers` or more applicants used the report's device within `windowDays`."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import DeviceSharing


def evaluate(condition: DeviceSharing, case: Case) -> Verdict:
    """One phone in several names. A report that tells no device is not triggered."""
    limit = condition.min_unique_users
    if all(found.value is None for found in read(condition.field, case)):
        return Verdict(False, "The report tells no device", limit)
    users = case.history.device_users[condition.window_days]
    if users < limit and not case.explain:
        return CLEAR
    who = "1 teacher" if users == 1 else f"{users} teachers"
    return Verdict(users >= limit, f"{who} used this device within {condition.window_days} days, flagged from {limit}", limit, users)
