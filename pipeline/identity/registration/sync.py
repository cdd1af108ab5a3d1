"""The announcement: a registration client says which packet will come, how large each part is, its hash, and what the supervisor said.

Announcing the same again changes nothing; announcing something else replaces it until the packet was taken. A registration whose
packet was found wrong (RESEND) may be announced anew.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check, check_tenant
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.packets.log import identity_header, write_packets

_FIND = text("""
    SELECT l.id, l.tenant_id, l.process, l.source, l.schema_version, l.lang_code, l.supervisor_status, l.supervisor_comment,
           r.status_code, r.upload_number,
           (SELECT jsonb_object_agg(c.name, jsonb_build_array(c.size_bytes, encode(c.sha256, 'hex')))
            FROM regprc.registration_list_component c WHERE c.list_id = l.id) AS components
    FROM regprc.registration_list l LEFT JOIN regprc.registration r ON r.id = l.id
    WHERE l.state_id = :state_id AND l.reg_id = :reg_id FOR NO KEY UPDATE OF l
""")
_INSERT = text("""
    INSERT INTO regprc.registration_list (id, tenant_id, state_id, reg_id, process, source, schema_version, lang_code,
                                          supervisor_status, supervisor_comment, synced_by, synced_at)
    VALUES (:id, :tenant_id, :state_id, :reg_id, :process, :source, :schema_version, :lang_code,
            :supervisor_status, :supervisor_comment, :by, :now)
    ON CONFLICT (state_id, reg_id) DO NOTHING RETURNING id
""")
_REPLACE = text("""
    UPDATE regprc.registration_list
    SET process = :process, source = :source, schema_version = :schema_version, lang_code = :lang_code,
        supervisor_status = :supervisor_status, supervisor_comment = :supervisor_comment, synced_by = :by, synced_at = :now,
        uploaded_at = NULL
    WHERE id = :id
""")
_FORGET_COMPONENTS = text("DELETE FROM regprc.registration_list_component WHERE list_id = :id")
_ADD_COMPONENTS = text("""
    INSERT INTO regprc.registration_list_component (list_id, name, tenant_id, size_bytes, sha256)
    SELECT :id, v.name, :tenant_id, v.size_bytes, decode(v.sha256, 'hex')
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(name text, size_bytes int, sha256 text)
""")


@dataclass(frozen=True)
class ComponentSaid:
    """Size and hash of a component as announced."""

    name: str
    size_bytes: int
    sha256: bytes


@dataclass(frozen=True)
class Announcement:
    """One registration as its client announces it."""

    reg_id: str  # 29 digits: centre, machine, number, time
    process: str
    source: str
    schema_version: str
    components: tuple[ComponentSaid, ...]
    supervisor_status: str = "APPROVED"
    supervisor_comment: str | None = None
    lang_code: str | None = None


@dataclass(frozen=True)
class Synced:
    """What became of one announcement. `error` None: it stands, now or since earlier."""

    reg_id: str
    id: UUID | None
    error: AppError | None = None
    changed: bool = False


def sync(
    conn: Connection, md: MasterData, caller: Caller, tenant_id: str, announcements: Sequence[Announcement], now: datetime
) -> list[Synced]:
    """Keep announcements, each by itself: a result per item in the order sent. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_TENANT_OUT_OF_SCOPE for all of them; an item's own error is in its result.
    """
    check(caller, "sync_registrations")
    check_tenant(caller, tenant_id)
    results: list[Synced] = []
    for one in announcements:
        try:
            results.append(_sync_one(conn, md, caller, tenant_id, one, now))
        except AppError as error:
            results.append(Synced(one.reg_id, None, error))
    return results


def resend_possible(md: MasterData, tenant_id: str, status_code: str | None, upload_number: int) -> bool:
    """Whether a registration's packet may be sent once more: it was found wrong, and not too often yet."""
    return status_code == "FAILED" and upload_number <= md.identity_stages(tenant_id).max_resends


