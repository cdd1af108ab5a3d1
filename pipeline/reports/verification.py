"""What verifiers, teachers and admins record before a report is on its way to the field."""

from datetime import datetime

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports.update import Update, tenant_of
from pipeline.reports.workflow import Item

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
    reason = md.rejection_reason(tenant_of(conn, update.report_id), update.need("rejection_reason"), "REJECT").code
    return Item(update.report_id, _rejection(update, reason, caller, now), comment=update.comment, version=update.version)


def mark_duplicate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The same dog was reported before, in the report that is named; no payout."""
    tenant_id = tenant_of(conn, update.report_id)
    number = update.need("duplicate_of")
    original = conn.execute(_BY_NUMBER, {"report_number": number, "tenant_id": tenant_id}).scalar_one_or_none()
    if original is None or original == update.report_id:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=number)
    facts = _rejection(update, "DUPLICATE", caller, now) | {"duplicate_of": original}
    return Item(update.report_id, facts, noted={"duplicateOfNumber": number}, comment=update.comment, version=update.version)


def plain(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """An action whose effects stand in the workflow table: ESCALATE, SEND_BACK, COMMENT."""
    return Item(update.report_id, comment=update.comment, version=update.version)


def reopen(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """An admin takes back an automatic rejection, with a reason."""
    facts = {"rejected_at": None, "rejected_by": None, "rejection_reason": None, "rejection_remarks": None, "payout_eligible": None}
    return Item(update.report_id, facts, comment=update.comment, version=update.version)


def rate(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """The teacher rates how it went, 1 to 5, and the report is closed."""
    rating = update.need("rating")
    if not isinstance(rating, int) or not 1 <= rating <= 5:
        raise AppError("SDCRS_INVALID_REQUEST", field="rating", detail="must be a whole number from 1 to 5")
    return Item(update.report_id, {"rating": rating}, comment=update.comment, version=update.version)


def _rejection(update: Update, reason: str, caller: Caller, now: datetime) -> dict[str, object]:
    return {
        "rejected_at": now,
        "rejected_by": caller.account_id,
        "rejection_reason": reason,
        "rejection_remarks": update.fields.get("rejection_remarks"),
        "payout_eligible": False,
    }
