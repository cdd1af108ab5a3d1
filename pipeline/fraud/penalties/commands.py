"""What people decide about penalties: confirm a fraud and approve it, lift, appeal, decide an appeal. Each is audited.

Two things need two admins: a ban for a fraud, and the lifting of a ban. Whoever is above a role may do what the role may.
Every command takes the caller's own connection, sees his area alone, and does not commit.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.audit.log import record
from pipeline.database.engine import constraint_of
from pipeline.errors import AppError
from pipeline.fraud.penalties.books import settle
from pipeline.fraud.penalties.notices import Kind, Notice, note
from pipeline.fraud.penalties.strikes import add_fraud, forgive
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData

TEXT_MAX = 1000  # characters of a reason, an appeal, a decision
RANKS = {"DISTRICT_ADMIN": 1, "STATE_ADMIN": 2}

Done = Literal["DONE", "WAITS_FOR_SECOND_ADMIN"]

_REPORT = text("SELECT id, tenant_id, reporter_id FROM sdcrs.report WHERE id = :id")
_HOME = text("SELECT tenant_id FROM access.account WHERE id = :id FOR NO KEY UPDATE")
_REQUEST = text("""
    INSERT INTO fraud.confirmation (id, tenant_id, account_id, report_id, status, comment, requested_at, requested_by)
    VALUES (:id, :tenant_id, :account_id, :report_id, 'REQUESTED', :comment, :now, :by)
""")
_CONFIRMATION = text("SELECT * FROM fraud.confirmation WHERE id = :id FOR UPDATE")
_DECIDE = text("""
    UPDATE fraud.confirmation SET status = :status, decided_at = :now, decided_by = :by, decision_comment = :comment WHERE id = :id
""")
_WHOSE = text("SELECT account_id FROM fraud.penalty WHERE id = :id")
_PENALTY = text("SELECT * FROM fraud.penalty WHERE id = :id FOR UPDATE")
_ASK_LIFT = text("""
    UPDATE fraud.penalty SET lift_requested_at = :now, lift_requested_by = :by, lift_reason = :reason, lift_forgives = :forgives,
                             modified_at = :now
    WHERE id = :id
""")
_UNASK_LIFT = text("""
    UPDATE fraud.penalty SET lift_requested_at = NULL, lift_requested_by = NULL, lift_reason = NULL, lift_forgives = NULL,
                             modified_at = :now
    WHERE id = :id
""")
_LIFT = text("""
    UPDATE fraud.penalty SET status = 'LIFTED', lifted_at = :now, lifted_by = :by, lift_reason = :reason, lift_forgives = :forgives,
                             modified_at = :now
    WHERE id = :id
""")
_APPEAL = text("""
    UPDATE fraud.penalty SET appealed_at = :now, appealed_by = :by, appeal_text = :text, modified_at = :now WHERE id = :id
""")
_DECIDE_APPEAL = text("""
    UPDATE fraud.penalty SET appeal_decided_at = :now, appeal_decided_by = :by, appeal_granted = :granted, appeal_comment = :comment,
                             modified_at = :now
    WHERE id = :id
