"""A person's word on an attempt of which nobody knows the outcome: the provider's support or the bank statement has told.

Only where the obligation still waits for that attempt. SYSTEM then moves the report, and the history names the person.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from pipeline.access.caller import SYSTEM_ID, Caller
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.payouts.books import Books
from pipeline.payouts.commands import ROLE
from pipeline.payouts.settle import Decision, Settlement
from pipeline.reports.workflow import Actor

COMMENT_MAX = 1000


def decide(
    conn: Connection, md: MasterData, caller: Caller, report_id: UUID, paid: bool, comment: str, now: datetime, utr: str | None = None
) -> None:
    """Close a doubtful attempt as paid (with its UTR) or as not paid; unpaid, it may be retried. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, and SDCRS_ACTION_NOT_ALLOWED where nothing is doubtful.
    """
    if not caller.has(ROLE):
        raise AppError("SDCRS_FORBIDDEN", reason="only state admins settle payouts")
    for field, value in (("comment", comment), ("utr", utr if paid else "-")):
        if not (value or "").strip():
            raise AppError("SDCRS_FACT_MISSING", action="The decision about a doubtful payout", field=field)
    books = Books.of_reports(conn, [report_id])
    payout = books.by_report.get(report_id)
    if payout is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Payout of report", id=str(report_id))
    attempt = next((one for one in books.attempts_of(payout.id) if one.phase == "REVIEW" and one.number == payout.retry_count), None)
    if attempt is None or not payout.open:
        raise AppError("SDCRS_ACTION_NOT_ALLOWED", action="The decision about a doubtful payout", state=payout.status)
    settlement = Settlement(books, md, now, Actor(SYSTEM_ID, frozenset({"SYSTEM"}), on_behalf_of=caller.account_id))
    settlement.decide(Decision(attempt.id, paid, comment.strip()[:COMMENT_MAX], utr.strip() if utr else None, now))
    settlement.write(conn)
    details = {"paid": paid, "utr": utr, "comment": comment[:COMMENT_MAX], "referenceId": attempt.reference_id}
    record(conn, payout.tenant_id, caller.account_id, ROLE, "PAYOUT_DECIDED", "PAYOUT", str(payout.id), now, details=details)
