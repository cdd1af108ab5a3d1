"""GEO_BOUNDARY: fires when the place lies outside the tenant, or outside the ward that the report names."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import GeoBoundary


def evaluate(condition: GeoBoundary, case: Case) -> Verdict:
    """The report lies outside its area."""
    (place,) = read(condition.field, case)
    if place.value is None or place.value["latitude"] is None or place.value["longitude"] is None:
        return Verdict(False, "The report names no place")
    if condition.boundary_type == "WARD":
        named = place.value["ward"]
        if named is None or not case.inside:
            return Verdict(False, "The report names no ward" if named is None else "Outside the area, so in none of its wards")
        return Verdict(case.ward_code != named, f"The pin is in ward {case.ward_code}, the report names {named}", named, case.ward_code)
    if case.inside:
        return Verdict(False, "Inside the area", 0, 0.0) if case.explain else CLEAR
    return Verdict(True, f"{case.km_outside:.1f} km outside the area", 0, round(case.km_outside, 3))
