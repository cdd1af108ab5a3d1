"""What processes share: leases, the memory of answers, and breakers. Two workers, each with connections of its own, and real kills."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.fraud.validators.breaker import Breaker, locked
from pipeline.fraud.validators.memory import forget_expired
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from pipeline.validation.job import validation_job
from tests import factories
from tests.integration.validators import house
from tests.integration.validators.house import DETECT, QUALITY, drain, results
from tests.validator_service import Say, Service, say

BAD = Say(status=503)
DETECTOR = "OBJECT_DETECTOR"
OPEN_S = 30  # of the detector's breaker, as shipped; it opens at five failures


def waiting_report(rt: Runtime, seed: int | None = None) -> UUID:
    teacher = factories.account(rt, f"T{time.monotonic_ns()}", "TEACHER")
    if seed is None:
        return factories.submitted(rt, teacher)
    one = factories.submission(rt, teacher, factories.photos(rt, teacher, seed=seed))
    return factories.submitted(rt, teacher, evidence=one.evidence)


@pytest.fixture
def asked(rt: Runtime, service: Service, clock: SettableClock) -> Runtime:
    """The detector alone, and nothing left of an earlier test."""
    run_until_idle([validation_job(rt)], clock)
    house.forget_breakers(rt)
    clock.advance(timedelta(hours=2))
    return house.with_validators(rt, service, "DETECT")


@contextmanager
def another_process(rt: Runtime) -> Iterator[Runtime]:
    """A runtime with a pool of its own, as another worker has."""
    with closing(Database(rt.database.url, rt.database.role_prefix, pool_size=4)) as database:
        yield replace(rt, database=database)


def in_parallel(*works) -> None:
    """Run them at once, all from the same moment; the first error is raised."""
    barrier = threading.Barrier(len(works))
    errors: list[BaseException] = []

    def run(work) -> None:
        try:
            barrier.wait(10)
            work()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


# memory


def test_the_same_photo_is_asked_about_once(asked: Runtime, service: Service, clock: SettableClock) -> None:
    first = waiting_report(asked, seed=77)
    drain(asked)
    second = waiting_report(asked, seed=77)
    drain(asked)
    assert len(service.on(DETECT)) == 1
    assert [results(asked, one)[DETECTOR].remembered for one in (first, second)] == [False, True]
    assert results(asked, first)[DETECTOR].outputs == results(asked, second)[DETECTOR].outputs
    waiting_report(asked, seed=78)
    drain(asked)
    assert len(service.on(DETECT)) == 2  # another photo
    clock.advance(timedelta(hours=1, seconds=1))
    waiting_report(asked, seed=77)
    drain(asked)
    assert len(service.on(DETECT)) == 3  # remembered for an hour


def test_failures_are_not_remembered(asked: Runtime, service: Service, clock: SettableClock) -> None:
    service.will(DETECT, Say(status=422), house.GOOD[DETECT])
    waiting_report(asked, seed=79)
    drain(asked)
    second = waiting_report(asked, seed=79)
    drain(asked)
    assert results(asked, second)[DETECTOR].state == "ANSWERED"


def test_what_is_remembered_is_a_hash_and_outputs_and_goes(asked: Runtime, clock: SettableClock) -> None:
    waiting_report(asked)
    drain(asked)
    with asked.database.worker() as conn:
        (row,) = conn.execute(text("SELECT * FROM fraud.validator_cache WHERE expires_at > :now"), {"now": clock.now()}).all()
        assert set(row._mapping) == {"tenant_id", "validator_id", "question", "outputs", "answered_at", "expires_at"}
        forget_expired(conn, clock.now() + timedelta(hours=2))
        assert conn.execute(text("SELECT count(*) FROM fraud.validator_cache")).scalar_one() == 0


# leases and deaths


def test_two_workers_ask_each_question_once(asked: Runtime, service: Service) -> None:
    reports = [waiting_report(asked) for _ in range(14)]
    with another_process(asked) as other, house.asking(asked) as job, house.asking(other) as second:
        in_parallel(lambda: run_until_idle([job], asked.clock), lambda: run_until_idle([second], other.clock))
    assert len(service.on(DETECT)) == 14
    assert {results(asked, one)[DETECTOR].state for one in reports} == {"ANSWERED"}


def test_an_answer_that_comes_after_its_lease_is_left_alone(asked: Runtime, service: Service, clock: SettableClock) -> None:
    service.will(DETECT, say({"detections": []}, wait_s=1.0), house.GOOD[DETECT])
    report = waiting_report(asked)
    with house.asking(asked) as slow, house.asking(asked) as quick:
        assert slow.run_once(clock.now()) > 0
        assert drain(asked)[0].due > clock.now()  # under lease: nobody else takes it
        clock.advance(timedelta(minutes=5))
        run_until_idle([quick], clock)
        answered = results(asked, report)[DETECTOR]
        assert (answered.state, answered.outputs["dogCount"], answered.lost) == ("ANSWERED", 2, 1)
        run_until_idle([slow], clock)
    assert results(asked, report)[DETECTOR] == answered


CHILD = """
import sys
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import assemble
from pipeline.settings import load
from tests.integration.validators import house
url, prefix, folder, service, at = sys.argv[1:]
environment = {**house.SECRETS, "YOLO_SERVICE_URL": service, "VALIDATOR_NETWORKS": "127.0.0.1", "API_PUBLIC_URL": "https://reports.example"}
settings = replace(load(environment), data_dir=Path(folder), database_url=url)
with closing(Database(url, prefix, pool_size=2)) as database:
    rt = assemble(settings, database, SettableClock(datetime.fromisoformat(at)))
    with house.asking(rt) as job:
        run_until_idle([job], rt.clock)
