"""Registrations on their way while everything goes wrong that can: calls, answers, events and processes are lost, keys do not fit.

Each ends STORED or in a state with a name that the identity page shows; nobody is cached twice; what is acknowledged as stored
is what is cached. The quick run has some dozens, the long one (`make test-long`) a thousand.
"""

import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.registrations import MadePacket, applicant, make_packet
from pipeline.errors import AppError
from pipeline.identity.flow import credential_jobs
from pipeline.identity.registration.sync import sync
from pipeline.identity.registration.upload import receive
from pipeline.identity.stages.actions import pauses_job
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.job import Job
from pipeline.runtime import Runtime
from tests.factories import VILLE, people
from tests.integration.identity_weather import Crash, Weather, stormy
from tests.registrations import packets_of, rows

SEED = int(os.environ.get("CHAOS_SEED", "1"))
STORM = timedelta(hours=3)  # then it is calm, and everything comes to its end
LONGEST = timedelta(days=3)
STEPS_S = (1, 2, 5, 15, 60, 240)  # how far the clock moves between two rounds
BAD_EVERY = 25  # packets whose files were changed after hashing
TWIN_EVERY = 40  # people who register twice
NAMED = {"FAILED", "REJECTED", "PAUSED", "REPROCESS_FAILED"}
# The diagram of one credential; subscriptions are about no registration
BEFORE_A_REQUEST = [
    "21/01",
    "21/02",
    "21/03",
    "21/04",
    "22/01",
    "22/02",
    "22/03",
    "22/04",
    "22/05",
    "23/01",
]  # until a request id is chosen
CREDENTIAL = [
    *("23/02", "23/03", "23/04", "23/05", "23/06"),
    *("24/01", "24/02", "24/03", "24/04", "24/05", "24/06", "24/07", "24/08"),
    *("25/02", "25/03", "25/04", "25/05", "25/06", "25/07", "26/01", "26/03", "26/04"),
]


def packets(rt: Runtime, number: int) -> list[MadePacket]:
    """Packets of as many registrations; some were changed after hashing, some are of somebody who is there already."""
    at = rt.clock.now()
    made = []
    for seed in range(1, number + 1):
        person = applicant(seed - 1 if seed % TWIN_EVERY == 0 else seed, at)
        packet = make_packet(seed, at, person=replace(person, employee_id=f"C{seed:06d}"))
        if seed % BAD_EVERY == 0:
            other = make_packet(seed, at, person=person, biometric_bytes=500)
            packet = packet.with_component("id", mixed(packet.zips["id"], other.zips["id"]))
        made.append(packet)
    return made


