"""`bench lifecycle`: builds the house, fills it to each size, plays the scenes, and hands back their figures."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from pipeline.bench import models, past, people, scenes, stock
from pipeline.bench.clients import open_clients
from pipeline.bench.figures import Result
from pipeline.bench.floor import Floor
from pipeline.bench.house import House, Programs, Say, open_house
from pipeline.bench.plain import AT_ONCE, SINGLY, Plain, compare
from pipeline.settings import Settings

CLIENTS = 16  # as many as the incumbent's published run had
CONNECTIONS = 48  # for arrivals that do not wait for each other; more than are ever busy at once
IN_FLIGHT = 100  # reports under way in the closed loop of scene 2: enough that the jobs' pauses do not bound it
PER_SECOND = 14.0  # the programme's peak
PUBLISHED = {100_000: 37.0, 1_000_000: 6.3}  # the incumbent's lifecycles a second by existing reports, on 16 vCPU
PROGRAMS = ("sandbox", "worker", "api")
RATES = {"incumbent": 60.0, "paid": 30.0, "arrivals": 1.2 * PER_SECOND}  # reports a second that a scene may use up
WARM_S = 20.0  # reports are used up before a scene is counted, too
PER_TEACHER = 5  # the daily limit
PAYS_AT_ONCE = {"SANDBOX_DELAY_SECONDS": "0"}  # the provider's own time is not ours to measure


@dataclass(frozen=True)
class Plan:
    """What is to be measured: sizes in rising order, and the length of each scene."""

    existing: tuple[int, ...]
    seconds: float
    arrivals_s: float
    seed: int = 1


def run(settings: Settings, programs: Programs, folder: Path, plan: Plan, say: Say) -> Iterator[Result | Plain]:
    """Yield the figures scene by scene. Everything that was built is gone at the end."""
    began = time.monotonic()
    with open_house(settings, programs, folder, say, PAYS_AT_ONCE) as house:
        say("Making people and their photos")
        staff = people.hire(house.rt)
        needed = _reports(plan)
        teachers = people.teachers(house.rt, -(-needed // PER_TEACHER), "BT")
        captures = -(-_captures(plan) // len(staff.officers))
        ready = stock.prepare(house.rt, teachers, PER_TEACHER, staff.officers, captures, plan.seed)
        say(f"{needed:,} reports can be sent ({time.monotonic() - began:.0f} s)")
        put_off_the_past(house)
        house.start(*PROGRAMS)
        house.wait_ready(*PROGRAMS)
        with open_clients(house.api_url, CLIENTS) as clients:
            floor = Floor(house, clients, staff, ready)
            templates = models.make_models(floor)
            earlier = [account.id for account in people.enrol(house.rt, max(plan.existing) // 50, "BE")]
            officers = [officer.caller.account_id for officer in staff.officers]
            there = 0
            for size in plan.existing:
                house.stop("worker")
                past.copy_reports(house, templates, earlier, officers, there + 1, size - there, say)
                house.start("worker")
                there = size
                yield scenes.incumbent(floor, plan.seconds, size, PUBLISHED.get(size))
            yield scenes.to_paid(floor, plan.seconds, there, IN_FLIGHT)
        with open_clients(house.api_url, CONNECTIONS) as clients:
            floor = Floor(house, clients, staff, ready)
            yield scenes.arrivals(floor, plan.arrivals_s, there, PER_SECOND, plan.seed)
            house.stop("worker")
            yield compare(floor)


def surroundings() -> str:
    """On what was measured, in a sentence."""
    cores = os.cpu_count() or 1
    return f"Client, API, worker, sandbox and Postgres share the same {cores} cores; photos were uploaded beforehand."


def _reports(plan: Plan) -> int:
    closed = RATES["incumbent"] * (plan.seconds + WARM_S) * len(plan.existing) + RATES["paid"] * (plan.seconds + WARM_S)
    return int(closed + RATES["arrivals"] * (plan.arrivals_s + WARM_S)) + SINGLY + AT_ONCE + 300  # and the models


def _captures(plan: Plan) -> int:
    return int(RATES["paid"] * (plan.seconds + WARM_S) + RATES["arrivals"] * (plan.arrivals_s + WARM_S)) + 100


def put_off_the_past(house: House) -> None:
    """Keep two tasks from looking at the copies: the weekly reconciliation would find that the provider knows nothing of their
    payouts, and the erasure a year of selfies at once, which a running installation has given up hour by hour."""
    with house.rt.database.worker() as conn:
        conn.execute(
            text("INSERT INTO jobs.schedule (name, last_run_at) SELECT unnest(CAST(:tasks AS text[])), :now ON CONFLICT DO NOTHING"),
            {"tasks": ["payout.reconcile", "selfies"], "now": house.rt.clock.now()},
        )
