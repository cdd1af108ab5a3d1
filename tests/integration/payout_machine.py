"""Whatever happens in whatever order: the payout room as a state machine that Hypothesis drives, with all its ill luck.

People act (reports, retries, settlements by hand, decisions, addresses, freezes), the provider acts (steps, returns, faults,
money), webhooks come twice, late, in disorder, forged or never, workers die between any two things or work side by side, and
clocks jump over the ends of months. After each step `Ground.breaches` must find nothing.
"""

import importlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.clock import local_month
from pipeline.errors import AppError
from pipeline.jobs.job import Job
from pipeline.payouts import commands
from pipeline.payouts.decide import decide
from pipeline.payouts.jobs import payout_jobs
from pipeline.payouts.poll import PollJob
from pipeline.payouts.send import SendJob
from pipeline.payouts.webhook import receive
from tests.integration.payout_ground import ADDRESSES, Ground
from tests.integration.test_failpoints import PLACES

OPENING_PAISE = 400_000  # eight payouts: the ninth waits for money
DAYS_TO_THE_END = 14  # three retries, three working days until one is called stuck, and a weekend and pauses between
JOBS = ("payout.open", "payout.send", "payout.settle", "payout.poll", "payout.retry")
FAILPOINTS = sorted(place for place in PLACES.values() if place[0].startswith("pipeline.payouts"))
FAULTS = (
    *("drop_before_commit", "drop_after_commit", "5xx_before", "5xx_after", "html_502_before", "html_502", "truncated_200", "cut_200"),
    *("429", "unauthorized", "ip_refused", "delayed_commit"),
)
OPERATIONS = ("payout.create", "payout.get", "payout.list", "contact.create", "fund_account.create")
WAITS = tuple(timedelta(minutes=m) for m in (1, 3, 11, 61, 8 * 60)) + tuple(timedelta(days=d) for d in (1, 3, 7))
# What the provider's own dashboard may do to a payout, by its status
MOVES = {"processing": ("processed", "failed", "reversed"), "queued": ("cancelled",), "processed": ("reversed",), "failed": ("reversed",)}
REFUSALS = {  # what people are told; anything else is a fault of ours
    *("SDCRS_NOT_FOUND", "SDCRS_ACTION_NOT_ALLOWED", "SDCRS_PAYOUT_UNRESOLVED", "SDCRS_APPROVAL_PENDING", "SDCRS_RETRIES_EXHAUSTED"),
    *("SDCRS_PAYOUT_FROZEN", "SDCRS_MONTHLY_CAP_REACHED"),
}
number = st.integers(0, 999)  # one of however many there are
teachers = st.sampled_from(range(len(ADDRESSES)))
troubles = st.sampled_from(FAULTS)


