"""Reports as the checks and rules read them: loaded for a whole batch, and made into the document of packet 03/06."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import itemgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from pipeline.clock import epoch_ms
from pipeline.database.arrays import array
from pipeline.database.engine import at_once
from pipeline.fraud.case import Document, History, evidence
from pipeline.fraud.features import Subject
from pipeline.validation.checks import Check, Position
from pipeline.validation.findings import PHOTO_COLUMNS, Finding, Limits, PhotoClaims, ReportPlace, findings

PURPOSES = {"DOG_PHOTO": "DOG_PHOTO", "REPORTER_SELFIE": "SELFIE"}  # as evidence has it, and as rules name it
AGGRESSIVE = "StrayDogAggressive"

_LOAD = text(f"""
    SELECT r.id, r.tenant_id, r.report_number, r.created_at, r.latitude, r.longitude, r.gps_latitude, r.gps_longitude, r.reporter_id,
           r.device_id, r.dog_count, r.is_aggressive, r.service_type, r.locality_code, r.ward_code, r.district_code,
           e.file_id, e.device_id AS photo_device_id, {PHOTO_COLUMNS}
    FROM sdcrs.report r JOIN sdcrs.evidence e ON e.report_id = r.id JOIN sdcrs.file f ON f.id = e.file_id
    WHERE r.id = ANY (CAST(:ids AS uuid[])) AND e.evidence_type IN ('DOG_PHOTO', 'REPORTER_SELFIE')
    ORDER BY r.created_at, r.id, e.evidence_type, e.id
""")  # noqa: S608 - a constant list of columns
_CLAIMS = itemgetter(*(one.name for one in fields(PhotoClaims)))

Row = Mapping[str, Any]


@dataclass(slots=True)
class Received:
    """A report that waits for its judgement, with its photos' rows, dog photos first."""

    id: UUID
    tenant_id: str
    report_number: str
    created_at: datetime
    row: Row
    photos: list[Row]

    @property
    def dog(self) -> Row:
        """The dog photo. Raises LookupError when there is none, which intake does not let through."""
        return next((photo for photo in self.photos if photo["evidence_type"] == "DOG_PHOTO"), None) or _missing(self.report_number)

    @property
    def pin(self) -> Position:
        return Position(self.row["latitude"], self.row["longitude"])

    @property
    def device(self) -> Position | None:
        return position(self.row["gps_latitude"], self.row["gps_longitude"])

    def subject(self, zone: ZoneInfo) -> Subject:
        """What its history is asked by."""
        devices = {photo["photo_device_id"] for photo in self.photos} | {self.row["device_id"]}
        files: dict[str, bytes] = {}
        for photo in self.photos:
            files.setdefault(PURPOSES[photo["evidence_type"]], photo["sha256"])
        return Subject(
            self.id,
            self.tenant_id,
            self.row["reporter_id"],
            self.created_at,
            zone,
            self.row["latitude"],
            self.row["longitude"],
            frozenset(device for device in devices if device),
            files,
        )

    def findings(self, zone: ZoneInfo, pin_m: float) -> tuple[Finding, ...]:
        """What client and files say that does not fit together."""
        row = self.row
        place = ReportPlace(row["latitude"], row["longitude"], zone, row["gps_latitude"], row["gps_longitude"])
        return findings(place, [PhotoClaims(*_CLAIMS(photo)) for photo in self.photos], Limits(pin_m=pin_m))


def load(conn: Connection, ids: Sequence[UUID]) -> list[Received]:
    """The reports in order of receipt."""
    found: dict[UUID, Received] = {}
    for row in at_once(conn, (_LOAD, {"ids": array(one.hex for one in ids)}))[0]:
        one = found.get(row["id"])
        if one is None:
            one = found[row["id"]] = Received(row["id"], row["tenant_id"], row["report_number"], row["created_at"], row, [])
        one.photos.append(row)
    return list(found.values())


def document(report: Received, history: History, checks: Sequence[Check]) -> Document:
    """The report in the shape in which rules name its fields; names and phones are not looked up."""
    row = report.row
    verdicts = {check.name: check for check in checks}
    applicant = str(row["reporter_id"])
    return {
        "createdTime": epoch_ms(report.created_at),
        "applicantInfo": {
            "applicantId": applicant,
            "userUuid": applicant,
            "name": None,
            "mobileNumber": None,
            "deviceId": row["device_id"],
            "ipAddress": None,
        },
        "locationData": {
            "latitude": row["latitude"],
            "longitude": row["longitude"],
            "locality": row["locality_code"],
            "ward": row["ward_code"],
            "district": row["district_code"],
        },
        "evidences": [_evidence(photo) for photo in report.photos],
        "additionalData": {
            "dogCount": row["dog_count"],
            "isAggressive": row["service_type"] == AGGRESSIVE if row["is_aggressive"] is None else row["is_aggressive"],
            "reportType": row["service_type"],
            "imageQualityScore": quality(report.dog),
            "reporterDailyCount": history.within_days.get(1),
            "reporterMonthlyCount": history.monthly,
            "lifetimeReportCount": history.lifetime,
            "reporterTotalPayout": history.paid_rupees,
            "gpsValidationResult": verdicts["GPS_LOCATION"].details["result"],
            "timestampFreshness": "FRESH" if verdicts["TIMESTAMP_FRESHNESS"].passed else "STALE",
            "boundaryCheck": "WITHIN" if verdicts["BOUNDARY_CHECK"].passed else "OUTSIDE",
            "duplicateCheck": "DUPLICATE" if verdicts["DUPLICATE_IMAGE"].details["duplicateFound"] else "NO_DUPLICATE",
        },
    }


def _evidence(row: Row) -> dict[str, Any]:
    """A photo as the rules see it: its own EXIF place first, then the client's claim; the report's device where it tells none."""
    own = row["exif_latitude"] is not None
    return evidence(
        PURPOSES[row["evidence_type"]],
        str(row["file_id"]),
        gpsLatitude=row["exif_latitude"] if own else row["claimed_latitude"],
        gpsLongitude=row["exif_longitude"] if own else row["claimed_longitude"],
        timestamp=epoch_ms(row["captured_at"]),
        deviceId=row["photo_device_id"] or row["device_id"],
        deviceInfo=row["device_info"],
        exifPresent=row["exif_present"],
        software=row["exif_software"],
        contentHash=row["sha256"].hex(),
        blurScore=row["blur_score"],
        exposureScore=row["exposure_score"],
        overallQuality=quality(row),
        faces=row["faces"],
    )


def quality(photo: Row) -> float | None:
    """How much a photo shows, 0 to 1: no more than its sharpness and its light allow. None where they were not measured."""
    if photo["blur_score"] is None or photo["exposure_score"] is None:
        return None
    return float(min(photo["blur_score"], photo["exposure_score"]))


def position(latitude: float | None, longitude: float | None) -> Position | None:
    """A place, or None where it is not told."""
    return None if latitude is None or longitude is None else Position(latitude, longitude)


def _missing(report_number: str) -> Row:
    raise LookupError(f"{report_number} has no dog photo")
