"""What people do with a registration besides deciding about duplicates: pause, resume, begin anew, stop; and pauses that are over.

Each deed is a transaction row with its actor and reason, and stands in the audit. The same functions serve the calendar, whose
deeds have no actor.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.identity.registration.reasons import clean_reason
from pipeline.identity.stages import rows
from pipeline.identity.stages.base import DUE, HOLD_RULE, Registration
from pipeline.identity.stages.rows import Change, Note
from pipeline.ids import uuid7
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.identity_models import ResumeAction
from pipeline.masterdata.master import MasterData
from pipeline.runtime import Runtime

Deed = Literal["PAUSE", "RESUME", "RESTART", "STOP"]
PERSON_RULE = "BY_PERSON"  # the pause rule of a pause that a person asked for
JOB = "identity.pauses"

# From which statuses each deed is possible
OPEN_TO: Mapping[Deed, frozenset[str]] = {
    "PAUSE": frozenset(DUE),
    "RESUME": frozenset({"PAUSED", "REPROCESS_FAILED"}),
    "RESTART": frozenset({*DUE, "PAUSED", "PAUSED_FOR_ADDITIONAL_INFO", "FAILED", "REPROCESS_FAILED"}),
    "STOP": frozenset({*DUE, "PAUSED", "PAUSED_FOR_ADDITIONAL_INFO", "FAILED", "REPROCESS_FAILED"}),
}
# What the field calls them, in a workflow action and as a default of a pause
DEEDS: Mapping[str, Deed] = {
    "PAUSE_PROCESSING": "PAUSE",
    "RESUME_PROCESSING": "RESUME",
    "RESUME_FROM_BEGINNING": "RESTART",
    "STOP_PROCESSING": "STOP",
}

_FIND = text("""
    SELECT r.*, (SELECT count(*) FROM regprc.manual_verification m WHERE m.registration_id = r.id AND m.status_code = 'PENDING') AS pending
    FROM regprc.registration r WHERE r.id = :id FOR NO KEY UPDATE OF r
""")
_TENANT = text("SELECT tenant_id FROM regprc.registration WHERE id = :id")
_OVER = text(f"""
    SELECT q.id FROM regprc.registration q
    WHERE q.status_code = 'PAUSED' AND q.resume_at <= :now AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (CAST(:only AS uuid[])))
      AND {NOT_FAILED}
    ORDER BY q.resume_at, q.id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
