"""What counts towards a penalty, as rows: written from the history of reports, taken back when a report is reopened."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.fraud.penalties.ladder import Strike
from pipeline.masterdata.master import MasterData

REJECTED = ("REJECTED", "AUTO_REJECTED")  # DUPLICATE is nobody's fault

# ON CONFLICT: a follower that is rebuilt reads its rows again
_INSERT = text("""
    INSERT INTO fraud.strike (id, tenant_id, account_id, report_id, kind, reason, report_version, happened_at)
    SELECT v.id, a.tenant_id, a.id, r.id, 'REJECTION', v.reason, v.version, v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, report_id uuid, reason text, version int, at timestamptz)
    JOIN sdcrs.report r ON r.id = v.report_id JOIN access.account a ON a.id = r.reporter_id
    ORDER BY v.at, v.id
    ON CONFLICT (id) DO NOTHING
    RETURNING account_id
""")
# The history is asked and not the change in hand: a reopening may be read before the rejection that it takes back
_TAKE_BACK = text("""
    UPDATE fraud.strike s SET taken_back_at = h.occurred_at
    FROM sdcrs.report_history h
    WHERE s.report_id = ANY (:reports) AND s.kind = 'REJECTION' AND s.taken_back_at IS NULL
      AND h.report_id = s.report_id AND h.report_id = ANY (:reports)
      AND h.version > s.report_version AND h.from_state = ANY (:rejected) AND NOT h.to_state = ANY (:rejected)
    RETURNING s.account_id
""")
_ADD_FRAUD = text("""
    INSERT INTO fraud.strike (id, tenant_id, account_id, report_id, kind, reason, happened_at)
    VALUES (:id, :tenant_id, :account_id, :report_id, 'FRAUD', 'CONFIRMED', :at)
""")
_COUNTING = text("""
    SELECT id, number, account_id, report_id, kind, happened_at FROM fraud.strike
    WHERE account_id = ANY (:accounts) AND taken_back_at IS NULL AND forgiven_at IS NULL
    ORDER BY account_id, happened_at, number
""")
_FORGIVE = text("""
    UPDATE fraud.strike SET forgiven_at = :now, forgiven_by = :by
    WHERE id = ANY (:ids) AND forgiven_at IS NULL AND taken_back_at IS NULL
""")


def note_changes(conn: Connection, md: MasterData, changes: Sequence[Row[Any]]) -> set[UUID]:
    """Write down what counts among these rows of history and take back what was reopened; the accounts that it touches.

    A reason counts as the master data say now. Rows that were noted before change nothing. Does not commit.
    """
    counted = [change for change in changes if _counts(md, change)]
    left = [change for change in changes if change.from_state in REJECTED and change.to_state not in REJECTED]
    if not counted and not left:
        return set()
    touched: set[UUID] = set()
    if counted:
        touched.update(conn.execute(_INSERT, {"rows": json.dumps([_row(change) for change in counted])}).scalars())
    reports = list({change.report_id for change in [*counted, *left]})
    touched.update(conn.execute(_TAKE_BACK, {"reports": reports, "rejected": list(REJECTED)}).scalars())
    return touched


def add_fraud(conn: Connection, confirmation: Mapping[str, Any]) -> None:
    """Write down a fraud that two admins have confirmed. Does not commit."""
    conn.execute(_ADD_FRAUD, confirmation)


def counting(conn: Connection, accounts: Sequence[UUID]) -> dict[UUID, list[Strike]]:
    """What counts at present, by account."""
    found: dict[UUID, list[Strike]] = {account: [] for account in accounts}
    for row in conn.execute(_COUNTING, {"accounts": list(accounts)}):
        found[row.account_id].append(Strike(row.id, row.number, row.report_id, row.kind, row.happened_at))
    return found


def forgive(conn: Connection, ids: Sequence[UUID], by: UUID, now: Any) -> None:
    """Let these count no further. Does not commit."""
    conn.execute(_FORGIVE, {"ids": list(ids), "by": by, "now": now})


def _counts(md: MasterData, change: Row[Any]) -> bool:
    """Whether the change rejected a report for a reason that counts."""
    if change.to_state not in REJECTED or change.from_state == change.to_state:
        return False
    reason = md.rejection_reasons(change.tenant_id, retired=True).get(change.facts.get("rejection_reason"))
    return reason is not None and reason.counts_for_penalty


def _row(change: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(change.id),
        "report_id": str(change.report_id),
        "reason": change.facts["rejection_reason"],
        "version": change.version,
        "at": change.occurred_at.isoformat(),
    }
