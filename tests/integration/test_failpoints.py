"""A worker killed at each place where it is between two things: the next one ends the work, and nothing is done twice."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.jobs import payout_jobs
from pipeline.runtime import Runtime
from pipeline.settings import ROOT
from pipeline.work import all_jobs
from tests import factories
from tests.integration.payout_house import House, environment_of, open_house

LEASE_OVER = timedelta(minutes=2)  # by then a killed worker's lease has run out

# What the worker had in hand when it was killed, where that is, and whether it is before or after the named piece
PLACES = {
    "payout reserved, not committed": ("pipeline.payouts.opening:_move", "before"),
    "cap reserved, ledger and report not moved": ("pipeline.payouts.opening:enter", "before"),
    "payout opened, not committed": ("pipeline.payouts.opening:_move", "after"),
    "request written down and committed, nothing sent": ("pipeline.payouts.send:SendJob._begin", "after"),
    "contact made at the provider, not kept": ("pipeline.payouts.send:SendJob._register", "after"),
    "order taken by the provider, nothing learnt": ("pipeline.payouts.send:SendJob._finish", "before"),
    "calls written down, not committed": ("pipeline.payouts.send:write_calls", "after"),
    "calls kept, outcome not settled": ("pipeline.payouts.send:settle_each", "before"),
    "outcome in the ledger, report not moved": ("pipeline.payouts.settle:enter", "after"),
    "outcome settled, not committed": ("pipeline.payouts.commit:settle", "after"),
    "outcome committed": ("pipeline.payouts.send:SendJob._finish", "after"),
    "webhook settled, not committed": ("pipeline.payouts.webhook:settle", "after"),
    "messages written, position not": ("pipeline.notifications.follower:notify", "after"),
}
LATER = {
    "cap reserved for a retry, nothing opened": ("pipeline.payouts.retry:_open", "before"),
    "retry opened, not committed": ("pipeline.payouts.retry:_open", "after"),
    "retry written down and committed, nothing sent": ("pipeline.payouts.send:SendJob._begin", "after"),
    "outcome polled, nothing learnt": ("pipeline.payouts.poll:PollJob._finish", "before"),
    "polled outcome settled, not committed": ("pipeline.payouts.commit:settle", "after"),
}
CHECKED = {
    "address asked after, answer not kept": ("pipeline.payouts.beneficiaries:ask", "after"),
    "answer about the address written, not committed": ("pipeline.payouts.send:remember", "after"),
}
RETRY_DUE = timedelta(minutes=61)
POLL_DUE = timedelta(minutes=3)
BANK_HAS_ANSWERED = timedelta(seconds=10)


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as found:
        yield found


@pytest.mark.parametrize("had", PLACES)
def test_a_worker_killed_with(had: str, house: House) -> None:
    expected = tell(house, killed_at=None)
    assert tell(house, killed_at=PLACES[had]) == expected
    house.check_money()


@pytest.mark.parametrize("had", LATER)
def test_a_worker_killed_later_with(had: str, house: House) -> None:
    live = retried if "retr" in had else polled
    expected = live(house, killed_at=None)
    assert live(house, killed_at=LATER[had]) == expected
    house.check_money()


@pytest.mark.parametrize("had", CHECKED)
def test_a_worker_killed_while_an_address_is_checked_with(had: str, house: House) -> None:
    rt, jobs = house.rt, house.jobs
    house.rt = replace(rt, settings=replace(rt.settings, validate_vpa=True))
    house.jobs = payout_jobs(house.rt)
    try:
        expected = checked(house, killed_at=None)
        assert checked(house, killed_at=CHECKED[had]) == expected
        house.check_money()
    finally:
        house.rt, house.jobs = rt, jobs


def test_a_worker_killed_between_the_checks_and_the_verdict(house: House) -> None:
    report_id = factories.submitted(house.rt, house.people.teacher)
    die(house, "pipeline.validation.job:_move", "before")
    assert factories.status_of(house.rt, report_id) == "PENDING_VALIDATION"
    assert not house.all("SELECT name FROM fraud.check_result WHERE report_id = :id", id=report_id)
    run_until_idle(all_jobs(house.rt), house.clock)
    assert factories.status_of(house.rt, report_id) == "PENDING_VERIFICATION"
    assert len(house.all("SELECT name FROM fraud.check_result WHERE report_id = :id", id=report_id)) == 5


def tell(house: House, killed_at: tuple[str, str] | None) -> list[object]:
    """Everything that comes of one captured report, by states, money and messages."""
    (report_id,) = house.captured(house.teacher())
    if killed_at is not None:
        if killed_at[0].startswith("pipeline.payouts.webhook"):
            house.run()
            house.sandbox.settle()  # the webhook is stored; nobody has looked at it
        die(house, *killed_at)
        house.move_clock(house.clock.now() + LEASE_OVER)
    return left(house, report_id)


def retried(house: House, killed_at: tuple[str, str] | None) -> list[object]:
    """The same of a report whose first payout fails and whose automatic retry is paid."""
    (report_id,) = house.captured(house.teacher(vpa="fails.once@sandbox"))
    house.to_the_end()
    assert house.report(report_id).status == "PAYOUT_FAILED"
    house.move_clock(house.clock.now() + RETRY_DUE)
    if killed_at is not None:
        die(house, *killed_at)
        house.move_clock(house.clock.now() + LEASE_OVER)
    return left(house, report_id)


def polled(house: House, killed_at: tuple[str, str] | None) -> list[object]:
    """The same of a report whose payout is paid while no webhook comes through."""
    house.deaf = True
    (report_id,) = house.captured(house.teacher())
    house.run()
    house.sandbox.settle()
    house.move_clock(house.clock.now() + POLL_DUE)
    if killed_at is not None:
        die(house, *killed_at)
        house.move_clock(house.clock.now() + LEASE_OVER)
    house.run()
    assert house.report(report_id).status == "RESOLVED"
    house.deaf = False
    return left(house, report_id)


def checked(house: House, killed_at: tuple[str, str] | None) -> list[object]:
    """The same of a report whose teacher's address is checked at the bank before it is paid."""
    (report_id,) = house.captured(house.teacher())
    if killed_at is not None:
        die(house, *killed_at)
        house.move_clock(house.clock.now() + LEASE_OVER)
    house.run()
    assert [attempt.last_error for attempt in house.attempts(report_id)] == ["ADDRESS_BEING_CHECKED"]
    house.sandbox.settle()
    house.move_clock(house.clock.now() + BANK_HAS_ANSWERED)
    return left(house, report_id)


def left(house: House, report_id: UUID) -> list[object]:
    """Let everything end, and say what is left of a report."""
    jobs = all_jobs(house.rt)
    run_until_idle(jobs, house.clock)
    house.to_the_end()
    run_until_idle(jobs, house.clock)
    return [
        house.report(report_id).status,
        [(row.version, row.action, row.to_state) for row in house.history(report_id)],
        [(attempt.number, attempt.phase, attempt.provider_status) for attempt in house.attempts(report_id)],
        sorted(house.ledger(report_id)),
        [one["status"] for attempt in house.attempts(report_id) for one in house.sandbox.of(attempt.reference_id)],
        messages(house, report_id),
    ]


def messages(house: House, report_id: UUID) -> list[str]:
    rows = house.all("SELECT template_id FROM sdcrs.notification WHERE report_id = :id ORDER BY template_id", id=report_id)
    return [row.template_id for row in rows]


def die(house: House, place: str, when: str) -> None:
    """A worker of its own process, killed there."""
    command = [sys.executable, "-m", "tests.bench.failpoint", place, when, house.clock.now().isoformat()]
    done = subprocess.run(command, cwd=ROOT, env=environment_of(house.rt), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, f"{place} was not reached: {done.stderr[-2000:]}"