""")  # noqa: S608 - names of this program
_DEFAULTS = text("SELECT id, default_resume_action, pause_rule FROM regprc.registration WHERE id = ANY (:ids) ORDER BY id")


def pause(conn: Connection, md: MasterData, caller: Caller, registration_id: UUID, reason: str, now: datetime) -> None:
    """Hold a registration until a person lets it go on. Does not commit.

    This one and the three below raise SDCRS_FORBIDDEN, SDCRS_NOT_FOUND, SDCRS_INVALID_REQUEST and SDCRS_REGISTRATION_STATE.
    """
    _by_person(conn, md, caller, registration_id, "PAUSE", reason, now)


def resume(conn: Connection, md: MasterData, caller: Caller, registration_id: UUID, reason: str, now: datetime) -> None:
    """Let a held registration, or one that was given up, go on with the stage where it stopped. Does not commit."""
    _by_person(conn, md, caller, registration_id, "RESUME", reason, now)


def restart(conn: Connection, md: MasterData, caller: Caller, registration_id: UUID, reason: str, now: datetime) -> None:
    """Begin anew with the first stage; what people have decided about pairs stands. Does not commit."""
    _by_person(conn, md, caller, registration_id, "RESTART", reason, now)


def stop(conn: Connection, md: MasterData, caller: Caller, registration_id: UUID, reason: str, now: datetime) -> None:
    """Reject a registration for good. Does not commit."""
    _by_person(conn, md, caller, registration_id, "STOP", reason, now)


COMMANDS: Mapping[str, Callable[[Connection, MasterData, Caller, UUID, str, datetime], None]] = {
    "PAUSE_PROCESSING": pause,
    "RESUME_PROCESSING": resume,
    "RESUME_FROM_BEGINNING": restart,
    "STOP_PROCESSING": stop,
}


def go_on(conn: Connection, caller: Caller, registration_id: UUID, reason: str, now: datetime) -> None:
    """Let a registration that waited for a decision go on; for the command that decides, which has checked who asks."""
    row = conn.execute(_FIND, {"id": registration_id}).one()
    one = rows.registration(row)
    note = Note(uuid7(now), "RESUME", "SUCCESS", "RESUMED", now, actor_id=caller.account_id, reason=reason)
    rows.write(conn, one, note, Change("RESUMABLE", one.stage, now), now)


def pauses_job(rt: Runtime) -> BatchJob:
    """Pauses that are over end as their rule says."""

    def over(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
        params = {"now": now, "limit": limit, "only": None if only is None else list(only), "job": JOB}
        return list(conn.execute(_OVER, params).scalars())

    def end(conn: Connection, ids: list[UUID], now: datetime) -> None:
        md = rt.masterdata.current()
        for row in conn.execute(_DEFAULTS, {"ids": ids}).all():
            action: ResumeAction = row.default_resume_action
            _do(conn, md, None, row.id, DEEDS[action], None, now, f"the pause by {row.pause_rule} is over")

    return BatchJob(JOB, rt.database, over, end, size=100)


def role_of(caller: Caller) -> str | None:
    """The role that the audit names."""
    return next((role for role in ("STATE_ADMIN", "DISTRICT_ADMIN") if role in caller.roles), None)


def tenant_of(conn: Connection, registration_id: UUID) -> str:
    """Whose registration it is."""
    return str(conn.execute(_TENANT, {"id": registration_id}).scalar_one())


def _by_person(conn: Connection, md: MasterData, caller: Caller, registration_id: UUID, deed: Deed, reason: str, now: datetime) -> None:
    check(caller, "act_on_registration")
    tenant_id = _do(conn, md, caller, registration_id, deed, clean_reason(reason), now, None)
    action = f"REGISTRATION_{deed}"
    record(conn, tenant_id, caller.account_id, role_of(caller), action, "REGISTRATION", str(registration_id), now)


def _do(
    conn: Connection,
    md: MasterData,
    caller: Caller | None,
    registration_id: UUID,
    deed: Deed,
    reason: str | None,
    now: datetime,
    comment: str | None,
) -> str:
    row = conn.execute(_FIND, {"id": registration_id}).one_or_none()
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Registration", id=str(registration_id))
    if row.status_code not in OPEN_TO[deed] or (deed == "RESUME" and row.pause_rule == HOLD_RULE and row.pending):
        state = "waiting for a decision about a pair" if row.pending else row.status_code
        raise AppError("SDCRS_REGISTRATION_STATE", action=deed, state=state)
    one = rows.registration(row)
    change, sub_status, ended = _changed(md, one, row.pause_rule, deed, caller is not None, now)
    actor = None if caller is None else caller.account_id
    note = Note(uuid7(now), deed, ended, sub_status, now, comment, {"from": row.status_code}, actor_id=actor, reason=reason)
    rows.write(conn, one, note, change, now)
    return one.tenant_id


def _changed(
    md: MasterData, one: Registration, pause_rule: str | None, deed: Deed, by_person: bool, now: datetime
) -> tuple[Change, str, str]:
    """The new state with its sub-status, and how the transaction ended."""
    immunity = one.pause_immunity
    if pause_rule not in (None, PERSON_RULE, HOLD_RULE, *immunity):
        immunity = (*immunity, str(pause_rule))
    if deed == "PAUSE":
        return Change("PAUSED", one.stage, now, one.attempts, pause_rule=PERSON_RULE), "PAUSED_BY_PERSON", "SUCCESS"
    if deed == "RESUME":
        return Change("RESUMABLE", one.stage, now, immunity=immunity), "RESUMED", "SUCCESS"
    if deed == "RESTART":
        first = md.identity_stages(one.tenant_id).first
        return Change("RESUMABLE", first, now, immunity=immunity if not by_person else one.pause_immunity), "RESTARTED", "SUCCESS"
    return Change("REJECTED", one.stage, now, pause_rule=pause_rule), "STOPPED", "REJECTED"
