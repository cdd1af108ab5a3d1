"""`bench validate`: how many stored reports a second go through all five checks and all rules, with a year of history behind them.

Starts from stored evidence: what a photo costs is `bench evidence`. All reports are spread evenly over the school days of one
year and the cities of one state; the newest wait. History and the reports to be judged are made set-wise by
SQL; the judging is the worker's own job, in as many worker processes as there are cores, and then one report at a time.
"""

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import Connection

from pipeline.bench import past
from pipeline.bench.house import House, Program, open_house
from pipeline.bench.reports import Crowd, make_crowd, make_reports
from pipeline.clock import SystemClock
from pipeline.database.engine import Database, psycopg_url
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.failures import waiting
from pipeline.runtime import assemble
from pipeline.settings import Settings
from pipeline.validation import job as validation

TARGET = 1_500  # reports a second, on two cores
SINGLY = 400  # enough for a steady mean; the plain way is slow
MEGABYTE = 1 << 20
LOOKS = 20  # how often memory is looked at in a run

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Reports of the past year, reports to be judged, and how many worker processes judge them."""

    existing: int = 1_000_000
    reports: int = 100_000
    workers: int = 2


@dataclass(frozen=True)
class Judging:
    """One run: what it took, by process, and the workers' memory at its beginning and its end."""

    reports: int
    seconds: float
    cpu_s: Mapping[str, float]
    memory_mb: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        return self.reports / self.seconds

    @property
    def per_core(self) -> float:
        """Reports for each second of processor time: what a machine does that has nothing else to do, for each of its cores."""
        return self.reports / sum(self.cpu_s.values())


