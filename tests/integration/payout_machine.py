"""Whatever happens in whatever order: the payout room as a state machine that Hypothesis drives, with all its ill luck.

People act (reports, retries, settlements by hand, approvals, decisions, addresses, freezes), the provider acts (steps,
returns, approvals, faults, money), webhooks come twice, late, in disorder, forged or never, workers die between any two
things or work side by side, and clocks jump over the ends of months. After each step `Ground.breaches` must find nothing.
"""

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from pipeline.clock import local_month
from pipeline.errors import AppError
from pipeline.jobs.job import Job
from pipeline.payouts.jobs import payout_jobs
from pipeline.payouts.poll import PollJob
from pipeline.payouts.send import SendJob
from pipeline.payouts.webhook import receive
from tests.integration.payout_people import People, number, troubles
from tests.integration.test_failpoints import PLACES

DAYS_TO_THE_END = 14  # three retries, three working days until one is called stuck, and a weekend and pauses between
JOBS = ("payout.open", "payout.send", "payout.settle", "payout.poll", "payout.retry")
FAILPOINTS = sorted(place for place in PLACES.values() if place[0].startswith("pipeline.payouts"))
OPERATIONS = (
    *("payout.create", "payout.get", "payout.list"),
    *("contact.create", "fund_account.create", "validation.create", "validation.get"),
)
WAITS = tuple(timedelta(minutes=m) for m in (1, 3, 11, 61, 8 * 60)) + tuple(timedelta(days=d) for d in (1, 3, 7))
# What the provider may do to a payout, by its status. A reversal comes within three working days; a queue that nobody feeds
# ends, but its pages differ on how; a current account shows what came back as failed in the end.
MOVES = {
    "processing": ("processed", "failed", "reversed"),
    "queued": ("cancelled", "failed", "rejected"),
    "processed": ("reversed",),
    "failed": ("reversed",),
    "reversed": ("failed",),
}
STILL_MOVES = timedelta(days=5)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


