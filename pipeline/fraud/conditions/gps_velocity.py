"""GPS_VELOCITY: fires when the way from the applicant's report before asks for more than `maxSpeedKmh`."""

from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import Verdict, metres
from pipeline.fraud.fields import read
from pipeline.masterdata.fraud_models import GpsVelocity
from pipeline.masterdata.geo import haversine_m

HALF_ROUND_KM = 20_016  # nobody is farther from anywhere: an older report can ask for no speed above the limit


def evaluate(condition: GpsVelocity, case: Case) -> Verdict:
    """Nobody is at two places at once.

    Reports closer in time than `minIntervalMinutes` are taken to be so far apart: over seconds, the error of two
    positions alone would be a great speed.
    """
    limit_kmh = condition.max_speed_kmh
    (place,) = read(condition.field, case)
    before = case.history.before
    if before is None or place.value is None or place.value["latitude"] is None or place.value["longitude"] is None:
        return Verdict(False, "No report before to travel from", limit_kmh)
    apart_m = haversine_m(before.latitude, before.longitude, place.value["latitude"], place.value["longitude"])
    minutes = (case.received_at - before.created_at).total_seconds() / 60
    counted = max(minutes, condition.min_interval_minutes)
    if apart_m == 0:
        return Verdict(False, "At the place of the report before", limit_kmh, 0.0)
    if counted == 0:
        return Verdict(True, f"{metres(apart_m)} from the report before, of the same moment", limit_kmh)
    speed_kmh = apart_m / 1000 / (counted / 60)
    message = f"{metres(apart_m)} in {minutes:.0f} min since the report before: {speed_kmh:.0f} km/h, limit {limit_kmh} km/h"
    return Verdict(speed_kmh > limit_kmh, message, limit_kmh, round(speed_kmh, 1))
