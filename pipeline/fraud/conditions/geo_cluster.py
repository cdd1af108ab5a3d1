"""GEO_CLUSTER: fires when `minCount` or more reports lie within `radiusMeters` and `windowHours`, this one included."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, plural
from pipeline.masterdata.fraud_models import GeoCluster


def evaluate(condition: GeoCluster, case: Case) -> Verdict:
    """Many reports of one place, whoever sent them and whatever became of them, but for those that a person told to be other dogs."""
    count = case.history.nearby[condition.radius_meters, condition.window_hours]
    if count < condition.min_count and not case.explain:
        return CLEAR
    where = f"within {condition.radius_meters} m and {condition.window_hours} h"
    return Verdict(
        count >= condition.min_count, f"{plural(count, 'report')} {where}, flagged from {condition.min_count}", condition.min_count, count
    )