def _sync_one(conn: Connection, md: MasterData, caller: Caller, tenant_id: str, one: Announcement, now: datetime) -> Synced:
    stages = md.identity_stages(tenant_id)
    if one.process not in stages.processes:
        raise AppError("SDCRS_PROCESS_NOT_TAKEN", process=one.process, known=", ".join(stages.processes))
    state_id = md.tenant(tenant_id).state_id
    row = conn.execute(_FIND, {"state_id": state_id, "reg_id": one.reg_id}).one_or_none()
    if row is None:
        return _insert(conn, caller, tenant_id, state_id, one, now)
    if row.tenant_id != tenant_id:
        raise AppError("SDCRS_REGISTRATION_TAKEN", registrationId=one.reg_id)
    if _same(row, one):
        return Synced(one.reg_id, row.id)
    if row.status_code is not None and not resend_possible(md, tenant_id, row.status_code, row.upload_number):
        if row.status_code == "FAILED":
            raise AppError("SDCRS_REREGISTER", registrationId=one.reg_id, maxResends=stages.max_resends)
        raise AppError("SDCRS_ALREADY_UPLOADED", registrationId=one.reg_id)
    conn.execute(_REPLACE, _params(row.id, caller, tenant_id, state_id, one, now))
    conn.execute(_FORGET_COMPONENTS, {"id": row.id})
    _say(conn, row.id, tenant_id, one, now)
    return Synced(one.reg_id, row.id, changed=True)


def _insert(conn: Connection, caller: Caller, tenant_id: str, state_id: str, one: Announcement, now: datetime) -> Synced:
    list_id = uuid7(now)
    if conn.execute(_INSERT, _params(list_id, caller, tenant_id, state_id, one, now)).scalar_one_or_none() is None:
        raise AppError("SDCRS_REGISTRATION_TAKEN", registrationId=one.reg_id)  # by a tenant that the caller does not see, or this moment
    _say(conn, list_id, tenant_id, one, now)
    return Synced(one.reg_id, list_id, changed=True)


def _say(conn: Connection, list_id: UUID, tenant_id: str, one: Announcement, now: datetime) -> None:
    """The components, and the headers of request and answer."""
    rows = [{"name": part.name, "size_bytes": part.size_bytes, "sha256": part.sha256.hex()} for part in one.components]
    conn.execute(_ADD_COMPONENTS, {"id": list_id, "tenant_id": tenant_id, "rows": json.dumps(rows)})
    body = {
        "registrationId": one.reg_id,
        "process": one.process,
        "source": one.source,
        "schemaVersion": one.schema_version,
        "supervisorStatus": one.supervisor_status,
        "components": [{"name": row["name"], "size": row["size_bytes"], "hash": row["sha256"]} for row in rows],
    }
    write_packets(
        conn,
        [
            identity_header("21/01", list_id, tenant_id, now, body={"request": [body]}),
            identity_header("21/02", list_id, tenant_id, now),
        ],
    )


def _params(list_id: UUID, caller: Caller, tenant_id: str, state_id: str, one: Announcement, now: datetime) -> dict[str, Any]:
    return {
        "id": list_id,
        "tenant_id": tenant_id,
        "state_id": state_id,
        "reg_id": one.reg_id,
        "process": one.process,
        "source": one.source,
        "schema_version": one.schema_version,
        "lang_code": one.lang_code,
        "supervisor_status": one.supervisor_status,
        "supervisor_comment": one.supervisor_comment,
        "by": caller.account_id,
        "now": now,
    }


def _same(row: Row[Any], one: Announcement) -> bool:
    known = (row.process, row.source, row.schema_version, row.lang_code, row.supervisor_status, row.supervisor_comment)
    sent = (one.process, one.source, one.schema_version, one.lang_code, one.supervisor_status, one.supervisor_comment)
    parts = {part.name: [part.size_bytes, part.sha256.hex()] for part in one.components}
    return known == sent and (row.components or {}) == parts
