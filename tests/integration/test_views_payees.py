"""The payee of a payout on its page: verified by what and how well, and a UIN that an admin enters and nobody sees again."""

import pytest

from pipeline.identity.numbers import make_uin
from pipeline.payouts.payee import verify_payees
from tests.console import shown, tab, token_for
from tests.integration.payout_house import open_house
from tests.registration_rows import credential


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


def unpaid(house, **changes):
    """A teacher whose payout failed, and the number of the report."""
    teacher = house.teacher(vpa="fails.bank.rejected@sandbox", **changes)
    (report_id,) = house.captured(teacher)
    house.to_the_end()
    return teacher, house.report(report_id).report_number


def name_of(house, teacher):
    with house.rt.database.worker() as conn:
        return house.rt.vault.get(conn, [teacher.account_id], ["name"])[teacher.account_id]["name"]


def open_page(house, caller, number):
    return tab(house.rt, token_for(house.rt, caller), "payouts", report=number)


def test_the_payout_says_by_what_its_payee_is_verified_and_leads_to_the_credential(house):
    teacher, number = unpaid(house)
    credential(house.rt, house.people.admin, "HANDLE", teacher.username, name_of(house, teacher))
    verify_payees(house.rt, house.clock.now())
    with open_page(house, house.people.auditor, number) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "Verified payee" in page
        assert "agree by 100 of 100" in page
        assert "found by the user name" in page
        assert "account named by the staff register" in page
        assert [link.proto.url for link in test.get("link_button") if "identity?registration=" in link.proto.url]
        assert not [one for one in test.text_input if one.key.startswith("payouts.uin")]


@pytest.mark.parametrize("person", ["district_admin", "admin"])
def test_an_admin_enters_a_uin_and_the_names_are_compared_at_once(house, person):
    teacher, number = unpaid(house)
    uin = make_uin(house.rt.masterdata.current().identity_stages("dj").numbers)
    credential(house.rt, house.people.admin, "UIN", uin, name_of(house, teacher))
    with open_page(house, getattr(house.people, person), number) as test:
        test.run()
        assert "no credential is found by the user name" in shown(test)
        test.text_input(key=f"payouts.uin.{number}").set_value(uin)
        next(one for one in test.button if one.key == f"payouts.enter_uin.{number}").click().run()
        assert not test.exception
        assert "The number is kept" in shown(test)
        assert "Verified payee" in shown(test)
        assert "a UIN that an admin has entered" in shown(test)
        assert uin not in shown(test)


def test_a_number_that_is_no_uin_is_refused_and_not_kept(house):
    _, number = unpaid(house)
    with open_page(house, house.people.admin, number) as test:
        test.run()
        test.text_input(key=f"payouts.uin.{number}").set_value("1234567891")
        next(one for one in test.button if one.key == f"payouts.enter_uin.{number}").click().run()
        assert "This is no UIN" in shown(test)
        assert "1234567891" not in shown(test)
