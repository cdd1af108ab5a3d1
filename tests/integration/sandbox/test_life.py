"""What becomes of a payout: queue, outcomes chosen by address, the clock, and the webhooks that tell."""

import json
import re

import pytest
import razorpay

from pipeline.payouts.sandbox import outcomes
from pipeline.payouts.sandbox.config import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, DEFAULT_WEBHOOK_SECRET
from tests.integration.sandbox.client import OPENING, STATEMENT, Hook, Sandbox, wait_until, wish

# Balance and queue ----------------------------------------------------------------------------------------------------


def test_a_short_balance_queues_where_the_request_allows_it(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("balance", {"amount_paise": 40_000})
    made = sandbox.pay(account)
    assert (made["status"], made["status_details"]["reason"], made["fees"]) == ("queued", "low_balance", 0)
    assert sandbox.control("status")["shortfall_paise"] == 10_000
    assert sandbox.balance() == 40_000


def test_a_short_balance_refuses_without_the_flag_and_burns_no_key(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("balance", {"amount_paise": 40_000})
    body = wish(account, queue_if_low_balance=False)
    sentence = "Your account does not have enough balance to carry out the payout operation."
    assert sandbox.refused("POST", "/v1/payouts", body, "short")[:2] == (400, sentence)
    sandbox.control("settings", {"low_balance": "failed"})
    failed = sandbox.good("POST", "/v1/payouts", body, "short")
    assert (failed["status"], failed["status_details"]["reason"]) == ("failed", "insufficient_funds")
    assert sandbox.balance() == 40_000


def test_the_queue_is_first_in_first_out_and_skips_what_is_too_large(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("balance", {"amount_paise": 5_000})
    large, paid, middle = sandbox.pay(account, 6_000), sandbox.pay(account, 3_000), sandbox.pay(account, 5_000)
    assert [one["status"] for one in (large, paid, middle)] == ["queued", "processing", "queued"]
    sandbox.control("funds", {"amount_paise": 3_500})  # the sandbox's own clock may drain the queue before this call does
    wait_until(lambda: sandbox.get(middle["id"])["status"] == "processing")
    assert (sandbox.get(large["id"])["status"], sandbox.balance()) == ("queued", 500)
    sandbox.control("funds", {"amount_paise": 5_500})
    wait_until(lambda: sandbox.get(large["id"])["status"] == "processing")
    sandbox.audit()


def test_money_that_comes_back_drains_the_queue(sandbox: Sandbox) -> None:
    sandbox.control("balance", {"amount_paise": 50_000})
    sandbox.pay(sandbox.fund_account("fails.bank.offline@sandbox"))
    waiting = sandbox.pay(sandbox.fund_account())
    assert waiting["status"] == "queued"
    sandbox.settle()
    assert sandbox.get(waiting["id"])["status"] == "processed"


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_only_a_queued_payout_can_be_cancelled_and_no_webhook_tells(sandbox: Sandbox, hook: Hook, method: str) -> None:
    account = sandbox.fund_account()
    running = sandbox.pay(account)
    assert sandbox.refused(method, f"/v1/payouts/{running['id']}/cancel")[0] == 400
    sandbox.control("balance", {"amount_paise": 0})
    queued = sandbox.pay(account)
    assert sandbox.good(method, f"/v1/payouts/{queued['id']}/cancel")["status"] == "cancelled"
    assert sandbox.refused(method, f"/v1/payouts/{queued['id']}/cancel")[0] == 400
    sandbox.control("funds", {"amount_paise": 100_000})
    sandbox.settle()
    assert sandbox.get(queued["id"])["status"] == "cancelled"
    assert hook.statuses(queued["id"]) == ["queued"]


def test_where_an_approval_is_asked_for_a_payout_waits_without_money_until_it_is_given(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.control("settings", {"approval": "asked"})
    account = sandbox.fund_account()
    approved, rejected, short = (sandbox.pay(account) for _ in range(3))
    assert sandbox.settle()["settled"] is True
    assert (sandbox.get(approved["id"])["status"], sandbox.balance()) == ("pending", OPENING)
    sandbox.control(f"approvals/{approved['id']}", {"approved": True})
    sandbox.control(f"approvals/{rejected['id']}", {"approved": False})
    sandbox.control("balance", {"amount_paise": 0})
    sandbox.control(f"approvals/{short['id']}", {"approved": True})
    sandbox.settle()
    assert hook.statuses(approved["id"]) == ["pending", "processing", "processed"]
    assert hook.statuses(rejected["id"]) == ["pending", "rejected"]
    sandbox.control("funds", {"amount_paise": 50_000})
    sandbox.settle()
    assert hook.statuses(short["id"]) == ["pending", "queued", "processing", "processed"]
    assert sandbox.raw("POST", f"/_sandbox/approvals/{short['id']}", b'{"approved": true}', {"Content-Type": "application/json"})[0] == 400
    sandbox.audit()


# Outcomes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "course", "reason"),
    [
        ("ravi@okaxis", ["processing", "processed"], "payout_processed"),
        ("anything@nobody", ["processing", "processed"], "payout_processed"),
        ("fails.vpa.invalid@okaxis", ["processing", "processed"], "payout_processed"),
        ("ravi@sandbox", ["processing", "processed"], "payout_processed"),
        ("fails.vpa.invalid@sandbox", ["processing", "failed"], "beneficiary_vpa_invalid"),
        ("ravi.fails.vpa.invalid@sandbox", ["processing", "failed"], "beneficiary_vpa_invalid"),
        ("fails.bank.offline@sandbox", ["processing", "failed"], "beneficiary_bank_offline"),
        ("fails.account.frozen@sandbox", ["processing", "failed"], "bank_account_frozen"),
        ("fails.unlisted.reason@sandbox", ["processing", "failed"], "sandbox_unlisted_reason"),
        ("reversed@sandbox", ["processing", "reversed"], "beneficiary_bank_failure"),
        ("reversed.after.processed@sandbox", ["processing", "processed", "reversed"], "beneficiary_bank_failure"),
        ("ravi.failed.then.reversed@sandbox", ["processing", "failed", "reversed"], "beneficiary_bank_failure"),
        ("utr.late@sandbox", ["processing", "processed", "processed"], "payout_processed"),
        ("queued.gateway.degraded@sandbox", ["processing", "queued", "processing", "processed"], "payout_processed"),
        ("stuck@sandbox", ["processing", "processing"], "beneficiary_bank_confirmation_pending"),
    ],
)
def test_the_address_chooses_the_outcome(sandbox: Sandbox, hook: Hook, address: str, course: list[str], reason: str) -> None:
    made = sandbox.pay(sandbox.fund_account(address))
    assert sandbox.settle()["settled"] is True
    ended = sandbox.get(made["id"])
    assert (ended["status"], ended["status_details"]["reason"]) == (course[-1], reason)
    assert hook.statuses(made["id"]) == course
    assert sandbox.balance() == OPENING - (50_000 if course[-1] in ("processing", "processed") else 0)
    sandbox.audit()


def test_every_script_of_the_module_names_known_statuses_and_ends(sandbox: Sandbox) -> None:
    for name, script in outcomes.SCRIPTS.items():
        assert outcomes.script_of(f"someone.{name}@sandbox") == name
        assert {step.status for step in script} <= set(outcomes.STATUSES)
    assert outcomes.script_of("x@sandbox") == "paid"
    assert sandbox.control("health")["sandbox"] is True


def test_a_processed_payout_has_a_utr_of_twelve_digits_of_its_own(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    made = [sandbox.pay(account)["id"] for _ in range(5)]
    sandbox.settle()
    utrs = {sandbox.get(payout)["utr"] for payout in made}
    assert len(utrs) == 5
    assert all(re.fullmatch(r"[0-9]{12}", utr) for utr in utrs)


def test_a_late_utr_comes_by_payout_updated(sandbox: Sandbox, hook: Hook) -> None:
    made = sandbox.pay(sandbox.fund_account("utr.late@sandbox"))
    sandbox.settle()
    bodies = [json.loads(raw) for _, raw in hook.seen]
    told = [(body["event"], body["payload"]["payout"]["entity"]["utr"]) for body in bodies]
    assert [event for event, _ in told] == ["payout.initiated", "payout.processed", "payout.updated"]
    assert [utr is None for _, utr in told] == [True, True, False]
    assert sandbox.get(made["id"])["utr"] == told[-1][1]


def test_fails_once_fails_the_first_payout_to_that_account_only(sandbox: Sandbox) -> None:
    account = sandbox.fund_account("fails.once@sandbox")
    first, second = sandbox.pay(account), sandbox.pay(account)
    sandbox.settle()
    assert [sandbox.get(one["id"])["status"] for one in (first, second)] == ["failed", "processed"]


def test_failed_money_that_is_still_out_comes_back_once(sandbox: Sandbox) -> None:
    made = sandbox.pay(sandbox.fund_account("failed.then.reversed@sandbox"))
    sandbox.control("settings", {"later_seconds": 0})
    sandbox.control("clock", {"offset_seconds": 3601})
    sandbox.control("settings", {"later_seconds": 7200})
    wait_until(lambda: sandbox.get(made["id"])["status"] in ("failed", "reversed"))
    sandbox.settle()
    assert sandbox.get(made["id"])["status"] == "reversed"
    lines = sandbox.good("GET", STATEMENT)["items"]
    assert [(line["credit"], line["debit"]) for line in lines] == [(50_000, 0), (0, 50_000), (OPENING, 0)]


def test_by_switch_payouts_stay_in_processing_until_a_person_moves_them(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.control("settings", {"life": "manual", "delay_seconds": 0})
    made = sandbox.pay(sandbox.fund_account())
    sandbox.settle()
    assert sandbox.get(made["id"])["status"] == "processing"
    moved = sandbox.control(f"payouts/{made['id']}", {"status": "failed", "reason": "beneficiary_psp_offline"})
    assert moved["status_details"]["reason"] == "beneficiary_psp_offline"
    sandbox.control(f"payouts/{made['id']}", {"status": "processed", "utr": "423456789012"})
    sandbox.control(f"payouts/{made['id']}", {"status": "reversed"})
    sandbox.settle()
    assert hook.statuses(made["id"]) == ["processing", "failed", "processed", "reversed"]
    assert sandbox.balance() == OPENING
    sandbox.audit()


def test_a_move_that_the_balance_does_not_reach_for_is_refused(sandbox: Sandbox) -> None:
    sandbox.control("balance", {"amount_paise": 0})
    made = sandbox.pay(sandbox.fund_account())
    assert sandbox.call("POST", f"/_sandbox/payouts/{made['id']}", {"status": "processed"})[0] == 409
    assert sandbox.get(made["id"])["status"] == "queued"


def test_time_passes_by_itself(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.control("settings", {"delay_seconds": 0.1, "later_seconds": 0.1, "webhooks": "auto"})
    made = sandbox.pay(sandbox.fund_account("reversed.after.processed@sandbox"))
    wait_until(lambda: hook.statuses(made["id"]) == ["processing", "processed", "reversed"])


def test_a_fixed_clock_dates_everything_and_settle_goes_on_nevertheless(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.control("clock", {"fixed": "2024-12-14T15:00:30+00:00"})
    made = sandbox.pay(sandbox.fund_account())
    assert made["created_at"] == 1_734_188_430
    assert sandbox.control("settle", {})["settled"] is True
    assert sandbox.get(made["id"])["status"] == "processing"
    sandbox.settle()
    ended = sandbox.get(made["id"])
    assert (ended["status"], ended["utr"][:4]) == ("processed", "4349")
    assert [json.loads(raw)["created_at"] for _, raw in hook.seen] == [1_734_188_430, 1_734_188_430]


def test_a_clock_set_back_holds_up_nothing(sandbox: Sandbox) -> None:
    made = sandbox.pay(sandbox.fund_account())
    sandbox.control("clock", {"fixed": "2020-01-01T00:00:00+05:30"})
    assert sandbox.settle()["settled"] is True
    assert sandbox.get(made["id"])["status"] == "processed"


def test_a_clock_that_cannot_be_is_refused(sandbox: Sandbox) -> None:
    for wrong in ({"fixed": "yesterday"}, {"fixed": "2024-12-14T15:00:00"}, {"offset_seconds": 1e18}, {"offset_seconds": "x"}, {"now": 1}):
        assert sandbox.call("POST", "/_sandbox/clock", wrong)[0] == 400


# Webhooks -------------------------------------------------------------------------------------------------------------


def test_webhooks_are_signed_over_their_raw_bytes_and_carry_an_event_id(sandbox: Sandbox, hook: Hook) -> None:
    made = sandbox.pay(sandbox.fund_account(), notes={"name": "Réka"})
    sandbox.settle()
    client = razorpay.Client(auth=(DEFAULT_KEY_ID, DEFAULT_KEY_SECRET))
    for headers, raw in hook.seen:
        assert client.utility.verify_webhook_signature(raw.decode(), headers["x-razorpay-signature"], DEFAULT_WEBHOOK_SECRET)
        body = json.loads(raw)
        assert (body["entity"], body["contains"], body["account_id"][:4]) == ("event", ["payout"], "acc_")
    assert hook.events() == ["payout.initiated", "payout.processed"]
    assert len({headers["x-razorpay-event-id"] for headers, _ in hook.seen}) == 2
    assert json.loads(hook.seen[1][1])["payload"]["payout"]["entity"] == sandbox.get(made["id"])


def test_a_refused_webhook_comes_again_with_the_same_id_and_body(sandbox: Sandbox, hook: Hook) -> None:
    hook.answers[:] = [500]
    sandbox.pay(sandbox.fund_account("stuck@sandbox"))
    first = sandbox.control("settle", {})
    assert (first["refused"], first["pending_events"], first["settled"]) == (1, 1, False)
    assert sandbox.control("settle", {})["settled"] is True
    assert hook.seen[0][1] == hook.seen[1][1]
    assert hook.seen[0][0]["x-razorpay-event-id"] == hook.seen[1][0]["x-razorpay-event-id"]
    event = sandbox.control("journal/events")["items"][0]
    assert (event["state"], event["attempts"], event["last_result"]) == ("delivered", 2, "200")


def test_the_courier_retries_by_itself(sandbox: Sandbox, hook: Hook) -> None:
    hook.answers[:] = [503]
    sandbox.control("settings", {"webhooks": "auto"})
    made = sandbox.pay(sandbox.fund_account())
    wait_until(lambda: hook.statuses(made["id"]) == ["processing", "processing"])


def test_after_a_day_of_failures_an_event_is_dropped_and_the_webhook_disabled_by_switch(sandbox: Sandbox, hook: Hook) -> None:
    sandbox.control("settings", {"disable_after_a_day": True, "life": "manual"})
    sandbox.control("clock", {"fixed": "2026-03-10T07:00:00+00:00"})
    account = sandbox.fund_account()
    sandbox.pay(account)
    sandbox.control("clock", {"fixed": "2026-03-11T07:00:00+00:00"})
    hook.answers[:] = [400]
    settled = sandbox.control("settle", {})
    assert settled["dropped"] == 1
    assert sandbox.control("settings")["webhooks_enabled"] is False
    sandbox.pay(account)
    sandbox.settle()
    assert len(hook.seen) == 1
    assert sandbox.control("status")["events"]["dropped"] == 2


def test_lost_duplicated_and_late_webhooks_happen_by_switch(sandbox: Sandbox, hook: Hook) -> None:
    account = sandbox.fund_account()
    for kind in ("webhook_lost", "webhook_duplicated", "webhook_late"):
        sandbox.control("faults", {"kind": kind})
    lost, doubled, late = (sandbox.pay(account)["id"] for _ in range(3))
    sandbox.control("settle", {})
    assert [hook.statuses(one) for one in (lost, doubled, late)] == [[], ["processing", "processing"], []]
    sandbox.settle(late=True)
    assert [hook.statuses(one) for one in (lost, doubled)] == [["processed"], ["processing", "processing", "processed"]]
    assert sorted(hook.statuses(late)) == ["processed", "processing"]


def test_redelivered_events_are_the_same_to_the_byte(sandbox: Sandbox, hook: Hook) -> None:
    made = sandbox.pay(sandbox.fund_account())
    sandbox.settle()
    before = [(headers["x-razorpay-event-id"], headers["x-razorpay-signature"], raw) for headers, raw in hook.seen]
    assert sandbox.control("webhooks/redeliver", {"payout_id": made["id"]}) == {"events": 2}
    sandbox.settle()
    after = [(headers["x-razorpay-event-id"], headers["x-razorpay-signature"], raw) for headers, raw in hook.seen]
    assert after == before * 2


def test_only_subscribed_events_are_sent(sandbox: Sandbox, hook: Hook) -> None:
    before = sandbox.control("settings")["events"]
    sandbox.control("settings", {"events": ["transaction.created", "payout.processed"]})
    try:
        sandbox.pay(sandbox.fund_account())
        sandbox.settle()
        assert sorted(hook.events()) == ["payout.processed", "transaction.created"]
    finally:
        sandbox.control("settings", {"events": before})
