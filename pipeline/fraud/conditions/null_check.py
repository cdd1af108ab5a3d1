"""NULL_CHECK: fires when the named field is missing; with `[*]`, when any photo lacks it."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, named, photos
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import NullCheck


def evaluate(condition: NullCheck, case: Case) -> Verdict:
    """The report says nothing where it should say something."""
    name = named(condition.field)
    found = read(condition.field, case)
    missing = [one.purpose for one in found if one.value is None or one.value == ""]
    if not missing and found:
        return Verdict(False, f"{_begin(name)} is there") if case.explain else CLEAR
    where = photos(purpose for purpose in missing if purpose) if found else "any photo, since there is none"
    return Verdict(True, f"{_begin(name)} is missing" + (f" in {where}" if where else ""), value=len(missing) or None)


def _begin(words: str) -> str:
    """As a sentence begins; a field's own name keeps its letters."""
    return words[0].upper() + words[1:] if words.startswith("the ") else words
