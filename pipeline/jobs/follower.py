"""Followers read what is new in a table, every row once and none missed, and keep their place beside their effect.

A row is read only when every transaction that could still commit before it has ended: its xid lies below the oldest one
running. Remembering merely the last id would lose rows of transactions that commit late.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import Database

_FOLLOWED = {
    "sdcrs.report_history": text("""
        SELECT id, xid, tenant_id, report_id, version, action, from_state, to_state, actor_id, actor_role, facts, occurred_at
        FROM sdcrs.report_history
        WHERE (xid, id) > (CAST(:last_xid AS xid8), CAST(:last_id AS uuid)) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, id LIMIT :limit
    """),
    "packet.log": text("""
        SELECT id, xid, tenant_id, subject_kind, subject_id, packet, topic, key, occurred_at, body
        FROM packet.log
        WHERE (xid, id) > (CAST(:last_xid AS xid8), CAST(:last_id AS uuid)) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, id LIMIT :limit
    """),
    "audit.event": text("""
        SELECT id, xid, tenant_id, actor_id, actor_role, action, subject_kind, subject_id, purpose, details, occurred_at, recorded_at
        FROM audit.event
        WHERE (xid, id) > (CAST(:last_xid AS xid8), CAST(:last_id AS uuid)) AND xid < pg_snapshot_xmin(pg_current_snapshot())
        ORDER BY xid, id LIMIT :limit
    """),
}
_ENSURE = text("INSERT INTO jobs.follower (name) VALUES (:name) ON CONFLICT DO NOTHING")
_POSITION = text("SELECT last_xid::text AS last_xid, last_id FROM jobs.follower WHERE name = :name FOR UPDATE SKIP LOCKED")
_MOVE = text("UPDATE jobs.follower SET last_xid = CAST(:last_xid AS xid8), last_id = :last_id WHERE name = :name")


class Follower:
    """Hands new rows of `table` to `handle` in (xid, id) order, in the transaction that moves its position."""

    def __init__(
        self,
        name: str,
        database: Database,
        table: str,
        handle: Callable[[Connection, Sequence[Row[Any]]], None],
        size: int = 500,
    ) -> None:
        self.name = name
        self._database = database
        self._read = _FOLLOWED[table]
        self._handle = handle
        self._size = size
        self._known = False

    def run_once(self, now: datetime) -> int:  # noqa: ARG002 - the protocol's signature
        if not self._known:
            with self._database.worker() as conn:
                conn.execute(_ENSURE, {"name": self.name})
            self._known = True
        with self._database.worker() as conn:
            position = conn.execute(_POSITION, {"name": self.name}).one_or_none()
            if position is None:  # another worker is at it
                return 0
            rows = conn.execute(self._read, {"last_xid": position.last_xid, "last_id": position.last_id, "limit": self._size}).all()
            if rows:
                self._handle(conn, rows)
                conn.execute(_MOVE, {"name": self.name, "last_xid": str(rows[-1].xid), "last_id": rows[-1].id})
            return len(rows)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:  # noqa: ARG002 - the protocol's signature
        return None
