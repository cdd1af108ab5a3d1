"""One report as the rules see it, with everything in order, and ways to spoil it."""

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pipeline.clock import epoch_ms
from pipeline.fraud.case import Answer, Case, History, evidence
from pipeline.masterdata.fraud_models import FraudRule

NOON = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # a Tuesday, 12:00 in Djibouti
REPORT, EARLIER = UUID(int=100), UUID(int=50)
DOG, SELFIE = "DOG_PHOTO", "SELFIE"


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def document(**changes: Any) -> dict[str, Any]:
    """Packet 03/06's request. A change is named by its path with __ for the dot; evidences by dog and selfie."""
    photos = {
        "dog": {"gpsLatitude": 11.5886, "gpsLongitude": 43.1456, "timestamp": epoch_ms(NOON - minutes(2)), "deviceId": "phone-1",
                "exifPresent": True, "contentHash": "aa" * 32},
        "selfie": {"gpsLatitude": 11.5887, "gpsLongitude": 43.1457, "timestamp": epoch_ms(NOON - minutes(1)), "deviceId": "phone-1",
                   "exifPresent": True, "contentHash": "bb" * 32},
    }  # fmt: skip
    made: dict[str, Any] = {
        "createdTime": epoch_ms(NOON),
        "applicantInfo": {
            "applicantId": "t-1",
            "userUuid": "t-1",
            "name": None,
            "mobileNumber": None,
            "deviceId": "phone-1",
            "ipAddress": None,
        },
        "locationData": {"latitude": 11.5886, "longitude": 43.1456, "locality": "DJC001", "ward": "W005", "district": "DJ01"},
        "additionalData": {"dogCount": 2, "isAggressive": False, "lifetimeReportCount": 45, "imageQualityScore": None},
    }
    made = deepcopy(made)
    kept = [name for name in photos if name not in changes or changes[name] is not None]
    for path, value in changes.items():
        steps = path.split("__")
        target: Any = photos if steps[0] in photos else made
        if len(steps) == 1 and steps[0] in photos:
            continue
        for step in steps[:-1]:
            target = target[step]
        target[steps[-1]] = value
    made["evidences"] = [evidence(DOG if name == "dog" else SELFIE, f"file-{name}", **photos[name]) for name in kept]
    if "evidences" in changes:
        made["evidences"] = changes["evidences"]
    return made


def case(history: History | None = None, validators: dict[str, Answer] | None = None, **changes: Any) -> Case:
    """The case; `at`, `inside`, `km_outside`, `ward_code` and `gone` are its own, all else changes the document."""
    own = {name: changes.pop(name) for name in ("inside", "km_outside", "ward_code", "gone") if name in changes}
    at = changes.pop("at", NOON)
    made: dict[str, Any] = {"inside": True, "km_outside": 0.0, "ward_code": "W005", "gone": frozenset(), **own}
    return Case(
        report_id=REPORT,
        tenant_id="dj.djibouti-ville",
        received_at=at,
        zone=ZoneInfo("Africa/Djibouti"),
        document=document(**{"createdTime": epoch_ms(at), **changes}),
        history=history or History(),
        now=at,
        validators=validators or {},
        **made,
    )


def rule(condition: dict[str, Any], code: str = "R", **changes: Any) -> FraudRule:
    """A rule around a condition as the document writes it."""
    entry = {
        "id": code, "code": code, "name": f"Name of {code}", "description": "", "category": "VEL", "severity": "MEDIUM",
        "ruleType": "INTERNAL", "enabled": True, "condition": condition, "action": {"type": "FLAG"}, **changes,
    }  # fmt: skip
    return FraudRule.model_validate(entry, strict=False)
