"""IMAGE_SIMILARITY: fires when an earlier dog photo of the tenant is at least `threshold` alike."""

from datetime import timedelta

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import UnevaluableError, Verdict
from pipeline.fraud.fields import purpose_of
from pipeline.masterdata.fraud_models import ImageSimilarity

HASH_BITS = 64


def distance_of(condition: ImageSimilarity) -> int:
    """The most bits that may differ. Raises UnevaluableError for photos whose pictures are not searched."""
    if purpose_of(condition.field) != "DOG_PHOTO":
        raise UnevaluableError(f"pictures of {condition.field} are not searched, only dog photos")
    return int(HASH_BITS * (1 - condition.threshold) + 1e-9)


def evaluate(condition: ImageSimilarity, case: Case) -> Verdict:
    """A photo much like an earlier one. Reports that were rejected automatically do not count as originals."""
    farthest = 1 - distance_of(condition) / HASH_BITS
    since = case.received_at - timedelta(days=condition.lookback_days)
    for match in case.history.alike:
        if match.similarity >= farthest and match.created_at >= since and match.report_id not in case.gone:
            return Verdict(
                True,
                f"{match.similarity:.0%} like the dog photo of {match.report_number}, limit {condition.threshold:.0%}",
                condition.threshold,
                round(match.similarity, 4),
                {"originalReportId": str(match.report_id), "originalReportNumber": match.report_number},
            )
    return Verdict(False, f"No dog photo of the last {condition.lookback_days} days is alike", condition.threshold)
