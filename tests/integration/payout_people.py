"""What the payout machine's people do: reports, retries, settlements by hand, approvals, decisions, addresses, freezes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.jobs.job import Job
from pipeline.payouts import commands
from pipeline.payouts.decide import decide
from pipeline.payouts.jobs import payout_jobs
from pipeline.payouts.webhook import receive
from tests.integration.payout_ground import ADDRESSES, Ground, Ways

OPENING_PAISE = 400_000  # eight payouts: the ninth waits for money
FAULTS = (
    *("drop_before_commit", "drop_after_commit", "5xx_before", "5xx_after", "html_502_before", "html_502", "truncated_200", "cut_200"),
    *("429", "unauthorized", "ip_refused", "delayed_commit"),
)
REFUSALS = {  # what people are told; anything else is a fault of ours
    *("SDCRS_NOT_FOUND", "SDCRS_ACTION_NOT_ALLOWED", "SDCRS_PAYOUT_UNRESOLVED", "SDCRS_APPROVAL_PENDING", "SDCRS_RETRIES_EXHAUSTED"),
    *("SDCRS_PAYOUT_FROZEN", "SDCRS_PAYEE_NOT_VERIFIED", "SDCRS_MONTHLY_CAP_REACHED", "SDCRS_SELF_APPROVAL", "SDCRS_NOTHING_TO_APPROVE"),
}
number = st.integers(0, 999)  # one of however many there are
teachers = st.sampled_from(range(len(ADDRESSES)))
troubles = st.sampled_from(FAULTS)
admins = st.sampled_from(("admin", "second_admin"))
mostly = st.sampled_from((True, True, False))
MEANWHILE = ("nothing", "webhooks", "retries")


class People(RuleBasedStateMachine):
    """One example: an empty house, and the people in it.

    What may happen next depends on the deeds alone, never on what came of them: that may differ by who was first.
    """

    ground: ClassVar[Ground]  # set by the test

    def __init__(self) -> None:
        super().__init__()
        self.reports: list[UUID] = []
        self.asked: list[UUID] = []  # reports for which a settlement by hand was asked for, whatever became of it
        self.unread: list[int] = []  # webhooks in the mailbox that nobody has handed in
        self.known = 0  # webhooks in the mailbox that are in `unread` or were
        self.ranks: dict[UUID, int] = {}
        self.orders: dict[UUID, tuple[str, bytes]] = {}
        self.jobs: list[Job] = []
        self.others: list[Job] = []

    # The house --------------------------------------------------------------------------------------------------------

    @initialize(
        owed=st.lists(st.tuples(teachers, st.none() | troubles), min_size=2, max_size=4),
        ways=st.builds(Ways, st.booleans(), st.sampled_from((False, False, True)), st.booleans()),
        replay=st.sampled_from(("latest", "saved")),
        low_balance=st.sampled_from(("refused", "failed")),
        approval=st.sampled_from(("none", "none", "none", "asked")),
        validations=st.booleans(),
        key_in_flight=st.sampled_from(("wait", "conflict")),
        fee_paise=st.sampled_from((0, 118)),
        rested=st.booleans(),
    )
    def begin(self, owed: list[tuple[int, str | None]], ways: Ways, rested: bool, **undocumented: Any) -> None:
        """Where the provider's documents are silent or differ, either behaviour must do. `rested`: the first day is over."""
        self.ground.empty(ways)
        self.ground.sandbox.post("settings", **undocumented)
        self.ground.sandbox.post("balance", amount_paise=OPENING_PAISE)
        self.jobs, self.others = payout_jobs(self.ground.rt), payout_jobs(self.ground.rt)
        for teacher, trouble in owed:
            self.ground.verify(self.ground.teachers[teacher], "VERIFIED")
            self.capture(teacher=teacher, count=2, trouble=trouble, awake=True)
        if rested:
            self.calm_day()

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

    def unpaid(self) -> list[UUID]:
        """Reports whose payout has failed or come back."""
        rows = self.ask("SELECT report_id FROM payout.payout WHERE status IN ('FAILED', 'REVERSED')")
        found = {row.report_id for row in rows}
        return [report for report in self.reports if report in found]

    def one_of(self, which: int, unpaid: bool) -> UUID:
        """A report; when wished, one that waits for somebody, if there is any."""
        among = (self.unpaid() if unpaid else []) or self.reports
        return among[which % len(among)]

    def as_admin(self, act: Callable[[Any, Any, Caller], object], who: str = "admin") -> None:
        """Let an admin do something; a refusal that he may be given is no fault."""
        admin: Caller = getattr(self.ground.people, who)
        try:
            with self.ground.rt.database.begin(admin.scope) as conn:
                act(conn, self.ground.rt.masterdata.current(), admin)
        except AppError as error:
            if error.code not in REFUSALS:
                raise

    def misbehave(self, kind: str, operation: str, count: int, seconds: int) -> None:
        """Of the next calls of this operation so many meet with it."""
        self.ground.sandbox.fault(kind, operation="payout.create" if kind == "delayed_commit" else operation, count=count, seconds=seconds)

    def mail(self) -> list[int]:
        """What came into the mailbox is unread."""
        self.ground.sandbox.post("settle")
        self.unread += range(self.known, len(self.ground.hook.seen))
        self.known = len(self.ground.hook.seen)
        return self.unread

    def hand_in(self, index: int, **changed: str) -> None:
        headers, raw = self.ground.hook.seen[index]
        receive(self.ground.rt, raw, headers | changed, self.now)

    @rule(count=st.integers(1, 6), backwards=st.booleans())
    def deliver(self, count: int, backwards: bool) -> None:
        waiting = self.mail()
        for _ in range(min(count, len(waiting))):
            self.hand_in(waiting.pop(-1 if backwards else 0))

    @rule()
    def calm_day(self) -> None:
        """Nothing goes wrong: what is sent is done, told and settled."""
        self.work()
        self.ground.sandbox.settle()
        self.deliver(count=10_000, backwards=False)
        self.work()
        self.ground.move_clock(self.now + timedelta(days=1))

    # What they do -----------------------------------------------------------------------------------------------------

    @rule(teacher=teachers, count=st.sampled_from((1, 2, 11)), trouble=st.none() | troubles, awake=st.booleans())
    def capture(self, teacher: int, count: int, trouble: str | None, awake: bool) -> None:
        """Eleven in one month are one too many. `trouble`: what the next orders meet with."""
        if trouble is not None:
            self.misbehave(kind=trouble, operation="payout.create", count=count, seconds=4000)
        self.reports += self.ground.captured(self.ground.teachers[teacher], count)
        if awake:
            self.work()

    @precondition(lambda self: self.reports)
    @rule(report=number, unpaid=mostly, corrected=st.booleans())
    def retry(self, report: int, unpaid: bool, corrected: bool) -> None:
        self.try_again(self.one_of(report, unpaid), corrected)

    def try_again(self, report_id: UUID, corrected: bool) -> None:
        vpa = "corrected@okaxis" if corrected else None

        def act(conn: Any, md: Any, admin: Caller) -> None:
            for result in commands.retry(conn, md, self.ground.rt.vault, admin, [report_id], self.now, vpa):
                assert result.error is None or result.error.code in REFUSALS, result.error

        self.as_admin(act)

    @precondition(lambda self: self.reports)
    @rule(report=number, trouble=st.sampled_from(("drop_before_commit", "5xx_before", "drop_after_commit", "delayed_commit")))
    def correct_an_address_meanwhile(self, report: int, trouble: str) -> None:
        """What was sent before to the wrong address goes on as it was written."""
        report_id = self.one_of(report, unpaid=True)
        (row,) = self.ask("SELECT reporter_id FROM sdcrs.report WHERE id = :id", id=report_id)
        teacher = next(nr for nr, one in enumerate(self.ground.teachers) if one.account_id == row.reporter_id)
        self.capture(teacher=teacher, count=1, trouble=trouble, awake=True)
        self.try_again(report_id, corrected=True)
        self.ground.move_clock(self.now + timedelta(minutes=3))
        self.work()

    @precondition(lambda self: self.reports)
    @rule(
        report=number,
        unpaid=mostly,
        part=st.booleans(),
        exception=st.sampled_from((None, None, "The family needs it before the month ends")),
        who=admins,
        meanwhile=st.sampled_from(MEANWHILE),
        judged=st.none() | st.booleans(),
    )
    def settle_by_hand(
        self, report: int, unpaid: bool, part: bool, exception: str | None, who: str, meanwhile: str, judged: bool | None
    ) -> None:
        """At once; or where the tenant wants it so, or outside the rules, with the approval of another, today or later."""
        proof = commands.Proof(f"HAND-{report}", "BANK_TRANSFER", 20_000 if part else None, exception=exception)
        report_id = self.one_of(report, unpaid)

        def act(conn: Any, md: Any, admin: Caller) -> None:
            if commands.manual_resolve(conn, md, admin, report_id, proof, self.now).approval_pending:
                self.asked.append(report_id)

        self.as_admin(act, who)
        if report_id in self.asked:
            self.judge(report_id, approved=True, who=who)  # nobody's own word is enough
            self.pass_time(report_id, meanwhile)
            if judged is not None:
                self.judge(report_id, judged, "admin" if who == "second_admin" else "second_admin")

    def pass_time(self, report_id: UUID, meanwhile: str) -> None:
        """What may come between a request and its approval."""
        if meanwhile == "webhooks":
            self.deliver(count=100, backwards=False)
            self.work()
        elif meanwhile == "retries":
            self.try_again(report_id, corrected=False)
            self.ground.move_clock(self.now + timedelta(minutes=61))
            self.work()

    @rule(which=number, approved=st.booleans(), who=admins)
    def judge_a_settlement(self, which: int, approved: bool, who: str) -> None:
        """By the one who asked for it, too, and also when it was judged before."""
        if self.asked:
            self.judge(self.asked[-1 - which % len(self.asked)], approved, who)

    def judge(self, report_id: UUID, approved: bool, who: str) -> None:
        if approved:
            self.as_admin(lambda conn, md, admin: commands.approve_manual(conn, md, admin, report_id, self.now), who)
        else:
            self.as_admin(lambda conn, _, admin: commands.reject_manual(conn, admin, report_id, "No such transfer", self.now), who)

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

    @rule(teacher=teachers, status=st.sampled_from(("VERIFIED", "VERIFIED", "MISMATCH")))
    def find_out_about_a_payee(self, teacher: int, status: str) -> None:
        """Which matters only in a house that pays verified payees alone."""
        self.ground.verify(self.ground.teachers[teacher], status)

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
