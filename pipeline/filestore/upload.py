"""From uploaded bytes to rows: measure, store, insert with the packet headers of the upload; and who may read a file.

The bytes are measured and stored with no transaction open; the rows follow in one. Bytes without a row are harmless.
"""

import json
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.clock import Clock
from pipeline.database.engine import Database
from pipeline.errors import AppError
from pipeline.filestore.examine import Examine, examine
from pipeline.filestore.exif import clean_text
from pipeline.filestore.measure import Measured
from pipeline.filestore.store import FileStore
from pipeline.ids import uuid7
from pipeline.packets import catalogue
from pipeline.packets.log import PacketHeader, write_packets

MAX_FILES = 10  # in one request: a report has two photos
MAX_NAME = 255  # what the column takes, and file systems
MAX_WORD = 64  # module and tag
SEES_ALL = frozenset({"VERIFIER", "SENIOR_VERIFIER", "DISTRICT_ADMIN", "STATE_ADMIN"})
RECEIPTS = "payout"  # the module of receipts of payments by hand: names and account numbers may stand on them
SEES_RECEIPTS = frozenset({"DISTRICT_ADMIN", "STATE_ADMIN"})
SEES_NO_SELFIE = frozenset({"MC_OFFICER", "MC_SUPERVISOR"})

_INSERT = text("""
    INSERT INTO sdcrs.file (id, tenant_id, owner_id, module, tag, file_name, content_type, size_bytes, width_px, height_px, sha256, phash,
                            exif_latitude, exif_longitude, exif_gps_at, exif_taken_at, exif_offset_min, exif_make, exif_model,
                            exif_device, exif_software, exif_present, blur_score, exposure_score, brightness, faces, uploaded_at)
    SELECT v.id, v.tenant_id, v.owner_id, v.module, v.tag, v.file_name, v.content_type, v.size, v.width, v.height,
           decode(v.sha256, 'hex'), v.phash, v.exif_latitude, v.exif_longitude, v.exif_gps_at, v.exif_taken_at, v.exif_offset_min,
           v.exif_make, v.exif_model, v.exif_device, v.exif_software, v.exif_present, v.blur_score, v.exposure_score, v.brightness,
           v.faces, v.uploaded_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, owner_id uuid, module text, tag text, file_name text, content_type text, size int, width int,
             height int, sha256 text, phash bigint, exif_latitude double precision, exif_longitude double precision,
             exif_gps_at timestamptz, exif_taken_at timestamp, exif_offset_min int, exif_make text, exif_model text, exif_device text,
             exif_software text, exif_present boolean, blur_score double precision, exposure_score double precision,
             brightness double precision, faces int, uploaded_at timestamptz)
""")
_LOAD = text("""
    SELECT id, tenant_id, owner_id, module, tag, file_name, uploaded_at, erased_at, content_type, width_px, height_px, size_bytes,
           sha256, phash, exif_present, exif_latitude, exif_longitude, exif_gps_at, exif_taken_at, exif_offset_min, exif_make,
           exif_model, exif_device, exif_software, blur_score, exposure_score, brightness, faces
    FROM sdcrs.file WHERE id = :id
""")
_IDS = text("SELECT id FROM sdcrs.file WHERE id > :after AND erased_at IS NULL ORDER BY id LIMIT :limit")
_EVIDENCE_OF = text("""
    SELECT e.evidence_type, r.reporter_id FROM sdcrs.evidence e JOIN sdcrs.report r ON r.id = e.report_id
    WHERE e.file_id = :id AND e.tenant_id = :tenant_id LIMIT 100
""")


class Uploads(Protocol):
    """The parts of the runtime that an upload needs; the runtime itself stands above this room."""

    @property
    def database(self) -> Database: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def files(self) -> FileStore: ...


class Person(Protocol):
    """What this room asks of a caller."""

    @property
    def account_id(self) -> UUID: ...
    @property
    def roles(self) -> AbstractSet[str]: ...
    @property
    def scope(self) -> Sequence[str]: ...