"""


def test_a_worker_killed_in_the_midst_of_a_call_leaves_it_to_the_next(asked: Runtime, service: Service, clock: SettableClock) -> None:
    service.will(DETECT, say(house.DOGS, wait_s=20), house.GOOD[DETECT])
    report = waiting_report(asked)
    arguments = [asked.database.url, asked.database.role_prefix, str(asked.settings.data_dir), service.url, clock.now().isoformat()]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], cwd=ROOT, env=environment)
    try:
        give_up_at = time.monotonic() + 30
        while not service.on(DETECT):
            assert child.poll() is None
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait(10)
    assert results(asked, report)[DETECTOR].state == "ASKING"
    (waits,) = drain(asked)
    assert waits.subjects == 1
    clock.set(waits.due)
    assert drain(asked) == []
    row = results(asked, report)[DETECTOR]
    assert (row.state, row.lost, row.failures) == ("ANSWERED", 1, 0)
    assert factories.status_of(asked, report) == "PENDING_VERIFICATION"


def test_a_question_that_kills_its_workers_comes_to_an_end(asked: Runtime, service: Service, clock: SettableClock) -> None:
    report = waiting_report(asked)
    with house.asking(asked) as job:
        run_until_idle([job], clock)
    with asked.database.worker() as conn:
        sql = """UPDATE fraud.validator_result SET state = 'ASKING', next_at = :now, settled_at = NULL, outputs = NULL, lost = 3
                 WHERE report_id = :id"""
        conn.execute(text(sql), {"id": report, "now": clock.now()})
    drain(asked)
    row = results(asked, report)[DETECTOR]
    assert (row.state, row.reason) == ("MANUAL", "no call of it ever came to an end")


# circuit breakers: one for each validator and host


def opened(asked: Runtime, service: Service, clock: SettableClock) -> None:
    """Bring the detector's breaker to its five failures."""
    service.will(DETECT, BAD)
    for _ in range(3):
        waiting_report(asked)
        drain(asked)
        clock.advance(timedelta(seconds=1))
        drain(asked)
    assert house.breakers(asked)[DETECTOR].open_until is not None
    assert len(service.on(DETECT)) == 5
    service.forget()


