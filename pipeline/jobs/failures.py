"""Failures of every room in one table: counted, delayed, and given up to a person in the end."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.jobs.job import MAX_ATTEMPTS, backoff

ERROR_CHARS = 2000  # enough for the last frames of a traceback

_ATTEMPTS = text("SELECT attempts FROM jobs.failure WHERE job = :job AND subject = :subject FOR UPDATE")
_UPSERT = text("""
    INSERT INTO jobs.failure (job, subject, attempts, error, failed_at, next_attempt_at, dead_at)
    VALUES (:job, :subject, :attempts, :error, :now, :next_attempt_at, CAST(:dead_at AS timestamptz))
    ON CONFLICT (job, subject) DO UPDATE
    SET attempts = excluded.attempts, error = excluded.error, failed_at = excluded.failed_at,
        next_attempt_at = excluded.next_attempt_at, dead_at = excluded.dead_at
""")
_CLEAR = text("DELETE FROM jobs.failure WHERE job = :job AND subject = ANY (:subjects) AND dead_at IS NULL")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM jobs.failure
    WHERE job = :job AND dead_at IS NULL AND next_attempt_at > :now
""")
_REVIVE = text("UPDATE jobs.failure SET dead_at = NULL, attempts = 1, next_attempt_at = :now WHERE job = :job AND subject = :subject")


def record_failure(conn: Connection, job: str, subject: UUID, error: str, now: datetime) -> None:
    """Count a failed attempt and set the next one; after MAX_ATTEMPTS the subject waits for a person."""
    attempts = (conn.execute(_ATTEMPTS, {"job": job, "subject": subject}).scalar_one_or_none() or 0) + 1
    conn.execute(
        _UPSERT,
        {
            "job": job,
            "subject": subject,
            "attempts": attempts,
            "error": error[-ERROR_CHARS:],
            "now": now,
            "next_attempt_at": now + backoff(attempts),
            "dead_at": now if attempts >= MAX_ATTEMPTS else None,
        },
    )


def clear_failures(conn: Connection, job: str, subjects: list[UUID]) -> None:
    """Forget earlier failures of subjects that have now succeeded."""
    conn.execute(_CLEAR, {"job": job, "subjects": subjects})


def waiting(conn: Connection, job: str, now: datetime) -> tuple[int, datetime] | None:
    """How many failed subjects wait for a later attempt and when the first is due."""
    row = conn.execute(_WAITING, {"job": job, "now": now}).one()
    return (row.waiting, row.due) if row.waiting else None


def revive(conn: Connection, job: str, subject: UUID, now: datetime) -> None:
    """Put a dead letter back into its queue, as a person asked."""
    conn.execute(_REVIVE, {"job": job, "subject": subject, "now": now})
