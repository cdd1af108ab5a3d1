"""The payouts page as each role: what it shows, what a state admin does there, and that nothing is sent without a second click."""

from datetime import timedelta
from uuid import UUID

import pytest

from dashboard.widgets import payout_acts, payout_findings
from pipeline.errors import AppError
from tests import factories
from tests.console import shown, tab, token_for
from tests.integration.payout_house import open_house

EVERYBODY = ("teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "admin", "auditor")
STRICT = "dj.ali-sabieh"  # takes from its state that a second admin approves


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


def failed(house, vpa="fails.bank.rejected@sandbox"):
    """The report of a payout that failed."""
    (report_id,) = house.captured(house.teacher(vpa=vpa))
    house.to_the_end()
    assert house.report(report_id).status == "PAYOUT_FAILED"
    return report_id


def open_page(house, caller, **query):
    return tab(house.rt, token_for(house.rt, caller), "payouts", **query)


def number_of(house, report_id):
    return house.report(report_id).report_number


def button(test, key):
    return next(one for one in test.button if one.key == key)


def pick(test, ids):
    test.session_state["payouts.list"] = {"selection": {"rows": [test.session_state["payouts.list_ids"].index(str(one)) for one in ids]}}
    test.session_state["payouts.chosen"] = frozenset(str(one) for one in ids)
    return test.run()


@pytest.mark.parametrize("person", EVERYBODY)
def test_the_page_opens_for_admins_and_the_auditor_and_says_that_it_is_a_sandbox(house, person):
    with open_page(house, getattr(house.people, person)) as test:
        test.run()
        assert not test.exception
        assert ("No money moves" in shown(test)) is (person in {"district_admin", "admin", "auditor"})


@pytest.mark.parametrize("person", ["district_admin", "auditor"])
def test_who_only_reads_sees_reason_next_step_and_attempts_and_has_no_button_that_pays(house, person):
    report_id = failed(house)
    with open_page(house, getattr(house.people, person), report=number_of(house, report_id)) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        assert "An admin:" in page
        assert f"SDCRS-{number_of(house, report_id)}" in page
        keys = {one.key or "" for one in test.button}
        assert not [key for key in keys if key.startswith(("payouts.retry", "payouts.settle", "payouts.approve"))]


def test_the_upi_address_is_masked_everywhere(house):
    report_id = failed(house, vpa="fails.bank.rejected@sandbox")
    with open_page(house, house.people.admin) as test:
        test.run()
        pick(test, [report_id])
        page = shown(test) + str([one.value.to_dict() for one in test.dataframe])
        assert "f•••@sandbox" in page
        assert "fails.bank.rejected@sandbox" not in page


def test_a_failed_payout_is_retried_with_a_corrected_address_and_the_report_is_resolved(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.vpa.{number}").set_value("amina@okaxis")
        button(test, f"payouts.retry.{number}").click().run()
        assert not test.exception
        assert "sent again to amina@okaxis as retry 1" in shown(test).replace("\\", "")
    house.to_the_end()
    assert house.report(report_id).status == "RESOLVED"
    house.check_money()


def test_a_second_click_on_retry_sends_nothing_more(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    subject = payout_acts.Subject(report_id, number, 50_000)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        button(test, f"payouts.retry.{number}").click().run()
        assert f"payouts.retry.{number}" not in {one.key for one in test.button}
    assert house.payout(report_id).retry_count == 1
    with house.rt.database.begin(house.people.admin.scope) as conn:
        (again,) = payout_acts.commands.retry(
            conn, house.rt.masterdata.current(), house.rt.vault, house.people.admin, [subject.report_id], house.clock.now()
        )
    assert again.error is not None
    assert house.payout(report_id).retry_count == 1


def test_a_wrong_address_is_refused_and_nothing_is_sent(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.vpa.{number}").set_value("no address")
        button(test, f"payouts.retry.{number}").click().run()
        assert "The UPI address is not valid" in shown(test)
    assert house.payout(report_id).retry_count == 0


def test_many_are_retried_together_with_a_result_for_each(house):
    first, second = failed(house), failed(house)
    with open_page(house, house.people.admin) as test:
        test.run()
        pick(test, [first, second])
        assert "2 payouts chosen" in shown(test)
        button(test, "payouts.try_chosen").click().run()
        assert "2 would be sent again, ₹1,000 in all" in shown(test)
        assert [house.payout(one).retry_count for one in (first, second)] == [0, 0]
        with house.rt.database.begin(house.people.admin.scope) as conn:  # one of them is taken by somebody else meanwhile
            payout_acts.commands.retry(conn, house.rt.masterdata.current(), house.rt.vault, house.people.admin, [first], house.clock.now())
        button(test, "payouts.send_many").click().run()
        assert not test.exception
        assert "1 of 2 sent again" in shown(test)
    assert [house.payout(one).retry_count for one in (first, second)] == [1, 1]


def test_a_payout_is_settled_by_hand_with_its_reference(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        button(test, f"payouts.settle.{number}").click().run()
        assert "manualPaymentReference" in shown(test)
        test.text_input(key=f"payouts.reference.{number}").set_value("NEFT-2026-0042")
        test.selectbox(key=f"payouts.method.{number}").set_value("CASH")
        test.text_area(key=f"payouts.comment.{number}").set_value("Paid at the school").run()
        button(test, f"payouts.settle.{number}").click().run()
        assert "is settled by hand" in shown(test)
    payout = house.payout(report_id)
    assert (payout.status, payout.method, payout.manual_reference, payout.manual_comment) == (
        "COMPLETED",
        "CASH",
        "NEFT-2026-0042",
        "Paid at the school",
    )
    assert house.report(report_id).status == "RESOLVED"


def test_where_the_tenant_asks_for_it_another_admin_approves_and_not_the_one_who_asked(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    for table, column in (("sdcrs.report", "id"), ("payout.payout", "report_id")):
        house.execute(f"UPDATE {table} SET tenant_id = :tenant WHERE {column} = :id", tenant=STRICT, id=report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.reference.{number}").set_value("CHQ-7").run()
        button(test, f"payouts.settle.{number}").click().run()
        assert "waits for the approval of a second admin" in shown(test)
        assert button(test, f"payouts.own.{number}").disabled
    with open_page(house, house.people.second_admin, queue="approval") as test:
        test.run()
        pick(test, [report_id])
        assert f"Name of {house.people.admin.username} asked" in shown(test)
        button(test, f"payouts.approve.{number}").click().run()
        assert "is approved and settled by hand" in shown(test)
    assert house.payout(report_id).manual_approved_by == house.people.second_admin.account_id


def test_a_refused_settlement_leaves_the_payout_unpaid(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    for table, column in (("sdcrs.report", "id"), ("payout.payout", "report_id")):
        house.execute(f"UPDATE {table} SET tenant_id = :tenant WHERE {column} = :id", tenant=STRICT, id=report_id)
    with open_page(house, house.people.admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.reference.{number}").set_value("CHQ-8").run()
        button(test, f"payouts.settle.{number}").click().run()
    with open_page(house, house.people.second_admin, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.refusal.{number}").set_value("Not on the statement").run()
        button(test, f"payouts.refuse.{number}").click().run()
        assert "is refused" in shown(test)
    assert house.payout(report_id).status == "FAILED"
    assert house.payout(report_id).manual_requested_at is None


def test_the_tabs_are_in_the_address_and_each_opens(house):
    failed(house)
    for view in ("Payouts", "Limits", "Reconciliation"):
        with open_page(house, house.people.admin, **{"payouts.view": view}) as test:
            test.run()
            assert not test.exception, view


def test_a_reconciliation_is_run_for_the_chosen_window_and_what_it_finds_is_told(house):
    report_id = failed(house)
    house.execute(
        "UPDATE payout.attempt SET provider_status = 'processing', provider_rank = 4 WHERE payout_id = "
        "(SELECT id FROM payout.payout WHERE report_id = :id)",
        id=report_id,
    )
    house.move_clock(house.clock.now().replace(hour=20))
    with open_page(house, house.people.admin, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        button(test, "payouts.reconcile").click().run()
        assert not test.exception
        page = shown(test)
        assert "to look at" in page
        assert "Different state" in page
        assert number_of(house, report_id) in page
    with open_page(house, house.people.district_admin, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        assert "payouts.reconcile" not in {one.key for one in test.button}


def returned(house, count):
    """Reports of paid payouts that the bank returned, of which we have heard nothing, and the run's moment."""
    house.move_clock(house.clock.now() + timedelta(days=31))
    ids = house.captured(*[house.teacher() for _ in range(count)])
    house.to_the_end()
    house.deaf = True
    for one in ids:
        house.sandbox.post(f"payouts/{house.attempts(one)[0].provider_payout_id}", status="reversed")
    house.move_clock(house.clock.now() + timedelta(hours=3))
    house.deaf = False
    return ids


def test_exceptions_are_put_right_singly_and_together_and_set_aside_with_a_reason(house):
    ids = returned(house, 3)
    with open_page(house, house.people.admin, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        button(test, "payouts.reconcile").click().run()
        page = shown(test)
        assert "State: Processed in our books, Reversed at the provider; 3 h" in page
        assert "The account held" in page
        next(one for one in test.button if (one.key or "").startswith("payouts.fix.")).click().run()
        assert not test.exception
        assert sum(house.report(one).status == "PAYOUT_FAILED" for one in ids) == 1
        assert "Put right: The provider shows" in shown(test)
        assert button(test, "payouts.fix").disabled
        button(test, "payouts.tick_all").click().run()
        button(test, "payouts.aside").click().run()
        assert "needs a reason" in shown(test)
        button(test, "payouts.tick_all").click().run()
        button(test, "payouts.fix").click().run()
        assert not test.exception
        assert "2 of 2 put right" in shown(test)
        assert [house.report(one).status for one in ids] == ["PAYOUT_FAILED"] * 3


def test_what_a_person_found_out_is_kept_with_the_exception(house):
    (report_id,) = returned(house, 1)
    with open_page(house, house.people.admin, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        button(test, "payouts.reconcile").click().run()
        button(test, "payouts.tick_all").click().run()
        next(one for one in test.text_input if one.key.startswith("payouts.reason.")).set_value("The bank <b>knows</b> of it").run()
        button(test, "payouts.aside").click().run()
        page = shown(test)
        assert "Set aside: The bank &lt;b&gt;knows&lt;/b&gt; of it" in page
        assert house.people.admin.username in page
    assert house.report(report_id).status == "RESOLVED"
    with open_page(house, house.people.auditor, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        assert "Set aside: The bank" in shown(test)
        keys = {one.key or "" for one in (*test.button, *test.checkbox)}
        assert not [key for key in keys if key.startswith(("payouts.fix", "payouts.aside", "payouts.tick"))]


SENTENCES = [
    ("AMOUNT_MISMATCH", "amount", "50000", "500000", "Amount: ₹500 in our books, ₹5,000 at the provider; 2 h"),
    ("AMOUNT_MISMATCH", "debit", "50000", "50590", "Debit: ₹500 in our books, ₹505.90 in the statement; 2 h"),
    ("REVERSED_AFTER_SETTLED", "statement", "processed", "returned", "Money: Processed in our books, Returned in the statement; 2 h"),
    ("UTR_REUSED", "utr", "pout_1", "pout_2", "Bank reference: pout_1 and pout_2; 2 h"),
    ("BALANCE_BROKEN", "balance", "-100", "900", "Balance: -₹1 by the lines before it, ₹9 as the line says; 2 h"),
    ("MISSING_AT_PROVIDER", "status", "processed", None, "State: Processed in our books, nothing at the provider; 2 h"),
    ("IN_FLIGHT", None, None, None, "Sent 2 h"),
]


@pytest.mark.parametrize(("kind", "field", "ours", "theirs", "sentence"), SENTENCES, ids=[case[4] for case in SENTENCES])
def test_an_exception_is_told_in_a_sentence(kind, field, ours, theirs, sentence):
    item = {"kind": kind, "field": field, "ours": ours, "theirs": theirs, "age_s": 7200}
    assert payout_findings.differs(item).startswith(sentence)


def test_a_statement_file_is_compared_and_one_that_cannot_be_read_says_where(house):
    report_id = returned(house, 1)[0]
    attempt = house.attempts(report_id)[0]
    at = house.clock.now() - timedelta(hours=3, minutes=1)
    rows = ["id,created_at,credit,debit,balance,payout_id", f"s1,{at.isoformat()},,five,0,{attempt.provider_payout_id}"]
    with open_page(house, house.people.admin, **{"payouts.view": "Reconciliation"}) as test:
        test.run()
        test.get("file_uploader")[0].set_value(("march.csv", "\n".join(rows).encode(), "text/csv")).run()
        button(test, "payouts.reconcile_file").click().run()
        assert "march.csv, line 2, column debit: five is no amount" in shown(test).replace("\\", "")
        good = [rows[0], rows[1].replace("five", "500")]
        test.get("file_uploader")[0].set_value(("april.csv", "\n".join(good).encode(), "text/csv")).run()
        button(test, "payouts.reconcile_file").click().run()
        assert not test.exception
        assert "Compared 1 of our payouts with the statement april.csv: all sides agree." in shown(test).replace("\\", "")


def test_a_district_admin_who_calls_the_command_itself_is_refused(house):
    report_id = failed(house)
    with pytest.raises(AppError) as caught, house.rt.database.begin(house.people.district_admin.scope) as conn:
        payout_acts.commands.retry(
            conn, house.rt.masterdata.current(), house.rt.vault, house.people.district_admin, [UUID(str(report_id))], house.clock.now()
        )
    assert caught.value.code == "SDCRS_FORBIDDEN"
    assert factories.status_of(house.rt, report_id) == "PAYOUT_FAILED"
