"""The scenes. Each says in its result what exactly was done, so that nobody has to take the figure on trust."""

import time
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

from pipeline.bench import calls
from pipeline.bench.clients import Errand
from pipeline.bench.figures import Result
from pipeline.bench.floor import Floor, Tally
from pipeline.bench.journeys import WATCH_EVERY_S, Journeys
from pipeline.bench.people import TENANT
from pipeline.bench.waits import waits

WARM_S = 5.0  # caches, connections and statement plans; nothing is counted meanwhile
LONG_WARM_S = 20.0  # until as many reports are paid as arrive: four people think on the way
VERIFY_EVERY_S = 0.25
AHEAD = 2  # errands waiting per client, so that none is ever idle
READY_FIRST = 6  # verified reports per client at the beginning: more than are used while the first new ones are validated
END_S = 60.0  # for what is under way when a scene closes
THINK_S = 2.0  # mean time until a person acts on what waits for them, exponential


def incumbent(floor: Floor, seconds: float, existing: int, published: float | None) -> Result:
    """Create, assign, resolve, search: the incumbent's lifecycle, in a closed loop of as many clients as there are."""
    began, ready = floor.rt.clock.now(), deque[tuple[UUID, str]]()
    _fill(floor, READY_FIRST * floor.clients.count, began, ready)
    opens = time.monotonic() + WARM_S
    tally = Tally(opens, opens + seconds)
    under_way = starved = 0
    look_at = 0.0
    with floor.processor() as used:
        while (now := time.monotonic()) < tally.closes or under_way:
            if now >= look_at:
                ready.extend(floor.verify(floor.in_state("PENDING_VERIFICATION", began, 200)))
                look_at = time.monotonic() + VERIFY_EVERY_S
            if not floor.stock.drafts:
                tally.closes = min(tally.closes, now)
            while under_way < AHEAD * floor.clients.count and now < tally.closes and floor.stock.drafts:
                if not ready:
                    starved += 1
                    break
                floor.clients.send(_lifecycle(floor, *ready.popleft()))
                under_way += 1
            for answer in floor.clients.receive(look_at - time.monotonic()):
                tally.note(answer)
                under_way -= answer.last
                if answer.last and answer.ok:
                    tally.finish(answer.ended)
            if now > tally.closes + END_S:
                break
    floor.settle()
    notes = [f"a client found nothing verified to go on with {starved} times"] if starved else []
    notes += [] if floor.stock.drafts else ["the photos were used up before the time was"]
    return Result(
        title=f"1. The incumbent's lifecycle on {existing:,} existing reports, {floor.clients.count} clients, closed loop",
        about=(
            "A lifecycle is one _create, one ASSIGN, one resolving action (START_FIELD_VISIT and MARK_UNABLE_TO_LOCATE: ours takes two) and"
            " one _search by number, all over HTTP. What is assigned was created before by the same clients, validated by the worker and"
            " verified 200 at a time through the service; both run meanwhile on the same cores."
        ),
        seconds=tally.closes - tally.opens,
        lifecycles=tally.lifecycles,
        answers=tally.spreads(),
        cpu_ms=used.per_lifecycle(tally.finished),
        published=published,
        errors=tally.errors,
        notes=notes + used.note(),
    )


def _lifecycle(floor: Floor, report_id: UUID, number: str) -> Errand:
    officer, supervisor = floor.officer(), floor.supervisor()
    return Errand(
        (
            calls.create(floor.stock.draft(), floor.message_id()),
            calls.assign(report_id, supervisor, officer),
            calls.start_visit(report_id, officer),
            calls.unable(report_id, officer),
            calls.search_number(number, supervisor),
        )
    )


def _fill(floor: Floor, count: int, since: datetime, ready: deque[tuple[UUID, str]]) -> None:
    """Bring so many reports to VERIFIED by the way that all go: created over HTTP, validated by the worker, verified."""
    for _ in range(count):
        floor.clients.send(Errand((calls.create(floor.stock.draft(), floor.message_id()),)))
    answered = 0
    deadline = time.monotonic() + END_S
    while (answered < count or len(ready) < count) and time.monotonic() < deadline:
        answered += len(floor.clients.receive(WATCH_EVERY_S))
        ready.extend(floor.verify(floor.in_state("PENDING_VERIFICATION", since, 200)))


def to_paid(floor: Floor, seconds: float, existing: int, in_flight: int) -> Result:
    """Ours, from create to paid: a closed loop of `in_flight` reports; a new one is begun when one is paid."""
    journeys = Journeys(floor, lambda: 0.0)

    def more(now: float) -> None:
        for _ in range(in_flight - journeys.running):
            journeys.begin(now)

    return _play(
        journeys,
        seconds,
        more,
        2 * WARM_S,
        title=f"2. From create to paid on {existing:,} existing reports, {in_flight} reports under way, closed loop",
        about=(
            "A lifecycle is _create, validation, a page of the queue and VERIFY, ASSIGN, START_FIELD_VISIT, MARK_CAPTURED, payout opened,"
            " sent to the sandbox over HTTP, its signed webhook received and settled: RESOLVED. The sandbox pays at once."
        ),
    )


def arrivals(floor: Floor, seconds: float, existing: int, per_second: float, seed: int) -> Result:
    """Ours at a given rate, open loop: reports arrive whether or not earlier ones were answered."""
    random = Random(seed)
    journeys = Journeys(floor, lambda: random.expovariate(1 / THINK_S))
    due = [time.monotonic() + 1.0]

    def more(now: float) -> None:
        while due[0] < now + 2 * WATCH_EVERY_S:
            journeys.begin(due[0])
            due[0] += random.expovariate(per_second)

    return _play(
        journeys,
        seconds,
        more,
        LONG_WARM_S,
        title=f"3. {per_second:g} arrivals a second on {existing:,} existing reports, open loop",
        about=(
            "Reports arrive at random moments; what follows on each, as in 2, is done by people who take some seconds. Every answer's time"
            " counts from the moment when its request was due, so that a slow answer is not hidden by the requests it held up."
        ),
    )


def _play(journeys: Journeys, seconds: float, more: Callable[[float], None], warm_s: float, title: str, about: str) -> Result:
    floor = journeys.floor
    opens = time.monotonic() + warm_s
    tally = Tally(opens, opens + seconds)
    since = floor.rt.clock.now() + timedelta(seconds=warm_s)
    look_at = 0.0
    with floor.processor() as used:
        while (now := time.monotonic()) < tally.closes or (journeys.running and now < tally.closes + END_S):
            if now < tally.closes and floor.stock.drafts:
                more(now)
            if now >= look_at:
                journeys.watch()
                look_at = now + WATCH_EVERY_S
            wake_at = min(journeys.release(), look_at)
            for answer in floor.clients.receive(wake_at - time.monotonic()):
                tally.note(answer)
                journeys.on(answer)
        for at in journeys.paid:
            tally.finish(at)
    floor.settle()
    lost = journeys.running
    return Result(
        title=title,
        about=about,
        seconds=seconds,
        lifecycles=tally.lifecycles,
        answers=tally.spreads(),
        cpu_ms=used.per_lifecycle(tally.finished),
        waits=waits(floor.rt, TENANT, since, since + timedelta(seconds=seconds)),
        errors=tally.errors,
        notes=([f"{lost} reports were not paid in the end"] if lost else []) + used.note(),
    )