@dataclass(frozen=True)
class Validated:
    """The figures of the bench."""

    plan: Plan
    together: Judging
    singly: Judging
    outcomes: Mapping[str, int]
    fired: Mapping[str, int]

    @property
    def growth_mb(self) -> float:
        """How much the largest worker's memory rose from the first tenth of the run to its end."""
        kept = self.together.memory_mb
        return kept[-1] - kept[max(len(kept) // 10, 1) - 1] if kept else 0.0

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        cores = os.cpu_count() or 1
        many, one = self.together, self.singly
        cpu = ", ".join(f"{name} {used / many.reports * 1000:.2f} ms" for name, used in many.cpu_s.items())
        memory = many.memory_mb
        return [
            "",
            f"Validation: {many.reports:,} stored reports, {self.plan.existing:,} of the year before, {cores} cores",
            f"  {self.plan.workers} worker processes, {validation.BATCH} in a transaction {many.rate:>12,.0f}/s",
            f"  one report at a time, one process {one.rate:>18,.0f}/s   ratio {many.rate / one.rate:.1f}",
            f"  processor a report: {cpu}; so {many.per_core:,.0f}/s for each free core, {cores * many.per_core:,.0f}/s on {cores}",
            f"  one by one: {1000 / one.per_core:.2f} ms a report; ratio by processor {many.per_core / one.per_core:.1f}",
            f"  memory of the largest worker: {memory[0]:.0f} MB after its first batches, {memory[-1]:.0f} MB at the end",
            f"  came out as {_listed(self.outcomes)}",
            f"  fired: {_listed(self.fired)}",
        ]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        both = {"together": self.together, "singly": self.singly}
        runs = {
            name: {
                "reports": run.reports,
                "seconds": round(run.seconds, 2),
                "per_second": round(run.rate),
                "cpu_s": {process: round(used, 2) for process, used in run.cpu_s.items()},
                "per_second_and_core": round(run.per_core),
            }
            for name, run in both.items()
        }
        return {
            "title": "Validation",
            "existing": self.plan.existing,
            "workers": self.plan.workers,
            "target": TARGET,
            **runs,
            "memory_mb": [round(value) for value in self.together.memory_mb],
            "outcomes": dict(self.outcomes),
            "fired": dict(self.fired),
        }


def run(settings: Settings, folder: Path, plan: Plan, say: Say) -> Validated:
    """Measure, and take everything away again."""
    with open_house(settings, no_programs, folder, say) as house:
        past.prepare_months(house, house.rt.clock.now())
        with psycopg.connect(psycopg_url(house.urls.owner), autocommit=True) as conn:
            crowd = _fill(conn, house, plan, say)
            together = judge_together(house, plan.reports, plan.workers, say)
            outcomes, fired = _outcomes(conn), _fired(conn)
            with past.opened(conn):
                make_reports(conn, crowd, plan.existing + plan.reports + 1, SINGLY, fresh=True)
            say(f"Judging {SINGLY} one by one")
            singly = judge_singly(house, SINGLY)
    return Validated(plan, together, singly, outcomes, fired)


def no_programs(_settings: Settings) -> Mapping[str, Program]:
    """No API and no worker of the house: the judging is done by processes of our own."""
    return {}


def _fill(conn: Connection, house: House, plan: Plan, say: Say) -> Crowd:
    began = time.monotonic()
    conn.execute("SET synchronous_commit = off")
    conn.execute("SET maintenance_work_mem = '512MB'")
    with past.bare(conn):
        crowd = make_crowd(conn, house.rt.masterdata.current(), house.rt.clock.now(), plan.existing + plan.reports + SINGLY)
        for first in range(1, plan.existing + 1, past.CHUNK):
            count = min(past.CHUNK, plan.existing - first + 1)
            make_reports(conn, crowd, first, count, fresh=False)
            say(f"{first + count - 1:,} of {plan.existing:,} earlier reports ({time.monotonic() - began:.0f} s)")
        make_reports(conn, crowd, plan.existing + 1, plan.reports, fresh=True)
        say(f"Making indexes and foreign keys again ({time.monotonic() - began:.0f} s)")
    conn.execute("VACUUM (ANALYZE) sdcrs.report, sdcrs.evidence, sdcrs.file, access.account")
    conn.execute("CHECKPOINT")
    say(f"{plan.reports:,} reports wait ({time.monotonic() - began:.0f} s)")
    return crowd


def judge_together(house: House, reports: int, workers: int, say: Say) -> Judging:
    """All that wait, by this many processes, as the workers of an installation do."""
    context = multiprocessing.get_context("spawn")
    ours = []
    for _ in range(workers):
        here, there = context.Pipe()
        process = context.Process(target=work, args=(house.settings, house.urls.app, house.rt.database.role_prefix, there), daemon=True)
        process.start()
        ours.append((process, here))
    for _, pipe in ours:
        pipe.recv()  # it is ready
    say(f"Judging {reports:,} by {workers} processes")
    before = _postgres_s(house)
    began = time.monotonic()
    for _, pipe in ours:
        pipe.send("go")
    told = [pipe.recv() for _, pipe in ours]
    seconds = time.monotonic() - began
    used = _postgres_s(house) - before
    for process, _ in ours:
        process.join()
    judged = sum(one["judged"] for one in told)
    if judged != reports:
        raise RuntimeError(f"{judged} of {reports} reports were judged")
    largest = max((one["memory_mb"] for one in told), key=max)
    return Judging(judged, seconds, {"Python": sum(one["cpu_s"] for one in told), "Postgres": used}, tuple(largest))


def work(settings: Settings, app_url: str, role_prefix: str, pipe: Pipe) -> None:
    """One worker process: validates until nothing waits, and tells what it took."""
    with closing(Database(app_url, role_prefix, pool_size=2)) as database:
        rt = assemble(settings, database, SystemClock())
        job = validation.validation_job(rt)
        rt.masterdata.current()
        gc.collect()
        gc.freeze()  # as the worker does
        pipe.send("ready")
        pipe.recv()
        me, judged, memory, batches = psutil.Process(), 0, [], 0
        began = me.cpu_times()
        while done := job.run_once(rt.clock.now()):
            judged += done
            batches += 1
            if batches % LOOKS == 0 or batches == 2:
                memory.append(me.memory_info().rss / MEGABYTE)
        ended = me.cpu_times()
        memory.append(me.memory_info().rss / MEGABYTE)
        with database.worker() as conn:
            if waiting(conn, validation.NAME, rt.clock.now()) is not None:
                raise RuntimeError("some reports could not be judged")
        pipe.send({"judged": judged, "cpu_s": ended.user + ended.system - began.user - began.system, "memory_mb": memory})


def judge_singly(house: House, reports: int) -> Judging:
    """The plain way: one report, one transaction, in this process."""
    md = house.rt.masterdata.current()
    job = BatchJob(validation.NAME, house.rt.database, validation.claim, lambda conn, ids, now: _one(conn, md, ids, now), 1)
    me, postgres = psutil.Process(), _postgres_s(house)
    times, began = me.cpu_times(), time.monotonic()
    for _ in range(reports):
        job.run_once(house.rt.clock.now())
    seconds, ended = time.monotonic() - began, me.cpu_times()
    python = ended.user + ended.system - times.user - times.system
    return Judging(reports, seconds, {"Python": python, "Postgres": _postgres_s(house) - postgres})


def _one(conn: Any, md: Any, ids: Sequence[Any], now: Any) -> None:
    validation.validate(conn, md, ids, now)


def _postgres_s(house: House) -> float:
    """Processor time of the embedded server so far; 0 for one that runs elsewhere."""
    return house.cpu_s().get("postgres", 0.0)


def _outcomes(conn: Connection) -> dict[str, int]:
    rows = conn.execute(
        "SELECT CASE WHEN passed THEN recommendation ELSE 'rejected for ' ||"
        " (SELECT c ->> 'name' FROM jsonb_array_elements(checks) c WHERE NOT (c ->> 'passed')::boolean LIMIT 1) END, count(*)"
        " FROM fraud.evaluation GROUP BY 1 ORDER BY 2 DESC"
    )
    return {str(name): int(count) for name, count in rows}


def _fired(conn: Connection) -> dict[str, int]:
    rows = conn.execute(
        "SELECT f ->> 'id', count(*) FROM fraud.evaluation CROSS JOIN LATERAL jsonb_array_elements(fired) f"
        " GROUP BY 1 ORDER BY 2 DESC LIMIT 40"
    )
    return {str(name): int(count) for name, count in rows}


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "nothing"
