"""The checks as pure functions: what was measured, against which limit, and the reason in words.

Order and limits are the programme's; any failed check rejects, with the first one's reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline.fraud.scoring import FraudScore
from pipeline.masterdata.geo import haversine_m
from pipeline.masterdata.models import ValidationLimits


@dataclass(frozen=True)
class Check:
    """One check's verdict. `measured` None: there was nothing to measure. `rejects_with`: the reason code when it failed."""

    name: str
    passed: bool
    measured: float | None
    limit: float
    unit: str
    reason: str
    rejects_with: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Position:
    """A place in degrees."""

    latitude: float
    longitude: float

    def metres_to(self, other: "Position") -> float:
        return haversine_m(self.latitude, self.longitude, other.latitude, other.longitude)


@dataclass(frozen=True)
class Nearest:
    """The most alike earlier dog photo: its report, similarity 0–1, and whether its bytes are the same."""

    report_id: str
    report_number: str
    similarity: float
    same_bytes: bool


def gps_location(exif: Position | None, device: Position | None, pin: Position, limits: ValidationLimits) -> Check:
    """EXIF place against device place; without EXIF the device's alone counts and is flagged; with neither it fails."""
    limit_m = float(limits.max_gps_distance_meters)
    details: dict[str, Any] = {}
    if device is not None:
        pin_m = pin.metres_to(device)
        details["pinFromDeviceM"] = round(pin_m, 1)
        details["pinFarFromDevice"] = pin_m > limits.max_pin_distance_meters
    if exif is not None and device is not None:
        apart_m = exif.metres_to(device)
        passed = apart_m <= limit_m
        reason = f"EXIF GPS {_distance(apart_m)} from device, limit {limit_m:g} m"
        return Check(
            "GPS_LOCATION", passed, apart_m, limit_m, "m", reason, "INVALID_GPS", {**details, "result": "MATCH" if passed else "MISMATCH"}
        )
    if exif is None and device is None:
        reason = "Neither the photo nor the device tells where it was taken"
        return Check("GPS_LOCATION", False, None, limit_m, "m", reason, "INVALID_GPS", {**details, "result": "NOT_AVAILABLE"})
    present = "device GPS" if exif is None else "EXIF GPS"
    reason = f"No {'EXIF' if exif is None else 'device'} GPS; {present} alone counts"
    return Check("GPS_LOCATION", True, None, limit_m, "m", reason, "INVALID_GPS", {**details, "result": "NOT_AVAILABLE", "flagged": True})


def timestamp_freshness(captured_at: datetime | None, received_at: datetime, limits: ValidationLimits) -> Check:
    """Fresh at receipt, and dated no further ahead than phones' clocks run."""
    limit_h, future_h = float(limits.max_photo_age_hours), limits.max_photo_future_minutes / 60
    if captured_at is None:
        return Check("TIMESTAMP_FRESHNESS", False, None, limit_h, "h", "Nothing tells when the photo was taken", "STALE_TIMESTAMP")
    age_h = (received_at - captured_at).total_seconds() / 3600
    passed = -future_h <= age_h <= limit_h
    if age_h < 0:
        reason = f"Photo dated {-age_h * 60:.0f} min after receipt, limit {future_h * 60:.0f} min"
    else:
        reason = f"Photo {age_h:.1f} h old at receipt, limit {limit_h:g} h"
    details = {"photoAge": f"{age_h:.1f} hours", "maxAllowed": f"{limit_h:g} hours"}
    return Check("TIMESTAMP_FRESHNESS", passed, age_h, limit_h, "h", reason, "STALE_TIMESTAMP", details)


def boundary(inside: bool, km_outside: float, tenant_name: str, nearest_tenant: str | None) -> Check:
    """The report's pin lies inside the tenant; how far outside and whose place it is otherwise are recorded."""
    details = {"kmOutside": round(km_outside, 3), "nearestTenant": nearest_tenant}
    if inside:
        return Check("BOUNDARY_CHECK", True, 0.0, 0.0, "km", f"Inside {tenant_name}", "OUTSIDE_BOUNDARY", details)
    near = f", nearest tenant {nearest_tenant}" if nearest_tenant else ""
    reason = f"{km_outside:.1f} km outside {tenant_name}{near}"
    return Check("BOUNDARY_CHECK", False, km_outside, 0.0, "km", reason, "OUTSIDE_BOUNDARY", details)


def duplicate_image(nearest: Nearest | None, limits: ValidationLimits) -> Check:
    """Same bytes, or a picture nearly alike, as an earlier report of the tenant; near ones may go to review instead."""
    name, limit = "DUPLICATE_IMAGE", limits.duplicate_similarity
    to_review = limits.near_duplicate_mode == "REVIEW"
    if nearest is None:
        reason = f"No earlier photo is {limit:.0%} alike or more"
        return Check(name, True, None, limit, "similarity", reason, name, {"duplicateFound": False})
    details = {
        "duplicateFound": True,
        "duplicateReportId": nearest.report_id,
        "duplicateReportNumber": nearest.report_number,
        "sameBytes": nearest.same_bytes,
    }
    how = "The same file as" if nearest.same_bytes else f"{nearest.similarity:.0%} similar to"
    passed = to_review and not nearest.same_bytes
    reason = f"{how} the photo of {nearest.report_number}, limit {limit:.0%}"
    return Check(name, passed, nearest.similarity, limit, "similarity", reason, name, {**details, "review": passed})


def fraud_score(result: FraudScore, reject_above: int) -> Check:
    """Fails only on a recommendation to reject; a manual review goes on to the verifier, marked."""
    passed = result.recommendation != "AUTO_REJECT"
    reason = f"Risk score {result.score} ({result.risk_level})" + ("" if passed else f": {result.reason}")
    details = {"riskLevel": result.risk_level, "recommendation": result.recommendation}
    return Check("FRAUD_SCORE", passed, float(result.score), float(reject_above), "score", reason, "FRAUD_DETECTED", details)


def _distance(metres: float) -> str:
    return f"{metres / 1000:.1f} km" if metres >= 1000 else f"{metres:.0f} m"
