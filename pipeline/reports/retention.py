"""Selfies go some time after the decision about their report. What was measured of them stays: it finds a face's photo sent twice.

Two steps: a transaction gives the photo up, after which nobody can read it; then its bytes are removed, which may be repeated.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.audit.log import record
from pipeline.runtime import Runtime

BATCH = 200  # photos a transaction
UNDECIDED = ("SUBMITTED", "PENDING_VALIDATION", "PENDING_VERIFICATION")

# A report is decided by its verifier, else by the checks; one that was reopened is undecided again
_GIVE_UP = text("""
    WITH due AS (
        SELECT e.id, e.file_id, e.tenant_id FROM sdcrs.evidence e JOIN sdcrs.report r ON r.id = e.report_id
        WHERE e.evidence_type = 'REPORTER_SELFIE' AND e.erased_at IS NULL AND e.created_at < :before
          AND r.status <> ALL (:undecided) AND coalesce(r.verified_at, r.validated_at) < :before
          AND NOT EXISTS (
              SELECT FROM sdcrs.evidence o JOIN sdcrs.report q ON q.id = o.report_id
              WHERE o.file_id = e.file_id AND (q.status = ANY (:undecided) OR coalesce(q.verified_at, q.validated_at) >= :before))
        ORDER BY e.created_at LIMIT :limit FOR NO KEY UPDATE OF e SKIP LOCKED),
    given_up AS (UPDATE sdcrs.evidence e SET erased_at = :now FROM due WHERE e.id = due.id),
    files AS (UPDATE sdcrs.file f SET erased_at = :now FROM due WHERE f.id = due.file_id AND f.erased_at IS NULL)
    SELECT tenant_id, count(*) AS selfies FROM due GROUP BY tenant_id ORDER BY tenant_id
""")
_TO_REMOVE = text("SELECT id FROM sdcrs.file WHERE erased_at IS NOT NULL AND removed_at IS NULL ORDER BY erased_at LIMIT :limit")
_REMOVED = text("UPDATE sdcrs.file SET removed_at = :now WHERE id = ANY (:ids)")


def erase_old_selfies(rt: Runtime, now: datetime) -> int:
    """Give up and remove every selfie whose report was decided more than SELFIE_DAYS ago; how many. Commits.

    May be killed at any moment and run again. Raises OSError when the store cannot be reached; the rest is done the next time.
    """
    before = now - timedelta(days=rt.settings.selfie_days)
    given_up = 0
    while True:
        with rt.database.worker() as conn:
            found = _give_up(conn, before, now)
        given_up += found
        if not found:
            break
    while _remove(rt, now):
        pass
    return given_up


def _give_up(conn: Connection, before: datetime, now: datetime) -> int:
    rows = conn.execute(_GIVE_UP, {"before": before, "now": now, "undecided": list(UNDECIDED), "limit": BATCH}).all()
    for row in rows:
        record(conn, row.tenant_id, None, "SYSTEM", "SELFIES_ERASED", "FILE", None, now, details={"selfies": row.selfies})
    return sum(row.selfies for row in rows)


def _remove(rt: Runtime, now: datetime) -> int:
    with rt.database.worker() as conn:
        ids: list[UUID] = list(conn.execute(_TO_REMOVE, {"limit": BATCH}).scalars())
    for file_id in ids:
        rt.files.delete(file_id)
    if ids:
        with rt.database.worker() as conn:
            conn.execute(_REMOVED, {"ids": ids, "now": now})
    return len(ids)