class PayoutMachine(People):
    """One example: an empty house, then whatever happens."""

    # The provider -----------------------------------------------------------------------------------------------------

    @rule(kind=troubles, operation=st.sampled_from(OPERATIONS), count=st.integers(1, 3), seconds=st.sampled_from((60, 4000)))
    def fault(self, kind: str, operation: str, count: int, seconds: int) -> None:
        self.misbehave(kind, operation, count, seconds)

    @rule()
    def behave(self) -> None:
        self.ground.sandbox.no_faults()

    @rule(late=st.booleans())
    def step(self, late: bool) -> None:
        self.ground.sandbox.settle(late=late)

    @rule(payout=number, choice=number)
    def move_at_the_provider(self, payout: int, choice: int) -> None:
        movable = self.ask(
            "SELECT id, status FROM sandbox.payout WHERE status = ANY (:known) AND created_at > :since ORDER BY seq",
            known=list(MOVES),
            since=self.now - STILL_MOVES,
        )
        if movable:
            payout_id, status = movable[payout % len(movable)]
            self.ground.sandbox.post(f"payouts/{payout_id}", status=MOVES[status][choice % len(MOVES[status])])

    @rule(all_of_them=st.booleans(), approved=st.booleans())
    def judge_at_the_provider(self, all_of_them: bool, approved: bool) -> None:
        """Only in a house whose account asks for approvals; then nothing is paid before."""
        pending = self.ask("SELECT id FROM sandbox.payout WHERE status = 'pending' ORDER BY seq")
        for (payout_id,) in pending if all_of_them else pending[:1]:
            self.ground.sandbox.post(f"approvals/{payout_id}", approved=approved)

    @rule(paise=st.sampled_from((50_000, 1_000_000)))
    def top_up(self, paise: int) -> None:
        self.ground.sandbox.post("funds", amount_paise=paise)

    # Time -------------------------------------------------------------------------------------------------------------

    @rule(wait=st.sampled_from(WAITS), awake=st.booleans())
    def wait(self, wait: timedelta, awake: bool) -> None:
        self.ground.move_clock(self.now + wait)
        if awake:
            self.work()

    @rule(minutes=st.sampled_from((-1, 1)))
    def end_of_the_month(self, minutes: int) -> None:
        """A minute before or after the teacher's own midnight."""
        zone = self.ground.rt.masterdata.current().tenant("dj").timezone
        month = local_month(self.now + timedelta(minutes=5), zone)
        first = (month + timedelta(days=32)).replace(day=1)
        self.ground.move_clock(datetime(first.year, first.month, 1, tzinfo=zone) + timedelta(minutes=minutes))

    # Webhooks ---------------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 6))
    def lose(self, count: int) -> None:
        del self.mail()[:count]

    @rule(which=number, new_id=st.booleans())
    def deliver_again(self, which: int, new_id: bool) -> None:
        """The event id is not signed: a body that was caught on its way comes under any id."""
        if self.known:
            self.hand_in(which % self.known, **({"x-razorpay-event-id": uuid4().hex} if new_id else {}))

    @rule(which=number, status=st.sampled_from(("processed", "failed", "reversed")))
    def forge(self, which: int, status: str) -> None:
        if not self.known:
            return
        headers, raw = self.ground.hook.seen[which % self.known]
        body = json.loads(raw)
        (told_of,) = body["payload"].values()
        told_of["entity"]["status"] = status
        forged = json.dumps(body).encode()
        with pytest.raises(AppError) as told:
            receive(self.ground.rt, forged, headers | {"x-razorpay-event-id": uuid4().hex}, self.now)
        assert told.value.code == "SDCRS_BAD_SIGNATURE"

    # Workers ----------------------------------------------------------------------------------------------------------

    @rule()
    def run(self) -> None:
        self.work()

    @rule(name=st.sampled_from(JOBS))
    def run_one(self, name: str) -> None:
        _named(self.jobs, name).run_once(self.now)

    @rule(mine=st.sampled_from(JOBS), other=st.sampled_from(JOBS))
    def run_two_at_once(self, mine: str, other: str) -> None:
        first, second = _named(self.jobs, mine), _named(self.others, other)
        _at_once(lambda: first.run_once(self.now), lambda: second.run_once(self.now), self._hurry)

    def _hurry(self) -> None:
        """Meanwhile somebody retries whatever failed."""
        for report_id in self.unpaid()[:3]:
            self.try_again(report_id, corrected=False)

    @rule(place=st.sampled_from(FAILPOINTS))
    def crash(self, place: tuple[str, str]) -> None:
        with _deadly(*place):
            try:
                self.work()
            except Killed:
                self.jobs = payout_jobs(self.ground.rt)

    # What must hold ---------------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_broken(self) -> None:
        breaches = self.ground.breaches()
        assert not breaches, breaches

    @invariant()
    def nothing_goes_back(self) -> None:
        """No attempt sinks in the provider's order of states, and what it was sent with stays what it was."""
        rows = self.ask("SELECT id, provider_rank, idempotency_key, request_hash FROM payout.attempt")
        ranks = {row.id: row.provider_rank for row in rows}
        orders = {row.id: (row.idempotency_key, bytes(row.request_hash)) for row in rows if row.request_hash is not None}
        assert not [one for one, rank in self.ranks.items() if ranks.get(one, 0) < rank]
        assert not [one for one, order in self.orders.items() if orders.get(one) != order]
        self.ranks, self.orders = ranks, orders

    def teardown(self) -> None:
        """All troubles end; each obligation must end too, and all that was ever said, said twice more, changes nothing."""
        if not self.jobs:
            return
        try:
            self.end_well()
        finally:
            for job in self.jobs + self.others:
                if isinstance(job, SendJob | PollJob):
                    job._lines.close()

    def end_well(self) -> None:
        self.ground.sandbox.no_faults()
        self.ground.sandbox.post("funds", amount_paise=100_000_000)
        for which, teacher in enumerate(self.ground.teachers):
            self.thaw(which)
            self.ground.verify(teacher, "VERIFIED")
        for _ in range(DAYS_TO_THE_END):
            self.judge_at_the_provider(all_of_them=True, approved=True)
            self.ground.sandbox.settle(late=True)
            self.calm_day()
            if not self.ground.awaited():
                break
        self.nothing_is_broken()
        self.nothing_goes_back()
        unended = self.ground.unended()
        assert not unended, unended
        assert not self.ground.other_bytes()
        assert not [number for name, number in self.ground.sandbox.get("audit").items() if name != "lines" and number]
        self._replay(new_ids=False)  # those that were lost come for the first time
        before = self.ground.everything()
        self._replay(new_ids=False)
        self._replay(new_ids=True)
        assert self.ground.everything() == before

    def _replay(self, new_ids: bool) -> None:
        for index in range(len(self.ground.hook.seen)):
            self.hand_in(index, **({"x-razorpay-event-id": uuid4().hex} if new_ids else {}))
        self.work()


def _named(jobs: list[Job], name: str) -> Job:
    return next(job for job in jobs if job.name == name)


def _at_once(*pieces: Callable[[], object]) -> None:
    """Start all in the same moment; the first error of any of them is raised."""
    start = threading.Barrier(len(pieces))

    def run(piece: Callable[[], object]) -> None:
        start.wait(10)
        piece()

    with ThreadPoolExecutor(len(pieces)) as pool:
        for one in [pool.submit(run, piece) for piece in pieces]:
            one.result()


@contextmanager
def _deadly(place: str, when: str) -> Iterator[None]:
    """For the length of the block whoever comes to the named place dies there."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    piece = getattr(owner, name)

    def die(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            piece(*args, **kwargs)
        raise Killed

    setattr(owner, name, die)
    try:
        yield
    finally:
        setattr(owner, name, piece)
