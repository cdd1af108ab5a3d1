"""What a client is told that acts on a version of a report which is no longer the newest: how it stands, and what changed since."""

from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.errors import AppError

MAX_CHANGES = 20  # the newest ones; a report has about a dozen in its life

_SINCE = text("""
    SELECT version, action, to_state, occurred_at FROM sdcrs.report_history
    WHERE report_id = :id AND version > :sent AND version <= :current ORDER BY version DESC LIMIT :limit
""")


def stale_version(conn: Connection, report_id: UUID, *, sent: int, current: int, state: str) -> AppError:
    """SDCRS_STALE_VERSION with the changes after the version sent, oldest first, times in UTC; who made them is not told."""
    rows = conn.execute(_SINCE, {"id": report_id, "sent": sent, "current": current, "limit": MAX_CHANGES}).all()
    changes = [
        {"version": row.version, "action": row.action, "status": row.to_state, "at": row.occurred_at.isoformat(timespec="milliseconds")}
        for row in reversed(rows)
    ]
    return AppError("SDCRS_STALE_VERSION", sent=sent, current=current, state=state, changes=changes)
