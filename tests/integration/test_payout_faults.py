"""The provider, the wire and the worker fail in every way; each obligation is still paid once, or visibly open."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from pipeline.payouts import commands, commit, decide, provider_state
from pipeline.payouts.answers import Why
from pipeline.payouts.provider import Lines
from pipeline.payouts.send import SendJob
from pipeline.runtime import Runtime
from tests.integration.payout_house import House, open_house


class Killed(BaseException):
    """Stands for a SIGKILL: nothing may catch it."""


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


@pytest.fixture(autouse=True)
def whole_again(house: House) -> Iterator[None]:
    yield
    house.deaf = False
    house.sandbox.no_faults()
    house.move_clock(house.clock.now() + timedelta(minutes=30))  # pauses and leases of the last test are over
    house.to_the_end()
    house.check_money()


# kind of fault, phase after the first send, sends until it is settled
FAULTS = [
    ("drop_before_commit", "UNKNOWN", 2),
    ("drop_after_commit", "UNKNOWN", 2),
    ("5xx_before", "UNKNOWN", 2),
    ("5xx_after", "UNKNOWN", 2),
    ("html_502_before", "UNKNOWN", 2),
    ("html_502", "UNKNOWN", 2),
    ("truncated_200", "UNKNOWN", 2),
    ("cut_200", "UNKNOWN", 2),
    ("429", "PREPARED", 2),
    ("unauthorized", "PREPARED", 2),
    ("ip_refused", "PREPARED", 2),
]


@pytest.mark.parametrize(("kind", "phase", "sends"), FAULTS)
def test_a_fault_at_the_order_costs_no_retry_and_pays_once(house: House, kind: str, phase: str, sends: int) -> None:
    house.deaf = True
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault(kind)
    house.run()
    (attempt,) = house.attempts(report_id)
    assert (attempt.phase, attempt.sends) == (phase, 1)
    assert house.report(report_id).status == "PAYOUT_PENDING"
    house.move_clock(house.clock.now() + timedelta(minutes=10))
    house.deaf = False
    house.to_the_end()
    (attempt,) = house.attempts(report_id)
    assert (house.report(report_id).status, attempt.sends, house.payout(report_id).retry_count) == ("RESOLVED", sends, 0)
    assert len(house.sandbox.of(attempt.reference_id)) == 1
    assert ("08/10" in house.packets(report_id), house.packets(report_id).count("08/03")) == (True, sends)


def test_a_payout_that_appears_late_after_a_lost_reply_is_not_paid_again(house: House) -> None:
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault("delayed_commit", seconds=3600)
    house.run()
    house.move_clock(house.clock.now() + timedelta(minutes=2))
    house.run()
    house.sandbox.settle(late=True)
    house.run()
    (attempt,) = house.attempts(report_id)
    assert len(house.sandbox.of(attempt.reference_id)) == 1
    assert house.report(report_id).status == "RESOLVED"


@pytest.mark.parametrize("operation", ["contact.create", "fund_account.create"])
@pytest.mark.parametrize("kind", ["5xx_before", "5xx_after", "truncated_200", "429"])
def test_a_fault_before_the_order_only_delays_it(house: House, operation: str, kind: str) -> None:
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault(kind, operation=operation)
    house.run()
    (attempt,) = house.attempts(report_id)
    assert (attempt.phase, attempt.sends) == ("PREPARED", 0)
    house.move_clock(house.clock.now() + timedelta(minutes=10))
    house.to_the_end()
    assert house.report(report_id).status == "RESOLVED"
    teacher_id = str(house.payout(report_id).beneficiary_id)
    assert len([c for c in house.sandbox.get("journal/contacts", limit=1000)["items"] if c["reference_id"] == teacher_id]) == 1


def test_wrong_keys_pause_the_whole_queue_and_say_so(house: House) -> None:
    import queries

    ids = house.captured(*[house.teacher() for _ in range(3)])
    house.sandbox.fault("unauthorized", operation="contact.create", count=100)
    house.run()
    with house.rt.database.begin(house.people.admin.scope) as conn:
        summary = queries.one(conn, "payouts.summary", now=house.clock.now(), stuck_before=house.clock.now())
    assert summary is not None
    assert summary.pause_reason == "UNAUTHORISED"
    assert summary.paused_until == house.clock.now() + timedelta(minutes=5)
    assert {house.attempts(one)[0].phase for one in ids} == {"PREPARED"}
    waits = house.job("payout.send").waits_for(house.clock.now())
    assert waits is not None
    assert waits[1] >= summary.paused_until


def test_a_late_answer_to_another_worker_does_not_end_a_pause(house: House) -> None:
    now = house.clock.now()
    with house.rt.database.worker() as conn:
        provider_state.note_calls(conn, [("THROTTLED", 120.0)], answered=False, now=now)
        provider_state.note_calls(conn, [], answered=True, now=now + timedelta(seconds=1))
        assert provider_state.paused_until(conn, now + timedelta(seconds=1)) == now + timedelta(seconds=120)
        provider_state.note_calls(conn, [], answered=True, now=now + timedelta(seconds=121))
        provider_state.note_calls(conn, [("SERVER_ERROR", None)], answered=False, now=now + timedelta(seconds=122))
        assert provider_state.paused_until(conn, now + timedelta(seconds=122)) == now + timedelta(seconds=123), "it begins anew"


@pytest.mark.parametrize("why", ["UNAUTHORISED", "IP_REFUSED", "THROTTLED", "SERVER_ERROR"])
def test_one_answer_that_tells_to_wait_pauses_the_queue_though_others_were_good(house: House, why: Why) -> None:
    now = house.clock.now()
    with house.rt.database.worker() as conn:
        provider_state.note_calls(conn, [("TIMEOUT", None)], answered=True, now=now)
        assert provider_state.paused_until(conn, now) is None, "one that hangs among others is that one's matter"
        provider_state.note_calls(conn, [(why, None)], answered=True, now=now)
        assert provider_state.paused_until(conn, now) is not None


def test_a_payout_row_that_somebody_holds_is_set_aside_and_its_outcome_is_learnt_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that is not given in time is one row's matter: the others of the round are settled."""
    house.deaf = True
    held, free = house.captured(house.teacher(), house.teacher())
    house.job("payout.open").run_once(house.clock.now())
    real = commit.settle

    def settle(conn, md, findings, now):
        conn.execute(text("SET LOCAL lock_timeout = '50ms'"))
        return real(conn, md, findings, now)

    monkeypatch.setattr(commit, "settle", settle)
    with house.rt.database.worker() as conn:
        conn.execute(text("SELECT FROM payout.payout WHERE report_id = :id FOR UPDATE"), {"id": held})
        house.job("payout.send").run_once(house.clock.now())
    assert [house.attempts(one)[0].phase for one in (held, free)] == ["SENDING", "ACCEPTED"]
    house.deaf = False
    house.move_clock(house.clock.now() + timedelta(minutes=5))
    house.to_the_end()
    assert [house.report(one).status for one in (held, free)] == ["RESOLVED", "RESOLVED"]


