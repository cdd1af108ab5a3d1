"""The rows of fraud.validator_result: opened for waiting reports, taken under a lease, settled or put back. The queue of the job."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.fraud.validators.setup import Setup

OPENED = 64  # reports a time, some hundred rows; more would only wait here instead of among the reports
MOST_OPEN = 4096  # rows that are not settled: while a service is away, the others of the backlog wait among the reports
REASON_CHARS = 500

State = Literal["WAITING", "ANSWERED", "SKIPPED", "MANUAL", "DEFAULTED"]

_OPEN = text("""
    INSERT INTO fraud.validator_result (report_id, validator_id, tenant_id, state, next_at, created_at)
    SELECT r.id, a.validator_id, r.tenant_id, 'WAITING', :now, :now
    FROM (
        SELECT q.id, q.tenant_id FROM sdcrs.report q
        WHERE q.status = 'PENDING_VALIDATION' AND q.tenant_id = ANY (:asking)
          AND NOT EXISTS (SELECT FROM fraud.validator_result v WHERE v.report_id = q.id)
          AND (SELECT count(*) FROM (SELECT FROM fraud.validator_result u WHERE u.settled_at IS NULL LIMIT :most) o) < :most
        ORDER BY q.created_at, q.id LIMIT :reports) r
    JOIN unnest(CAST(:tenants AS text[]), CAST(:validators AS text[])) AS a(tenant_id, validator_id) ON a.tenant_id = r.tenant_id
    ON CONFLICT DO NOTHING
""")
_TAKE = text("""
    WITH due AS (
        SELECT v.report_id, v.validator_id, v.state FROM fraud.validator_result v
        WHERE v.settled_at IS NULL AND v.next_at <= :now
        ORDER BY v.next_at, v.report_id, v.validator_id LIMIT :limit FOR UPDATE OF v SKIP LOCKED)
    UPDATE fraud.validator_result t
    SET state = 'ASKING', next_at = :lease, takes = t.takes + 1, lost = t.lost + CASE WHEN due.state = 'ASKING' THEN 1 ELSE 0 END
    FROM due, sdcrs.report r
    WHERE t.report_id = due.report_id AND t.validator_id = due.validator_id AND r.id = t.report_id
    RETURNING t.report_id, t.validator_id, t.tenant_id, t.takes, t.lost, t.failures, r.status = 'PENDING_VALIDATION' AS waits
""")
_WRITE = text("""
    UPDATE fraud.validator_result t
    SET state = v.state, next_at = v.next_at, failures = v.failures, outputs = v.outputs, reason = v.reason,
        remembered = v.remembered, settled_at = CASE WHEN v.next_at IS NULL THEN CAST(:now AS timestamptz) END,
        read_at = CASE WHEN v.unwanted THEN CAST(:now AS timestamptz) ELSE t.read_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(report_id uuid, validator_id text, takes int, state text, next_at timestamptz, failures int, outputs jsonb, reason text,
             remembered boolean, unwanted boolean)
    WHERE t.report_id = v.report_id AND t.validator_id = v.validator_id AND t.takes = v.takes AND t.state = 'ASKING'
""")
_WAITING = text("SELECT count(*) AS waiting, min(next_at) AS due FROM fraud.validator_result WHERE settled_at IS NULL")


class Taken(NamedTuple):
    """A row under our lease. `waits`: its report still does. `takes` names the lease."""

    report_id: UUID
    validator_id: str
    tenant_id: str
    takes: int
    lost: int
    failures: int
    waits: bool


@dataclass(frozen=True)
class End:
    """What becomes of a taken row: settled, or (`next_at`) to be taken up again."""

    row: Taken
    state: State
    failures: int
    next_at: datetime | None = None
    outputs: Mapping[str, Any] | None = None
    reason: str | None = None
    remembered: bool = False


def take(conn: Connection, setup: Setup, limit: int, now: datetime, lease: datetime) -> list[Taken]:
    """Take up to `limit` due rows, the longest due first; where there are too few, rows of waiting reports are opened."""
    params = {"now": now, "lease": lease}
    found = [Taken(*row) for row in conn.execute(_TAKE, {**params, "limit": limit})]
    opening = {**setup.pairs, "asking": setup.asking, "now": now, "reports": OPENED, "most": MOST_OPEN}
    if len(found) < limit and conn.execute(_OPEN, opening).rowcount:
        found += [Taken(*row) for row in conn.execute(_TAKE, {**params, "limit": limit - len(found)})]
    return found


def write(conn: Connection, ends: Sequence[End], now: datetime) -> None:
    """Write what became of rows; one whose lease another worker has taken over is left alone. Does not commit."""
    if not ends:
        return
    rows = [
        {
            "report_id": str(end.row.report_id),
            "validator_id": end.row.validator_id,
            "takes": end.row.takes,
            "state": end.state,
            "next_at": None if end.next_at is None else end.next_at.isoformat(),
            "failures": end.failures,
            "outputs": None if end.outputs is None else dict(end.outputs),
            "reason": None if end.reason is None else end.reason[:REASON_CHARS],
            "remembered": end.remembered,
            "unwanted": not end.row.waits,  # its report was validated without it
        }
        for end in ends
    ]
    conn.execute(_WRITE, {"rows": json.dumps(rows), "now": now})


def waiting(conn: Connection) -> tuple[int, datetime] | None:
    """How many rows are not settled, and when the first is due."""
    row = conn.execute(_WAITING).one()
    return (row.waiting, row.due) if row.waiting else None
