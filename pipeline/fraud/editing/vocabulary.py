"""What a rule may look at: the fields that each condition type reads, the names that expressions know, and sensible limits.

The checker refuses what is not here; the editor offers what is.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pipeline.masterdata.fraud_models import ExternalValidator

PHOTOS = ("evidences[purpose=DOG_PHOTO]", "evidences[purpose=SELFIE]")
EVERY_PHOTO = "evidences[*]"
TIMES = (*(f"{photo}.metadata.timestamp" for photo in (*PHOTOS, EVERY_PHOTO)), "createdTime")
PLACES = (*(f"{photo}.metadata.gps" for photo in PHOTOS), "locationData")

# By condition type and key, the fields that the condition can read. NULL_CHECK asks of any field whether it is there.
FIELDS: Mapping[str, Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "NULL_CHECK": {
            "field": (
                *(f"{EVERY_PHOTO}.metadata.{name}" for name in ("gpsLatitude", "timestamp", "deviceId")),
                *(f"{photo}.metadata.{name}" for photo in PHOTOS for name in ("gpsLatitude", "timestamp", "deviceId")),
                *(f"locationData.{name}" for name in ("locality", "ward", "district")),
                "deviceId",
                "additionalData.dogCount",
            )
        },
        "GEO_BOUNDARY": {"field": ("locationData",)},
        "GEO_CLUSTER": {"field": ("locationData",)},
        "GPS_VELOCITY": {"field": ("locationData",)},
        "VELOCITY": {"field": ("applicantId",)},
        "INTERVAL": {"field": ("applicantId",)},
        "AGGREGATE_COUNT": {"field": ("applicantId",)},
        "DEVICE_SHARING": {"field": (f"{EVERY_PHOTO}.metadata.deviceId", "deviceId")},
        "HASH_MATCH": {"field": ("contentHash", *(f"{photo}.fileStoreId" for photo in PHOTOS))},
        "IMAGE_SIMILARITY": {"field": (f"{PHOTOS[0]}.fileStoreId",)},
        "METADATA_CHECK": {
            "field": tuple(f"{photo}.metadata.{name}" for photo in (EVERY_PHOTO, *PHOTOS) for name in ("exifPresent", "software"))
        },
        "TIMESTAMP_AGE": {"field": TIMES[:-1]},
        "TIMESTAMP_DIFF": {"field1": TIMES, "field2": TIMES},
        "GEO_DISTANCE": {"point1": PLACES, "point2": PLACES},
        "TIME_WINDOW": {"field": ("createdTime", *TIMES[:-1])},
    }
)

# The most that a number of a condition may be; each is far beyond what a programme asks and well within what the history can answer.
LIMITS: Mapping[str, float] = MappingProxyType(
    {
        "windowHours": 24 * 90,
        "windowDays": 90,
        "periodDays": 366,
        "lookbackDays": 366,
        "maxAgeHours": 24 * 366,
        "threshold": 10_000,
        "minCount": 200,  # so far reports around a place are counted
        "minUniqueUsers": 50,  # of a device's reports as many are looked at
        "radiusMeters": 2_000,  # as the model has it
        "minIntervalMinutes": 60 * 24 * 7,
        "maxDiffMinutes": 60 * 24 * 31,
        "maxDistanceMeters": 1_000_000,
        "maxSpeedKmh": 1_200,  # an airliner
        "capValue": 100_000,
    }
)
# Characters
TEXTS: Mapping[str, int] = MappingProxyType(
    {"code": 60, "name": 120, "description": 500, "message": 300, "rejectionReason": 60, "expression": 2_000, "checkExpression": 2_000}
)

ADDITIONAL: Mapping[str, str] = MappingProxyType(
    {
        "dogCount": "number",
        "isAggressive": "bool",
        "reportType": "text",
        "imageQualityScore": "number",
        "reporterDailyCount": "number",
        "reporterMonthlyCount": "number",
        "lifetimeReportCount": "number",
        "reporterTotalPayout": "number",
        "gpsValidationResult": "text",
        "timestampFreshness": "text",
        "boundaryCheck": "text",
        "duplicateCheck": "text",
    }
)
METADATA: Mapping[str, Any] = MappingProxyType(
    {
        "gpsLatitude": "number",
        "gpsLongitude": "number",
        "gps": {"latitude": "number", "longitude": "number"},
        "timestamp": "number",
        "deviceId": "text",
        "deviceInfo": "any",
        "exifPresent": "bool",
        "software": "text",
        "contentHash": "text",
        "blurScore": "number",
        "exposureScore": "number",
        "overallQuality": "number",
        "faces": "number",
    }
)
# What expressions know as #name
VARIABLES: Mapping[str, Any] = MappingProxyType(
    {
        "applicantId": "text",
        "applicantName": "text",
        "mobileNumber": "text",
        "deviceId": "text",
        "latitude": "number",
        "longitude": "number",
        "locality": "text",
        "ward": "text",
        "district": "text",
        "evidences": [{"type": "text", "fileStoreId": "text", "purpose": "text", "metadata": dict(METADATA)}],
        "evidenceCount": "number",
        "additionalData": dict(ADDITIONAL),
        "createdTime": "number",
        "tenantId": "text",
        "moduleCode": "text",
        "now": "number",
        "timeZone": "text",
    }
)


def root_of(validator: ExternalValidator) -> dict[str, Any]:
    """What a check expression knows without #. Validators may answer more than is mapped: below `predictions` any name will do."""
    said = {name.removesuffix("Field"): "any" for name in validator.output_mapping} | {"confidence": "any"}
    moment = {"hour": "number", "minute": "number", "epochMs": "number"}
    return {
        **said,
        "predictions": {**said, "*": "any"},
        "additionalData": dict(ADDITIONAL),
        "metadata": {**METADATA, "timestamp": moment},
    }