""")


@dataclass(frozen=True)
class Confirmed:
    """A fraud that one admin has confirmed; a second one approves it by this id."""

    confirmation_id: UUID
    account_id: UUID


def confirm_fraud(conn: Connection, caller: Caller, report_id: UUID, comment: str, now: datetime) -> Confirmed:
    """Say that a report is a fraud. The ban follows once a second admin approves.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_INVALID_REQUEST, SDCRS_NOT_FOUND, and SDCRS_ALREADY_CONFIRMED when it was said before.
    """
    policy.check(caller, "confirm_fraud")
    said = _text(comment, "The confirmation of a fraud", "comment")
    report = conn.execute(_REPORT, {"id": report_id}).one_or_none()
    home = None if report is None else conn.execute(_HOME, {"id": report.reporter_id}).scalar_one_or_none()
    if report is None or home is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    if report.reporter_id == caller.account_id:
        raise AppError("SDCRS_FORBIDDEN", reason="this is your own report")
    confirmation_id = uuid7(now)
    values = {"id": confirmation_id, "tenant_id": home, "account_id": report.reporter_id, "report_id": report_id, "comment": said}
    try:
        conn.execute(_REQUEST, values | {"now": now, "by": caller.account_id})
    except IntegrityError as error:
        if constraint_of(error) == "confirmation_once":
            raise AppError("SDCRS_ALREADY_CONFIRMED") from error
        raise
    _audit(conn, caller, home, "FRAUD_CONFIRMED", "REPORT", report_id, now, {"confirmation": str(confirmation_id)})
    note(conn, [Notice("SECOND_ADMIN", home, report.reporter_id, report_id, None, now, asked_by=caller.account_id)])
    return Confirmed(confirmation_id, report.reporter_id)


def approve_fraud(conn: Connection, md: MasterData, caller: Caller, confirmation_id: UUID, now: datetime, comment: str = "") -> None:
    """Approve another admin's confirmation; what the ladder says of a confirmed fraud takes effect at once.

    Raises SDCRS_FORBIDDEN, SDCRS_NOT_FOUND, SDCRS_NOTHING_TO_APPROVE, SDCRS_SELF_APPROVAL.
    """
    policy.check(caller, "confirm_fraud")
    waiting = _waiting(conn, confirmation_id)
    if waiting.requested_by == caller.account_id:
        raise AppError("SDCRS_SELF_APPROVAL")
    _decide(conn, caller, waiting, "APPROVED", comment.strip() or None, now)
    strike = {"id": waiting.id, "tenant_id": waiting.tenant_id, "account_id": waiting.account_id, "report_id": waiting.report_id}
    add_fraud(conn, strike | {"at": now})
    settle(conn, md, [waiting.account_id], now)


def refuse_fraud(conn: Connection, caller: Caller, confirmation_id: UUID, comment: str, now: datetime) -> None:
    """Refuse another admin's confirmation, or withdraw one's own; nothing follows.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_NOTHING_TO_APPROVE.
    """
    policy.check(caller, "confirm_fraud")
    said = _text(comment, "The refusal", "comment")
    _decide(conn, caller, _waiting(conn, confirmation_id), "REFUSED", said, now)


def lift(
    conn: Connection, md: MasterData, caller: Caller, penalty_id: UUID, reason: str, now: datetime, *, forgive_cause: bool = False
) -> Done:
    """End a penalty before its time, with a reason; a ban once a second admin approves.

    `forgive_cause`: what led to it counts no further, so the ladder begins anew. Without it the next rejection is counted
    with the earlier ones. Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_PENALTY_OVER, SDCRS_APPROVAL_PENDING.
    """
    policy.check(caller, "lift_penalty")
    said = _text(reason, "Lifting a penalty", "reason")
    penalty = _active(conn, penalty_id)
    _check_rank(caller, penalty)
    if penalty.lift_requested_at is not None:
        raise AppError("SDCRS_APPROVAL_PENDING")
    return _lift(conn, md, caller, penalty, said, now, forgive_cause)


def approve_lift(conn: Connection, md: MasterData, caller: Caller, penalty_id: UUID, now: datetime) -> None:
    """Approve that a ban is lifted, as another admin asked.

    Raises SDCRS_FORBIDDEN, SDCRS_NOT_FOUND, SDCRS_PENALTY_OVER, SDCRS_NOTHING_TO_APPROVE, SDCRS_SELF_APPROVAL.
    """
    policy.check(caller, "lift_penalty")
    penalty = _active(conn, penalty_id)
    _check_rank(caller, penalty)
    if penalty.lift_requested_at is None:
        raise AppError("SDCRS_NOTHING_TO_APPROVE")
    if penalty.lift_requested_by == caller.account_id:
        raise AppError("SDCRS_SELF_APPROVAL")
    _end(conn, md, caller, penalty, penalty.lift_reason, now, penalty.lift_forgives)


def refuse_lift(conn: Connection, caller: Caller, penalty_id: UUID, comment: str, now: datetime) -> None:
    """Refuse that a ban is lifted, or withdraw one's own wish. An appeal that was to be granted so is refused with it.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_PENALTY_OVER, SDCRS_NOTHING_TO_APPROVE.
    """
    policy.check(caller, "lift_penalty")
    said = _text(comment, "The refusal", "comment")
    penalty = _active(conn, penalty_id)
    _check_rank(caller, penalty)
    if penalty.lift_requested_at is None:
        raise AppError("SDCRS_NOTHING_TO_APPROVE")
    conn.execute(_UNASK_LIFT, {"id": penalty.id, "now": now})
    _audit(conn, caller, penalty.tenant_id, "LIFT_REFUSED", "PENALTY", penalty.id, now, {"code": penalty.code})
    if penalty.appeal_granted:
        _decided(conn, caller, penalty, granted=False, comment=said, now=now)
        _tell(conn, penalty, "APPEAL_REFUSED", now, comment=said)


def appeal(conn: Connection, caller: Caller, penalty_id: UUID, said: str, now: datetime) -> None:
    """A teacher asks that the own penalty be looked at again: once, while it lasts and its window is open.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_PENALTY_OVER, SDCRS_APPEAL_CLOSED.
    """
    policy.check(caller, "appeal_penalty")
    wish = _text(said, "An appeal", "text")
    penalty = _active(conn, penalty_id, owner=caller.account_id)
    if penalty.until is not None and penalty.until <= now:
        raise AppError("SDCRS_PENALTY_OVER")
    closed = why_no_appeal(penalty.appeal_role, penalty.appeal_until, penalty.appealed_at, now)
    if closed is not None:
        raise AppError("SDCRS_APPEAL_CLOSED", reason=closed)
    conn.execute(_APPEAL, {"id": penalty.id, "by": caller.account_id, "text": wish, "now": now})
    _audit(conn, caller, penalty.tenant_id, "APPEAL_MADE", "PENALTY", penalty.id, now, {"code": penalty.code})
    _tell(conn, penalty, "APPEALED", now)


def why_no_appeal(role: str | None, until: datetime | None, appealed_at: datetime | None, now: datetime) -> str | None:
    """Why a penalty cannot be appealed against now; None when it can."""
    if role is None:
        return "there is no appeal against this step"
    if appealed_at is not None:
        return "there was an appeal already"
    if until is not None and until <= now:
        return "the time for it is over"
    return None


def decide_appeal(conn: Connection, md: MasterData, caller: Caller, penalty_id: UUID, granted: bool, comment: str, now: datetime) -> Done:
    """Grant an appeal, which lifts the penalty and forgives what led to it, or refuse it. A ban is lifted by a second admin's approval.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_PENALTY_OVER, SDCRS_NOTHING_TO_APPROVE, SDCRS_APPROVAL_PENDING.
    """
    policy.check(caller, "lift_penalty")
    said = _text(comment, "The decision of an appeal", "comment")
    penalty = _active(conn, penalty_id)
    _check_rank(caller, penalty)
    if penalty.appealed_at is None or penalty.appeal_decided_at is not None:
        raise AppError("SDCRS_NOTHING_TO_APPROVE")
    if granted and penalty.lift_requested_at is not None:
        raise AppError("SDCRS_APPROVAL_PENDING")
    _decided(conn, caller, penalty, granted=granted, comment=said, now=now)
    if granted:
        return _lift(conn, md, caller, penalty, said, now, True)
    _tell(conn, penalty, "APPEAL_REFUSED", now, comment=said)
    return "DONE"


def may_lift(caller: Caller, appeal_role: str | None) -> bool:
    """Whether the caller may lift this kind of penalty and hear appeals against it: for buttons."""
    return policy.can(caller, "lift_penalty") and _rank(caller) >= RANKS.get(appeal_role or "DISTRICT_ADMIN", RANKS["STATE_ADMIN"])


def _lift(conn: Connection, md: MasterData, caller: Caller, penalty: Row[Any], reason: str, now: datetime, forgives: bool) -> Done:
    if penalty.code != "BAN":
        _end(conn, md, caller, penalty, reason, now, forgives)
        return "DONE"
    conn.execute(_ASK_LIFT, {"id": penalty.id, "by": caller.account_id, "reason": reason, "forgives": forgives, "now": now})
    _audit(conn, caller, penalty.tenant_id, "LIFT_REQUESTED", "PENALTY", penalty.id, now, {"code": penalty.code, "forgives": forgives})
    _tell(conn, penalty, "SECOND_ADMIN", now, asked_by=caller.account_id)
    return "WAITS_FOR_SECOND_ADMIN"


def _end(conn: Connection, md: MasterData, caller: Caller, penalty: Row[Any], reason: str, now: datetime, forgives: bool) -> None:
    conn.execute(_LIFT, {"id": penalty.id, "by": caller.account_id, "reason": reason, "forgives": forgives, "now": now})
    if forgives:
        forgive(conn, penalty.strikes, caller.account_id, now)
    _audit(conn, caller, penalty.tenant_id, "PENALTY_LIFTED", "PENALTY", penalty.id, now, {"code": penalty.code, "forgives": forgives})
    _tell(conn, penalty, "LIFTED", now, comment=reason)
    settle(conn, md, [penalty.account_id], now)


def _decided(conn: Connection, caller: Caller, penalty: Row[Any], *, granted: bool, comment: str, now: datetime) -> None:
    conn.execute(_DECIDE_APPEAL, {"id": penalty.id, "by": caller.account_id, "granted": granted, "comment": comment, "now": now})
    action = "APPEAL_GRANTED" if granted else "APPEAL_REFUSED"
    _audit(conn, caller, penalty.tenant_id, action, "PENALTY", penalty.id, now, {"code": penalty.code})


def _waiting(conn: Connection, confirmation_id: UUID) -> Row[Any]:
    """The locked confirmation, which nobody has decided yet."""
    row = conn.execute(_CONFIRMATION, {"id": confirmation_id}).one_or_none()
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Confirmation", id=str(confirmation_id))
    if row.status != "REQUESTED":
        raise AppError("SDCRS_NOTHING_TO_APPROVE")
    return row


def _decide(conn: Connection, caller: Caller, waiting: Row[Any], status: str, comment: str | None, now: datetime) -> None:
    if comment is not None and len(comment) > TEXT_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="comment", detail=f"has at most {TEXT_MAX} characters")
    conn.execute(_DECIDE, {"id": waiting.id, "status": status, "now": now, "by": caller.account_id, "comment": comment})
    details = {"confirmation": str(waiting.id), "requestedBy": str(waiting.requested_by)}
    _audit(conn, caller, waiting.tenant_id, f"FRAUD_{status}", "REPORT", waiting.report_id, now, details)


def _active(conn: Connection, penalty_id: UUID, owner: UUID | None = None) -> Row[Any]:
    """The penalty under way, its account locked before it as everywhere. Raises SDCRS_NOT_FOUND, also when it is not the owner's."""
    account = conn.execute(_WHOSE, {"id": penalty_id}).scalar_one_or_none()
    if account is None or (owner is not None and account != owner):
        raise AppError("SDCRS_NOT_FOUND", kind="Penalty", id=str(penalty_id))
    conn.execute(_HOME, {"id": account})
    row = conn.execute(_PENALTY, {"id": penalty_id}).one()
    if row.status != "ACTIVE":
        raise AppError("SDCRS_PENALTY_OVER")
    return row


