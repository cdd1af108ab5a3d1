"""HASH_MATCH: fires when an earlier report of the tenant has the very same file."""

from datetime import timedelta

from pipeline.fraud.case import Case, SameFile
from pipeline.fraud.conditions.verdict import UnevaluableError, Verdict
from pipeline.fraud.fields import purpose_of, read
from pipeline.masterdata.fraud_models import HashMatch

SEARCHED = ("DOG_PHOTO", "SELFIE")


def key_of(condition: HashMatch) -> SameFile:
    """Which files the condition looks up. Raises UnevaluableError for photos that are not searched."""
    purpose = "DOG_PHOTO" if condition.field == "contentHash" else purpose_of(condition.field)
    if purpose not in SEARCHED:
        raise UnevaluableError(f"files of {condition.field} are not searched, only those of {' and '.join(SEARCHED)}")
    return SameFile(purpose, condition.same_applicant_only)


def evaluate(condition: HashMatch, case: Case) -> Verdict:
    """A file that was sent before. Reports that were rejected automatically do not count as originals."""
    key = key_of(condition)
    if all(found.value is None for found in read(condition.field, case)):
        return Verdict(False, "The report has no such file", condition.threshold)
    since = None if condition.lookback_days is None else case.received_at - timedelta(days=condition.lookback_days)
    for match in case.history.same_file[key]:
        if match.report_id not in case.gone and (since is None or match.created_at >= since):
            what = "dog photo" if key.purpose == "DOG_PHOTO" else "selfie"
            return Verdict(
                True,
                f"The very file of the {what} of {match.report_number}",
                condition.threshold,
                1.0,
                {"originalReportId": str(match.report_id), "originalReportNumber": match.report_number},
            )
    return Verdict(False, "No earlier report has this file", condition.threshold)
