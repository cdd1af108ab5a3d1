"""Bodies of the report API: _create, _update, _search, _track.

Lengths, ranges and forms are checked here. Whether a type, reason, file, officer or state exists is not: that is the
question of the room that takes the report.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator

from pipeline.packets.contracts.common import Body, Request
from pipeline.packets.contracts.fields import (
    DEFAULT_PAGE,
    ONE_LINE,
    Code,
    Description,
    FileName,
    Id,
    Latitude,
    Line64,
    Line128,
    Line256,
    Line512,
    Longitude,
    Millis,
    PageLimit,
    PageOffset,
    PlaceCode,
    Remarks,
    Rupees,
    SortOrder,
    TenantId,
    TypeCode,
)

MAX_CREATED = 20  # four times the daily limit of five: one too many is refused as the limit it breaks, not as a shape
MAX_UPDATED = 100  # one page of a list, which is what a person can select
MAX_EVIDENCE = 10  # a photo, a selfie, and room for more views of the same dog

REASON_ALIASES = {"STALE_PHOTO": "STALE_TIMESTAMP", "STALE_EVIDENCE": "STALE_TIMESTAMP"}
METHOD_ALIASES = {"NEFT": "BANK_TRANSFER", "IMPS": "BANK_TRANSFER", "RTGS": "BANK_TRANSFER"}

# What an answer or an older client carries beside what it asks for: the server decides it and does not read it.
DECIDED_BY_SERVER = frozenset(
    {
        "payoutStatus", "payoutAmount", "payoutEligible", "resolvedBy", "resolvedAt", "verifiedBy", "verifiedAt", "assignedOfficerName",
        "assignedAt", "assignedBy", "fraudDetails", "validationDetails",
    }
)  # fmt: skip


def alias_of(code: Any) -> Any:
    """The reason code that is meant: packets know one reason under three names."""
    return REASON_ALIASES.get(code, code) if isinstance(code, str) else code


class Point(Body):
    """A place on the map in degrees."""

    latitude: Latitude
    longitude: Longitude
    accuracy: Annotated[float, Field(ge=0, le=100_000)] | None = None  # metres


class Location(Body):
    """Where the dog was: the pin, and what the phone's own GPS said."""

    latitude: Latitude
    longitude: Longitude
    address: Line512 | None = None
    landmark: Line256 | None = None
    locality: Line128 | None = None
    locality_code: PlaceCode | None = None
    ward: Line128 | None = None
    ward_code: PlaceCode | None = None
    district: Line128 | None = None
    district_code: PlaceCode | None = None
    city: Line128 | None = None
    pincode: Annotated[str, StringConstraints(max_length=16), ONE_LINE] | None = None
    gps_latitude: Latitude | None = None
    gps_longitude: Longitude | None = None
    gps_accuracy: Annotated[float, Field(ge=0, le=100_000)] | None = None  # metres; a phone without a fix says tens of kilometres
    gps_timestamp: Millis | None = None

    @model_validator(mode="after")
    def gps_has_both_coordinates(self) -> Self:
        """Half a place is none."""
        if (self.gps_latitude is None) != (self.gps_longitude is None):
            raise ValueError("needs gpsLatitude and gpsLongitude together")
        return self


class Evidence(Body):
    """A photo that was uploaded before. Hash, time, place and device are the client's claims, kept as such."""

    IGNORED = frozenset({"url", "uploadedAt", "uploadedBy", "contentHash"})

    file_store_id: Id
    evidence_type: Literal["DOG_PHOTO", "REPORTER_SELFIE"]
    file_name: FileName | None = None
    mime_type: Line64 | None = None
    file_size: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None  # bytes, as claimed; the file itself is measured
    image_hash: Line64 | None = None
    capture_time: Millis | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    device_info: Line128 | None = None
    device_id: Line128 | None = None

    @model_validator(mode="after")
    def place_has_both_coordinates(self) -> Self:
        """Half a place is none."""
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("needs latitude and longitude together")
        return self


class DogDetails(Body):
    """What the teacher counted and saw."""

    count: Annotated[int, Field(ge=0, le=1000)] | None = None
    is_aggressive: bool | None = None


