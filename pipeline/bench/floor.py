"""The floor on which scenes are played: clients, people and photos, the clock of a scene, and what is noted during it."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle
from uuid import UUID

import psutil  # type: ignore[import-untyped]
from sqlalchemy import text

from pipeline.bench.clients import Answer, Clients
from pipeline.bench.figures import MS, Spread, spread
from pipeline.bench.house import House
from pipeline.bench.people import TENANT, Person, Staff
from pipeline.bench.stock import Stock
from pipeline.reports.actions import MAX_UPDATES, act
from pipeline.reports.update import Update

SETTLE_S = 120.0  # for what a scene leaves in the queues; more means that something is stuck
LOOK_S = 0.2
OTHERS_SHARE = 0.03  # of the processors; a quiet machine's own housekeeping is below

_IN_STATE = text("""
    SELECT id, report_number FROM sdcrs.report
    WHERE tenant_id = :tenant_id AND status = :status AND created_at >= :since ORDER BY created_at, id LIMIT :limit
""")
_WAITING = text("""
    SELECT (SELECT count(*) FROM sdcrs.report WHERE status = 'PENDING_VALIDATION') AS validation,
           (SELECT count(*) FROM sdcrs.report WHERE status = 'CAPTURED') AS payout_open,
           (SELECT count(*) FROM payout.attempt WHERE phase IN ('PREPARED', 'SENDING', 'UNKNOWN')) AS payout_send,
           (SELECT count(*) FROM payout.webhook_event WHERE processed_at IS NULL) AS payout_settle
""")


@dataclass
class Tally:
    """What was answered within the measured span."""

    opens: float  # monotonic
    closes: float
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)  # by kind
    errors: Counter[str] = field(default_factory=Counter)  # by code
    lifecycles: int = 0
    finished: int = 0  # within the span or not

    def note(self, answer: Answer) -> None:
        """Count an answer, if it falls into the span."""
        if not self.opens <= answer.ended < self.closes:
            return
        self.took[answer.kind].append(answer.took_s)
        if not answer.ok:
            self.refused[answer.kind] += 1
            self.errors[f"{answer.status} {answer.error}"] += 1

    def finish(self, at: float) -> None:
        """Count a whole lifecycle that ended at `at`."""
        self.finished += 1
        self.lifecycles += self.opens <= at < self.closes

    def spreads(self) -> dict[str, Spread]:
        """By kind of call, and of all answers together."""
        every = [seconds for times in self.took.values() for seconds in times]
        found = {kind: spread(times, self.refused[kind]) for kind, times in self.took.items()}
        return found | {"every answer": spread(every, sum(self.refused.values()))}


@dataclass
class Used:
    """Processor time: seconds by process of ours, and which share of all processors other programs took meanwhile."""

    seconds: dict[str, float] = field(default_factory=dict)
    by_others: float = 0.0

    def per_lifecycle(self, lifecycles: int) -> dict[str, float]:
        """Milliseconds for each lifecycle, the largest first."""
        return {name: seconds * MS / max(lifecycles, 1) for name, seconds in sorted(self.seconds.items(), key=lambda item: -item[1])}

    def note(self) -> list[str]:
        """What a reader must know of a machine that was not ours alone."""
        if self.by_others < OTHERS_SHARE:
            return []
        return [f"other programs took {self.by_others:.0%} of the processors meanwhile: the figures are lower than this machine's own"]


class Floor:
    """One house with its people, as the scenes use it. One thread."""

    def __init__(self, house: House, clients: Clients, staff: Staff, stock: Stock) -> None:
        self.house, self.clients, self.staff, self.stock = house, clients, staff, stock
        self.rt = house.rt
        self._verifiers, self._supervisors, self._officers = cycle(staff.verifiers), cycle(staff.supervisors), cycle(staff.officers)
        self._count = 0

    def verifier(self) -> Person:
        return next(self._verifiers)

    def supervisor(self) -> Person:
        return next(self._supervisors)

    def officer(self) -> Person:
        return next(self._officers)

    def message_id(self) -> str:
        """A message id that no other request of this bench has."""
        self._count += 1
        return f"bench-{self._count}"

    def in_state(self, status: str, since: datetime, limit: int = 1000) -> list[tuple[UUID, str]]:
        """Id and number of reports created since then that are in this state, oldest first."""
        with self.rt.database.worker() as conn:
            rows = conn.execute(_IN_STATE, {"tenant_id": TENANT, "status": status, "since": since, "limit": limit})
            return [(row.id, row.report_number) for row in rows]

    def verify(self, reports: Sequence[tuple[UUID, str]]) -> list[tuple[UUID, str]]:
        """Verify many at once, as a verifier does from the inbox; those that were verified."""
        if not reports:
            return []
        who = self.verifier().caller
        updates = [Update(report_id, "VERIFY", comment="Seen") for report_id, _ in reports[:MAX_UPDATES]]
        with self.rt.database.begin(who.scope) as conn:
            outcomes = act(conn, self.rt.masterdata.current(), who, updates, self.rt.clock.now())
        return [report for report, outcome in zip(reports, outcomes, strict=False) if outcome.ok]

    def settle(self) -> None:
        """Wait until every queue of the worker is empty. Raises RuntimeError when it does not become so."""
        deadline = time.monotonic() + SETTLE_S
        while True:
            with self.rt.database.worker() as conn:
                waiting = conn.execute(_WAITING).one()._asdict()
            if not any(waiting.values()):
                return
            if time.monotonic() > deadline:
                words = self.house.last_words("worker")
                raise RuntimeError(f"after {SETTLE_S:.0f} s there still wait: {waiting}; the worker says: {words}")
            time.sleep(LOOK_S)

    @contextmanager
    def processor(self) -> Iterator["Used"]:
        """What was used of the processors during the block, by process; filled in when it ends."""
        used = Used()
        before, busy, began = self._cpu_s(), _busy_s(), time.monotonic()
        yield used
        used.seconds = {name: seconds - before.get(name, 0.0) for name, seconds in self._cpu_s().items()}
        possible = (time.monotonic() - began) * (psutil.cpu_count() or 1)
        used.by_others = max(_busy_s() - busy - sum(used.seconds.values()), 0.0) / possible

    def _cpu_s(self) -> dict[str, float]:
        clients = 0.0
        for process in self.clients.processes:
            if process.pid is not None and process.is_alive():
                times = psutil.Process(process.pid).cpu_times()
                clients += times.user + times.system
        own = time.process_time()
        return {**self.house.cpu_s(), "clients": clients + own}


def _busy_s() -> float:
    """Seconds for which the machine's processors have worked since its start."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "irq", 0.0) + getattr(times, "softirq", 0.0))
