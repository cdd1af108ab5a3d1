"""METADATA_CHECK: fires when any photo lacks what a camera writes into it."""

from collections.abc import Mapping
from typing import Any

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict


def evaluate(condition: Mapping[str, Any], case: Case) -> Verdict:
    """EXIF data was removed."""
    expected = bool(condition["expectedValue"])
    differing = [photo.purpose for photo in case.photos if photo.exif_present is not expected]
    if differing:
        return Verdict(True, f"No EXIF data in {', '.join(differing)}", {"without": differing})
    return Verdict(False, "EXIF data is present in every photo")
