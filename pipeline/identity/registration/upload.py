"""The receiver: takes all components of one registration at once, or none of them.

Everything is compared with the announcement before a byte is stored. Files are written first, under fresh ids; their rows follow in
one transaction, and a request that is refused takes its files with it. Bytes without a row are harmless; rows without bytes are not.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.errors import AppError
from pipeline.identity.packet.archive import MAX_ARCHIVE_BYTES, Archive
from pipeline.identity.packet.component import read_sidecar
from pipeline.identity.registration.receipt import Part, store
from pipeline.identity.registration.sync import resend_possible
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.reports.requests import RequestKey, begin_request, finish_request
from pipeline.runtime import Runtime

MAX_FILES = 12  # six components with their JSON files; a packet has three
MAX_UPLOAD_BYTES = 2 * MAX_ARCHIVE_BYTES  # of one registration: one large component, or several of middling size
MAX_SIDECAR_BYTES = 16 * 1024

_NAME = re.compile(r"([0-9]{29})_([a-z][a-z0-9_]{0,31})\.(zip|json)")
_LOCKED = """
    SELECT l.id, l.tenant_id, l.state_id, l.process, l.source, l.schema_version, l.supervisor_status, r.status_code,
           r.upload_number,
           (SELECT jsonb_object_agg(c.name, jsonb_build_array(c.size_bytes, encode(c.sha256, 'hex')))
            FROM regprc.registration_list_component c WHERE c.list_id = l.id) AS components
    FROM regprc.registration_list l LEFT JOIN regprc.registration r ON r.id = l.id
    WHERE l.reg_id = :reg_id
"""
_FIND = text(f"{_LOCKED} LIMIT 2")
_LOCK = text(f"{_LOCKED} AND l.id = :id FOR NO KEY UPDATE OF l")


@dataclass(frozen=True)
class Received:
    """What was taken."""

    id: UUID
    reg_id: str
    upload_number: int
    components: tuple[str, ...]


@dataclass(frozen=True)
class FileResult:
    """What became of one file of a bulk upload; `error` None: its registration was taken."""

    name: str
    reg_id: str | None
    error: AppError | None


@dataclass(frozen=True)
class Upload:
    """The files of one registration by component, as they came."""

    reg_id: str
    zips: Mapping[str, bytes]
    sidecars: Mapping[str, bytes]


def receive(rt: Runtime, caller: Caller, files: Sequence[tuple[str, bytes]], now: datetime, key: RequestKey | None = None) -> Received:
    """Take (file name, bytes) pairs of one registration in. Commits. A repetition under the same `key` is answered again.

    Raises, in this order: SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_PACKET_TOO_LARGE, SDCRS_NOT_SYNCED, SDCRS_NOT_APPROVED,
    SDCRS_ALREADY_UPLOADED or SDCRS_REREGISTER, SDCRS_COMPONENT_NOT_ANNOUNCED, SDCRS_COMPONENT_MISSING, SDCRS_SIDECAR_MISSING,
    SDCRS_PACKET_SIZE_DIFFERS, SDCRS_PACKET_HASH_DIFFERS, SDCRS_SIDECAR_UNREADABLE and the SDCRS_PACKET_… errors of an unsafe archive.
    """
    check(caller, "sync_registrations")
    sent = read_upload(files)
    md = rt.masterdata.current()
    with rt.database.begin(caller.scope) as conn:
        row = _announced(conn, sent.reg_id)
        try:
            _check_open(md, row, sent.reg_id)
        except AppError:
            if (earlier := _earlier(conn, row, sent, key, now)) is not None:
                return earlier
            raise
    parts = _check_parts(row, sent, now)
    kept = False
    try:
        for part in parts:
            rt.files.put(part.id, part.data)
        # From here on the rows may be there: a connection that is lost at the commit does not tell
        kept = True
        with rt.database.begin(caller.scope) as conn:
            taken, kept = _take(conn, md, caller, sent, parts, key, row.id, now)
        return taken
    except AppError:
        kept = False  # a refusal, raised before the commit
        raise
    finally:
        if not kept:
            for part in parts:
                rt.files.delete(part.id)


def upload_many(rt: Runtime, caller: Caller, files: Sequence[tuple[str, bytes]], now: datetime) -> list[FileResult]:
    """Take the files of many registrations, each registration whole or not at all; a result per file in the order sent. Commits."""
    groups: dict[str, list[tuple[str, bytes]]] = {}
    for name, data in files:
        matched = _NAME.fullmatch(_base(name))
        groups.setdefault(matched[1] if matched else "", []).append((name, data))
    errors: dict[str, AppError | None] = {}
    for reg_id, group in groups.items():
        try:
            receive(rt, caller, group, now)
            errors[reg_id] = None
        except AppError as error:
            errors[reg_id] = error
    found = {name: reg_id for reg_id, group in groups.items() for name, _ in group}
    return [FileResult(name, found[name] or None, errors[found[name]]) for name, _ in files]


def read_upload(files: Sequence[tuple[str, bytes]]) -> Upload:
    """Sort files by component. Raises SDCRS_INVALID_REQUEST for a name that is no component's, and SDCRS_PACKET_TOO_LARGE."""
    if not 1 <= len(files) <= MAX_FILES:
        raise AppError("SDCRS_INVALID_REQUEST", field="file", detail=f"send 1 to {MAX_FILES} files")
    kinds: dict[str, dict[str, bytes]] = {"zip": {}, "json": {}}
    ids = set()
    for name, data in files:
        matched = _NAME.fullmatch(_base(name))
        if matched is None:
            raise AppError("SDCRS_INVALID_REQUEST", field="file", detail="must be named <registration id>_<component>.zip or .json")
        reg_id, component, kind = matched.groups()
        if component in kinds[kind]:
            raise AppError("SDCRS_INVALID_REQUEST", field="file", detail=f"{component}.{kind} is there twice")
        if len(data) > (MAX_ARCHIVE_BYTES if kind == "zip" else MAX_SIDECAR_BYTES):
            raise AppError(
                "SDCRS_PACKET_TOO_LARGE", component=component, maxBytes=MAX_ARCHIVE_BYTES if kind == "zip" else MAX_SIDECAR_BYTES
            )
        ids.add(reg_id)
        kinds[kind][component] = data
    if len(ids) != 1:
        raise AppError("SDCRS_INVALID_REQUEST", field="file", detail="all files must be of one registration")
    if sum(len(data) for _, data in files) > MAX_UPLOAD_BYTES:
        raise AppError("SDCRS_PACKET_TOO_LARGE", component="all", maxBytes=MAX_UPLOAD_BYTES)
    return Upload(ids.pop(), kinds["zip"], kinds["json"])