class Killed(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


class PayoutMachine(RuleBasedStateMachine):
    """One example: an empty house, then whatever happens."""

    ground: ClassVar[Ground]  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[UUID] = []
        self.unread: list[int] = []  # webhooks in the mailbox that nobody has handed in
        self.known = 0  # webhooks in the mailbox that are in `unread` or were
        self.ranks: dict[UUID, int] = {}
        self.jobs: list[Job] = []
        self.others: list[Job] = []

    # The house --------------------------------------------------------------------------------------------------------

    @initialize(
        owed=st.lists(st.tuples(teachers, st.none() | troubles), min_size=2, max_size=4),
        replay=st.sampled_from(("latest", "saved")),
        key_in_flight=st.sampled_from(("wait", "conflict")),
        fee_paise=st.sampled_from((0, 118)),
    )
    def begin(self, owed: list[tuple[int, str | None]], **undocumented: Any) -> None:
        """Where the provider's documents are silent or differ, either behaviour must do."""
        self.ground.empty()
        self.ground.sandbox.post("settings", **undocumented)
        self.ground.sandbox.post("balance", amount_paise=OPENING_PAISE)
        self.jobs, self.others = payout_jobs(self.ground.rt), payout_jobs(self.ground.rt)
        for teacher, trouble in owed:
            self.capture(teacher=teacher, count=2, trouble=trouble, awake=True)

    @property
    def now(self) -> datetime:
        return self.ground.clock.now()

    def work(self) -> None:
        """Every job until nothing is due."""
        while sum(job.run_once(self.now) for job in self.jobs):
            pass

    def ask(self, statement: str, **params: Any) -> list[Any]:
        with self.ground.rt.database.worker() as conn:
            return list(conn.execute(text(statement), params))

    def as_admin(self, act: Callable[[Any, Any, Caller], object]) -> None:
        """Let an admin do something; a refusal that he may be given is no fault."""
        admin = self.ground.people.admin
        try:
            with self.ground.rt.database.begin(admin.scope) as conn:
                act(conn, self.ground.rt.masterdata.current(), admin)
        except AppError as error:
            if error.code not in REFUSALS:
                raise

    # People -----------------------------------------------------------------------------------------------------------

    @rule(teacher=teachers, count=st.sampled_from((1, 2, 11)), trouble=st.none() | troubles, awake=st.booleans())
    def capture(self, teacher: int, count: int, trouble: str | None, awake: bool) -> None:
        """Eleven in one month are one too many. `trouble`: what the next orders meet with."""
        if trouble is not None:
            self.misbehave(kind=trouble, operation="payout.create", count=count, seconds=4000)
        self.reports += self.ground.captured(self.ground.teachers[teacher], count)
        if awake:
            self.work()

    @precondition(lambda self: self.reports)
    @rule(report=number, corrected=st.booleans())
    def retry(self, report: int, corrected: bool) -> None:
        vpa = "corrected@okaxis" if corrected else None
        report_id = self.reports[report % len(self.reports)]

        def act(conn: Any, md: Any, admin: Caller) -> None:
            for result in commands.retry(conn, md, self.ground.rt.vault, admin, [report_id], self.now, vpa):
                assert result.error is None or result.error.code in REFUSALS, result.error

        self.as_admin(act)

    @precondition(lambda self: self.reports)
    @rule(report=number, part=st.booleans())
    def settle_by_hand(self, report: int, part: bool) -> None:
        proof = commands.Proof(f"HAND-{report}", "BANK_TRANSFER", 20_000 if part else None)
        report_id = self.reports[report % len(self.reports)]
        self.as_admin(lambda conn, md, admin: commands.manual_resolve(conn, md, admin, report_id, proof, self.now))

    @precondition(lambda self: self.reports)
    @rule()
    def decide_truly(self) -> None:
        """An admin asks the provider's support about doubtful attempts; it knows, but for what is still on its way."""
        doubtful = self.ask(
            "SELECT p.report_id, s.status, s.utr FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id "
            "LEFT JOIN sandbox.payout s ON s.reference_id = a.reference_id WHERE a.phase = 'REVIEW' AND NOT EXISTS (SELECT "
            "FROM sandbox.delayed_request d WHERE d.idempotency_key = a.idempotency_key AND d.done_at IS NULL)"
        )
        for report_id, status, utr in doubtful:
            paid = status == "processed"
            if paid or status in (None, "failed", "reversed", "cancelled"):
                self.as_admin(
                    lambda conn, md, admin, r=report_id, p=paid, u=utr: decide(
                        conn, md, admin, r, p, "Support says so", self.now, u or "UTR"
                    )
                )

    @rule(teacher=teachers, until=st.sampled_from((None, 1, 40)))
    def freeze(self, teacher: int, until: int | None) -> None:
        end = None if until is None else self.now + timedelta(days=until)
        self._standing(teacher, "BAN" if until is None else "SUSPENSION", "a test", end)

    @rule(teacher=teachers)
    def thaw(self, teacher: int) -> None:
        self._standing(teacher, "GOOD", None, None)

    def _standing(self, teacher: int, standing: str, reason: str | None, until: datetime | None) -> None:
        account_id = self.ground.teachers[teacher].account_id
        with self.ground.rt.database.worker() as conn:
            conn.execute(
                text("UPDATE access.account SET standing = :standing, standing_reason = :reason, standing_until = :until WHERE id = :id"),
                {"standing": standing, "reason": reason, "until": until, "id": account_id},
            )

    @rule(teacher=teachers, vpa=st.sampled_from(("moved@okaxis", "fails.bank.offline@sandbox", "not an address")))
    def move_to_another_address(self, teacher: int, vpa: str) -> None:
        one = self.ground.teachers[teacher]
        with self.ground.rt.database.worker() as conn:
            self.ground.rt.vault.put(conn, [(one.account_id, one.tenant_id, {"vpa": vpa})], self.now)

    # The provider -----------------------------------------------------------------------------------------------------

    @rule(kind=troubles, operation=st.sampled_from(OPERATIONS), count=st.integers(1, 3), seconds=st.sampled_from((60, 4000)))
    def misbehave(self, kind: str, operation: str, count: int, seconds: int) -> None:
        operation = "payout.create" if kind == "delayed_commit" else operation
        self.ground.sandbox.fault(kind, operation=operation, count=count, seconds=seconds)

    @rule()
    def behave(self) -> None:
        self.ground.sandbox.no_faults()

    @rule(late=st.booleans())
    def step(self, late: bool) -> None:
        self.ground.sandbox.settle(late=late)

    @rule(payout=number, choice=number)
    def move_at_the_provider(self, payout: int, choice: int) -> None:
        movable = self.ask("SELECT id, status FROM sandbox.payout WHERE status = ANY (:known) ORDER BY seq", known=list(MOVES))
        if movable:
            payout_id, status = movable[payout % len(movable)]
            self.ground.sandbox.post(f"payouts/{payout_id}", status=MOVES[status][choice % len(MOVES[status])])

    @rule(paise=st.sampled_from((50_000, 1_000_000)))
    def top_up(self, paise: int) -> None:
        self.ground.sandbox.post("funds", amount_paise=paise)

    # Time -------------------------------------------------------------------------------------------------------------

    @rule(wait=st.sampled_from(WAITS), awake=st.booleans())
    def wait(self, wait: timedelta, awake: bool) -> None:
        self.ground.move_clock(self.now + wait)
        if awake:
            self.work()

    @rule()
    def calm_day(self) -> None:
        """Nothing goes wrong: what is sent is done, told and settled."""
        self.work()
        self.ground.sandbox.settle()
        self.deliver(count=10_000, backwards=False)
        self.work()
        self.ground.move_clock(self.now + timedelta(days=1))

    @rule(minutes=st.sampled_from((-1, 1)))
    def end_of_the_month(self, minutes: int) -> None:
        """A minute before or after the teacher's own midnight."""
        zone = self.ground.rt.masterdata.current().tenant("dj").timezone
        month = local_month(self.now + timedelta(minutes=5), zone)
        first = (month + timedelta(days=32)).replace(day=1)
        self.ground.move_clock(datetime(first.year, first.month, 1, tzinfo=zone) + timedelta(minutes=minutes))

    # Webhooks ---------------------------------------------------------------------------------------------------------

    def _mail(self) -> list[int]:
        """What came into the mailbox is unread."""
        self.ground.sandbox.post("settle")
        self.unread += range(self.known, len(self.ground.hook.seen))
        self.known = len(self.ground.hook.seen)
        return self.unread

    def _hand_in(self, index: int, **changed: str) -> None:
        headers, raw = self.ground.hook.seen[index]
        receive(self.ground.rt, raw, headers | changed, self.now)

    @rule(count=st.integers(1, 6), backwards=st.booleans())
    def deliver(self, count: int, backwards: bool) -> None:
        waiting = self._mail()
        for _ in range(min(count, len(waiting))):
            self._hand_in(waiting.pop(-1 if backwards else 0))

    @rule(count=st.integers(1, 6))
    def lose(self, count: int) -> None:
        del self._mail()[:count]

    @precondition(lambda self: self.known)
    @rule(which=number, new_id=st.booleans())
    def deliver_again(self, which: int, new_id: bool) -> None:
        """The event id is not signed: a body that was caught on its way comes under any id."""
        self._hand_in(which % self.known, **({"x-razorpay-event-id": uuid4().hex} if new_id else {}))

    @precondition(lambda self: self.known)
    @rule(which=number, status=st.sampled_from(("processed", "failed", "reversed")))
    def forge(self, which: int, status: str) -> None:
        headers, raw = self.ground.hook.seen[which % self.known]
        body = json.loads(raw)
        body["payload"]["payout"]["entity"]["status"] = status
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
        for (report_id,) in self.ask("SELECT report_id FROM payout.payout WHERE status IN ('FAILED', 'REVERSED') ORDER BY id LIMIT 3"):
            self.retry(report=self.reports.index(report_id), corrected=False)

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
        ranks = {row.id: row.provider_rank for row in self.ask("SELECT id, provider_rank FROM payout.attempt")}
        assert not [one for one, rank in self.ranks.items() if ranks.get(one, 0) < rank]
        self.ranks = ranks

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
        for teacher in range(len(self.ground.teachers)):
            self.thaw(teacher)
        for _ in range(DAYS_TO_THE_END):
            self.ground.sandbox.settle(late=True)
            self.calm_day()
            if not self.ground.awaited():
                break
        self.nothing_is_broken()
        self.nothing_goes_back()
        unended = self.ground.unended()
        assert not unended, unended
        assert not [number for name, number in self.ground.sandbox.get("audit").items() if name != "lines" and number]
        self._replay(new_ids=False)  # those that were lost come for the first time
        before = self.ground.everything()
        self._replay(new_ids=False)
        self._replay(new_ids=True)
        assert self.ground.everything() == before

    def _replay(self, new_ids: bool) -> None:
        for index in range(len(self.ground.hook.seen)):
            self._hand_in(index, **({"x-razorpay-event-id": uuid4().hex} if new_ids else {}))
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
