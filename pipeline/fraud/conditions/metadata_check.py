"""METADATA_CHECK: fires when any photo lacks what a camera writes into it."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import MetadataCheck


def evaluate(condition: MetadataCheck, case: Case) -> Verdict:
    """EXIF data was removed."""
    expected = bool(condition.expected_value)
    differing = [photo.purpose for photo in case.photos if photo.exif_present is not expected]
    if differing:
        return Verdict(True, f"No EXIF data in {', '.join(differing)}", {"without": differing})
    return Verdict(False, "EXIF data is present in every photo")