@dataclass(frozen=True)
class StoredFile:
    """One photo with its row."""

    id: UUID
    tenant_id: str
    owner_id: UUID  # the account that uploaded it
    module: str
    tag: str | None
    file_name: str
    uploaded_at: datetime
    measured: Measured
    erased_at: datetime | None = None
    request_id: UUID | None = field(default=None, compare=False)  # one upload request, the correlation of its packets


def upload(
    rt: Uploads,
    caller: Person,
    tenant_id: str,
    module: str,
    tag: str | None,
    files: Sequence[tuple[str, bytes]],
    examine: Examine = examine,
) -> list[StoredFile]:
    """Measure and store (name, bytes) pairs as the caller's own, with their thumbnails; all of them or none. Commits.

    `examine` says where the measuring is done: in this process, or in others. Raises SDCRS_TENANT_OUT_OF_SCOPE,
    SDCRS_INVALID_REQUEST and what `examine` raises.
    """
    if tenant_id not in caller.scope:
        raise AppError("SDCRS_TENANT_OUT_OF_SCOPE", tenantId=tenant_id)
    if not 1 <= len(files) <= MAX_FILES:
        raise AppError("SDCRS_INVALID_REQUEST", field="file", detail=f"send 1 to {MAX_FILES} files")
    word = clean_text(module, MAX_WORD)
    if word is None:
        raise AppError("SDCRS_INVALID_REQUEST", field="module", detail="is empty")
    now = rt.clock.now()
    request_id = uuid7(now)
    examined = [(safe_name(name), data, examine(data, safe_name(name))) for name, data in files]  # all are good before any is kept
    stored = [
        StoredFile(
            uuid7(now), tenant_id, caller.account_id, word, clean_text(tag, MAX_WORD), name, now, seen.measured, request_id=request_id
        )
        for name, _, seen in examined
    ]
    try:
        for file, (_, data, seen) in zip(stored, examined, strict=True):
            rt.files.put(file.id, data)
            rt.files.put_copy(file.id, "thumbnail", seen.thumbnail)
        with rt.database.begin(caller.scope) as conn:
            insert_files(conn, stored, _app_of(caller))
    except BaseException:
        for file in stored:
            rt.files.delete(file.id)
        raise
    return stored


def insert_files(conn: Connection, files: Sequence[StoredFile], sent_by: str | None = None) -> None:
    """Insert rows of stored photos and the headers of their packets, one statement each for any number. Does not commit.

    `sent_by` is the participant that sent them; None: the one that the catalogue names.
    """
    if not files:
        return
    conn.execute(_INSERT, {"rows": json.dumps([_row(file) for file in files])})
    write_packets(conn, list(_headers(files, sent_by)))


def load_file(conn: Connection, file_id: UUID) -> StoredFile:
    """The row of a photo in the connection's scope. Raises SDCRS_NOT_FOUND, also for one that was erased."""
    row = conn.execute(_LOAD, {"id": file_id}).one_or_none()
    if row is None or row.erased_at is not None:
        raise AppError("SDCRS_NOT_FOUND", kind="file", id=str(file_id))
    return _stored(row)


def file_ids(conn: Connection, after: UUID, limit: int) -> list[UUID]:
    """The ids of stored photos behind `after`, in order: a page of all that there are in the connection's scope."""
    return list(conn.execute(_IDS, {"after": after, "limit": limit}).scalars())