class NewReport(Body):
    """A report as a teacher sends it."""

    IGNORED: ClassVar[frozenset[str]] = DECIDED_BY_SERVER

    tenant_id: TenantId
    service_type: TypeCode
    description: Description
    location: Location
    evidence: list[Evidence] = Field(default_factory=list, max_length=MAX_EVIDENCE)  # which are missing is said by intake
    dog_details: DogDetails | None = None

    @model_validator(mode="before")
    @classmethod
    def report_type_is_service_type(cls, data: Any) -> Any:
        """One field under two names; sent twice, both must say the same."""
        return _one_type(data)


class CreateRequest(Request):
    """_create: a list of reports, or a single one as `DogReport`."""

    dog_reports: Annotated[list[NewReport], Field(min_length=1, max_length=MAX_CREATED)] | None = Field(default=None, alias="DogReports")
    dog_report: NewReport | None = Field(default=None, alias="DogReport")

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Either form, not both and not none."""
        if (self.dog_reports is None) == (self.dog_report is None):
            raise ValueError("needs DogReports (a list) or DogReport (one), and not both")
        return self

    @property
    def reports(self) -> tuple[NewReport, ...]:
        """The reports in the order sent, whichever form was used."""
        return (self.dog_report,) if self.dog_report is not None else tuple(self.dog_reports or ())


def reports_in(body: Any) -> int:
    """How many reports a _create body holds, before it is parsed: the daily limit is checked before the body. At least 1."""
    reports = body.get("DogReports") if isinstance(body, dict) else None
    return max(1, len(reports)) if isinstance(reports, list) else 1


class WorkflowPart(Body):
    """What is to be done with the report."""

    IGNORED = frozenset({"state", "status"})

    action: Code
    comment: Remarks | None = None
    assignee: Annotated[list[Id], Field(max_length=1)] | None = None  # one officer; empty with REASSIGN: back to the supervisor


class CaptureEvidence(Body):
    """The officer's photo of the captured dog."""

    photo_file_store_id: Id
    captured_at: Millis | None = None
    capture_location: Point | None = None


class PayoutDetails(Body):
    """What an admin decides about a payout; the rest of the object is the server's and not read."""

    IGNORED = frozenset(
        {
            "payoutId", "razorpayPayoutId", "payoutStatus", "payoutAmount", "payoutInitiatedAt", "payoutCompletedAt", "utr",
            "failureReason", "retryCount", "maxRetries", "canRetry", "lastRetryAt", "approvalStatus", "resolvedBy", "reason",
        }
    )  # fmt: skip

    beneficiary_vpa: Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE] | None = Field(default=None, repr=False)
    manual_payment_reference: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), ONE_LINE] | None = None
    manual_payment_method: Literal["UPI", "CASH", "BANK_TRANSFER", "CHEQUE", "OTHER"] | None = None
    manual_payment_amount: Rupees | None = None  # None: what is owed
    manual_payment_attachment: Id | None = None
    exception_reason: str | None = None  # why it was paid outside the rules; a second admin approves it

    @field_validator("manual_payment_method", mode="before")
    @classmethod
    def rail_is_bank_transfer(cls, value: Any) -> Any:
        """The rails by which banks transfer are one method here."""
        return METHOD_ALIASES.get(value, value) if isinstance(value, str) else value


class AdditionalDetails(Body):
    """The report of which this one is a duplicate, by its number."""

    duplicate_of: Annotated[str, StringConstraints(max_length=32, pattern=r"^DR-[A-Z]+-[0-9]{4}-[0-9]{6,}$")] | None = None


