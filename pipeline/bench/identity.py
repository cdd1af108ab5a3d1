"""`bench identity`: how many registrations a second go from their upload to STORED, through all six steps of the flow.

Packets are made before the clock starts. They are announced and uploaded through the product's commands while the worker processes
lead those before through stages, credentials, hub and cache; a registration counts when every credential of it is acknowledged as
STORED. The same again with as many registrations waiting at every step. Beside it the plain way: one registration at a time.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.bench import people
from pipeline.bench.house import House, Program, Programs, open_house
from pipeline.demo.registrations import MadePacket, applicant, make_packet
from pipeline.identity.jobs import identity_jobs
from pipeline.identity.registration.sync import sync
from pipeline.identity.registration.upload import receive
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.settings import Settings

INCUMBENT_A_DAY = 857  # packets a day for each virtual processor, the figure of the field
DAY_S = 86_400
LOOK_S = 0.2
START_S = 60.0  # a cold start of Python on a busy machine
STUCK_S = 120.0  # without one more stored: something is wrong, not slow
BATCH_TIMEOUT_S = 600  # 100,000 rows in nine tables with their indexes
WAITING = timedelta(days=1)  # what is in flight is due long after the bench
IN_FLIGHT = Path(__file__).with_name("in_flight.sql")

_STORED = text("""
    SELECT count(*) FROM unnest(CAST(:ids AS uuid[])) AS one (id)
    WHERE EXISTS (SELECT FROM idrepo.credential_request_status s WHERE s.registration_id = one.id)
      AND NOT EXISTS (SELECT FROM idrepo.credential_request_status s LEFT JOIN credential.credential_transaction t ON t.id = s.request_id
                      WHERE s.registration_id = one.id AND t.status_code IS DISTINCT FROM 'STORED')
""")
_WORKING = text("SELECT count(*) FROM jobs.heartbeat")
_CREDENTIALS = text("SELECT count(*) FROM idrepo.credential_request_status WHERE registration_id = ANY (CAST(:ids AS uuid[]))")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Registrations of each run, how many wait besides in the second, and how many are led through one at a time."""

    registrations: int = 600
    in_flight: int = 100_000
    singly: int = 30
    workers: int = 2


@dataclass(frozen=True)
class Flow:
    """One run. `cpu_s`: seconds of processor by process; `upload_s`: how long announcing and uploading alone took, beside the work."""

    title: str
    registrations: int
    credentials: int
    seconds: float
    upload_s: float
    cpu_s: Mapping[str, float]

    @property
    def rate(self) -> float:
        return self.registrations / self.seconds

    def as_text(self) -> list[str]:
        """What is printed of it."""
        by_use = sorted(self.cpu_s.items(), key=lambda one: -one[1])
        cpu = ", ".join(f"{name} {1000 * used / self.registrations:.1f}" for name, used in by_use)
        times = self.rate * DAY_S / ((os.cpu_count() or 1) * INCUMBENT_A_DAY)
        what = f"{self.registrations} registrations with {self.credentials} credentials in {self.seconds:.1f} s"
        field = f"{times:,.0f} times the field's {INCUMBENT_A_DAY} a day for each processor"
        return [
            "",
            self.title,
            f"  {what}: {self.rate:.1f} a second, {self.rate * DAY_S:,.0f} a day; {field}",
            f"  announced and uploaded within {self.upload_s:.1f} s; processor ms a registration: {cpu}",
        ]

    def as_data(self) -> dict[str, Any]:
        """The same as data."""
        return {
            "title": self.title,
            "registrations": self.registrations,
            "credentials": self.credentials,
            "seconds": round(self.seconds, 2),
            "uploadSeconds": round(self.upload_s, 2),
            "perSecond": round(self.rate, 2),
            "cpuMs": {name: round(1000 * used / self.registrations, 2) for name, used in self.cpu_s.items()},
        }


def run(settings: Settings, programs: Programs, folder: Path, plan: Plan, say: Say) -> Iterator[Flow]:
    """Yield the figures run by run. Everything that was built is gone at the end. Raises RuntimeError when a registration is stuck."""
    workers = [f"worker-{number}" for number in range(1, plan.workers + 1)]

    def several(own: Settings) -> Mapping[str, Program]:
        return dict.fromkeys(workers, programs(own)["worker"])

    with open_house(settings, several, folder, say) as house:
        clerk = people.hire(house.rt).admins[0].caller
        yield _one_at_a_time(house, clerk, _packets(house.rt, 0, plan.singly), say)
        _begin(house, workers)
        yield _all_at_once(house, clerk, _packets(house.rt, plan.singly, plan.registrations), "Nothing else in flight", say)
        say(f"Making {plan.in_flight:,} registrations in flight")
        house.stop(*workers)
        fill(house.rt, clerk, plan.in_flight)
        _begin(house, workers)
        more = _packets(house.rt, plan.singly + plan.registrations, plan.registrations)
        yield _all_at_once(house, clerk, more, f"{plan.in_flight:,} others in flight", say)


