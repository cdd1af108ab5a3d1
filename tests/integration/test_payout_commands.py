"""What admins may do about payouts: who, when, with whose approval, and what the books say afterwards."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

import queries
from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.payouts import commands
from pipeline.payouts.commands import Manual, Proof
from pipeline.runtime import Runtime
from tests import factories
from tests.integration.payout_house import House, open_house

STRICT = "dj.ali-sabieh"  # takes from its state that a second admin approves


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        yield opened


def failed(house: House, teacher: Caller | None = None) -> UUID:
    (report_id,) = house.captured(teacher or house.teacher(vpa="fails.bank.rejected@sandbox"))
    house.to_the_end()
    assert house.report(report_id).status == "PAYOUT_FAILED"
    return report_id


def failed_in_strict_tenant(house: House) -> UUID:
    """The same, moved to a tenant that asks for approval."""
    report_id = failed(house)
    for table, column in (("sdcrs.report", "id"), ("payout.payout", "report_id")):
        house.execute(f"UPDATE {table} SET tenant_id = :tenant WHERE {column} = :id", tenant=STRICT, id=report_id)
    return report_id


def settle(house: House, caller: Caller, report_id: UUID, **proof: Any) -> Manual:
    with house.rt.database.begin(caller.scope) as conn:
        proved = Proof(**{"reference": "NEFT-2026-0001", "method": "BANK_TRANSFER"} | proof)
        return commands.manual_resolve(conn, house.rt.masterdata.current(), caller, report_id, proved, house.clock.now())


def approve(house: House, caller: Caller, report_id: UUID) -> Manual:
    with house.rt.database.begin(caller.scope) as conn:
        return commands.approve_manual(conn, house.rt.masterdata.current(), caller, report_id, house.clock.now())


def reject(house: House, caller: Caller, report_id: UUID) -> None:
    with house.rt.database.begin(caller.scope) as conn:
        commands.reject_manual(conn, caller, report_id, "No such transfer on the statement", house.clock.now())


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(AppError) as caught:
        call()
    return caught.value.code


def test_a_settlement_by_hand_resolves_at_once_where_the_tenant_asks_for_no_approval(house: House) -> None:
    report_id = failed(house)
    done = settle(house, house.people.admin, report_id, comment="Paid by bank transfer")
    assert not done.approval_pending
    report, payout = house.report(report_id), house.payout(report_id)
    assert (report.status, report.payout_status, report.payout_failure_reason) == ("RESOLVED", "MANUAL_PAYOUT", None)
    assert (payout.status, payout.method, payout.manual_reference) == ("COMPLETED", "BANK_TRANSFER", "NEFT-2026-0001")
    assert house.ledger(report_id) == [("RESERVE", 50_000), ("RELEASE", 50_000), ("RESERVE", 50_000), ("SETTLE", 50_000)]
    last = house.history(report_id)[-1]
    assert (last.action, last.actor_role, last.facts["manualPaymentMethod"]) == ("MANUAL_RESOLVE", "STATE_ADMIN", "BANK_TRANSFER")
    assert "09/09" in house.packets(report_id)
    house.check_money()


def test_where_the_tenant_asks_for_it_a_second_admin_approves_and_both_are_named(house: House) -> None:
    maker, checker = house.people.admin, house.people.second_admin
    report_id = failed_in_strict_tenant(house)
    assert settle(house, maker, report_id).approval_pending
    assert house.report(report_id).status == "PAYOUT_FAILED"
    assert code_of(lambda: approve(house, maker, report_id)) == "SDCRS_SELF_APPROVAL"
    assert code_of(lambda: settle(house, checker, report_id)) == "SDCRS_APPROVAL_PENDING"
    with house.rt.database.begin(checker.scope) as conn:
        (retried,) = commands.retry(conn, house.rt.masterdata.current(), house.rt.vault, checker, [report_id], house.clock.now())
        shown = queries.one(conn, "payouts.detail", report_id=report_id, stuck_before=None)
    assert shown is not None
    assert retried.error is not None
    assert retried.error.code == "SDCRS_APPROVAL_PENDING"
    assert shown.queue == "APPROVAL"
    assert approve(house, checker, report_id).outcome is not None
    assert house.report(report_id).status == "RESOLVED"
    facts = house.history(report_id)[-1].facts
    assert (facts["requestedBy"], facts["approvedBy"]) == (str(maker.account_id), str(checker.account_id))
    assert code_of(lambda: approve(house, checker, report_id)) == "SDCRS_NOTHING_TO_APPROVE"


def test_a_rejected_settlement_leaves_the_obligation_unpaid_and_free(house: House) -> None:
    report_id = failed_in_strict_tenant(house)
    settle(house, house.people.admin, report_id)
    reject(house, house.people.second_admin, report_id)
    payout = house.payout(report_id)
    assert (payout.status, payout.manual_reference, payout.method) == ("FAILED", None, None)
    deeds = [row.action for row in house.all("SELECT action FROM audit.event WHERE subject_id = :id ORDER BY id", id=str(payout.id))]
    assert deeds == ["MANUAL_RESOLVE_REQUESTED", "MANUAL_RESOLVE_REJECTED"]
    assert settle(house, house.people.second_admin, report_id).approval_pending


def test_a_smaller_sum_may_be_paid_by_hand_a_larger_one_not(house: House) -> None:
    report_id = failed(house)
    assert code_of(lambda: settle(house, house.people.admin, report_id, amount_paise=50_001)) == "SDCRS_INVALID_REQUEST"
    settle(house, house.people.admin, report_id, amount_paise=30_000)
    assert house.report(report_id).payout_amount_paise == 30_000
    assert house.ledger(report_id)[-2:] == [("RESERVE", 30_000), ("SETTLE", 30_000)]
    house.check_money()


NOT_ALLOWED = ["district_admin", "supervisor", "officer", "verifier", "auditor", "teacher"]


@pytest.mark.parametrize("role", NOT_ALLOWED)
def test_nobody_but_a_state_admin_settles_or_retries(house: House, role: str) -> None:
    caller: Caller = getattr(house.people, role)
    md, now, some = house.rt.masterdata.current(), house.clock.now(), house.people.teacher.account_id
    assert code_of(lambda: settle(house, caller, some)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: approve(house, caller, some)) == "SDCRS_FORBIDDEN"
    assert code_of(lambda: reject(house, caller, some)) == "SDCRS_FORBIDDEN"
    with house.rt.database.begin(caller.scope) as conn:
        assert code_of(lambda: commands.retry(conn, md, house.rt.vault, caller, [some], now)) == "SDCRS_FORBIDDEN"


WRONG = [
    ({"reference": " "}, "manualPaymentReference"),
    ({"reference": "x" * 65}, "manualPaymentReference"),
    ({"method": "PIGEON"}, "manualPaymentMethod"),
    ({"amount_paise": 0}, "payoutAmount"),
]


@pytest.mark.parametrize(("proof", "field"), WRONG)
def test_a_settlement_by_hand_needs_proof(house: House, proof: dict[str, Any], field: str) -> None:
    report_id = failed(house)
    with pytest.raises(AppError) as caught:
        settle(house, house.people.admin, report_id, **proof)
    assert caught.value.params["field"] == field


def test_what_is_paid_or_under_way_cannot_be_settled_by_hand(house: House) -> None:
    paid, under_way = house.captured(house.teacher(), house.teacher(vpa="stuck@sandbox"))
    house.to_the_end()
    assert code_of(lambda: settle(house, house.people.admin, paid)) == "SDCRS_ACTION_NOT_ALLOWED"
    assert code_of(lambda: settle(house, house.people.admin, under_way)) == "SDCRS_ACTION_NOT_ALLOWED"
    assert code_of(lambda: settle(house, house.people.admin, house.people.teacher.account_id)) == "SDCRS_NOT_FOUND"


def test_a_late_success_after_a_settlement_by_hand_is_shown_to_a_person_and_moves_nothing(house: House) -> None:
    report_id = failed(house)
    settle(house, house.people.admin, report_id)
    provider_id = house.attempts(report_id)[0].provider_payout_id
    house.sandbox.post(f"payouts/{provider_id}", status="processed")
    house.to_the_end()
    payout = house.payout(report_id)
    assert (payout.status, house.report(report_id).payout_status) == ("COMPLETED", "MANUAL_PAYOUT")
    assert "pay twice" in payout.needs_person
    assert house.ledger(report_id)[-1] == ("SETTLE", 50_000)
    house.sandbox.post(f"payouts/{provider_id}", status="reversed")
    house.to_the_end()
    assert (house.payout(report_id).needs_person, house.report(report_id).status) == (None, "RESOLVED")


def test_a_frozen_teacher_is_not_paid_by_hand_either_and_no_approval_gets_round_it(house: House) -> None:
    (report_id, asked_for) = (failed(house), failed_in_strict_tenant(house))
    assert settle(house, house.people.admin, asked_for).approval_pending
    house.execute(
        "UPDATE access.account SET standing = 'BAN', standing_reason = 'a test' WHERE id = ANY (:ids)",
        ids=[house.payout(one).beneficiary_id for one in (report_id, asked_for)],
    )
    assert code_of(lambda: settle(house, house.people.admin, report_id)) == "SDCRS_PAYOUT_FROZEN"
    assert code_of(lambda: approve(house, house.people.second_admin, asked_for)) == "SDCRS_PAYOUT_FROZEN"
    assert {house.payout(one).status for one in (report_id, asked_for)} == {"FAILED"}
    reject(house, house.people.second_admin, asked_for)
    house.check_money()


def test_money_that_is_out_is_not_paid_again_by_hand_but_entered_as_what_it_is(house: House) -> None:
    (report_id, asked_for) = (failed(house), failed_in_strict_tenant(house))
    assert settle(house, house.people.admin, asked_for).approval_pending
    attempts = [house.attempts(one)[0] for one in (report_id, asked_for)]
    for attempt in attempts:  # the provider contradicts itself: what had failed is paid after all
        house.sandbox.post(f"payouts/{attempt.provider_payout_id}", status="processed")
    house.to_the_end()
    assert {house.attempts(one)[0].phase for one in (report_id, asked_for)} == {"REVIEW"}
    assert code_of(lambda: settle(house, house.people.admin, report_id)) == "SDCRS_PAYOUT_UNRESOLVED"
    assert code_of(lambda: approve(house, house.people.second_admin, asked_for)) == "SDCRS_PAYOUT_UNRESOLVED"
    utr = house.attempts(report_id)[0].utr
    assert code_of(lambda: settle(house, house.people.admin, report_id, method="UPI", reference="another")) == "SDCRS_PAYOUT_UNRESOLVED"
    assert (
        code_of(lambda: settle(house, house.people.admin, report_id, method="UPI", reference=utr, amount_paise=100))
        == "SDCRS_PAYOUT_UNRESOLVED"
    )
    settle(house, house.people.admin, report_id, method="UPI", reference=utr)
    assert (house.payout(report_id).status, house.report(report_id).status) == ("COMPLETED", "RESOLVED")
    reject(house, house.people.second_admin, asked_for)
    assert house.payout(asked_for).status == "FAILED"
    house.check_money()


def test_by_hand_the_monthly_cap_holds_as_well(house: House) -> None:
    house.move_clock(house.clock.now() + timedelta(days=31))
    teacher = house.teacher(vpa="fails.bank.rejected@sandbox")
    report_id = failed(house, teacher)
    for _ in range(3):
        house.move_clock(house.clock.now() + timedelta(days=1))
        with house.rt.database.worker() as conn:
            house.rt.vault.put(conn, [(teacher.account_id, teacher.tenant_id, {"vpa": "good@okaxis"})], house.clock.now())
        house.captured(*[teacher] * 4)
        house.to_the_end()
    assert code_of(lambda: settle(house, house.people.admin, report_id)) == "SDCRS_MONTHLY_CAP_REACHED"
    assert house.payout(report_id).manual_requested_at is None
    house.check_money()


def test_a_corrected_address_is_checked_and_goes_with_one_report_only(house: House) -> None:
    first, second = failed(house), failed(house)
    admin, md, now = house.people.admin, house.rt.masterdata.current(), house.clock.now()
    with house.rt.database.begin(admin.scope) as conn:
        vault = house.rt.vault
        assert code_of(lambda: commands.retry(conn, md, vault, admin, [first], now, "no_underscore@bank")) == "SDCRS_INVALID_VPA"
        assert code_of(lambda: commands.retry(conn, md, vault, admin, [first, second], now, "a@okaxis")) == "SDCRS_INVALID_REQUEST"
        assert code_of(lambda: commands.retry(conn, md, vault, admin, [], now)) == "SDCRS_INVALID_REQUEST"


def test_another_states_admin_finds_nothing(house: House) -> None:
    report_id = failed(house)
    stranger = factories.account(house.rt, "ADM-elsewhere", "STATE_ADMIN", tenant_id="ncr")
    assert code_of(lambda: settle(house, stranger, report_id)) == "SDCRS_NOT_FOUND"
    with house.rt.database.begin(stranger.scope) as conn:
        (result,) = commands.retry(conn, house.rt.masterdata.current(), house.rt.vault, stranger, [report_id], house.clock.now())
    assert result.error is not None
    assert result.error.code == "SDCRS_NOT_FOUND"


FILTERS: dict[str, Any] = {
    "tenants": None,
    "statuses": None,
    "queue": None,
    "payout_ids": None,
    "stuck_before": None,
    "reason": None,
    "teachers": None,
    "from_at": None,
    "to_at": None,
}


def test_list_and_count_answer_the_same_filters(house: House) -> None:
    report_id = failed(house)
    payout_id, now = house.payout(report_id).id, house.clock.now()
    number = house.report(report_id).report_number
    choices: list[dict[str, Any]] = [
        {},
        {"payout_ids": [payout_id]},
        {"payout_ids": []},
        {"reason": "beneficiary_bank_rejected"},
        {"teachers": [house.report(report_id).reporter_id]},
        {"queue": "STUCK", "stuck_before": now},
        {"statuses": ["FAILED", "REVERSED"]},
        {"statuses": ["COMPLETED"], "tenants": [factories.VILLE]},
        {"tenants": [STRICT]},
        {"queue": "FAILED", "from_at": now - timedelta(days=1), "to_at": now},
        {"from_at": now + timedelta(days=1)},
    ]
    with house.rt.database.begin(house.people.admin.scope) as conn:
        for choice in choices:
            rows = queries.rows(conn, "payouts.list", **FILTERS | choice, limit=1000, offset=0)
            count = queries.one(conn, "payouts.count", count_limit=1000, **FILTERS | choice)
            assert count is not None
            assert len(rows) == count.payouts, choice
        (mine,) = queries.rows(conn, "payouts.list", **FILTERS | {"payout_ids": [payout_id]}, limit=10, offset=0)
        assert (mine.queue, mine.reference_id, mine.provider_status) == ("FAILED", f"SDCRS-{number}", "failed")
        detail = queries.one(conn, "payouts.detail", report_id=report_id, stuck_before=None)
        assert detail is not None
        assert dict(detail) == dict(mine)
        assert len(queries.rows(conn, "payouts.attempts", payout_id=mine.id)) == 1
        assert [row.entry for row in queries.rows(conn, "payouts.ledger", payout_id=mine.id)] == ["RESERVE", "RELEASE"]
        queues = {row.queue: row.payouts for row in queries.rows(conn, "payouts.queues", with_done=False, **FILTERS)}
        assert queues["FAILED"] >= 1
        assert "DONE" not in queues
    stranger = factories.account(house.rt, "AUD-elsewhere", "AUDITOR", tenant_id="ncr")
    with house.rt.database.begin(stranger.scope) as conn:
        assert queries.rows(conn, "payouts.list", **FILTERS, limit=10, offset=0) == []


def test_the_head_of_the_screen_counts_what_waits(house: House) -> None:
    failed(house)
    (under_way,) = house.captured(house.teacher(vpa="stuck@sandbox"))
    house.run()
    with house.rt.database.begin(house.people.district_admin.scope) as conn:
        summary = queries.one(conn, "payouts.summary", now=house.clock.now(), stuck_before=house.clock.now() + timedelta(seconds=1))
        usage = queries.rows(
            conn, "payouts.cap_usage", month=house.payout(under_way).cap_month, tenants=None, beneficiary_id=None, limit=100, offset=0
        )
    assert summary is not None
    assert summary.failed >= 1
    assert summary.pending >= 1
    assert summary.stuck >= 1
    assert (summary.low_balance_payouts, summary.shortfall_paise, summary.paused_until) == (0, None, None)
    assert usage[0].reserved_paise <= usage[0].cap_paise == 500_000
