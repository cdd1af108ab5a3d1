"""What is left of sign-ins goes when nobody can need it any more. That somebody signed in stays in the audit."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from pipeline.access.throttle import FAILURE_WINDOW

SESSIONS_KEPT = timedelta(days=30)  # after their end: long enough to ask which device it was

_SESSIONS = text("DELETE FROM access.session WHERE expires_at < :before")  # used refresh tokens go with their session
_FLOWS = text("DELETE FROM access.sign_in_flow WHERE expires_at < :now")
_COUNTERS = text("DELETE FROM access.sign_in_throttle WHERE window_starts_at < :before AND (locked_until IS NULL OR locked_until < :now)")


def forget_old_sign_ins(conn: Connection, now: datetime) -> None:
    """Delete long-ended sessions, sign-ins never finished, and counters whose window is over. Does not commit."""
    conn.execute(_SESSIONS, {"before": now - SESSIONS_KEPT})
    conn.execute(_FLOWS, {"now": now})
    conn.execute(_COUNTERS, {"before": now - FAILURE_WINDOW, "now": now})
