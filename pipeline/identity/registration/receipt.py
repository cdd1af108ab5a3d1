"""The rows of an upload that was found good: the registration at the door of its first stage, its components, and the receiver's note."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.packets.log import identity_header, write_packets

RECEIVER = "PACKET_RECEIVER"

_REGISTER = text("""
    INSERT INTO regprc.registration (id, tenant_id, state_id, reg_id, process, source, schema_version, upload_number, status_code,
                                     sub_status_code, stage, latest_trn_type_code, latest_trn_status_code, latest_trn_at,
                                     next_attempt_at, received_by, received_at, modified_at)
    VALUES (:id, :tenant_id, :state_id, :reg_id, :process, :source, :schema_version, :upload_number, 'PROCESSING', :sub_status, :stage,
            :trn_type, 'SUCCESS', :now, :now, :by, :now, :now)
    ON CONFLICT (id) DO UPDATE
    SET process = excluded.process, source = excluded.source, schema_version = excluded.schema_version,
        upload_number = excluded.upload_number, status_code = 'PROCESSING', sub_status_code = excluded.sub_status_code,
        status_comment = NULL, stage = excluded.stage, latest_trn_type_code = excluded.latest_trn_type_code,
        latest_trn_status_code = 'SUCCESS', latest_trn_at = :now, attempts = 0, next_attempt_at = :now, resume_at = NULL,
        default_resume_action = NULL, pause_rule = NULL, received_by = :by, received_at = :now, modified_at = :now
""")
_COMPONENTS = text("""
    INSERT INTO regprc.component (id, tenant_id, registration_id, upload_number, name, size_bytes, sha256, sidecar, stored_at)
    SELECT v.id, :tenant_id, :registration_id, :upload_number, v.name, v.size_bytes, decode(v.sha256, 'hex'), v.sidecar, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, name text, size_bytes int, sha256 text, sidecar jsonb)
""")
_NOTE = text("""
    INSERT INTO regprc.registration_transaction (id, tenant_id, registration_id, upload_number, trn_type_code, status_code,
                                                 sub_status_code, attempt, actor_id, started_at, ended_at)
    VALUES (:note_id, :tenant_id, :id, :upload_number, :trn_type, 'SUCCESS', :sub_status, 1, :by, :now, :now)
""")
_UPLOADED = text("UPDATE regprc.registration_list SET uploaded_at = :now, upload_number = :upload_number WHERE id = :id")


@dataclass(frozen=True)
class Part:
    """A component with the id that it is stored under."""

    id: UUID
    name: str
    data: bytes
    sha256: bytes
    sidecar: Mapping[str, str]


def store(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    announced: Row[Any],
    reg_id: str,
    parts: Sequence[Part],
    upload_number: int,
    now: datetime,
) -> None:
    """Write everything that follows from a good upload, the headers of 21/03 and 21/04 included. Does not commit."""
    params = {
        "id": announced.id,
        "tenant_id": announced.tenant_id,
        "state_id": announced.state_id,
        "reg_id": reg_id,
        "process": announced.process,
        "source": announced.source,
        "schema_version": announced.schema_version,
        "upload_number": upload_number,
        "stage": md.identity_stages(announced.tenant_id).first,
        "trn_type": RECEIVER,
        "sub_status": "PACKET_RECEIVED",
        "by": caller.account_id,
        "note_id": uuid7(now),
        "now": now,
    }
    rows = [
        {"id": str(part.id), "name": part.name, "size_bytes": len(part.data), "sha256": part.sha256.hex(), "sidecar": dict(part.sidecar)}
        for part in parts
    ]
    conn.execute(_REGISTER, params)
    conn.execute(_COMPONENTS, {**params, "registration_id": announced.id, "rows": json.dumps(rows)})
    conn.execute(_NOTE, params)
    conn.execute(_UPLOADED, params)
    body = {"files": [{"fileName": f"{reg_id}_{row['name']}.zip", "size": row["size_bytes"], "hash": row["sha256"]} for row in rows]}
    note: Any = params["note_id"]
    write_packets(
        conn,
        [
            identity_header("21/03", announced.id, announced.tenant_id, now, causation_id=note, body=body),
            identity_header("21/04", announced.id, announced.tenant_id, now, causation_id=note),
        ],
    )
