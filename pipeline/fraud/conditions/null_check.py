"""NULL_CHECK: fires when the named field is missing; with `[*]`, when any photo lacks it."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import NullCheck


def evaluate(condition: NullCheck, case: Case) -> Verdict:
    """The report says nothing where it should say something."""
    name = condition.field.rpartition(".")[2]
    found = read(condition.field, case)
    missing = [one.purpose for one in found if one.value is None or one.value == ""]
    if not missing and found:
        return Verdict(False, f"{name} is there") if case.explain else CLEAR
    where = ", ".join(purpose for purpose in missing if purpose) if found else "any photo, since there is none"
    return Verdict(True, f"{name} is missing" + (f" in {where}" if where else ""), value=len(missing) or None)
