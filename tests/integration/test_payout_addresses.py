"""Addresses that are asked after before they are paid: the provider's answer decides, its silence holds nobody up for ever."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from pipeline.errors import AppError
from pipeline.payouts.address_check import check_address
from pipeline.payouts.addresses import WAIT_FOR_IT
from pipeline.payouts.beneficiaries import Registered, look_up, registered_name, remember
from pipeline.payouts.jobs import payout_jobs
from pipeline.runtime import Runtime
from tests.integration.payout_house import House, open_house

ROW = "SELECT f.* FROM payout.fund_account f JOIN payout.payout p ON p.beneficiary_id = f.beneficiary_id WHERE p.report_id = :id"


@pytest.fixture(scope="module")
def house(rt: Runtime) -> Iterator[House]:
    with open_house(rt) as opened:
        opened.rt = replace(opened.rt, settings=replace(opened.rt.settings, validate_vpa=True))
        opened.jobs = payout_jobs(opened.rt)
        yield opened


def test_an_address_is_checked_once_and_then_paid(house: House) -> None:
    teacher = house.teacher(vpa="real@okaxis")
    first, second = house.captured(teacher, teacher)
    house.run()
    assert [house.attempts(one)[0].last_error for one in (first, second)] == ["ADDRESS_BEING_CHECKED"] * 2
    assert not house.sandbox.of(house.attempts(first)[0].reference_id)
    house.sandbox.settle()
    house.move_clock(house.clock.now() + timedelta(seconds=10))
    house.to_the_end()
    assert {house.report(one).status for one in (first, second)} == {"RESOLVED"}
    row = house.one(ROW + " AND f.validation_id IS NOT NULL LIMIT 1", id=first)
    assert (row.validation_status, row.account_status, row.name_match) == ("completed", "active", 100)
    with house.rt.database.worker() as conn:
        assert registered_name(conn, house.rt.vault, row.id)
    asked = len(house.sandbox.get("journal/validations", limit=1000)["items"])
    house.captured(teacher)
    house.to_the_end()
    assert len(house.sandbox.get("journal/validations", limit=1000)["items"]) == asked


def test_an_address_that_the_bank_does_not_know_is_not_paid(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="fails.vpa.invalid@sandbox"))
    house.run()
    house.sandbox.settle()
    house.move_clock(house.clock.now() + timedelta(seconds=10))
    house.run()
    payout = house.payout(report_id)
    assert (payout.status, payout.failure_reason, payout.next_retry_at) == ("FAILED", "beneficiary_vpa_invalid", None)
    assert not house.sandbox.of(house.attempts(report_id)[0].reference_id)
    house.check_money()


def test_a_check_that_fails_or_never_ends_holds_nobody_up(house: House) -> None:
    (failing,) = house.captured(house.teacher(vpa="validation.fails@sandbox"))
    house.run()
    house.sandbox.settle()
    house.move_clock(house.clock.now() + timedelta(seconds=10))
    house.to_the_end()
    assert house.report(failing).status == "RESOLVED"
    house.sandbox.post("settings", life="manual")
    try:
        (silent,) = house.captured(house.teacher(vpa="silent@okaxis"))
        house.run()
        assert house.attempts(silent)[0].phase == "PREPARED"
        house.move_clock(house.clock.now() + WAIT_FOR_IT + timedelta(seconds=1))
        house.run()
        assert house.attempts(silent)[0].phase == "ACCEPTED"
    finally:
        house.sandbox.post("settings", life="auto")


def test_where_the_provider_checks_no_addresses_they_are_paid_unchecked(house: House) -> None:
    house.sandbox.post("settings", validations=False)
    try:
        (report_id,) = house.captured(house.teacher(vpa="unchecked@okaxis"))
        house.to_the_end()
        assert house.report(report_id).status == "RESOLVED"
        assert house.one("SELECT count(*) AS pauses FROM payout.provider WHERE paused_until IS NOT NULL").pauses == 0
    finally:
        house.sandbox.post("settings", validations=True)


def test_an_admin_learns_in_whose_name_an_address_is_and_pays_nothing_by_asking(house: House) -> None:
    (report_id,) = house.captured(house.teacher(vpa="fails.bank.rejected@sandbox"))
    house.to_the_end()
    admin, made = house.people.admin, len(house.sandbox.payouts())
    house.sandbox.post("settings", delay_seconds=0)
    try:
        found = check_address(house.rt, admin, report_id, "his.wife@okaxis", house.clock.now())
        bad = check_address(house.rt, admin, report_id, "fails.vpa.invalid@sandbox", house.clock.now())
    finally:
        house.sandbox.post("settings", delay_seconds=2.0)
    assert (found.verdict, found.name_match) == ("VALID", 100)
    assert found.registered_name
    assert (bad.verdict, bad.registered_name) == ("INVALID", None)
    assert len(house.sandbox.payouts()) == made
    kept = house.all(
        "SELECT account_status FROM payout.fund_account WHERE beneficiary_id = :id ORDER BY created_at, id",
        id=house.payout(report_id).beneficiary_id,
    )
    assert [row.account_status for row in kept][1:] == ["active", "invalid"]
    verdicts = house.all("SELECT details->>'verdict' AS verdict FROM audit.event WHERE action = 'VPA_CHECKED' ORDER BY occurred_at, id")
    assert [row.verdict for row in verdicts] == ["VALID", "INVALID"]


@pytest.mark.parametrize(
    ("who", "vpa", "code"), [("admin", "no at sign", "SDCRS_INVALID_VPA"), ("verifier", "a@okaxis", "SDCRS_FORBIDDEN")]
)
def test_only_state_admins_ask_about_addresses_and_only_about_lawful_ones(house: House, who: str, vpa: str, code: str) -> None:
    (report_id,) = house.captured(house.teacher())
    with pytest.raises(AppError) as refused:
        check_address(house.rt, getattr(house.people, who), report_id, vpa, house.clock.now())
    assert refused.value.code == code


def test_another_paying_account_is_told_of_everybody_anew(house: House) -> None:
    teacher = house.teacher(vpa="moves.along@okaxis")
    person = {teacher.account_id: {"name": "Ravi Kumar", "phone": "", "vpa": "moves.along@okaxis"}}
    wanted = [(teacher.account_id, teacher.tenant_id)]
    now = house.clock.now()
    with house.rt.database.worker() as conn:
        here = look_up(conn, house.rt.vault, "sandbox", wanted, person, now)[teacher.account_id]
        told = Registered(here, "cont_00000000000001", "fa_00000000000001", ())
        remember(conn, house.rt.vault, [told], now)
        assert look_up(conn, house.rt.vault, "sandbox", wanted, person, now)[teacher.account_id].known
        there = look_up(conn, house.rt.vault, "0123456789abcdef", wanted, person, now)[teacher.account_id]
        assert (there.known, there.contact_id) == (False, None)
        conn.rollback()
