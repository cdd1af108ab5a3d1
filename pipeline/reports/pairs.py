"""What people say of a candidate pair of reports: it is no duplicate. Said once, it is never raised again.

A verifier says so while one of the two waits for verification; an admin says so by reopening a report that the checks
rejected as a duplicate. Who finds pairs, and when, is not known here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.audit.log import record
from pipeline.errors import AppError

_REPORTS = text("""
    SELECT p.id, p.tenant_id, p.kind, r.id AS report_id, r.report_number, r.status, r.claimed_by, r.claimed_until
    FROM fraud.pair p JOIN sdcrs.report r ON r.id IN (p.earlier_id, p.later_id)
    WHERE p.id = :id ORDER BY r.id
""")
_DECIDE = text("""
    UPDATE fraud.pair SET decision = 'NOT_DUPLICATE', decided_at = :now, decided_by = :account_id
    WHERE id = :id AND decision IS NULL RETURNING id
""")
_REOPENED = text("""
    UPDATE fraud.pair p SET decision = 'NOT_DUPLICATE', decided_at = :now, decided_by = :account_id
    FROM unnest(CAST(:ids AS uuid[])) AS reopened (id)
    WHERE reopened.id IN (p.earlier_id, p.later_id) AND p.kind <> 'CLUSTER' AND p.decision IS NULL
      AND (SELECT h.facts ->> 'rejection_reason' FROM sdcrs.report_history h
           WHERE h.report_id = reopened.id AND h.to_state = 'AUTO_REJECTED' ORDER BY h.version DESC LIMIT 1) = 'DUPLICATE_IMAGE'
    RETURNING p.id, p.tenant_id, p.kind
""")


def not_a_duplicate(conn: Connection, caller: Caller, pair_id: UUID, now: datetime) -> None:
    """A verifier's word on a pair, kept with who said it and when. Said twice it is kept as it was. Does not commit.

    Raises SDCRS_FORBIDDEN (another role; a report that the checks rejected is an admin's to reopen), SDCRS_NOT_FOUND,
    SDCRS_ACTION_NOT_ALLOWED when neither report waits for verification, and SDCRS_CLAIMED_BY_OTHER when each that does is
    another person's at the moment.
    """
    policy.check(caller, "decide_pair")
    reports = conn.execute(_REPORTS, {"id": pair_id}).all()
    if len(reports) < 2:
        raise AppError("SDCRS_NOT_FOUND", kind="Pair", id=str(pair_id))
    _check_open(caller, reports, now)
    if conn.execute(_DECIDE, {"id": pair_id, "now": now, "account_id": caller.account_id}).one_or_none() is None:
        return
    details = {"kind": reports[0].kind, "reports": [row.report_number for row in reports]}
    role = min(caller.roles & policy.VERIFIERS)
    record(conn, reports[0].tenant_id, caller.account_id, role, "NOT_A_DUPLICATE", "PAIR", str(pair_id), now, details=details)


def remember_reopened(conn: Connection, caller: Caller, reports: Sequence[UUID], now: datetime) -> None:
    """After an admin's REOPEN: what a report was rejected as a duplicate of is remembered as none. Does not commit.

    A report that was rejected for another reason keeps its pairs open: the admin has not judged those.
    """
    if not reports:
        return
    role = min(caller.roles & policy.ADMINS)
    for row in conn.execute(_REOPENED, {"ids": list(reports), "now": now, "account_id": caller.account_id}).all():
        details = {"kind": row.kind, "reopened": True}
        record(conn, row.tenant_id, caller.account_id, role, "NOT_A_DUPLICATE", "PAIR", str(row.id), now, details=details)


def _check_open(caller: Caller, reports: Sequence[Row[Any]], now: datetime) -> None:
    rejected = next((row for row in reports if row.status == "AUTO_REJECTED"), None)
    if rejected is not None:
        raise AppError("SDCRS_FORBIDDEN", reason=f"{rejected.report_number} was rejected by the checks, an admin may reopen it")
    waiting = [row for row in reports if row.status == "PENDING_VERIFICATION"]
    if not waiting:
        raise AppError("SDCRS_ACTION_NOT_ALLOWED", action="NOT_A_DUPLICATE", state=str(reports[-1].status))
    held = [row for row in waiting if row.claimed_by is not None and row.claimed_by != caller.account_id and row.claimed_until > now]
    if len(held) == len(waiting):
        raise AppError("SDCRS_CLAIMED_BY_OTHER", until=held[0].claimed_until.isoformat(timespec="minutes"))