def test_an_open_breaker_spares_the_service_in_every_process(asked: Runtime, service: Service, clock: SettableClock) -> None:
    opened(asked, service, clock)
    report = waiting_report(asked)
    with another_process(asked) as other:
        drain(other)
    row = results(asked, report)[DETECTOR]
    assert (row.state, service.on(DETECT)) == ("MANUAL", [])
    assert row.reason == "it is left alone after failures: it answered with HTTP 503"


def test_another_validator_is_asked_all_the_same(asked: Runtime, service: Service, clock: SettableClock) -> None:
    opened(asked, service, clock)
    both = house.with_validators(asked, service, "DETECT", "QUALITY")
    report = waiting_report(both)
    drain(both)
    assert results(both, report)["IMAGE_QUALITY_ANALYZER"].state == "ANSWERED"
    assert len(service.on(QUALITY)) == 1


def test_one_probe_goes_out_of_many_workers_and_closes_the_breaker(asked: Runtime, service: Service, clock: SettableClock) -> None:
    opened(asked, service, clock)
    clock.advance(timedelta(seconds=OPEN_S))
    service.will(DETECT, say(house.DOGS, wait_s=0.5))
    reports = [waiting_report(asked) for _ in range(6)]
    with another_process(asked) as other, house.asking(asked) as job, house.asking(other) as second:
        in_parallel(lambda: job.run_once(clock.now()), lambda: second.run_once(clock.now()))
        assert len(service.on(DETECT)) == 1  # the others wait for its word
        run_until_idle([job, second], clock)
        assert house.breakers(asked)[DETECTOR].open_until is None
        clock.advance(timedelta(seconds=1))
        run_until_idle([job, second], clock)
    assert {results(asked, one)[DETECTOR].state for one in reports} == {"ANSWERED"}
    assert len(service.on(DETECT)) == 6


def test_a_probe_that_fails_opens_it_anew(asked: Runtime, service: Service, clock: SettableClock) -> None:
    opened(asked, service, clock)
    clock.advance(timedelta(seconds=OPEN_S))
    waiting_report(asked)
    drain(asked)
    state = house.breakers(asked)[DETECTOR]
    assert (len(service.on(DETECT)), state.open_until) == (1, clock.now() + timedelta(seconds=OPEN_S))
    clock.advance(timedelta(seconds=2))
    drain(asked)  # its second try finds the breaker open
    assert len(service.on(DETECT)) == 1


def test_a_lost_probe_leaves_its_place_to_the_next(asked: Runtime, service: Service, clock: SettableClock) -> None:
    opened(asked, service, clock)
    clock.advance(timedelta(seconds=OPEN_S))
    with asked.database.worker() as conn:  # as a worker that was killed with the probe in hand leaves it
        conn.execute(text("UPDATE fraud.validator_breaker SET probe_until = :at"), {"at": clock.now() + timedelta(seconds=90)})
    service.will(DETECT, house.GOOD[DETECT])
    report = waiting_report(asked)
    drain(asked)
    assert service.on(DETECT) == []
    clock.advance(timedelta(seconds=90))
    drain(asked)
    assert results(asked, report)[DETECTOR].state == "ANSWERED"


def test_a_refused_question_does_not_count_against_the_service(asked: Runtime, service: Service, clock: SettableClock) -> None:
    service.will(DETECT, Say(status=422))
    for _ in range(6):
        waiting_report(asked)
    drain(asked)
    assert len(service.on(DETECT)) == 6
    with asked.database.worker() as conn:
        assert all(
            state.open_until is None for state in locked(conn, [house.setup_of(asked).tenants[factories.VILLE][DETECTOR].breaker]).values()
        )


def test_a_service_that_never_failed_has_no_row(rt: Runtime, asked: Runtime, service: Service) -> None:
    with asked.database.worker() as conn:
        conn.execute(text("SELECT 1"))
        assert locked(conn, ["NOBODY https://there"]) == {}
    assert Breaker() == Breaker(0, None, None, None)
