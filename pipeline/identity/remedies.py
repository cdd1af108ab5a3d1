"""What an admin does about a case that is stuck: each remedy for one subject, with a reason, written to the audit.

None of them does the work itself. They put a row back to where its job takes it up, and the job goes on under the ids that
were chosen before; nothing is stored twice by it. None commits: a dry run is the same in a transaction that is undone.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.identity.checks import Remedy
from pipeline.masterdata.master import MasterData

REASON_MAX = 500

Act = Callable[[Connection, MasterData, Caller, UUID, str, datetime], None]

_ASK = text("""
    UPDATE idrepo.credential_request_status SET status = 'FAILED', attempts = 0, dead_at = NULL, next_attempt_at = :now, upd_dtimes = :now
    WHERE id = :id AND (status IN ('NEW', 'FAILED') OR (status = 'REQUESTED' AND NOT EXISTS (
          SELECT FROM credential.credential_transaction t WHERE t.id = request_id)))
    RETURNING tenant_id, registration_id
""")
_ISSUE = text("""
    UPDATE credential.credential_transaction t
    SET status_code = 'RETRY', trn_retry_count = 0, dead_at = NULL, stored_at = NULL, next_attempt_at = :now, upd_dtimes = :now
    WHERE id = :id AND (status_code IN ('FAILED', 'RETRY') OR (status_code = 'ISSUED' AND dead_at IS NOT NULL)
          OR (status_code = 'STORED' AND NOT EXISTS (SELECT FROM ida.identity_cache c WHERE c.id = t.individual_id_hash)))
    RETURNING tenant_id, registration_id
""")
_PUBLISH = text("""
    WITH one AS (
        UPDATE credential.credential_transaction SET dead_at = NULL, status_comment = NULL, next_attempt_at = :now, upd_dtimes = :now
        WHERE id = :id AND status_code = 'ISSUED' RETURNING tenant_id, registration_id, credential_id),
    anew AS (UPDATE credential.issuance SET published = 1 FROM one WHERE issuance.id = one.credential_id)
    SELECT tenant_id, registration_id FROM one
""")
_DELIVER = text("""
    UPDATE websub.delivery SET status_code = 'NEW', attempts = 0, dead_at = NULL, next_attempt_at = :now
    WHERE id = :id AND status_code IN ('NEW', 'FAILED') RETURNING tenant_id, CAST(NULL AS uuid) AS registration_id
""")
_STORE = text("""
    UPDATE ida.credential_event_store
    SET status_code = 'NEW', retry_count = 0, ended_at = NULL, acknowledged_at = NULL, next_attempt_at = :now, upd_dtimes = :now
    WHERE event_id = :id AND status_code IN ('FAILED', 'FAILED_WITH_MAX_RETRIES') RETURNING tenant_id, registration_id
""")
_SAY = text("""
    UPDATE ida.credential_event_store SET acknowledged_at = NULL, next_attempt_at = :now, upd_dtimes = :now
    WHERE event_id = :id AND ended_at IS NOT NULL RETURNING tenant_id, registration_id
""")
_STATES: Mapping[str, TextClause] = {
    "credential_request_status": text("SELECT status AS state FROM idrepo.credential_request_status WHERE id = :id"),
    "credential_transaction": text("SELECT status_code AS state FROM credential.credential_transaction WHERE id = :id"),
    "delivery": text("SELECT status_code AS state FROM websub.delivery WHERE id = :id"),
    "credential_event": text("SELECT status_code AS state FROM ida.credential_event_store WHERE event_id = :id"),
}


def ask_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the generator asked again, under the same request id. `subject_id`: of idrepo.credential_request_status."""
    _act(conn, caller, "ask_again", "credential_request_status", _ASK, subject_id, reason, now)


def issue_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the credential issued again (RETRY). `subject_id`: the request id."""
    _act(conn, caller, "issue_again", "credential_transaction", _ISSUE, subject_id, reason, now)


def publish_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the event published again if it did not arrive. `subject_id`: the request id."""
    _act(conn, caller, "publish_again", "credential_transaction", _PUBLISH, subject_id, reason, now)


def deliver_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the hub try again. `subject_id`: of websub.delivery."""
    _act(conn, caller, "deliver_again", "delivery", _DELIVER, subject_id, reason, now)


def store_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the authentication side try again. `subject_id`: the event id."""
    _act(conn, caller, "store_again", "credential_event", _STORE, subject_id, reason, now)


def say_again(conn: Connection, _: MasterData, caller: Caller, subject_id: UUID, reason: str, now: datetime) -> None:
    """Have the issuer told again. `subject_id`: the event id."""
    _act(conn, caller, "say_again", "credential_event", _SAY, subject_id, reason, now)


# The remedies of this room; RESTART, RESUME and REQUEST are the registration side's
ACTS: Mapping[Remedy, Act] = {
    "ASK_AGAIN": ask_again,
    "ISSUE_AGAIN": issue_again,
    "PUBLISH_AGAIN": publish_again,
    "DELIVER_AGAIN": deliver_again,
    "STORE_AGAIN": store_again,
    "SAY_AGAIN": say_again,
}


def _act(
    conn: Connection, caller: Caller, action: str, kind: str, statement: TextClause, subject_id: UUID, reason: str, now: datetime
) -> None:
    """Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_NOT_FOUND and, where its state has moved on, SDCRS_CREDENTIAL_STATE."""
    check(caller, "retry_credential")
    if not 3 <= len(reason.strip()) <= REASON_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="reason", detail=f"must have 3 to {REASON_MAX} characters")
    done: Row[Any] | None = conn.execute(statement, {"id": subject_id, "now": now}).one_or_none()
    if done is None:
        state = conn.execute(_STATES[kind], {"id": subject_id}).scalar_one_or_none()
        if state is None:
            raise AppError("SDCRS_NOT_FOUND", kind=kind, id=str(subject_id))
        raise AppError("SDCRS_CREDENTIAL_STATE", action=action, state=state)
    registration = {} if done.registration_id is None else {"registrationId": str(done.registration_id)}
    role, about = min(caller.roles), str(subject_id)
    record(conn, done.tenant_id, caller.account_id, role, f"identity.{action}", kind, about, now, reason.strip(), details=registration)
