"""Batch jobs: claim, decide and write in one bounded transaction; a bad row is found by halving and set aside."""

import traceback
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from pipeline.database.engine import Database, is_away
from pipeline.jobs.failures import clear_failures, record_failure, waiting
from pipeline.jobs.job import Claim

BATCH_TIMEOUT_S = 120  # a whole batch in one transaction, larger than a request's


class BatchJob:
    """`claim` locks up to `size` due subjects, `work` changes them; both run in one transaction as role worker."""

    def __init__(
        self,
        name: str,
        database: Database,
        claim: Claim,
        work: Callable[[Connection, list[UUID], datetime], None],
        size: int = 200,
    ) -> None:
        self.name = name
        self._database = database
        self._claim = claim
        self._work = work
        self._size = size

    def run_once(self, now: datetime) -> int:
        claimed: list[UUID] = []
        try:
            with self._database.worker(BATCH_TIMEOUT_S) as conn:
                claimed = self._claim(conn, now, self._size, None)
                if claimed:
                    self._work(conn, claimed, now)
                    clear_failures(conn, self.name, claimed)
        except Exception as error:  # whatever one row can raise: the halves find that row and record its error
            if not claimed or is_away(error):
                raise
            self._halve(claimed, now)
        return len(claimed)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        with self._database.worker() as conn:
            return waiting(conn, self.name, now)

    def _halve(self, subjects: list[UUID], now: datetime) -> None:
        if len(subjects) == 1:
            self._run_alone(subjects[0], now)
            return
        middle = len(subjects) // 2
        for half in (subjects[:middle], subjects[middle:]):
            try:
                self._run(half, now)
            except Exception as error:  # the same: narrowed down until the bad row stands alone
                if is_away(error):
                    raise
                self._halve(half, now)

    def _run(self, subjects: list[UUID], now: datetime) -> None:
        with self._database.worker(BATCH_TIMEOUT_S) as conn:
            claimed = self._claim(conn, now, len(subjects), subjects)
            if claimed:
                self._work(conn, claimed, now)
                clear_failures(conn, self.name, claimed)

    def _run_alone(self, subject: UUID, now: datetime) -> None:
        try:
            self._run([subject], now)
        except Exception as error:  # recorded with its traceback; the subject is tried again later or waits for a person
            if is_away(error):
                raise
            with self._database.worker() as conn:
                record_failure(conn, self.name, subject, traceback.format_exc(), now)