class ReportUpdate(Body):
    """An action on one report with the facts that it needs; which facts those are is the workflow's to say."""

    IGNORED: ClassVar[frozenset[str]] = DECIDED_BY_SERVER

    id: Id
    tenant_id: TenantId | None = None
    version: Annotated[int, Field(ge=1)] | None = None  # None: the current state decides
    workflow: WorkflowPart
    verification_remarks: Remarks | None = None
    rejection_reason: Code | None = None
    rejection_remarks: Remarks | None = None
    additional_details: AdditionalDetails | None = None
    assigned_officer_id: Id | None = None
    field_visit_started_at: Millis | None = None
    field_visit_location: Point | None = None
    field_visit_completed_at: Millis | None = None
    capture_evidence: CaptureEvidence | None = None
    resolution_type: Code | None = None
    resolution_remarks: Remarks | None = None
    unable_to_locate_reason: Literal["DOG_MOVED", "INCORRECT_LOCATION", "DOG_ALREADY_CAPTURED", "SEARCH_TIMEOUT"] | None = None
    payout_details: PayoutDetails | None = None
    rating: Annotated[int, Field(ge=1, le=5)] | None = None

    @field_validator("rejection_reason", mode="before")
    @classmethod
    def reason_by_its_own_name(cls, value: Any) -> Any:
        """A reason under another name is the same reason."""
        return alias_of(value)

    @model_validator(mode="after")
    def officer_is_named_once(self) -> Self:
        """The officer may stand in both places, but must be the same."""
        named = self.workflow.assignee
        if named and self.assigned_officer_id is not None and named != [self.assigned_officer_id]:
            raise ValueError("assignedOfficerId and workflow.assignee name different officers")
        return self

    @property
    def officer(self) -> str | None:
        """The officer named in either place; None when there is none, as in an empty assignee."""
        return self.assigned_officer_id or (self.workflow.assignee[0] if self.workflow.assignee else None)


class UpdateRequest(Request):
    """_update: one action on each of the reports."""

    dog_reports: Annotated[list[ReportUpdate], Field(min_length=1, max_length=MAX_UPDATED)] = Field(alias="DogReports")


class ReportCriteria(Body):
    """What to look for; every filter narrows. The caller's own scope always applies besides."""

    tenant_id: TenantId | None = None
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_UPDATED)] | None = None
    report_id: Id | None = None
    report_number: Line64 | None = None
    tracking_id: Line64 | None = None
    status: Annotated[list[Code], Field(max_length=20)] | None = None  # there are 14 states; an empty list filters nothing
    service_type: TypeCode | None = None
    reporter_id: Id | None = None
    assigned_officer_id: Id | None = None
    locality: PlaceCode | None = None  # a code such as DJC001
    ward_code: PlaceCode | None = None
    from_date: Millis | None = None  # of creation, inclusive
    to_date: Millis | None = None  # of creation, inclusive
    sort_by: Literal["createdTime", "lastModifiedTime", "reportNumber", "status", "serviceType"] = "createdTime"
    sort_order: SortOrder = "DESC"
    offset: PageOffset = 0
    limit: PageLimit = DEFAULT_PAGE

    @model_validator(mode="before")
    @classmethod
    def report_type_is_service_type(cls, data: Any) -> Any:
        """One field under two names; sent twice, both must say the same."""
        return _one_type(data)

    @model_validator(mode="after")
    def names_a_tenant_or_a_report(self) -> Self:
        """Without a tenant a search names the reports it wants; a span of time runs forward."""
        if self.tenant_id is None and not (self.ids or self.report_id or self.report_number or self.tracking_id):
            raise ValueError("needs tenantId, or ids, reportId, reportNumber or trackingId")
        if self.from_date is not None and self.to_date is not None and self.from_date > self.to_date:
            raise ValueError("fromDate is after toDate")
        return self


class SearchRequest(Request):
    """_search by criteria."""

    search_criteria: ReportCriteria = Field(alias="searchCriteria")


class TrackRequest(Request):
    """_track by tracking id (8 characters) or by the token of the public link; nothing else is asked, by nobody known."""

    tracking_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64), ONE_LINE]


def _one_type(data: Any) -> Any:
    if not isinstance(data, dict) or "reportType" not in data:
        return data
    rest = {key: value for key, value in data.items() if key != "reportType"}
    if "serviceType" in rest and rest["serviceType"] != data["reportType"]:
        raise ValueError("serviceType and reportType are the same field and differ")
    return {"serviceType": data["reportType"], **rest}