def _begin(house: House, workers: Sequence[str]) -> None:
    """Start the workers and return when each has begun to work."""
    house.start(*workers)
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with house.rt.database.worker() as conn:
            if int(conn.execute(_WORKING).scalar_one()) == len(workers):
                return
        time.sleep(LOOK_S)
    raise RuntimeError(f"the workers did not start: {house.last_words(workers[0])}")


def fill(rt: Runtime, clerk: Caller, number: int) -> None:
    """Registrations that wait at every step of the flow, made set-wise. Commits."""
    now = rt.clock.now()
    values = {"number": number, "tenant_id": people.TENANT, "state_id": people.TENANT.split(".")[0], "by": clerk.account_id, "now": now}
    lines = [line for line in IN_FLIGHT.read_text(encoding="utf-8").splitlines() if not line.startswith("--")]
    with rt.database.worker(BATCH_TIMEOUT_S) as conn:
        for statement in "\n".join(lines).split(";"):
            names = {name: value for name, value in {**values, "due": now + WAITING}.items() if f":{name}" in statement}
            conn.execute(text(statement), names)
    with rt.database.worker() as conn:
        conn.execute(text("SELECT jobs.refresh_statistics()"))


def _packets(rt: Runtime, first: int, number: int) -> list[MadePacket]:
    at = rt.clock.now()
    people_of = ((seed, replace(applicant(seed, at), employee_id=f"B{seed:07d}")) for seed in range(first, first + number))
    return [make_packet(seed, at, person=person) for seed, person in people_of]


def _one_at_a_time(house: House, clerk: Caller, packets: Sequence[MadePacket], say: Say) -> Flow:
    """The plain way: each is uploaded and led to its end before the next one comes, in this process."""
    say(f"{len(packets)} registrations one at a time")
    jobs = identity_jobs(house.rt)
    run_until_idle(jobs, house.rt.clock)  # the subscriptions
    before, began = _used(house), time.monotonic()
    ids = []
    for packet in packets:
        ids.append(_upload(house.rt, clerk, packet))
        run_until_idle(jobs, house.rt.clock)
    return _flow(house, "One at a time, in one process (the plain way)", ids, began, time.monotonic(), before)


def _all_at_once(house: House, clerk: Caller, packets: Sequence[MadePacket], title: str, say: Say) -> Flow:
    say(f"{len(packets)} registrations: {title.lower()}")
    before, began = _used(house), time.monotonic()
    ids = [_upload(house.rt, clerk, packet) for packet in packets]
    uploaded = time.monotonic()
    _await(house.rt, ids)
    return _flow(house, title, ids, began, uploaded, before)


def _upload(rt: Runtime, clerk: Caller, packet: MadePacket) -> UUID:
    now = rt.clock.now()
    with rt.database.begin(clerk.scope) as conn:
        (synced,) = sync(conn, rt.masterdata.current(), clerk, people.TENANT, [packet.announcement], now)
    if synced.error is not None:
        raise synced.error
    return receive(rt, clerk, packet.files, now).id


def _await(rt: Runtime, ids: Sequence[UUID]) -> None:
    """Return when all are stored. Raises RuntimeError when nothing moves any more."""
    stored, moved = 0, time.monotonic()
    while stored < len(ids):
        with rt.database.worker() as conn:
            found = int(conn.execute(_STORED, {"ids": list(ids)}).scalar_one())
        if found > stored:
            stored, moved = found, time.monotonic()
        if time.monotonic() - moved > STUCK_S:
            raise RuntimeError(f"{len(ids) - stored} registrations are not stored")
        time.sleep(LOOK_S)


def _used(house: House) -> dict[str, float]:
    """Seconds of processor so far, the workers together; `clients` is this process."""
    found: dict[str, float] = {"clients": time.process_time()}
    for name, used in house.cpu_s().items():
        known = "workers" if name.startswith("worker-") else name
        found[known] = found.get(known, 0.0) + used
    return found


def _flow(house: House, title: str, ids: Sequence[UUID], began: float, uploaded: float, before: Mapping[str, float]) -> Flow:
    ended = time.monotonic()
    used = {name: seconds - before.get(name, 0.0) for name, seconds in _used(house).items()}
    with house.rt.database.worker() as conn:
        credentials = int(conn.execute(_CREDENTIALS, {"ids": list(ids)}).scalar_one())
        stored = int(conn.execute(_STORED, {"ids": list(ids)}).scalar_one())
    if stored < len(ids):
        raise RuntimeError(f"{len(ids) - stored} registrations are not stored")
    return Flow(title, len(ids), credentials, ended - began, uploaded - began, used)
