"""Penalties by themselves: imposed as the history of reports is read, ended when their time is over."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.fraud.penalties.books import settle
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.failures import waiting
from pipeline.jobs.job import NOT_FAILED
from pipeline.runtime import Runtime

EXPIRY = "fraud.expiry"
BATCH = 200
LOOK_EVERY = timedelta(seconds=5)  # an end is due in hours and days, and nobody is blocked by one that has passed

# The account is claimed, not the penalty: whoever settles an account locks it first
_CLAIM = text(f"""
    SELECT q.id FROM access.account q
    WHERE q.id IN (SELECT p.account_id FROM fraud.penalty p WHERE p.status = 'ACTIVE' AND p.until <= :now
                   UNION SELECT s.id FROM access.account s WHERE s.standing_until <= :now)
      AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND {NOT_FAILED}
    ORDER BY q.id LIMIT :limit FOR NO KEY UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - a constant fragment, no value
_WAITING = text("SELECT count(*) AS waiting, min(until) AS due FROM fraud.penalty WHERE status = 'ACTIVE' AND until > :now")


class ExpiryJob(BatchJob):
    """Ends penalties whose time is over. The standing would not block any longer anyway: this only makes it say so."""

    def __init__(self, rt: Runtime) -> None:
        def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
            params = {"job": EXPIRY, "now": now, "limit": limit, "only": None if only is None else list(only)}
            return list(conn.execute(_CLAIM, params).scalars())

        def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
            settle(conn, rt.masterdata.current(), ids, now)

        super().__init__(EXPIRY, rt.database, claim, work, BATCH)
        self._rt = rt
        self._idle_until: datetime | None = None

    def run_once(self, now: datetime) -> int:
        if self._idle_until is not None and self._idle_until - LOOK_EVERY <= now < self._idle_until:
            return 0
        found = super().run_once(now)
        self._idle_until = None if found else now + LOOK_EVERY
        return found

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        with self._rt.database.worker() as conn:
            row = conn.execute(_WAITING, {"now": now}).one()
            return (row.waiting, row.due) if row.waiting else waiting(conn, EXPIRY, now)
