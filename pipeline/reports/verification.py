"""What verifiers, teachers and admins record before a report is on its way to the field."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports.update import Update
from pipeline.reports.workflow import Item

_TENANT = text("SELECT tenant_id, awaiting_teacher_at, paused_s FROM sdcrs.report WHERE id = :id")
_BY_NUMBER = text("SELECT id FROM sdcrs.report WHERE report_number = :report_number AND tenant_id = :tenant_id")


def verify(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The evidence shows a stray dog where the report says."""
    return Item(
        update.report_id,
        {"verified_at": now, "verified_by": caller.account_id, "verification_remarks": update.fields.get("verification_remarks")},
        comment=update.comment,
        version=update.version,
    )


def reject(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """Refused with a reason that verifiers may give; no payout."""
    reason = update.need("rejection_reason")
    known = [code for code, r in md.rejection_reasons(_tenant(conn, update.report_id)).items() if not r.is_auto and code != "DUPLICATE"]
    if reason not in known:
        raise AppError("SDCRS_UNKNOWN_REASON", reason=reason, known=", ".join(known))
    return Item(update.report_id, _rejection(update, reason, caller, now), comment=update.comment, version=update.version)


def mark_duplicate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The same dog was reported before, in the report that is named; no payout."""
    tenant_id = _tenant(conn, update.report_id)
    number = update.need("duplicate_of")
    original = conn.execute(_BY_NUMBER, {"report_number": number, "tenant_id": tenant_id}).scalar_one_or_none()
    if original is None or original == update.report_id:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=number)
    facts = _rejection(update, "DUPLICATE", caller, now) | {"duplicate_of": original}
    return Item(update.report_id, facts, noted={"duplicateOfNumber": number}, comment=update.comment, version=update.version)


def escalate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """Into the senior verifiers' queue."""
    return Item(update.report_id, {"queue": "SENIOR"}, comment=update.comment, version=update.version)


def send_back(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """Back to the teacher with a question; the state's clock stands still until the answer."""
    if not update.comment:
        raise AppError("SDCRS_FACT_MISSING", action=update.action, field="comment")
    return Item(update.report_id, {"awaiting_teacher_at": now}, comment=update.comment, version=update.version)


def comment(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The teacher's answer; it ends a pause."""
    if not update.comment:
        raise AppError("SDCRS_FACT_MISSING", action=update.action, field="comment")
    row = conn.execute(_TENANT, {"id": update.report_id}).one_or_none()
    waited_s = 0 if row is None or row.awaiting_teacher_at is None else int((now - row.awaiting_teacher_at).total_seconds())
    paused_s = waited_s + (0 if row is None else row.paused_s)
    return Item(
        update.report_id,
        {"awaiting_teacher_at": None, "paused_s": paused_s},
        comment=update.comment,
        version=update.version,
        only_reporter=caller.account_id,
    )


def reopen(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """An admin takes back an automatic rejection, with a reason."""
    if not update.comment:
        raise AppError("SDCRS_FACT_MISSING", action=update.action, field="comment")
    facts = {"rejected_at": None, "rejected_by": None, "rejection_reason": None, "rejection_remarks": None, "payout_eligible": None}
    return Item(update.report_id, facts, comment=update.comment, version=update.version)


def rate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The teacher rates how it went, 1 to 5, and the report is closed."""
    rating = update.need("rating")
    if not isinstance(rating, int) or not 1 <= rating <= 5:
        raise AppError("SDCRS_INVALID_REQUEST", field="rating", detail="must be a whole number from 1 to 5")
    return Item(update.report_id, {"rating": rating}, comment=update.comment, version=update.version, only_reporter=caller.account_id)


def _rejection(update: Update, reason: str, caller: Caller, now: datetime) -> dict[str, object]:
    return {
        "rejected_at": now,
        "rejected_by": caller.account_id,
        "rejection_reason": reason,
        "rejection_remarks": update.fields.get("rejection_remarks"),
        "payout_eligible": False,
    }


def _tenant(conn: Connection, report_id: UUID) -> str:
    row = conn.execute(_TENANT, {"id": report_id}).one_or_none()
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    return str(row.tenant_id)
