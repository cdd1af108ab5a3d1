"""GEO_BOUNDARY: fires when the place lies outside the tenant."""

from collections.abc import Mapping
from typing import Any

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict


def evaluate(condition: Mapping[str, Any], case: Case) -> Verdict:
    """The report lies outside the tenant's boundary."""
    if case.inside_boundary:
        return Verdict(False, f"Inside {case.tenant_id}")
    return Verdict(True, f"{case.km_outside:.1f} km outside {case.tenant_id}", {"kmOutside": round(case.km_outside, 3)})
