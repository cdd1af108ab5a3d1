"""Reports on their way from a teacher's packet to the payout; each next step is planned when the one before is done."""

import heapq
import time
from collections.abc import Callable
from uuid import UUID

from pipeline.bench import calls
from pipeline.bench.calls import Call
from pipeline.bench.clients import Answer, Errand
from pipeline.bench.floor import Floor
from pipeline.bench.people import Person

WATCH_EVERY_S = 0.1
SEEN_AT_ONCE = 100_000  # paid reports of one scene


class Journeys:
    """The reports of one scene. `think` says how many seconds a person takes before each step."""

    def __init__(self, floor: Floor, think: Callable[[], float]) -> None:
        self.floor, self._think = floor, think
        self.paid: list[float] = []  # when it was seen, by the monotonic clock
        self._since = floor.rt.clock.now()
        self._creating = 0
        self._officers: dict[UUID, Person] = {}  # of each report under way
        self._validated: set[UUID] = set()
        self._planned: list[tuple[float, int, Errand]] = []
        self._order = 0

    @property
    def running(self) -> int:
        """Reports that were begun and are not at their end."""
        return self._creating + len(self._officers)

    def begin(self, due: float) -> None:
        """A teacher sends a report at `due`."""
        self._creating += 1
        self._plan(due, "", calls.create(self.floor.stock.draft(), self.floor.message_id()))

    def on(self, answer: Answer) -> None:
        """Plan what follows from an answer."""
        if answer.kind == "create":
            self._creating -= 1
            if answer.ok:
                self._officers[UUID(answer.ids[0])] = self.floor.officer()
            return
        if not answer.last:
            return
        report_id = UUID(answer.tag)
        if not answer.ok:
            self._officers.pop(report_id, None)
            return
        officer = self._officers[report_id]
        if answer.kind == "verify":
            self._follow(report_id, calls.assign(report_id, self.floor.supervisor(), officer))
        elif answer.kind == "assign":
            self._follow(report_id, calls.start_visit(report_id, officer))
        elif answer.kind == "start visit":
            self._follow(report_id, calls.captured(report_id, officer, self.floor.stock.capture(officer)))

    def watch(self) -> None:
        """See what the worker has done: validated reports go to a verifier, paid ones are at their end."""
        for report_id, _ in self.floor.in_state("PENDING_VERIFICATION", self._since):
            if report_id in self._officers and report_id not in self._validated:
                self._validated.add(report_id)
                verifier = self.floor.verifier()
                self._follow(report_id, calls.search_page(verifier, "PENDING_VERIFICATION"), calls.verify(report_id, verifier))
        seen_at = time.monotonic()
        for report_id, _ in self.floor.in_state("RESOLVED", self._since, SEEN_AT_ONCE):
            if self._officers.pop(report_id, None) is not None:
                self.paid.append(seen_at)

    def release(self) -> float:
        """Hand over what is due; when the next is, by the monotonic clock."""
        now = time.monotonic()
        while self._planned and self._planned[0][0] <= now:
            self.floor.clients.send(heapq.heappop(self._planned)[2])
        return self._planned[0][0] if self._planned else now + WATCH_EVERY_S

    def _follow(self, report_id: UUID, *wanted: Call) -> None:
        self._plan(time.monotonic() + self._think(), str(report_id), *wanted)

    def _plan(self, due: float, tag: str, *wanted: Call) -> None:
        self._order += 1
        heapq.heappush(self._planned, (due, self._order, Errand(wanted, tag, due)))
