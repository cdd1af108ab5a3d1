"""What the rules look at: one report as a document in the shape of packet 03/06, and what is known of the time before it.

Plain values; no rule reads the database.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from pipeline.clock import epoch_ms

Document = Mapping[str, Any]

NO_ADDRESS = "no address is set for the validator"


class Match(NamedTuple):
    """An earlier report with the same file, or with a photo much like this one's."""

    report_id: UUID
    report_number: str
    created_at: datetime
    similarity: float
    same_bytes: bool


class Before(NamedTuple):
    """Where the applicant's report before this one came from."""

    report_id: UUID
    created_at: datetime
    latitude: float
    longitude: float


class SameFile(NamedTuple):
    """Which earlier files are the same: of this purpose, and of the applicant's own reports alone or of the whole tenant's."""

    purpose: str
    own_only: bool


@dataclass(slots=True)
class History:
    """What happened up to this report, itself counted. Only what an enabled rule needs is filled; counts are by their span."""

    within_hours: dict[int, int] = field(default_factory=dict)  # the applicant's reports
    within_days: dict[int, int] = field(default_factory=dict)  # the same; one day is the tenant's calendar day
    before: Before | None = None
    device_users: dict[int, int] = field(default_factory=dict)  # applicants who used the report's device, by days
    nearby: dict[tuple[int, int], int] = field(default_factory=dict)  # reports around it, by metres and hours
    same_file: dict[SameFile, Sequence[Match]] = field(default_factory=dict)  # earliest first
    alike: Sequence[Match] = ()  # dog photos, likest first
    lifetime: int | None = None
    monthly: int | None = None  # the calendar month's reports of the applicant
    paid_rupees: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an external validator said, or why it said nothing. `to_review`: it failed, and a person has to look."""

    outputs: Mapping[str, Any] | None
    reason: str = ""
    to_review: bool = False


@dataclass(slots=True)
class Case:
    """One report to be judged. `gone` are reports that count no more as an original: those of its batch that were rejected."""

    report_id: UUID
    tenant_id: str
    received_at: datetime
    zone: ZoneInfo
    document: Document
    history: History
    inside: bool  # the tenant, as the boundary check measured
    km_outside: float
    ward_code: str | None  # in which the pin lies
    now: datetime
    gone: Set[UUID] = frozenset()
    validators: Mapping[str, Answer] = field(default_factory=dict)  # a validator that is missing here has no address
    explain: bool = True  # whether rules that do not fire put it into words, too
    _variables: dict[str, Any] | None = None

    @property
    def variables(self) -> Mapping[str, Any]:
        """What expressions know as #name."""
        if self._variables is None:
            self._variables = self._named()
        return self._variables

    def _named(self) -> dict[str, Any]:
        document = self.document
        place = document["locationData"]
        applicant = document["applicantInfo"]
        return {
            "applicantId": applicant["applicantId"],
            "applicantName": applicant["name"],
            "mobileNumber": applicant["mobileNumber"],
            "deviceId": applicant["deviceId"],
            "latitude": place["latitude"],
            "longitude": place["longitude"],
            "locality": place["locality"],
            "ward": place["ward"],
            "district": place["district"],
            "evidences": document["evidences"],
            "evidenceCount": None if document["evidences"] is None else len(document["evidences"]),
            "additionalData": document["additionalData"],
            "createdTime": document["createdTime"],
            "tenantId": self.tenant_id,
            "moduleCode": "SDCRS",
            "now": epoch_ms(self.now),
            "timeZone": self.zone.key,
        }


METADATA = (
    "gpsLatitude",
    "gpsLongitude",
    "gps",
    "timestamp",
    "deviceId",
    "deviceInfo",
    "exifPresent",
    "software",
    "contentHash",
    "blurScore",
    "exposureScore",
    "overallQuality",
    "faces",
)


def evidence(purpose: str, file_id: str | None, **metadata: Any) -> dict[str, Any]:
    """One photo as the rules see it; what of METADATA is not given is null. Times are epoch milliseconds."""
    told = dict.fromkeys(METADATA)
    told.update(metadata)
    if told["gpsLatitude"] is not None and told["gpsLongitude"] is not None:
        told["gps"] = {"latitude": told["gpsLatitude"], "longitude": told["gpsLongitude"]}
    return {"type": "PHOTO", "fileStoreId": file_id, "purpose": purpose, "metadata": told}