def check_may_read(conn: Connection, caller: Person, file: StoredFile) -> None:
    """A photo is for its owner and its reporter, for verifiers and admins, and, unless it is a selfie, for officers and supervisors.

    A receipt is for admins alone.

    Raises SDCRS_NOT_FOUND to whom nothing of it may be told, and SDCRS_FORBIDDEN to officers and supervisors for a selfie.
    """
    if file.erased_at is None and file.tenant_id in caller.scope:
        if caller.account_id == file.owner_id or caller.roles & (SEES_RECEIPTS if file.module == RECEIPTS else SEES_ALL):
            return
        uses = conn.execute(_EVIDENCE_OF, {"id": file.id, "tenant_id": file.tenant_id}).all()
        if any(use.reporter_id == caller.account_id for use in uses):
            return
        if uses and caller.roles & SEES_NO_SELFIE:
            if all(use.evidence_type != "REPORTER_SELFIE" for use in uses):
                return
            raise AppError("SDCRS_FORBIDDEN", reason="a reporter's selfie is for verifiers and admins")
    raise AppError("SDCRS_NOT_FOUND", kind="file", id=str(file.id))


def safe_name(name: str) -> str:
    """The last part of a client's file name without control characters, cut to 255; `photo` when nothing is left."""
    return clean_text(name.replace("\\", "/").rpartition("/")[2], MAX_NAME) or "photo"


def _app_of(caller: Person) -> str:
    if "MC_OFFICER" in caller.roles:
        return "Officer app"
    return "Teacher app" if "TEACHER" in caller.roles or not caller.roles & SEES_ALL else "Admin"


def _headers(files: Iterable[StoredFile], sent_by: str | None) -> Iterable[PacketHeader]:
    """The request's header with its body, since it came from outside, and the answer's, which is rendered when asked for."""
    request, answer = catalogue.get("02/05"), catalogue.get("02/06")
    for file in files:
        correlation = file.request_id or file.id
        body = {
            "tenantId": file.tenant_id,
            "module": file.module,
            "tag": file.tag,
            "file": [
                {"fieldName": "file", "fileName": file.file_name, "contentType": file.measured.content_type, "size": file.measured.size}
            ],
        }
        for packet, sender, receiver, content in (
            (request, sent_by or request.sender, request.receiver, body),
            (answer, answer.sender, sent_by or answer.receiver, None),
        ):
            yield PacketHeader(
                packet=packet.id,
                version=packet.version,
                sender=sender,
                receiver=receiver,
                topic=packet.channel,
                tenant_id=file.tenant_id,
                subject_kind="FILE",
                subject_id=file.id,
                occurred_at=file.uploaded_at,
                correlation_id=correlation,
                body=content,
            )


def _row(file: StoredFile) -> dict[str, Any]:
    facts = file.measured
    return vars(facts) | {
        "id": str(file.id),
        "tenant_id": file.tenant_id,
        "owner_id": str(file.owner_id),
        "module": file.module,
        "tag": file.tag,
        "file_name": file.file_name,
        "uploaded_at": file.uploaded_at.isoformat(),
        "sha256": facts.sha256.hex(),
        "exif_gps_at": facts.exif_gps_at.isoformat() if facts.exif_gps_at else None,
        "exif_taken_at": facts.exif_taken_at.isoformat() if facts.exif_taken_at else None,
    }


def _stored(row: Row[Any]) -> StoredFile:
    facts = Measured(
        content_type=row.content_type,
        width=row.width_px,
        height=row.height_px,
        size=row.size_bytes,
        sha256=bytes(row.sha256),
        phash=row.phash,
        exif_present=row.exif_present,
        exif_latitude=row.exif_latitude,
        exif_longitude=row.exif_longitude,
        exif_gps_at=row.exif_gps_at,
        exif_taken_at=row.exif_taken_at,
        exif_offset_min=row.exif_offset_min,
        exif_make=row.exif_make,
        exif_model=row.exif_model,
        exif_device=row.exif_device,
        exif_software=row.exif_software,
        blur_score=row.blur_score,
        exposure_score=row.exposure_score,
        brightness=row.brightness,
        faces=row.faces,
    )
    return StoredFile(row.id, row.tenant_id, row.owner_id, row.module, row.tag, row.file_name, row.uploaded_at, facts, row.erased_at)