def _check_rank(caller: Caller, penalty: Row[Any]) -> None:
    if penalty.account_id == caller.account_id:
        raise AppError("SDCRS_FORBIDDEN", reason="nobody decides about a penalty of his own")
    if not may_lift(caller, penalty.appeal_role):
        raise AppError("SDCRS_FORBIDDEN", reason="a state admin decides about this step")


def _rank(caller: Caller) -> int:
    return max((rank for role, rank in RANKS.items() if role in caller.roles), default=0)


def _tell(conn: Connection, penalty: Row[Any], kind: Kind, now: datetime, comment: str | None = None, asked_by: UUID | None = None) -> None:
    note(conn, [Notice(kind, penalty.tenant_id, penalty.account_id, penalty.report_id, penalty.id, now, comment, asked_by)])


def _text(said: str, action: str, field: str) -> str:
    text_said = said.strip()
    if not text_said:
        raise AppError("SDCRS_FACT_MISSING", action=action, field=field)
    if len(text_said) > TEXT_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field=field, detail=f"has at most {TEXT_MAX} characters")
    return text_said


def _audit(
    conn: Connection, caller: Caller, tenant_id: str, action: str, kind: str, subject: UUID, now: datetime, details: dict[str, Any]
) -> None:
    role = next((role for role in ("STATE_ADMIN", "DISTRICT_ADMIN", "TEACHER") if role in caller.roles), None)
    record(conn, tenant_id, caller.account_id, role, action, kind, str(subject), now, details=details)
