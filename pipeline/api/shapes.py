"""The answers' shapes, for the API's description and its tests. Answers are drawn by renderers and not from these models."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Shape(BaseModel):
    """A part of an answer: camelCase, and nothing that is not named here."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)


class ResponseInfo(Shape):
    """Which request this answers; `resMsgId` is the correlation id that the packet log keeps."""

    api_id: str
    ver: str
    ts: int = Field(description="epoch milliseconds")
    res_msg_id: str
    msg_id: str | None
    status: str = Field(description="successful or failed")


class Answer(Shape):
    """Every JSON answer."""

    response_info: ResponseInfo = Field(alias="ResponseInfo")


class ErrorEntry(Shape):
    """One error: the code is stable, the message is for people."""

    code: str
    message: str
    description: str | None
    params: dict[str, Any] | None


class ErrorAnswer(Answer):
    """A refusal; the status is the first error's."""

    errors: list[ErrorEntry] = Field(alias="Errors")


class PointShape(Shape):
    """A place in degrees."""

    latitude: float
    longitude: float


class LocationShape(Shape):
    """Where the dog is, where the device was, and what validation said of both."""

    id: str
    latitude: float
    longitude: float
    address: str | None
    landmark: str | None
    locality: str | None
    locality_code: str | None
    ward: str | None
    ward_code: str | None
    district: str | None
    district_code: str | None
    city: str | None
    pincode: str | None
    gps_latitude: float | None
    gps_longitude: float | None
    gps_accuracy: float | None = Field(description="metres")
    accuracy: float | None = Field(description="the same, as officers' apps call it")
    gps_timestamp: int | None
    gps_validated: bool | None
    gps_validation_result: str | None = Field(description="MATCH, MISMATCH, NOT_AVAILABLE; null before validation")


class EvidenceShape(Shape):
    """A photo; `url` opens it for a minute. Officers and supervisors get no selfie and not whose phone it was."""

    id: str
    file_store_id: str
    evidence_type: str = Field(description="DOG_PHOTO, REPORTER_SELFIE, CAPTURE_PHOTO")
    file_name: str
    mime_type: str
    file_size: int
    image_hash: str = Field(description="our perceptual hash, 16 hex digits")
    capture_time: int | None
    latitude: float | None
    longitude: float | None
    uploaded_at: int
    url: str
    device_info: str | None = None
    uploaded_by: str | None = None


class DogDetailsShape(Shape):
    """What the teacher counted and saw."""

    count: int | None
    is_aggressive: bool | None


class CaptureShape(Shape):
    """The officer's photo of the captured dog."""

    photo_file_store_id: str
    captured_at: int | None
    capture_location: PointShape | None


class PayoutDetailsShape(Shape):
    """The payout as the report tells it; amounts are whole rupees."""

    payout_id: str | None
    payout_status: str = Field(description="INITIATED, SUCCESS, FAILED, RETRY_INITIATED, MANUAL_PAYOUT, SKIPPED_CAP_REACHED")
    payout_amount: int | float | None
    payout_initiated_at: int | None
    payout_completed_at: int | None
    utr: str | None
    failure_reason: str | None
    retry_count: int
    max_retries: int
    can_retry: bool
    last_retry_at: int | None
    beneficiary_vpa: str | None = Field(description="in full only to the admin who has just sent it")
    manual_payment_reference: str | None
    manual_payment_method: str | None
    approval_status: str | None
    reason: str | None = None


class AuditDetailsShape(Shape):
    """Who made and who last changed the report, as far as the caller may know."""

    created_by: str | None
    created_time: int
    last_modified_by: str | None
    last_modified_time: int


class StateShape(Shape):
    """Where the report stands."""

    state: str


class DuplicateShape(Shape):
    """The number of the report of which this one is a duplicate."""

    duplicate_of: str | None


class DogReportShape(Shape):
    """A report. The reporter's fields, payout and score are there for the roles that may know them."""

    id: str
    tenant_id: str
    report_number: str
    tracking_id: str
    tracking_url: str | None
    service_type: str
    report_type: str
    description: str
    status: str
    version: int = Field(description="send it back with _update to be told when somebody was faster")
    location: LocationShape
    evidence: list[EvidenceShape]
    dog_details: DogDetailsShape
    workflow: StateShape
    sla_breached: bool
    payout_eligible: bool | None
    verified_by: str | None
    verified_at: int | None
    verification_remarks: str | None
    rejection_reason: str | None
    rejection_remarks: str | None
    rejected_at: int | None
    additional_details: DuplicateShape | None = None
    assigned_officer_id: str | None
    assigned_officer_name: str | None
    assigned_at: int | None
    field_visit_started_at: int | None
    field_visit_location: PointShape | None
    field_visit_completed_at: int | None
    capture_evidence: CaptureShape | None
    resolution_type: str | None
    resolution_remarks: str | None
    unable_to_locate_reason: str | None
    resolved_at: int | None
    rating: int | None
    audit_details: AuditDetailsShape
    reporter_id: str | None = None
    reporter_name: str | None = None
    reporter_phone: str | None = Field(default=None, description="masked, except to its owner")
    reporter_school: str | None = None
    payout_amount: int | float | None = None
    payout_status: str | None = None
    payout_details: PayoutDetailsShape | None = None
    fraud_score: int | None = None
    risk_level: str | None = None
    recommendation: str | None = None