def mixed(honest: bytes, other: bytes) -> bytes:
    """A component whose biometrics are of another packet: valid as an archive, wrong by its hash."""
    with zipfile.ZipFile(io.BytesIO(honest)) as one, zipfile.ZipFile(io.BytesIO(other)) as two:
        files = {name: (two if name.endswith(".xml") else one).read(name) for name in one.namelist()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def until_answered(piece: Callable[[], Any]) -> Any:
    """A client that asks again until it is answered, whatever became of the calls before."""
    while True:
        try:
            return piece()
        except (Crash, DBAPIError, psycopg.Error):
            continue


def register(rt: Runtime, clerk: Caller, packet: MadePacket) -> UUID | None:
    """Announce and upload like a client that hears nothing now and then."""

    def announce() -> Any:
        with rt.database.begin(clerk.scope) as conn:
            return sync(conn, rt.masterdata.current(), clerk, VILLE, [packet.announcement], rt.clock.now())[0]

    synced = until_answered(announce)
    assert synced.error is None or synced.error.code == "SDCRS_ALREADY_UPLOADED", synced.error

    def upload() -> None:
        try:
            receive(rt, clerk, packet.files, rt.clock.now())
        except AppError as error:
            if error.code != "SDCRS_ALREADY_UPLOADED":
                raise

    until_answered(upload)
    return synced.id


def run(rt: Runtime, clock: SettableClock, weather: Weather, make: Callable[[], Sequence[Job]]) -> None:
    """Rounds of all jobs with the clock moving, until nothing waits but for a person. A crash is followed by a new process."""
    jobs = make()
    while clock.now() - weather.begun < LONGEST:
        handled = 0
        for index in range(len(jobs)):
            try:
                handled += jobs[index].run_once(clock.now())
            except Crash:
                jobs = make()
        weather.crashing = False  # only asking
        waits = [found for job in jobs if (found := job.waits_for(clock.now())) is not None]
        weather.crashing = True
        if not handled and not waits:
            return
        step = timedelta(seconds=weather.random.choice(STEPS_S))
        nearest = min((due for _, due in waits), default=clock.now())
        clock.set(clock.now() + (step if handled else max(step, nearest - clock.now())))
    raise AssertionError("the flow did not come to an end")


def storm(rt: Runtime, clock: SettableClock, number: int) -> tuple[Weather, list[UUID]]:
    """Register so many in bad weather and let the jobs run to the end."""
    weather = Weather(Random(SEED), clock, clock.now() + STORM)
    clerk = people(rt).district_admin
    with weather.crashes():
        ids = [found for packet in packets(rt, number) if (found := register(rt, clerk, packet)) is not None]
        run(rt, clock, weather, lambda: [pauses_job(rt), StagesJob(rt), *credential_jobs(rt, stormy(rt, weather))])
    return weather, ids


def check(rt: Runtime, weather: Weather, ids: Sequence[UUID]) -> Counter[str]:
    """Every promise, over all rows; returns how the registrations ended."""
    found = {row.id: row for row in rows(rt, "SELECT id, status_code, sub_status_code FROM regprc.registration")}
    assert set(found) == set(ids), "each that was acknowledged is there, once"
    asked = rows(
        rt,
        """SELECT s.registration_id, s.status, s.dead_at, s.status_comment, t.id, t.status_code, t.dead_at AS t_dead,
                  t.status_comment AS t_comment
           FROM idrepo.credential_request_status s LEFT JOIN credential.credential_transaction t ON t.id = s.request_id""",
    )
    cached = rows(rt, "SELECT id, credential_transaction_id FROM ida.identity_cache")
    stored = {row.id for row in asked if row.status_code == "STORED"}
    assert {row.credential_transaction_id for row in cached} == stored, "acknowledged as stored exactly when cached"
    assert len(cached) == len(stored) == len({row.credential_transaction_id for row in cached})
    transactions = rows(rt, "SELECT count(*) AS n FROM credential.credential_transaction")[0].n
    assert transactions == len([row for row in asked if row.id is not None]), "no request without somebody who asked"
    by_registration: dict[UUID, list[Any]] = {}
    for row in asked:
        by_registration.setdefault(row.registration_id, []).append(row)
    ends: Counter[str] = Counter()
    for one, row in found.items():
        if row.status_code in NAMED:
            assert row.sub_status_code, row
            ends[f"{row.status_code} {row.sub_status_code}"] += 1
            continue
        assert row.status_code == "PROCESSED", row
        requests = by_registration[one]
        for request in requests:
            named = (request.dead_at and request.status_comment) or (request.t_dead and request.t_comment)
            assert request.status_code == "STORED" or named, request
        ends["STORED" if all(request.status_code == "STORED" for request in requests) else "GIVEN_UP"] += 1
        if all(request.status_code == "STORED" for request in requests):
            every_message(rt, one, [request.id for request in requests])
    return ends


def every_message(rt: Runtime, registration_id: UUID, requests: Sequence[UUID]) -> None:
    """The trace holds each message of the diagram; what was said again may be there again."""
    told = packets_of(rt, registration_id)
    assert set(BEFORE_A_REQUEST) <= set(told)
    for request in requests:
        seen = {
            row.packet
            for row in rows(
                rt,
                "SELECT packet FROM packet.log WHERE subject_id = :id AND correlation_id = :request",
                id=registration_id,
                request=request,
            )
        }
        # whose answer was lost may be stored before the generator could note that it was issued
        assert set(CREDENTIAL) - seen <= {"24/07", "24/08"}, (request, sorted(set(CREDENTIAL) - seen))


def test_some_dozens_of_registrations_end_well_or_by_name_in_bad_weather(rt: Runtime, clock: SettableClock) -> None:
    weather, ids = storm(rt, clock, 40)
    ends = check(rt, weather, ids)
    assert ends["STORED"] >= 30, ends
    assert weather.seen["crash before a commit"] + weather.seen["crash after a commit"] > 0


@pytest.mark.long
def test_a_thousand_registrations_end_well_or_by_name_in_bad_weather(rt: Runtime, clock: SettableClock) -> None:
    weather, ids = storm(rt, clock, 1000)
    ends = check(rt, weather, ids)
    print(dict(ends), dict(weather.seen))
    assert ends["STORED"] >= 850, ends
    kinds = {
        *("crash before a commit", "crash after a commit", "hub down", "ida down", "share expired", "signature wrong"),
        *(f"{who} event {what}" for who in ("ida", "generator") for what in ("lost", "twice", "forged")),
        *(f"{call} {what}" for call in ("generator.request", "service.issue", "datashare.create", "datashare.download", "hub.publish")
          for what in ("call lost", "answer lost")),
    }  # fmt: skip
    assert {kind for kind in kinds if not weather.seen[kind]} == set(), "each was met"
