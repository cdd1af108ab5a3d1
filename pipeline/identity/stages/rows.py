"""What the runner and people write about a registration: its new status, and a transaction row that says what was done and found.

A registration's row is written only where it still is as it was read: another worker, or a person, may have been faster.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import Command, at_once
from pipeline.identity.stages.base import DUE, Registration
from pipeline.packets.log import PacketHeader, packets_written

_COLUMNS = """r.id, r.tenant_id, r.state_id, r.reg_id, r.process, r.source, r.schema_version, r.upload_number, r.status_code, r.stage,
    r.attempts, r.next_attempt_at, r.pause_immunity, r.identity_id, r.received_at"""
_CLAIM = text(f"""
    UPDATE regprc.registration r SET next_attempt_at = :lease
    FROM (SELECT q.id FROM regprc.registration q
          WHERE q.status_code IN ('PROCESSING', 'RESUMABLE', 'REPROCESS') AND q.next_attempt_at <= :now
          ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED) due
    WHERE r.id = due.id RETURNING {_COLUMNS}
""")  # noqa: S608 - names of this program
_HELD = text(f"""
    SELECT {_COLUMNS} FROM regprc.registration r
    WHERE r.id = :id AND r.next_attempt_at = :lease AND r.status_code = ANY (:due) FOR NO KEY UPDATE
""")  # noqa: S608 - names of this program
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM regprc.registration
    WHERE status_code IN ('PROCESSING', 'RESUMABLE', 'REPROCESS') AND next_attempt_at > :now
""")
_NOTE = text("""
    INSERT INTO regprc.registration_transaction (id, tenant_id, registration_id, upload_number, trn_type_code, status_code,
                                                 sub_status_code, status_comment, attempt, details, actor_id, reason, started_at, ended_at)
    VALUES (:note_id, :tenant_id, :id, :upload_number, :trn_type, :trn_status, :sub_status, :comment, :attempt,
            CAST(:details AS jsonb), :actor_id, :reason, :started_at, :now)
""")
_UPDATE = text("""
    UPDATE regprc.registration
    SET status_code = :status, sub_status_code = :sub_status, status_comment = :comment, stage = :stage,
        latest_trn_type_code = :trn_type, latest_trn_status_code = :trn_status, latest_trn_at = :now, attempts = :attempts,
        next_attempt_at = :next_attempt_at, resume_at = :resume_at, default_resume_action = :resume_action, pause_rule = :pause_rule,
        pause_immunity = :immunity, identity_id = coalesce(CAST(:identity_id AS uuid), identity_id),
        processed_at = :processed_at, modified_at = :now
    WHERE id = :id
""")


@dataclass(frozen=True)
class Note:
    """A transaction row: what was done, how it ended, by whom (None: the job) and why (a person's words)."""

    id: UUID
    trn_type: str
    trn_status: str
    sub_status: str
    started_at: datetime
    comment: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    actor_id: UUID | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Change:
    """The registration's new state. `next_attempt_at` counts in the statuses that the runner takes."""

    status: str
    stage: str
    next_attempt_at: datetime
    attempts: int = 0
    resume_at: datetime | None = None
    resume_action: str | None = None
    pause_rule: str | None = None
    immunity: Sequence[str] = ()
    identity_id: str | None = None


def claim(conn: Connection, now: datetime, lease: datetime, limit: int) -> list[Registration]:
    """Take due registrations until `lease`, those that wait longest first; nobody else takes them before that."""
    found = [registration(row) for row in conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": limit})]
    return sorted(found, key=lambda one: one.id)


def held(conn: Connection, one: Registration) -> Registration | None:
    """The registration locked, if it is still this runner's: not paused, taken again or uploaded anew meanwhile."""
    row = conn.execute(_HELD, {"id": one.id, "lease": one.next_attempt_at, "due": list(DUE)}).one_or_none()
    return None if row is None else registration(row)


def waiting(conn: Connection, now: datetime) -> tuple[int, datetime] | None:
    """How many registrations wait for a later try, and when the first is due."""
    row = conn.execute(_WAITING, {"now": now}).one()
    return (row.waiting, row.due) if row.waiting else None


def write(conn: Connection, one: Registration, note: Note, change: Change, now: datetime, messages: Sequence[PacketHeader] = ()) -> None:
    """The transaction row, the registration's new state and the headers of what was said, in one go. Does not commit."""
    params = {
        "id": one.id,
        "tenant_id": one.tenant_id,
        "upload_number": one.upload_number,
        "note_id": note.id,
        "trn_type": note.trn_type,
        "trn_status": note.trn_status,
        "sub_status": note.sub_status,
        "comment": note.comment,
        "attempt": note.attempt,
        "details": json.dumps(note.details),
        "actor_id": note.actor_id,
        "reason": note.reason,
        "started_at": note.started_at,
        "status": change.status,
        "stage": change.stage,
        "attempts": change.attempts,
        "next_attempt_at": change.next_attempt_at,
        "resume_at": change.resume_at,
        "resume_action": change.resume_action,
        "pause_rule": change.pause_rule,
        "immunity": list(change.immunity or one.pause_immunity),
        "identity_id": change.identity_id,
        "processed_at": now if change.status == "PROCESSED" else None,
        "now": now,
    }
    commands: list[Command] = [(_NOTE, params), (_UPDATE, params)]
    if messages:
        commands.append(packets_written(messages))
    at_once(conn, *commands)


def registration(row: Row[Any]) -> Registration:
    """A row with the columns of _COLUMNS."""
    return Registration(
        id=row.id,
        tenant_id=row.tenant_id,
        state_id=row.state_id,
        reg_id=row.reg_id,
        process=row.process,
        source=row.source,
        schema_version=row.schema_version,
        upload_number=row.upload_number,
        status_code=row.status_code,
        stage=row.stage,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at,
        pause_immunity=tuple(row.pause_immunity),
        identity_id=row.identity_id,
        received_at=row.received_at,
    )
