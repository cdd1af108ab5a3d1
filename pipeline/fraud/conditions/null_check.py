"""NULL_CHECK: fires when any photo lacks the named field."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import NullCheck

FIELDS = {
    "evidences[*].metadata.gpsLatitude": "latitude",
    "evidences[*].metadata.gpsLongitude": "longitude",
    "evidences[*].metadata.timestamp": "taken_at",
}


def evaluate(condition: NullCheck, case: Case) -> Verdict:
    """A photo says nothing where it should say something."""
    attribute = FIELDS[condition.field]
    missing = [photo.purpose for photo in case.photos if getattr(photo, attribute) is None]
    if missing:
        return Verdict(True, f"{attribute} is missing in {', '.join(missing)}", {"missing": missing})
    return Verdict(False, f"{attribute} is present in all {len(case.photos)} photos")
