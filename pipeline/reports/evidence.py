"""What a report shows: its photos, what the client claims of them and what the files themselves say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, text

from pipeline.errors import AppError
from pipeline.filestore.measure import phash_bands
from pipeline.ids import uuid7

_FILES = text("""
    SELECT id, tenant_id, owner_id, file_name, content_type, size_bytes, sha256, phash, exif_gps_at, exif_taken_at, exif_offset_min,
           uploaded_at
    FROM sdcrs.file WHERE id = ANY (:ids) AND erased_at IS NULL
""")
INSERT = text("""
    INSERT INTO sdcrs.evidence (id, tenant_id, report_id, evidence_type, file_id, file_name, mime_type, file_size, sha256, phash,
                                band0, band1, band2, band3, claimed_hash, claimed_at, captured_at, latitude, longitude, device_info,
                                device_id, uploaded_at, uploaded_by, created_at)
    SELECT v.id, v.tenant_id, v.report_id, v.evidence_type, v.file_id, v.file_name, v.mime_type, v.file_size, decode(v.sha256, 'hex'),
           v.phash, v.band0, v.band1, v.band2, v.band3, v.claimed_hash, v.claimed_at, v.captured_at, v.latitude, v.longitude,
           v.device_info, v.device_id, v.uploaded_at, v.uploaded_by, v.created_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, report_id uuid, evidence_type text, file_id uuid, file_name text, mime_type text, file_size int,
             sha256 text, phash bigint, band0 int, band1 int, band2 int, band3 int, claimed_hash text, claimed_at timestamptz,
             captured_at timestamptz, latitude double precision, longitude double precision, device_info text, device_id text,
             uploaded_at timestamptz, uploaded_by uuid, created_at timestamptz)
""")


@dataclass(frozen=True)
class EvidenceClaim:
    """One photo of a report as the client describes it. Hash, time and place are claims, judged against the file."""

    file_id: UUID
    evidence_type: str
    claimed_hash: str | None = None
    claimed_at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    device_info: str | None = None
    device_id: str | None = None


def load_files(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Row[Any]]:
    """The file rows by id, as far as they exist in the caller's scope."""
    return {row.id: row for row in conn.execute(_FILES, {"ids": list(ids)})}


def evidence_row(
    claim: EvidenceClaim, files: Mapping[UUID, Row[Any]], report_id: UUID, tenant_id: str, owner_id: UUID, at: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """The evidence row of a claim, JSON-ready. Raises SDCRS_UNKNOWN_FILE unless the file is the owner's and of the tenant."""
    file = files.get(claim.file_id)
    if file is None or file.owner_id != owner_id or file.tenant_id != tenant_id:
        raise AppError("SDCRS_UNKNOWN_FILE", fileStoreId=str(claim.file_id))
    bands = phash_bands(file.phash)
    captured_at = capture_time(file.exif_gps_at, file.exif_taken_at, file.exif_offset_min, claim.claimed_at, zone)
    return {
        "id": str(uuid7(at)),
        "tenant_id": tenant_id,
        "report_id": str(report_id),
        "evidence_type": claim.evidence_type,
        "file_id": str(file.id),
        "file_name": file.file_name,
        "mime_type": file.content_type,
        "file_size": file.size_bytes,
        "sha256": bytes(file.sha256).hex(),
        "phash": file.phash,
        **{f"band{i}": band for i, band in enumerate(bands)},
        "claimed_hash": claim.claimed_hash,
        "claimed_at": _iso(claim.claimed_at),
        "captured_at": _iso(captured_at),
        "latitude": claim.latitude,
        "longitude": claim.longitude,
        "device_info": claim.device_info,
        "device_id": claim.device_id,
        "uploaded_at": _iso(file.uploaded_at),
        "uploaded_by": str(owner_id),
        "created_at": at.isoformat(),
    }


def capture_time(
    gps_at: datetime | None, taken_at: datetime | None, offset_min: int | None, claimed_at: datetime | None, zone: ZoneInfo
) -> datetime | None:
    """When the photo was taken: EXIF GPS time (UTC), else DateTimeOriginal with its offset, else in the tenant's zone, else the claim."""
    if gps_at is not None:
        return gps_at
    if taken_at is not None:
        offset = zone if offset_min is None else timezone(timedelta(minutes=offset_min))
        return taken_at.replace(tzinfo=offset).astimezone(UTC)
    return claimed_at


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
