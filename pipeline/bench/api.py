"""`bench api`: how many requests of each kind the API answers, and how fast it answers at the programme's rates.

Builds the house with all its processes, fills it like `bench lifecycle`, and asks over HTTP from one other process.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from pipeline.bench import models, past, people, stock
from pipeline.bench.api_figures import Scene, closed_line, open_lines, verdict
from pipeline.bench.api_plain import Pages, compare
from pipeline.bench.clients import open_clients
from pipeline.bench.driver import Driver, Script, Sending, Told, open_driver
from pipeline.bench.evidence import phone_photo
from pipeline.bench.figures import spread
from pipeline.bench.floor import Floor
from pipeline.bench.house import Programs, Say, open_house
from pipeline.bench.lifecycle import PAYS_AT_ONCE, PER_TEACHER, put_off_the_past
from pipeline.bench.requests import CREATE, MIX, UPDATE, UPLOAD, Requests
from pipeline.settings import Settings

PROGRAMS = ("sandbox", "worker", "api", "console")
MAKERS = 4  # clients that send the reports which the others are copied from
PER_SECOND = {"_search": 50.0, "_track": 100.0, "_create": 5.0, "_update": 5.0}  # the programme's rates
WARM_S = 1.0
OPEN_WARM_S = 5.0
CREATES_PER_S = 120.0  # photos are made for so many of the closed loop: more than two cores create
ASKING = 200  # teachers who ask for their own reports
SPARE = 80  # reports for the models, and for what chance adds to the arrivals
BEHIND_PROXY = {"TRUSTED_PROXIES": "127.0.0.1"}  # followers of reports have addresses of their own


@dataclass(frozen=True)
class Plan:
    """How many reports there are before, the length of the closed loop of each kind, and that of the open loop."""

    reports: int
    closed_s: float
    open_s: float
    seed: int = 1
    clients: int = 32
    photos: int = 6  # different ones that are uploaded

    @property
    def warm_s(self) -> float:
        """Of a closed loop, for connections and statement plans; nothing is counted meanwhile."""
        return min(WARM_S, self.closed_s)

    @property
    def open_warm_s(self) -> float:
        """Of the open loop."""
        return min(OPEN_WARM_S, self.open_s)


def run(settings: Settings, programs: Programs, folder: Path, plan: Plan, say: Say) -> Iterator[Scene | Pages]:
    """Yield the figures scene by scene. Everything that was built is gone at the end."""
    began = time.monotonic()
    with open_house(settings, programs, folder, say, {**PAYS_AT_ONCE, **BEHIND_PROXY}) as house:
        rt = house.rt
        say("Making people and their photos")
        staff = people.hire(rt)
        sending = people.teachers(rt, -(-_creates(plan) // PER_TEACHER), "BT")
        ready = stock.prepare(rt, sending, PER_TEACHER, staff.officers, 1, plan.seed)
        put_off_the_past(house)
        house.start(*PROGRAMS)
        house.wait_ready(*PROGRAMS)
        with open_clients(house.api_url, MAKERS) as clients:
            floor = Floor(house, clients, staff, ready)
            templates = models.make_models(floor)
        earlier = people.enrol(rt, max(plan.reports // 50, 1), "BE")
        house.stop("worker")
        officers = [officer.caller.account_id for officer in staff.officers]
        past.copy_reports(house, templates, [account.id for account in earlier], officers, 1, plan.reports, say)
        house.start("worker")
        asking = list(people.sign_in(rt, earlier[:ASKING]))
        requests = Requests(floor, asking, plan.seed)
        say(f"Measuring on {plan.reports:,} reports ({time.monotonic() - began:.0f} s)")
        yield from measure(floor, requests, plan, say)


def measure(floor: Floor, requests: Requests, plan: Plan, say: Say) -> Iterator[Scene | Pages]:
    """The scenes over a house that is filled and runs."""
    with open_driver(floor.house.api_url) as driver:
        floor.clients.processes = [driver.process]
        yield closed(floor, driver, requests, plan, say)
        floor.settle()
        yield arrivals(floor, driver, requests, plan, say)
    yield compare(floor.rt)


def closed(floor: Floor, driver: Driver, requests: Requests, plan: Plan, say: Say) -> Scene:
    """Every kind by itself: 32 clients, each of which asks again when it was answered."""
    say(f"Each kind for {plan.closed_s:g} s by {plan.clients} clients")
    loops: dict[str, tuple[Sequence[Sending], bool]] = {kind: (sendings, True) for kind, sendings in requests.reading().items()}
    enough = int(CREATES_PER_S * (plan.warm_s + plan.closed_s))
    loops[CREATE] = (list(islice(requests.creates(), enough)), False)
    loops[UPDATE] = (list(islice(requests.updates(), min(2 * enough, requests.open_reports // 2))), False)
    loops[UPLOAD] = (requests.uploads([phone_photo(number, floor.rt.clock.now()) for number in range(plan.photos)]), True)
    lines, errors, others = [], dict[str, int](), []
    for kind, (sendings, again) in loops.items():
        with floor.processor() as used:
            told = driver.play(Script(sendings, plan.warm_s, plan.closed_s, plan.clients, again=again))
        lines.append(closed_line(kind, told, used))
        errors |= told.errors
        others.append(used.by_others)
    return Scene(
        title=f"1. Each call by itself on {plan.reports:,} reports, {plan.clients} clients, closed loop",
        about=(
            "Over HTTP to one API process; worker, sandbox and console run. Photos of new reports were uploaded before. The processor's"
            " time is that of an answer; `client` is the share of a core that the one process of all clients took."
        ),
        lines=lines,
        errors=errors,
        notes=_others(max(others)),
    )


def arrivals(floor: Floor, driver: Driver, requests: Requests, plan: Plan, say: Say) -> Scene:
    """All at once at the programme's rates, each request at a moment of its own whatever became of those before."""
    say(f"Arrivals at the programme's rates for {plan.open_s:g} s")
    script, missing = _arrivals(requests, plan)
    with floor.processor() as used:
        told = driver.play(script)
    lines = open_lines(told)
    rates = ", ".join(f"{rate:g} {call}" for call, rate in PER_SECOND.items())
    return Scene(
        title=f"2. {rates} a second on {plan.reports:,} reports, open loop",
        about=(
            "Poisson arrivals; a time counts from the moment when a request was due, so that a slow answer is not hidden by those that it"
            " held up. The worker validates what is created, pays and tells; the console runs."
        ),
        lines=lines,
        errors=told.errors,
        notes=[*_missing(missing), *_shares(told, used.seconds, plan), *_others(used.by_others), *verdict(lines)],
    )


