"""The loop: run every job until none has work, then wait a little; beat, so that the console can say who is alive."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from pipeline.clock import Clock
from pipeline.database.engine import Database, is_away
from pipeline.errors import AppError
from pipeline.jobs.hold import held
from pipeline.jobs.job import Job, Periodic

POLL_S = 0.25  # how long a new row waits when the worker is idle
LINGER_S = 0.15  # between rounds at work: a round of every job costs the same for one row as for twenty
FULL_ROUND = 100  # rows; after so many there are more, and nothing is waited for
BEAT_EVERY = timedelta(seconds=5)
DOWN_WAIT_S = 2.0  # between tries while the database is away
ROUNDS_LIMIT = 100_000  # a queue that never drains is a fault, not work

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_BEAT = text("""
    INSERT INTO jobs.heartbeat (worker_id, seen_at, doing) VALUES (:worker_id, :now, :doing)
    ON CONFLICT (worker_id) DO UPDATE SET seen_at = excluded.seen_at, doing = excluded.doing
""")
_GONE = text("DELETE FROM jobs.heartbeat WHERE worker_id = :worker_id OR seen_at < :before")
_DUE = text("""
    INSERT INTO jobs.schedule AS s (name, last_run_at) VALUES (:name, :now)
    ON CONFLICT (name) DO UPDATE SET last_run_at = excluded.last_run_at WHERE s.last_run_at <= :before
    RETURNING name
""")


@dataclass(frozen=True)
class Waiting:
    """What a drained worker leaves for later."""

    job: str
    subjects: int
    due: datetime


def run_until_idle(jobs: Sequence[Job], clock: Clock) -> list[Waiting]:
    """Run every job until nothing is due now; what waits for later is returned by job."""
    for _ in range(ROUNDS_LIMIT):
        if not sum(job.run_once(clock.now()) for job in jobs):
            break
    else:
        raise RuntimeError(f"the queues did not drain in {ROUNDS_LIMIT} rounds")
    later = []
    for job in jobs:
        waits = job.waits_for(clock.now())
        if waits is not None:
            later.append(Waiting(job.name, *waits))
    return later


def run_periodic(database: Database, tasks: Sequence[Periodic], now: datetime) -> None:
    """Run the tasks whose interval has passed; the row taken first decides which worker does it."""
    for task in tasks:
        with database.worker() as conn:
            due = conn.execute(_DUE, {"name": task.name, "now": now, "before": now - task.every}).one_or_none()
        if due is not None:
            task.task(now)


def work(
    database: Database,
    jobs: Sequence[Job],
    tasks: Sequence[Periodic],
    clock: Clock,
    worker_id: str,
    stop: threading.Event,
) -> None:
    """Work until `stop` is set. A lost database is waited for; an error in one job does not stop the others."""
    beaten_at: datetime | None = None
    while not stop.is_set():
        handled = 0
        now = clock.now()
        try:
            if beaten_at is None or now - beaten_at >= BEAT_EVERY:
                with database.worker() as conn:
                    conn.execute(_BEAT, {"worker_id": worker_id, "now": now, "doing": f"{len(jobs)} jobs"})
                beaten_at = now
                if not held(database):
                    _guarded("calendar", partial(run_periodic, database, tasks, now))
            if held(database):
                stop.wait(POLL_S)
                continue
            for job in jobs:
                if stop.is_set():
                    break
                handled += _guarded(f"job {job.name}", partial(job.run_once, clock.now())) or 0
        except (AppError, OperationalError) as error:  # busy, away, or gone in the midst of a statement
            log.warning("worker waits: %s", error if isinstance(error, AppError) else type(error.orig).__name__)
            stop.wait(DOWN_WAIT_S)
            continue
        if handled < FULL_ROUND:
            stop.wait(LINGER_S if handled else POLL_S)
    with database.worker() as conn:
        conn.execute(_GONE, {"worker_id": worker_id, "before": clock.now() - timedelta(days=1)})


def _guarded(what: str, piece: Callable[[], Value]) -> Value | None:
    """Do a piece of work; its own error is told to the operator, and that the database is away is everybody's."""
    try:
        return piece()
    except AppError:
        raise
    except Exception as error:  # rows that fail are in the failure table; what comes here is the job itself
        if is_away(error):
            raise
        log.exception("%s failed", what)
        return None