@pytest.mark.parametrize("taken", [False, True])
def test_an_unknown_order_of_a_teacher_frozen_since_is_looked_up_and_not_sent_again(house: House, taken: bool) -> None:
    house.deaf = True
    teacher = house.teacher()
    (report_id,) = house.captured(teacher)
    house.sandbox.fault("drop_after_commit" if taken else "drop_before_commit")
    house.run()
    freeze = "UPDATE access.account SET standing = :standing, standing_reason = :reason WHERE id = :id"
    house.execute(freeze, standing="BAN", reason="a test", id=teacher.account_id)
    house.move_clock(house.clock.now() + timedelta(minutes=10))
    house.run()
    (attempt,) = house.attempts(report_id)
    assert len(house.sandbox.of(attempt.reference_id)) == int(taken)
    assert (attempt.phase, attempt.last_error) == (("ACCEPTED", None) if taken else ("UNKNOWN", "HELD_WHILE_UNKNOWN"))
    house.execute(freeze, standing="GOOD", reason=None, id=teacher.account_id)
    house.deaf = False
    house.move_clock(house.clock.now() + timedelta(minutes=10))
    house.to_the_end()
    assert house.report(report_id).status == "RESOLVED"
    assert len(house.sandbox.of(attempt.reference_id)) == 1