def _arrivals(requests: Requests, plan: Plan) -> tuple[Script, int]:
    """The script, and how many requests could not be made because what they need was used up."""
    random, length = Random(plan.seed), plan.open_warm_s + plan.open_s
    reading = requests.reading()
    creates, updates = requests.creates(), requests.updates()
    found: list[tuple[float, Sending]] = []
    missing = 0
    for call, rate in PER_SECOND.items():
        at = random.expovariate(rate)
        while at < length:
            if call == "_search":
                sending: Sending | None = random.choice(reading[random.choices(list(MIX), list(MIX.values()))[0]])
            elif call == "_track":
                sending = requests.track()
            else:
                sending = next(creates if call == CREATE else updates, None)
            if sending is None:
                missing += 1
            else:
                found.append((at, sending))
            at += random.expovariate(rate)
    found.sort(key=lambda one: one[0])
    return Script([sending for _, sending in found], plan.open_warm_s, plan.open_s, due=[at for at, _ in found]), missing


def _missing(count: int) -> list[str]:
    return [f"{count} requests were not sent, since photos or open reports were used up"] if count else []


def _shares(told: Told, used: dict[str, float], plan: Plan) -> list[str]:
    length = plan.open_warm_s + plan.open_s
    cores = ", ".join(f"{name} {seconds / length:.2f}" for name, seconds in sorted(used.items(), key=lambda one: -one[1]))
    late = spread(told.late)
    return [
        f"processors of {os.cpu_count()} taken: {cores}; the client process by its own account {told.own_share:.2f}",
        f"requests went out p50 {late.p50_ms} ms, p99 {late.p99_ms} ms after they were due, which their times include",
    ]


def _others(share: float) -> list[str]:
    return [] if share < 0.03 else [f"other programs took up to {share:.0%} of the processors meanwhile"]


def _creates(plan: Plan) -> int:
    return int(CREATES_PER_S * (plan.warm_s + plan.closed_s) + 1.2 * PER_SECOND[CREATE] * (plan.open_warm_s + plan.open_s)) + SPARE
