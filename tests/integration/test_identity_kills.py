"""A worker killed at any statement, commit or file of steps 3 to 6: the next one ends the work, and the tables are as if nothing was."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text

from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from tests.identity_rows import Waiting, packets_of, state_of, waiting
from tests.integration.payout_house import environment_of
from tests.integration.test_identity_credentials import DIAGRAM
from tests.integration.test_payout_kills import Mortal

LEASE_OVER = timedelta(minutes=3)  # by then what a killed worker had in hand is free
LATER = timedelta(minutes=20)  # for what waits by backoff
KINDS = ("UIN", "HANDLE", "VID")
LAST_BREATH = 160  # of a life that is to end early; one that has everything to do takes some two hundred
ROUNDS = 40

_LEFT = text("""
    SELECT (SELECT count(*) FROM ida.identity_cache) AS cached,
           (SELECT count(*) FROM ida.identity_cache c JOIN ida.credential_event_store e ON e.event_id = c.event_id
            WHERE e.status_code = 'STORED') AS cached_and_stored,
           (SELECT count(*) FROM credential.credential_transaction WHERE status_code = 'STORED') AS stored,
           (SELECT count(*) FROM credential.credential_transaction t JOIN ida.identity_cache c ON c.credential_transaction_id = t.id
            WHERE t.status_code = 'STORED' AND c.credential_id = t.credential_id) AS the_same,
           (SELECT count(*) FROM credential.issuance WHERE status_code IN ('BEGUN', 'ISSUED')) AS hanging,
           (SELECT count(*) FROM websub.delivery WHERE status_code <> 'DELIVERED') AS undelivered,
           (SELECT count(*) FROM ida.credential_event_store WHERE acknowledged_at IS NULL) AS unsaid
""")


@contextmanager
def mortal(rt: Runtime) -> Iterator[Mortal]:
    command = [sys.executable, "-m", "tests.bench.mortal", "credentials"]
    with subprocess.Popen(command, cwd=ROOT, env=environment_of(rt), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Mortal(process)


def test_ten_kills_at_random_points_leave_each_credential_stored_once(rt: Runtime) -> None:
    outlive(rt, kills=10, seed=5)


@pytest.mark.long
def test_two_hundred_kills_at_random_points_leave_each_credential_stored_once(rt: Runtime) -> None:
    outlive(rt, kills=200, seed=2)


def outlive(rt: Runtime, kills: int, seed: int) -> None:
    """Batches of numbers, each until it is at rest, until there were enough kills."""
    rng, deaths, numbers = Random(seed), 0, []
    clock: Any = rt.clock
    with mortal(rt) as lives:
        while deaths < kills:
            batch = [waiting(rt, kind) for kind in KINDS]
            numbers += batch
            for _ in range(ROUNDS):
                while lives.live(clock.now().isoformat(), rng.randint(1, LAST_BREATH) if deaths < kills else 0):
                    deaths += 1
                    clock.advance(LEASE_OVER)
                if all(at_rest(rt, one) for one in batch):
                    break
                clock.advance(LATER)
            else:
                raise AssertionError([state_of(rt, one) for one in batch])
        while lives.live(clock.now().isoformat(), 0):
            raise AssertionError("a life without an end was killed")
        clock.advance(LATER)
        assert not lives.live(clock.now().isoformat(), 0)
    for one in numbers:
        state = state_of(rt, one)
        assert (state.status, state.transaction, state.cached, state.events[-1]) == ("REQUESTED", "STORED", 1, "STORED"), state
        assert set(packets_of(rt, one)) == set(DIAGRAM)
    with rt.database.worker() as conn:
        left = conn.execute(_LEFT).one()
    total = (left.cached, left.cached_and_stored, left.stored, left.the_same)
    assert total == (left.cached,) * 4
    assert left.cached >= len(numbers)
    assert (left.hanging, left.undelivered, left.unsaid) == (0, 0, 0)


def at_rest(rt: Runtime, one: Waiting) -> bool:
    return bool(state_of(rt, one).transaction == "STORED")
