"""GEO_DISTANCE: fires when two places of the report lie more than `maxDistanceMeters` apart."""

from collections.abc import Iterator

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, Verdict, metres
from pipeline.fraud.fields import Found, read
from pipeline.masterdata.fraud_models import GeoDistance
from pipeline.masterdata.geo import haversine_m

NAMES = {"DOG_PHOTO": "dog photo", "SELFIE": "selfie", None: "pin"}


def evaluate(condition: GeoDistance, case: Case) -> Verdict:
    """Photo and selfie were not taken at one place. Where a path names several places, the two farthest apart count."""
    limit_m = condition.max_distance_meters
    apart = [
        (haversine_m(*here, *there), one, other)
        for one, here in _places(condition.point1, case)
        for other, there in _places(condition.point2, case)
        if one is not other
    ]
    if not apart:
        return Verdict(False, "Not both places are known", limit_m)
    apart_m, one, other = max(apart, key=lambda entry: entry[0])
    if apart_m <= limit_m and not case.explain:
        return CLEAR
    message = f"{_name(one)} {metres(apart_m)} from {_name(other).lower()}, limit {limit_m} m"
    return Verdict(apart_m > limit_m, message, limit_m, round(apart_m, 1))


def _places(path: str, case: Case) -> Iterator[tuple[Found, tuple[float, float]]]:
    for found in read(path, case):
        place = found.value
        if place is not None and place["latitude"] is not None and place["longitude"] is not None:
            yield found, (place["latitude"], place["longitude"])


def _name(found: Found) -> str:
    return NAMES.get(found.purpose, str(found.purpose)).capitalize()