def test_a_provider_that_is_not_there_leaves_everything_unsent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (report_id,) = house.captured(house.teacher())
    job = house.job("payout.send")
    assert isinstance(job, SendJob)
    house.job("payout.open").run_once(house.clock.now())
    nowhere = Lines(job._lines.target.__class__(**{**job._lines.target.__dict__, "base_url": "http://127.0.0.1:9"}), 2)
    monkeypatch.setattr(job, "_lines", nowhere)
    assert job.run_once(house.clock.now()) == 1
    (attempt,) = house.attempts(report_id)
    assert (attempt.phase, attempt.last_error) == ("PREPARED", "UNREACHABLE")
    assert job.run_once(house.clock.now()) == 0, "the queue pauses"


@pytest.mark.parametrize("sent", [False, True])
def test_a_worker_killed_around_the_call_sends_the_same_bytes_again(house: House, monkeypatch: pytest.MonkeyPatch, sent: bool) -> None:
    house.deaf = True
    teacher = house.teacher()
    (_known,) = house.captured(teacher)
    house.to_the_end()
    (report_id,) = house.captured(teacher)
    house.job("payout.open").run_once(house.clock.now())
    job = house.job("payout.send")
    assert isinstance(job, SendJob)
    real = job._lines.run

    def killed(calls):
        if sent:
            real(calls)
        raise Killed

    monkeypatch.setattr(job._lines, "run", killed)
    with pytest.raises(Killed):
        job.run_once(house.clock.now())
    monkeypatch.undo()
    (before,) = house.attempts(report_id)
    assert (before.phase, before.sends, before.provider_payout_id) == ("SENDING", 1, None)
    assert job.run_once(house.clock.now()) == 0, "the lease holds"
    house.move_clock(house.clock.now() + timedelta(seconds=61))
    assert job.run_once(house.clock.now()) >= 1
    (after,) = house.attempts(report_id)
    assert (after.phase, after.sends, after.request_sealed) == ("ACCEPTED", 2, before.request_sealed)
    assert len(house.sandbox.of(after.reference_id)) == 1


def test_a_worker_killed_after_the_answer_is_overtaken_by_the_webhook(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    (report_id,) = house.captured(house.teacher())
    job = house.job("payout.send")
    assert isinstance(job, SendJob)
    house.job("payout.open").run_once(house.clock.now())

    def killed(*args: object, **kwargs: object) -> None:
        raise Killed

    monkeypatch.setattr(job, "_finish", killed)
    with pytest.raises(Killed):
        job.run_once(house.clock.now())
    monkeypatch.undo()
    house.sandbox.settle()
    house.job("payout.settle").run_once(house.clock.now())
    (attempt,) = house.attempts(report_id)
    assert (house.report(report_id).status, attempt.phase, attempt.sends) == ("RESOLVED", "ACCEPTED", 1)


def test_two_workers_send_each_attempt_once(house: House) -> None:
    teachers = [house.teacher() for _ in range(30)]
    ids = house.captured(*teachers)
    house.job("payout.open").run_once(house.clock.now())
    workers = [SendJob(house.rt) for _ in range(2)]

    def work(job: SendJob) -> None:
        while job.run_once(house.clock.now()):
            pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, workers))
    assert {house.attempts(one)[0].sends for one in ids} == {1}
    assert {house.attempts(one)[0].phase for one in ids} == {"ACCEPTED"}


