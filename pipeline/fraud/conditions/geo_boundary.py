"""GEO_BOUNDARY: fires when the place lies outside the tenant."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import GeoBoundary


def evaluate(condition: GeoBoundary, case: Case) -> Verdict:
    """The report lies outside the tenant's boundary."""
    if case.inside_boundary:
        return Verdict(False, f"Inside {case.tenant_id}")
    return Verdict(True, f"{case.km_outside:.1f} km outside {case.tenant_id}", {"kmOutside": round(case.km_outside, 3)})
