"""GEO_DISTANCE: fires when dog photo and selfie lie more than `maxDistanceMeters` apart."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import GeoDistance
from pipeline.masterdata.geo import haversine_m


def evaluate(condition: GeoDistance, case: Case) -> Verdict:
    """Photo and selfie were not taken at one place."""
    limit_m = float(condition.max_distance_meters)
    dog, selfie = case.photo("DOG_PHOTO"), case.photo("SELFIE")
    if (
        dog is None
        or selfie is None
        or dog.latitude is None
        or dog.longitude is None
        or selfie.latitude is None
        or selfie.longitude is None
    ):
        return Verdict(False, "Photo or selfie does not tell where it was taken")
    apart_m = haversine_m(dog.latitude, dog.longitude, selfie.latitude, selfie.longitude)
    return Verdict(
        apart_m > limit_m,
        f"Photo and selfie {apart_m:.0f} m apart, limit {limit_m:g} m",
        {"threshold": limit_m, "actual": round(apart_m, 1)},
    )