def test_twenty_workers_opening_at_once_never_pass_the_cap(house: House) -> None:
    from pipeline.payouts.opening import open_payouts

    house.move_clock(house.clock.now() + timedelta(days=40))
    teacher = house.teacher()
    ids = []
    for _ in range(3):
        ids += house.captured(*[teacher] * 5)
        house.move_clock(house.clock.now() + timedelta(days=1))
    md = house.rt.masterdata.current()

    def open_one(report_id) -> None:
        with house.rt.database.worker() as conn:
            open_payouts(conn, md, [report_id], house.clock.now())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_one, ids))
    outcome = [house.report(one).payout_status for one in ids]
    assert (outcome.count("INITIATED"), outcome.count("SKIPPED_CAP_REACHED")) == (10, 5)
    cap = house.one("SELECT * FROM payout.monthly_cap WHERE beneficiary_id = :id", id=teacher.account_id)
    assert cap.reserved_paise == cap.cap_paise == 500_000


def test_a_retry_is_refused_while_an_attempt_is_unknown(house: House) -> None:
    house.deaf = True
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault("drop_after_commit")
    house.run()
    admin = house.people.admin
    with house.rt.database.begin(admin.scope) as conn:
        (result,) = commands.retry(conn, house.rt.masterdata.current(), house.rt.vault, admin, [report_id], house.clock.now())
    assert result.error is not None
    assert result.error.code == "SDCRS_PAYOUT_UNRESOLVED"


@pytest.mark.parametrize("paid", [True, False])
def test_past_the_safe_window_nothing_is_sent_and_a_person_decides(house: House, paid: bool) -> None:
    house.deaf = True
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault("drop_before_commit")
    house.run()
    house.move_clock(house.clock.now() + timedelta(days=6, minutes=1))
    house.run()
    (attempt,), payout = house.attempts(report_id), house.payout(report_id)
    assert (attempt.phase, attempt.sends) == ("REVIEW", 2)
    assert not house.sandbox.of(attempt.reference_id), "it was looked up and not sent"
    assert "look the reference" in payout.needs_person.lower()
    admin = house.people.admin
    with house.rt.database.begin(admin.scope) as conn:
        decide.decide(
            conn,
            house.rt.masterdata.current(),
            admin,
            report_id,
            paid,
            "Bank statement read",
            house.clock.now(),
            "412345678901" if paid else None,
        )
    report = house.report(report_id)
    assert report.status == ("RESOLVED" if paid else "PAYOUT_FAILED")
    last = house.history(report_id)[-1]
    assert (last.actor_role, last.facts["onBehalfOf"]) == ("SYSTEM", str(admin.account_id))
    assert [entry for entry, _ in house.ledger(report_id)] == ["RESERVE", "SETTLE" if paid else "RELEASE"]


def test_a_key_used_with_another_body_is_looked_up_and_left_to_a_person(house: House) -> None:
    first, second = house.teacher(), house.teacher()
    (_paid,) = house.captured(first)
    house.to_the_end()
    (report_id,) = house.captured(second)
    house.job("payout.open").run_once(house.clock.now())
    (attempt,) = house.attempts(report_id)
    fund_account = house.one(
        "SELECT provider_fund_account_id AS id FROM payout.fund_account WHERE beneficiary_id = :id", id=first.account_id
    )
    body = {
        "account_number": "7878780080316316",
        "fund_account_id": fund_account.id,
        "amount": 100,
        "currency": "INR",
        "mode": "UPI",
        "purpose": "payout",
    }
    answer = httpx.post(
        f"{house.sandbox.url}/v1/payouts",
        json=body,
        headers={"X-Payout-Idempotency": attempt.idempotency_key},
        auth=("rzp_test_sandbox", "sandbox-key-secret"),
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    house.job("payout.send").run_once(house.clock.now())
    (attempt,) = house.attempts(report_id)
    assert attempt.phase == "REVIEW"
    assert "another body" in house.payout(report_id).needs_person
