"""The body of a fraud evaluation that another service of ours asks for, packet 03/06."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.packets.contracts.common import Body, Request
from pipeline.packets.contracts.fields import Code, Id, Latitude, Line64, Line128, Line512, Longitude, Millis, PlaceCode, TenantId

MAX_EVIDENCES = 10  # a report has two, a field visit adds some
MAX_FACTS = 50  # of additionalData; the packets have eleven
MAX_COUNT = 1_000_000_000

Share = Annotated[float, Field(ge=0, le=1)]
Fact = bool | Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)] | float | Line512 | None


class Applicant(Body):
    """Who reports. Only the id and the device are looked at; names and numbers are for expressions that name them."""

    applicant_id: Id
    user_uuid: Id | None = None
    name: Line128 | None = Field(default=None, repr=False)
    mobile_number: Line64 | None = Field(default=None, repr=False)
    device_id: Line128 | None = None
    ip_address: Line64 | None = Field(default=None, repr=False)


class FraudPlace(Body):
    """Where the dog is."""

    latitude: Latitude | None = None
    longitude: Longitude | None = None
    locality: PlaceCode | None = None
    ward: PlaceCode | None = None
    district: PlaceCode | None = None
    altitude: float | None = None
    accuracy: float | None = None
    speed: float | None = None
    bearing: float | None = None
    timestamp: Millis | None = None


class PhotoMetadata(Body):
    """What is known of a photo; what is not sent is not known."""

    gps_latitude: Latitude | None = None
    gps_longitude: Longitude | None = None
    timestamp: Millis | None = None
    device_id: Line128 | None = None
    device_info: Line128 | None = None
    exif_present: bool | None = None
    software: Line128 | None = None
    content_hash: Line128 | None = None  # sha256: and 64 hex digits; anything else is no hash
    blur_score: Share | None = None
    exposure_score: Share | None = None
    overall_quality: Share | None = None
    faces: Annotated[int, Field(ge=0, le=1000)] | None = None


class FraudEvidence(Body):
    """One photo. Where its file is one of ours, its hashes are the file's own."""

    type: Literal["PHOTO"] = "PHOTO"
    file_store_id: Id | None = None
    purpose: Literal["DOG_PHOTO", "SELFIE", "REPORTER_SELFIE", "CAPTURE_PHOTO"]
    metadata: PhotoMetadata = PhotoMetadata()


class Evaluation(Body):
    """What is to be judged."""

    module_code: Code
    tenant_id: TenantId
    reference_id: Id
    applicant_info: Applicant
    location_data: FraudPlace = FraudPlace()
    evidences: Annotated[list[FraudEvidence], Field(max_length=MAX_EVIDENCES)] | None = None
    additional_data: Annotated[dict[Line64, Fact], Field(max_length=MAX_FACTS)] | None = None


class EvaluateRequest(Request):
    """/fraud/v1/_evaluateSync."""

    request: Evaluation
