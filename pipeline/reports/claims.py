"""A claim says who is working on a report, for a while. It is not needed to act; another's claim refuses."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.errors import AppError

LEASE = timedelta(minutes=10)  # longer than a decision takes; extended while the person is active

_CLAIM = text("""
    UPDATE sdcrs.report SET claimed_by = :account_id, claimed_until = :until
    WHERE id = :id AND (claimed_by IS NULL OR claimed_by = :account_id OR claimed_until <= :now OR :take_over)
    RETURNING id
""")
_HOLDER = text("SELECT claimed_by, claimed_until FROM sdcrs.report WHERE id = :id")
_RELEASE = text("UPDATE sdcrs.report SET claimed_by = NULL, claimed_until = NULL WHERE id = :id AND claimed_by = :account_id")


def claim(conn: Connection, caller: Caller, report_id: UUID, now: datetime, take_over: bool = False) -> datetime:
    """Claim or extend; returns until when. Raises SDCRS_CLAIMED_BY_OTHER or SDCRS_NOT_FOUND. Does not commit."""
    until = now + LEASE
    params = {"id": report_id, "account_id": caller.account_id, "until": until, "now": now, "take_over": take_over}
    if conn.execute(_CLAIM, params).scalar_one_or_none() is not None:
        return until
    holder = conn.execute(_HOLDER, {"id": report_id}).one_or_none()
    if holder is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    raise AppError("SDCRS_CLAIMED_BY_OTHER", until=holder.claimed_until.isoformat(timespec="minutes"))


def release(conn: Connection, caller: Caller, report_id: UUID) -> None:
    """Give the caller's own claim back; another's stays. Does not commit."""
    conn.execute(_RELEASE, {"id": report_id, "account_id": caller.account_id})
