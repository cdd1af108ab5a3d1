"""Registrations in the demo: teachers who were registered in the last day, so that most are verified payees, and what goes wrong.

The packets are announced, uploaded and processed by the real flow; nobody's status is written here. A load that was interrupted
makes the same packets again and goes on with those that were not taken.
"""

import random as randomness
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.cast import VILLE, Cast
from pipeline.demo.registrations import MadePacket, applicant, make_packet
from pipeline.identity.jobs import identity_jobs, identity_tasks
from pipeline.identity.registration.sync import sync
from pipeline.identity.registration.upload import receive
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.payee import verify_payees
from pipeline.runtime import Runtime

MOST = 60  # teachers: a few seconds of the load; the named one and those of his place first
MISMATCHING = 0.06  # of the teachers are registered in another name than the one that the staff register has
SPAN = timedelta(hours=22)  # before now: the page opens with the last day
HOURLY = timedelta(hours=1)
FIRST_SEED = 40_000  # of the packets; seeds are part of a registration's id
OTHERS_SEED = 90_000

_TAKEN = text("SELECT reg_id FROM regprc.registration_list WHERE uploaded_at IS NOT NULL AND reg_id = ANY (:ids)")


@dataclass(frozen=True)
class Visit:
    """A packet that a registration centre made, who sends it, and whether it does."""

    at: datetime
    packet: MadePacket
    caller: Caller
    tenant_id: str
    sent: bool = True


def register(rt: Runtime, clock: SettableClock, visits: Sequence[Visit], now: datetime, tick: Callable[[int], None]) -> None:
    """Register them hour by hour up to now, process what came, and compare the payees. Commits as it goes; moves the clock."""
    with rt.database.worker() as conn:
        taken = set(conn.execute(_TAKEN, {"ids": [one.packet.reg_id for one in visits]}).scalars())
    hour = now - SPAN
    while hour <= now:
        clock.set(hour)
        due = [one for one in visits if hour <= one.at < hour + HOURLY and one.packet.reg_id not in taken]
        for one in due:
            clock.set(one.at)
            _come(rt, one)
        clock.set(min(hour + HOURLY, now))
        _process(rt, clock)
        tick(len(due))
        hour += HOURLY
    clock.set(now)
    verify_payees(rt, now)


def planned(rt: Runtime, people: Cast, seed: int, now: datetime) -> list[Visit]:
    """Every visit of the day in order: teachers, of whom a few are registered in another name, and those that do not simply succeed."""
    crew = people.crews[VILLE]
    visits = [*_teachers(rt, people, seed, now), *_troubled(crew.admin, crew.tenant_id, now)]
    return sorted(visits, key=lambda one: one.at)


def _teachers(rt: Runtime, people: Cast, seed: int, now: datetime) -> Iterator[Visit]:
    """The named teacher first, in the staff register's name, and those of the same place after him."""
    random = randomness.Random(f"identities {seed}")
    crews = sorted(people.crews.values(), key=lambda crew: crew.tenant_id != VILLE)
    teachers = [(crew, teacher) for crew in crews for teacher in crew.teachers][:MOST]
    names = {account.id: account.person["name"] for account in people.accounts}
    for number, (crew, teacher) in enumerate(teachers):
        at = now - SPAN + (SPAN - HOURLY) * (number / max(len(teachers), 1))
        state_id = rt.masterdata.current().tenant(crew.tenant_id).state_id
        person = applicant(FIRST_SEED + number, at, state_id, employee_id=teacher.caller.username)
        if not number or random.random() >= MISMATCHING:
            person = replace(person, name=names[teacher.id])
        yield Visit(at, make_packet(FIRST_SEED + number, at, state_id, person), crew.admin, crew.tenant_id)


def _troubled(caller: Caller, tenant_id: str, now: datetime) -> Iterator[Visit]:
    """One that may be another, one that is, two without a document, and two that were announced and never sent."""
    state_id, at = tenant_id.split(".", maxsplit=1)[0], now - timedelta(hours=5)
    twin = make_packet(OTHERS_SEED, at, state_id)
    yield Visit(at, twin, caller, tenant_id)
    again = replace(twin.applicant, phone="7700000000", email="twin@example.org")
    yield Visit(at + HOURLY, make_packet(OTHERS_SEED + 1, at + HOURLY, state_id, again), caller, tenant_id)
    yield Visit(at + 2 * HOURLY, make_packet(OTHERS_SEED + 6, at + 2 * HOURLY, state_id, twin.applicant), caller, tenant_id)
    for number in (2, 3):
        without = make_packet(OTHERS_SEED + number, at, state_id, fields={"proofOfAddress": None})
        yield Visit(at, without, caller, tenant_id)
    for number in (4, 5):
        yield Visit(at, make_packet(OTHERS_SEED + number, at, state_id), caller, tenant_id, sent=False)


def _come(rt: Runtime, one: Visit) -> None:
    with rt.database.begin(one.caller.scope) as conn:
        sync(conn, rt.masterdata.current(), one.caller, one.tenant_id, [one.packet.announcement], one.at)
    if one.sent:
        receive(rt, one.caller, one.packet.files, one.at)


def _process(rt: Runtime, clock: SettableClock) -> None:
    jobs = identity_jobs(rt)
    for task in identity_tasks(rt):
        task.task(clock.now())
    run_until_idle(jobs, clock)
