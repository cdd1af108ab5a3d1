"""METADATA_CHECK: fires when a photo's metadata differ from what a camera's untouched photo has."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, photos
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import MetadataCheck

WORDS = {("exifPresent", True): "EXIF data is missing in {where}"}


def evaluate(condition: MetadataCheck, case: Case) -> Verdict:
    """Metadata were removed or altered. What is not known is not held against the report."""
    name = condition.field.rpartition(".")[2]
    expected = condition.expected_value
    known = [found for found in read(condition.field, case) if found.value is not None]
    if not known:
        return Verdict(False, f"{name} is not known", expected)
    differing = [found for found in known if found.value != expected]
    if not differing:
        return Verdict(False, f"{name} is {expected}", expected, expected) if case.explain else CLEAR
    where = photos(found.purpose for found in differing if found.purpose) or "the report"
    words = WORDS.get((name, expected), "{name} is {value} in {where}, expected {expected}")  # type: ignore[arg-type]
    value = differing[0].value
    return Verdict(True, words.format(name=name, value=value, where=where, expected=expected), expected, value)
