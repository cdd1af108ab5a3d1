"""A client or worker killed at any statement, commit or file of steps 1 and 2: the next one ends the work, and nothing is done twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from pipeline.access.caller import Caller
from pipeline.clock import SettableClock
from pipeline.demo.registrations import make_packet
from pipeline.identity.stages.runner import LEASE, StagesJob
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from tests.factories import account
from tests.integration.payout_house import environment_of
from tests.integration.test_payout_kills import Mortal
from tests.registrations import announced, packets_of, registration, rows, uploaded

LAST_BREATH = 200  # of a life that is to end early; one registration from its upload to its end takes about as many
MOMENT = timedelta(seconds=1)  # ids of two processes are in order when they are not of one millisecond
STAGES = [
    *("PACKET_RECEIVER", "SECUREZONE_NOTIFICATION", "VALIDATOR", "QUALITY_CLASSIFIER"),
    *("DEMO_DEDUPE", "MANUAL_ADJUDICATION", "UIN_GENERATION", "FINALIZATION"),
]
MESSAGES = ["21/01", "21/02", "21/03", "21/04", "22/01", "22/02", "22/03", "22/04", "22/04", "22/04", "22/04", "22/05", "23/01"]
SEEDS = iter(range(60_000, 70_000))

# What the worker had in hand when it was killed, where that is, and whether it is before or after the named piece
PLACES = {
    "registrations claimed, none begun": ("pipeline.identity.stages.runner:StagesJob._lead", "before"),
    "the packet read, no stage begun": ("pipeline.identity.stages.runner:fetch", "after"),
    "components verified, not committed": ("pipeline.identity.stages.runner:rows.write", "before"),
    "keys of a comparison kept, nobody compared": ("pipeline.identity.stages.dedupe:_candidates", "before"),
    "an identity drafted, without a number": ("pipeline.identity.idrepo.store:_enter", "before"),
    "an identity with its number, not committed": ("pipeline.identity.stages.uin:draft", "after"),
    "an identity published, no credential asked for": ("pipeline.identity.idrepo.store:_ask", "before"),
    "credentials asked for, not committed": ("pipeline.identity.stages.finalization:publish", "after"),
    "everything done": ("pipeline.identity.stages.runner:StagesJob._lead", "after"),
}

# Each starts a process of its own: these stand for the others where there is little time
QUICK = {"registrations claimed, none begun", "keys of a comparison kept, nobody compared", "credentials asked for, not committed"}


@pytest.fixture(scope="module")
def admin(rt: Runtime) -> Caller:
    return account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")


def check(rt: Runtime, registration_id: UUID) -> None:
    """All of it is there, and once."""
    row = registration(rt, registration_id)
    assert (row.status_code, row.upload_number, row.attempts) == ("PROCESSED", 1, 0)
    notes = rows(
        rt, "SELECT trn_type_code FROM regprc.registration_transaction WHERE registration_id = :id ORDER BY id", id=registration_id
    )
    assert [note.trn_type_code for note in notes] == STAGES
    assert packets_of(rt, registration_id) == MESSAGES
    (identity,) = rows(rt, "SELECT id, status_code FROM idrepo.identity WHERE registration_id = :id", id=registration_id)
    assert (identity.id, identity.status_code) == (row.identity_id, "ACTIVATED")
    assert len(rows(rt, "SELECT id FROM idrepo.identifier WHERE identity_id = :id", id=identity.id)) == 1
    assert len(rows(rt, "SELECT id FROM idrepo.credential_request_status WHERE registration_id = :id", id=registration_id)) == 1
    parts = rows(rt, "SELECT id, verified FROM regprc.component WHERE registration_id = :id", id=registration_id)
    assert [part.verified for part in parts] == ["VERIFIED"] * 3
    assert all(rt.files.get(part.id, "original") for part in parts)


@pytest.mark.parametrize("had", [one if one in QUICK else pytest.param(one, marks=pytest.mark.long) for one in PLACES])
def test_a_worker_killed_with(had: str, rt: Runtime, admin: Caller, clock: SettableClock) -> None:
    received = uploaded(rt, admin, next(SEEDS))
    place, when = PLACES[had]
    clock.advance(MOMENT)
    command = [sys.executable, "-m", "tests.bench.failpoint", place, when, clock.now().isoformat()]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(rt), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, f"{place} was not reached: {done.stderr[-2000:]}"
    clock.advance(LEASE)
    run_until_idle([StagesJob(rt)], clock)
    check(rt, received.id)


def test_five_kills_at_random_points_leave_each_registration_processed_once(rt: Runtime, admin: Caller) -> None:
    outlive(rt, admin, kills=5, seed=3)


@pytest.mark.long
def test_two_hundred_kills_at_random_points_leave_each_registration_processed_once(rt: Runtime, admin: Caller) -> None:
    outlive(rt, admin, kills=200, seed=4)


@contextmanager
def mortal(rt: Runtime) -> Iterator[Mortal]:
    command = [sys.executable, "-m", "tests.bench.mortal", "registrations"]
    with subprocess.Popen(command, cwd=ROOT, env=environment_of(rt), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortal(process)


def outlive(rt: Runtime, admin: Caller, kills: int, seed: int) -> None:
    """Announced registrations, one after the other, each until it is processed, until there were enough kills."""
    rng, deaths, ids = Random(seed), 0, []
    clock: Any = rt.clock
    with mortal(rt) as lives:
        while deaths < kills:
            clock.advance(MOMENT)
            (synced,) = announced(rt, admin, [make_packet(next(SEEDS), clock.now())])
            assert synced.id is not None
            ids.append(synced.id)
            clock.advance(MOMENT)
            while lives.live(clock.now().isoformat(), rng.randint(1, LAST_BREATH) if deaths < kills else 0):
                deaths += 1
                clock.advance(LEASE)
            clock.advance(LEASE)
            assert not lives.live(clock.now().isoformat(), 0)
    for registration_id in ids:
        check(rt, registration_id)
