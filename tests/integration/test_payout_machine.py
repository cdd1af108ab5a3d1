"""No order of events, faults, deaths and deeds pays anybody twice, loses anybody's pay, or breaks the books."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from pipeline.database.urls import Urls
from pipeline.runtime import Runtime
from tests.integration.payout_ground import Ground, open_ground
from tests.integration.payout_machine import PayoutMachine

# The same examples each time: a failure is looked into, not tried again
SETTINGS = settings(derandomize=True, deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def ground(rt: Runtime, urls: Urls) -> Iterator[Ground]:
    with open_ground(rt, urls.owner) as found:
        yield found


def test_twelve_histories_of_payouts(ground: Ground) -> None:
    play(ground, examples=12, steps=20)


@pytest.mark.long
def test_five_hundred_histories_of_payouts(ground: Ground) -> None:
    play(ground, examples=500, steps=50)


def play(ground: Ground, examples: int, steps: int) -> None:
    machine = type("Machine", (PayoutMachine,), {"ground": ground})
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=examples, stateful_step_count=steps))
