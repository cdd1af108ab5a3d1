"""What comes in at the webhook: forged, doubled, early, foreign, contradicting. Nothing of it pays twice or is lost."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from pipeline.errors import AppError
from pipeline.payouts.provider import SANDBOX_WEBHOOK_SECRET
from pipeline.payouts.webhook import MAX_BYTES, receive
from pipeline.runtime import Runtime
from tests.integration.payout_house import House, open_house


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def sign(raw: bytes, secret: str = SANDBOX_WEBHOOK_SECRET) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def event(attempt: Any, status: str, name: str | None = None, **changes: Any) -> bytes:
    """An event of the provider about an attempt."""
    entity = {
        "id": attempt.provider_payout_id,
        "entity": "payout",
        "fund_account_id": None,
        "amount": 50_000,
        "currency": "INR",
        "notes": [],
        "fees": 0,
        "tax": 0,
        "status": status,
        "utr": "512345678901" if status == "processed" else None,
        "mode": "UPI",
        "purpose": "payout",
        "reference_id": attempt.reference_id,
        "narration": "SDCRS Teacher Payout",
        "failure_reason": None,
        "status_details": None,
        "created_at": 1_773_126_000,
    } | changes
    names = {"processing": "payout.processing"}  # as the packets call it
    body = {
        "entity": "event",
        "account_id": "acc_SandboxAccount",
        "event": name or names.get(status, f"payout.{status}"),
        "contains": ["payout"],
        "payload": {"payout": {"entity": entity}},
        "created_at": 1_773_126_001,
    }
    return json.dumps(body).encode()


def deliver(house: House, raw: bytes, event_id: str = "event_1", secret: str = SANDBOX_WEBHOOK_SECRET) -> Any:
    headers = {"X-Razorpay-Signature": sign(raw, secret), "X-Razorpay-Event-Id": event_id}
    return receive(house.rt, raw, headers, house.rt.clock.now())


def outcome(house: House, event_id: str) -> str | None:
    return house.one("SELECT outcome FROM payout.webhook_event WHERE event_id = :id", id=event_id).outcome


REFUSED = [
    ({}, b"{}", "SDCRS_BAD_SIGNATURE"),
    ({"X-Razorpay-Signature": "0" * 64}, b"{}", "SDCRS_BAD_SIGNATURE"),
    ({"X-Razorpay-Signature": "ünïcödé"}, b"{}", "SDCRS_BAD_SIGNATURE"),
    ({"X-Razorpay-Signature": sign(b"{}", "the api key's secret")}, b"{}", "SDCRS_BAD_SIGNATURE"),
    ({"X-Razorpay-Signature": sign(b"{} ")}, b"{}", "SDCRS_BAD_SIGNATURE"),
    ({"X-Razorpay-Signature": sign(b"\xff\xfe{")}, b"\xff\xfe{", "SDCRS_INVALID_JSON"),
    ({"X-Razorpay-Signature": sign("{}".encode("utf-16"))}, "{}".encode("utf-16"), "SDCRS_INVALID_JSON"),
    ({"X-Razorpay-Signature": sign(b"[]")}, b"[]", "SDCRS_INVALID_JSON"),
    ({"X-Razorpay-Signature": sign(b"x" * (MAX_BYTES + 1))}, b"x" * (MAX_BYTES + 1), "SDCRS_BODY_TOO_LARGE"),
]


@pytest.mark.parametrize(("headers", "raw", "code"), REFUSED)
def test_what_nobody_signed_or_nobody_can_read_is_refused(house: House, headers: dict[str, str], raw: bytes, code: str) -> None:
    before = house.one("SELECT count(*) AS n FROM payout.webhook_event").n
    with pytest.raises(AppError) as caught:
        receive(house.rt, raw, headers, house.rt.clock.now())
    assert caught.value.code == code
    assert house.one("SELECT count(*) AS n FROM payout.webhook_event").n == before


def test_an_older_secret_counts_during_a_rotation(house: House) -> None:
    rotating = replace(house.rt, settings=replace(house.rt.settings, razorpayx_webhook_secrets=("new", "old")))
    for secret in ("new", "old"):
        raw = json.dumps({"event": "payout.downtime.started", "payload": {}, "secret": secret}).encode()
        receipt = receive(
            rotating, raw, {"x-razorpay-signature": sign(raw, secret), "x-razorpay-event-id": f"rot-{secret}"}, house.rt.clock.now()
        )
        assert receipt.fresh
        assert outcome(house, f"rot-{secret}") == "IGNORED"


def test_a_signed_event_that_we_cannot_read_is_kept_and_answered(house: House) -> None:
    raw = json.dumps({"event": "payout.processed", "payload": {"payout": {"entity": {"id": 5}}}}).encode()
    assert deliver(house, raw, "odd").fresh
    assert outcome(house, "odd") == "UNREADABLE"


def test_the_same_event_twice_is_stored_once_and_under_another_id_has_no_effect(house: House) -> None:
    (report_id,) = house.captured(house.teacher())
    house.to_the_end()
    (attempt,) = house.attempts(report_id)
    raw = event(attempt, "processed")
    assert deliver(house, raw, "again").fresh
    assert not deliver(house, raw, "again").fresh
    assert deliver(house, raw, "forged-id").fresh
    house.run()
    assert (outcome(house, "again"), outcome(house, "forged-id")) == ("LATE", "LATE")
    assert house.ledger(report_id) == [("RESERVE", 50_000), ("SETTLE", 50_000)]


def test_a_webhook_before_the_answer_settles_by_reference(house: House) -> None:
    house.deaf = True
    (report_id,) = house.captured(house.teacher())
    house.sandbox.fault("drop_after_commit")
    house.run()
    (attempt,) = house.attempts(report_id)
    assert (attempt.phase, attempt.provider_payout_id) == ("UNKNOWN", None)
    (theirs,) = house.sandbox.of(attempt.reference_id)
    deliver(house, event(attempt, "processed", id=theirs["id"]), "early")
    house.run()
    (attempt,) = house.attempts(report_id)
    assert (attempt.phase, attempt.provider_payout_id, outcome(house, "early")) == ("ACCEPTED", theirs["id"], "APPLIED")
    assert house.report(report_id).status == "RESOLVED"
    house.move_clock(house.clock.now() + timedelta(minutes=10))
    house.run()
    assert house.attempts(report_id)[0].sends == 1, "nothing is sent again"
    house.deaf = False
    house.to_the_end()


def test_late_and_reordered_events_are_kept_without_effect(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="stuck@sandbox"))
    house.run()
    (attempt,) = house.attempts(report_id)
    deliver(house, event(attempt, "reversed"), "o1")
    deliver(house, event(attempt, "processed"), "o2")
    deliver(house, event(attempt, "processing"), "o3")
    house.run()
    assert [outcome(house, one) for one in ("o1", "o2", "o3")] == ["APPLIED", "APPLIED", "LATE"]
    assert [row.action for row in house.history(report_id)][-2:] == ["PAYOUT_SUCCESS", "PAYOUT_REVERSED"]
    deliver(house, event(attempt, "processed"), "o4")
    house.run()
    assert outcome(house, "o4") == "LATE"
    assert house.report(report_id).status == "PAYOUT_FAILED"


def test_a_utr_that_comes_later_is_taken_over(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="stuck@sandbox"))
    house.run()
    (attempt,) = house.attempts(report_id)
    deliver(house, event(attempt, "processed", utr=None), "u1")
    house.run()
    assert (house.report(report_id).status, house.payout(report_id).utr) == ("RESOLVED", None)
    deliver(house, event(attempt, "processed", "payout.updated"), "u2")
    house.run()
    assert house.payout(report_id).utr == house.report(report_id).utr == "512345678901"
    assert outcome(house, "u2") == "APPLIED"


MISMATCHES = [
    ({"amount": 5_000_000}, "5000000 paise"),
    ({"fund_account_id": "fa_00000000000000"}, "fund account fa_00000000000000"),
    ({"id": "pout_00000000000000"}, "two payouts"),
    ({"reference_id": "SDCRS-DR-DJ-2026-999999"}, "carries the reference"),
]


@pytest.mark.parametrize(("changes", "words"), MISMATCHES)
def test_an_event_that_fits_no_order_of_ours_goes_to_a_person(house: House, changes: dict[str, Any], words: str) -> None:
    (report_id,) = house.captured(house.teacher(vpa="stuck@sandbox"))
    house.run()
    (attempt,) = house.attempts(report_id)
    deliver(house, event(attempt, "processed", **changes), f"mm-{words}")
    house.run()
    assert outcome(house, f"mm-{words}") == "MISMATCH"
    assert house.report(report_id).status == "PAYOUT_PENDING"
    assert words in house.payout(report_id).needs_person
    assert house.attempts(report_id)[0].phase == "REVIEW"
    assert house.ledger(report_id) == [("RESERVE", 50_000)]


def test_paid_after_we_counted_it_failed_stops_every_retry(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="fails.bank.offline@sandbox"))
    house.to_the_end()
    (attempt,) = house.attempts(report_id)
    assert house.payout(report_id).next_retry_at is not None
    deliver(house, event(attempt, "processed"), "contradiction")
    house.run()
    payout = house.payout(report_id)
    assert (payout.status, payout.next_retry_at) == ("FAILED", None)
    assert "pay twice" in payout.needs_person
    house.move_clock(house.clock.now() + timedelta(hours=2))
    house.run()
    assert len(house.attempts(report_id)) == 1


def test_an_unknown_payout_of_ours_is_looked_at_again_for_a_day_a_foreign_one_is_not(house: House) -> None:
    class Nobody:
        provider_payout_id = "pout_11111111111111"
        reference_id = "SDCRS-DR-DJ-2026-888888"

    deliver(house, event(Nobody, "processed"), "ours-unknown")
    deliver(house, event(Nobody, "processed", reference_id="INVOICE-5"), "foreign")
    house.run()
    assert (outcome(house, "ours-unknown"), outcome(house, "foreign")) == (None, "UNKNOWN_PAYOUT")
    assert house.job("payout.settle").waits_for(house.clock.now()) is not None
    house.move_clock(house.clock.now() + timedelta(hours=25))
    house.run()
    assert outcome(house, "ours-unknown") == "UNKNOWN_PAYOUT"


def test_an_event_whose_report_cannot_move_is_set_aside_and_the_others_are_settled(house: House) -> None:
    stuck, good = house.captured(house.teacher(vpa="stuck@sandbox"), house.teacher(vpa="stuck@sandbox"))
    house.run()
    house.execute("UPDATE sdcrs.report SET status = 'PAYOUT_FAILED' WHERE id = :id", id=stuck)  # by nobody's command
    for one in (stuck, good):
        deliver(house, event(house.attempts(one)[0], "processed"), f"aside-{one}")
    house.run()
    assert house.report(good).status == "RESOLVED"
    failure = house.one("SELECT error FROM jobs.failure WHERE job = 'payout.settle'")
    assert "SDCRS_ACTION_NOT_ALLOWED" in failure.error
    assert house.ledger(stuck) == [("RESERVE", 50_000)]