def _announced(conn: Connection, reg_id: str) -> Row[Any]:
    rows = conn.execute(_FIND, {"reg_id": reg_id}).all()
    if len(rows) != 1:  # none, or the same id in two states of somebody who sees both: neither is meant for certain
        raise AppError("SDCRS_NOT_SYNCED", registrationId=reg_id)
    return rows[0]


def _check_open(md: MasterData, row: Row[Any], reg_id: str) -> None:
    if row.supervisor_status != "APPROVED":
        raise AppError("SDCRS_NOT_APPROVED", registrationId=reg_id)
    if row.status_code is not None and not resend_possible(md, row.tenant_id, row.status_code, row.upload_number):
        if row.status_code == "FAILED":
            raise AppError("SDCRS_REREGISTER", registrationId=reg_id, maxResends=md.identity_stages(row.tenant_id).max_resends)
        raise AppError("SDCRS_ALREADY_UPLOADED", registrationId=reg_id)


def _check_parts(row: Row[Any], sent: Upload, now: datetime) -> list[Part]:
    """The components, each as announced and safe to open."""
    announced: dict[str, list[Any]] = row.components
    for component in (*sent.zips, *sent.sidecars):
        if component not in announced:
            raise AppError("SDCRS_COMPONENT_NOT_ANNOUNCED", component=component)
    for component in announced:
        if component not in sent.zips:
            raise AppError("SDCRS_COMPONENT_MISSING", component=component)
        if component not in sent.sidecars:
            raise AppError("SDCRS_SIDECAR_MISSING", component=component)
    for component, (size, _) in announced.items():
        if len(sent.zips[component]) != size:
            raise AppError("SDCRS_PACKET_SIZE_DIFFERS", component=component, announced=size, sent=len(sent.zips[component]))
    parts = []
    for component, (_, wanted) in announced.items():
        data = sent.zips[component]
        digest = hashlib.sha256(data)
        if digest.hexdigest() != wanted:
            raise AppError("SDCRS_PACKET_HASH_DIFFERS", component=component, announced=wanted, sent=digest.hexdigest())
        parts.append(Part(uuid7(now), component, data, digest.digest(), read_sidecar(component, sent.sidecars[component])))
    for part in parts:
        Archive(part.name, part.data)
    return parts


def _take(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    sent: Upload,
    parts: Sequence[Part],
    key: RequestKey | None,
    list_id: UUID,
    now: datetime,
) -> tuple[Received, bool]:
    """The rows, if the announcement still stands as it did when the files were compared with it; and whether they are this request's."""
    row = conn.execute(_LOCK, {"reg_id": sent.reg_id, "id": list_id}).one()
    if (earlier := _earlier(conn, row, sent, key, now)) is not None:
        return earlier, False  # the same request came twice at once
    _check_open(md, row, sent.reg_id)
    if row.components != {part.name: [len(part.data), part.sha256.hex()] for part in parts}:
        raise AppError("SDCRS_NOT_SYNCED", registrationId=sent.reg_id)  # announced anew meanwhile
    number = 1 if row.upload_number is None else row.upload_number + 1
    store(conn, md, caller, row, sent.reg_id, parts, number, now)
    names = tuple(part.name for part in parts)
    if key is not None:
        finish_request(conn, key, {"uploadNumber": number, "components": list(names)})
    return Received(row.id, sent.reg_id, number, names), True


def _earlier(conn: Connection, row: Row[Any], sent: Upload, key: RequestKey | None, now: datetime) -> Received | None:
    """What the same request led to before; else the key is taken for this transaction."""
    result = None if key is None else begin_request(conn, key, row.tenant_id, now, {})
    if result is None:
        return None
    return Received(row.id, sent.reg_id, result["uploadNumber"], tuple(result["components"]))


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