class DogReportsAnswer(Answer):
    """Reports; `TotalCount` is counted up to 10,001."""

    dog_reports: list[DogReportShape] = Field(alias="DogReports")
    total_count: int = Field(alias="TotalCount")


class CountAnswer(Answer):
    """How many match, counted up to 10,001."""

    total_count: int = Field(alias="TotalCount")


class TrackPlace(Shape):
    """As near as the public is told."""

    locality: str | None
    ward_code: str | None


class TrackStep(Shape):
    """One step, in the tenant's time."""

    status: str
    date: str
    time: str


class TrackedReport(Shape):
    """What anybody with the tracking id may know."""

    report_number: str
    tracking_id: str
    status: str
    status_label: str
    location: TrackPlace
    timeline: list[TrackStep]
    created_at: str
    resolved_at: str | None


class TrackAnswer(Answer):
    """_track."""

    dog_report: TrackedReport = Field(alias="DogReport")


class FileShape(Shape):
    """A stored photo."""

    file_store_id: str
    tenant_id: str
    content_type: str
    file_name: str
    file_size: int
    url: str


class FilesAnswer(Answer):
    """An upload, in the order sent."""

    files: list[FileShape]


class RoleShape(Shape):
    """A role and where it holds."""

    code: str
    tenant_id: str
    name: str | None = None


class TokenAnswer(Answer):
    """A session. The access token ends with `expires_in`, or with its session; the refresh token gives the next."""

    model_config = ConfigDict(alias_generator=None)

    response_info: ResponseInfo = Field(alias="ResponseInfo")
    access_token: str
    token_type: str
    expires_in: int = Field(description="seconds")
    refresh_token: str = Field(description="good once")
    scope: str
    user_info: dict[str, Any] = Field(alias="userInfo")


class OfficerDetails(Shape):
    """Where an officer works and how much he has in hand."""

    assigned_wards: list[str]
    current_workload: int
    max_workload: int
    on_duty: bool


class OfficerShape(Shape):
    """An officer; the phone is masked."""

    id: str
    uuid: str
    user_name: str
    name: str | None
    mobile_number: str | None
    tenant_id: str
    type: str
    active: bool
    roles: list[RoleShape]
    additional_details: OfficerDetails


class Recommendation(Shape):
    """Who covers the ward with the lowest load."""

    recommended_officer: str | None
    reason: str


class OfficersAnswer(Answer):
    """Officers of a tenant; the recommendation only when a report or ward was sent."""

    user: list[OfficerShape]
    total_count: int = Field(alias="TotalCount")
    assignment_recommendation: Recommendation | None = None


class Coded(Shape):
    """A place by code and name."""

    code: str
    name: str


class BoundaryShape(Shape):
    """Where a place is."""

    tenant_id: str
    name: str
    is_within_boundary: bool
    locality: Coded | None
    ward: Coded | None
    district: Coded | None
    distance_from_boundary_km: float
    nearest_tenant: str | None


class BoundaryAnswer(Answer):
    """_boundary."""

    boundary: BoundaryShape


class ProcessInstancesAnswer(Answer):
    """Changes of reports, newest first."""

    process_instances: list[dict[str, Any]] = Field(alias="ProcessInstances")
    total_count: int | None = None


class PayoutsAnswer(Answer):
    """Payouts as packet 08/05 has them."""

    payouts: list[dict[str, Any]] = Field(alias="Payouts")
    total_count: int = Field(alias="TotalCount")


class RetryResult(Shape):
    """What became of one report's payout."""

    report_id: str
    status: str | None
    error: ErrorEntry | None


class RetryAnswer(Answer):
    """A result per id, in the order sent."""

    results: list[RetryResult]


class OwnDataAnswer(Shape):
    """What is held about the person who asks. Times are ISO 8601, amounts paise."""

    made_at: str
    account: dict[str, Any]
    person: dict[str, str]
    reports: list[dict[str, Any]]
    payouts: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    penalties: list[dict[str, Any]]
    looks_at_your_data: list[dict[str, Any]] = Field(description="Who saw your data in full, when and why, and your own downloads.")
