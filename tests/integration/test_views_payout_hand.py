"""Payments by hand on the payouts page: the receipt's photo, settlements outside the rules, and what the bank says of an address."""

import pytest

from pipeline.demo.photos import photo
from tests.integration.payout_house import open_house
from tests.integration.test_views_payouts import button, failed, number_of, open_page, shown

WHY = "The district office paid him in cash"


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


def test_outside_the_rules_a_reason_is_asked_for_and_a_second_admin_sees_it(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.reference.{number}").set_value("CASH-1")
        test.checkbox(key=f"payouts.outside.{number}").set_value(True).run()
        assert button(test, f"payouts.settle.{number}").label == "Ask for approval"
        button(test, f"payouts.settle.{number}").click().run()
        assert "reason" in shown(test)
        assert house.payout(report_id).manual_requested_at is None
        test.text_area(key=f"payouts.exception.{number}").set_value(WHY).run()
        button(test, f"payouts.settle.{number}").click().run()
        assert "waits for the approval of a second admin" in shown(test)
    with open_page(house, house.people.second_admin, report=number) as test:
        test.run()
        assert f"Outside the rules: {WHY}" in shown(test)
        button(test, f"payouts.approve.{number}").click().run()
        assert not test.exception
    payout = house.payout(report_id)
    assert (payout.status, payout.manual_exception) == ("COMPLETED", WHY)
    assert {payout.manual_requested_by, payout.manual_approved_by} == {house.people.admin.account_id, house.people.second_admin.account_id}


def test_the_photo_of_the_receipt_is_stored_and_shown_to_the_one_who_approves(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    receipt = photo(7, camera=None)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.reference.{number}").set_value("NEFT-9")
        test.checkbox(key=f"payouts.outside.{number}").set_value(True).run()
        test.text_area(key=f"payouts.exception.{number}").set_value(WHY)
        test.get("file_uploader")[0].set_value(("receipt.txt.jpg", b"no photo", "image/jpeg")).run()
        button(test, f"payouts.settle.{number}").click().run()
        assert house.payout(report_id).manual_requested_at is None, "what is no photo is refused before anything is entered"
        test.get("file_uploader")[0].set_value(("receipt.jpg", receipt, "image/jpeg")).run()
        button(test, f"payouts.settle.{number}").click().run()
        assert not test.exception
    file_id = house.payout(report_id).manual_file_id
    assert file_id is not None
    with open_page(house, house.people.second_admin, report=number) as test:
        test.run()
        assert str(file_id) in shown(test)


def test_the_bank_is_asked_about_a_typed_address_before_anything_is_sent(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    house.sandbox.post("settings", delay_seconds=0)
    try:
        with open_page(house, house.people.admin, report=number) as test:
            test.run()
            test.text_input(key=f"payouts.vpa.{number}").set_value("his.brother@okaxis").run()
            button(test, f"payouts.ask.{number}").click().run()
            assert "his.brother@okaxis can be paid" in shown(test).replace("\\", "")
            assert "in the name of" in shown(test)
            test.text_input(key=f"payouts.vpa.{number}").set_value("fails.vpa.invalid@sandbox").run()
            button(test, f"payouts.ask.{number}").click().run()
            assert "cannot be paid" in shown(test)
    finally:
        house.sandbox.post("settings", delay_seconds=2.0)
    assert house.payout(report_id).retry_count == 0


def test_who_is_no_verified_payee_is_named_so(house):
    report_id = failed(house)
    with open_page(house, house.people.auditor, report=number_of(house, report_id)) as test:
        test.run()
        assert "Payee not verified yet" in shown(test)


def test_a_phone_number_is_shown_once_to_an_admin_who_says_what_for(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, house.people.district_admin, report=number) as test:
        test.run()
        assert "9876543210" not in shown(test)
        button(test, f"reveal.show.{number}").click().run()
        assert "9876543210" not in shown(test), "no reason, no number"
        test.text_input(key=f"reveal.purpose.{number}").set_value("To ask for another UPI address").run()
        button(test, f"reveal.show.{number}").click().run()
        assert "9876543210" in shown(test)
        test.run()
        assert "9876543210" not in shown(test), "it is shown once"
    (look,) = house.all("SELECT purpose FROM audit.event WHERE action = 'REVEAL'")
    assert look.purpose == "To ask for another UPI address"
    with open_page(house, house.people.auditor, report=number) as test:
        test.run()
        assert not [one for one in test.button if one.key == f"reveal.show.{number}"]
