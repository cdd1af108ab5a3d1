"""One payout on the page: its whole story, a corrected address before it is sent, and how full each teacher's month is."""

import csv
import io
import json
from datetime import timedelta
from uuid import uuid4

import pytest

from dashboard.backend import BACKEND, Health
from dashboard.widgets import payout_cap, payout_story
from pipeline.payouts import commands
from pipeline.payouts.provider import target_of
from tests.console import shown, tab, token_for
from tests.integration.payout_house import open_house

REJECTED = "fails.bank.rejected@sandbox"
STRICT = "dj.ali-sabieh"  # takes from its state that a second admin approves


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


@pytest.fixture(autouse=True)
def next_day(house):
    house.move_clock(house.clock.now() + timedelta(days=1))


def paid(house, count=1):
    ids = house.captured(*[house.teacher() for _ in range(count)])
    house.to_the_end()
    return ids


def failed(house, vpa=REJECTED):
    (report_id,) = house.captured(house.teacher(vpa=vpa))
    house.to_the_end()
    assert house.report(report_id).status == "PAYOUT_FAILED"
    return report_id


def open_page(house, caller=None, **query):
    return tab(house.rt, token_for(house.rt, caller or house.people.admin), "payouts", **query)


def number_of(house, report_id):
    return house.report(report_id).report_number


def button(test, key):
    return next(one for one in test.button if one.key == key)


def retry(house, report_id, vpa=None):
    with house.rt.database.begin(house.people.admin.scope) as conn:
        md, vault = house.rt.masterdata.current(), house.rt.vault
        (answer,) = commands.retry(conn, md, vault, house.people.admin, [report_id], house.clock.now(), vpa)
    assert answer.ok


def test_the_story_has_each_attempt_with_calls_request_answer_and_events_and_who_did_what(house):
    report_id = failed(house)
    retry(house, report_id, "amina@okaxis")
    house.to_the_end()
    first, second = house.attempts(report_id)
    for person in (house.people.admin, house.people.district_admin, house.people.auditor):
        with open_page(house, person, report=number_of(house, report_id)) as test:
            test.run()
            assert not test.exception
            labels = [one.label for one in test.expander]
            assert labels[:2] == ["First attempt: failed, 1 send, 2 events", "Retry 1: paid, 1 send, 2 events"]
            assert labels[2:] == ["Ledger: 4 entries", "Who did what: 5 steps"]
            assert not any(one.proto.expanded for one in test.expander)
            page = shown(test)
            for attempt in (first, second):
                for value in (attempt.reference_id, attempt.idempotency_key, attempt.provider_payout_id):
                    assert value in page
            assert ">Taken<" in page
            assert "Reserved from the month" in page
            assert "Given back to the month, unpaid" in page
            assert "Paid out" in page
            assert "UPI address corrected" in page
            events = house.all("SELECT event_id FROM payout.webhook_event WHERE attempt_id = ANY (:ids)", ids=[first.id, second.id])
            assert len(events) == 4
            assert all(event.event_id in page for event in events)
            requests = [json.loads(one.value) for one in test.code]
            assert [one["reference_id"] for one in requests] == [first.reference_id] * 2 + [second.reference_id] * 2
            assert requests[0]["account_number"] == "hidden"
            assert requests[0]["fund_account_id"] != requests[2]["fund_account_id"]
            assert target_of(house.rt.settings).account_number not in page + "".join(one.value for one in test.code)
            assert "amina@okaxis" not in page + "".join(one.value for one in test.code)


def test_a_send_of_which_no_answer_is_kept_says_so_and_one_under_way_says_that(house):
    (report_id,) = paid(house)
    attempt = house.attempts(report_id)[0]
    house.execute("UPDATE payout.attempt SET sends = 2 WHERE id = :id", id=attempt.id)
    with open_page(house, report=number_of(house, report_id)) as test:
        test.run()
        assert shown(test).count(payout_story.DIED) == 1
    row = {"sends": 1, "phase": "SENDING", "lease_until": house.clock.now() + timedelta(seconds=5)}
    zone = house.rt.masterdata.current().tenant("dj").timezone
    assert payout_story.NOW in payout_story.call_table(row, [], house.clock.now(), zone)
    assert payout_story.DIED in payout_story.call_table(row, [], house.clock.now() + timedelta(seconds=6), zone)


def test_a_refused_call_tells_its_status_reason_field_and_description(house):
    (report_id,) = paid(house)
    attempt = house.attempts(report_id)[0]
    house.execute(
        "INSERT INTO payout.call (id, tenant_id, attempt_id, send, call, outcome, http_status, reason, field, description, called_at, "
        "took_ms) VALUES (:id, :tenant, :attempt, 1, 'LOOK_UP', 'REFUSED', 400, 'input_validation_failed', 'vpa.address', "
        "'No <b>such</b> address', :at, 1234)",
        id=uuid4(),
        tenant=attempt.tenant_id,
        attempt=attempt.id,
        at=house.clock.now(),
    )
    with open_page(house, report=number_of(house, report_id)) as test:
        test.run()
        page = shown(test)
        assert "HTTP 400 · input_validation_failed · field vpa.address · No &lt;b&gt;such&lt;/b&gt; address" in page
        assert "Look-up" in page
        assert "1,234 ms" in page


def test_account_numbers_and_addresses_are_masked_wherever_they_stand_in_a_body():
    body = {"account_number": "7878780080316316", "fund": [{"vpa": {"address": "amina@okaxis"}}], "name": "hidden", "amount": 50_000}
    assert payout_story.masked(body) == {
        "account_number": "78••••••16",
        "fund": [{"vpa": {"address": "a•••@okaxis"}}],
        "name": "hidden",
        "amount": 50_000,
    }
    assert payout_story.masked({"account_number": "78••••••16"}) == {"account_number": "78••••••16"}


def test_maker_and_checker_are_both_named_in_the_story(house):
    report_id = failed(house)
    number, md = number_of(house, report_id), house.rt.masterdata.current()
    for table, column in (("sdcrs.report", "id"), ("payout.payout", "report_id")):
        house.execute(f"UPDATE {table} SET tenant_id = :tenant WHERE {column} = :id", tenant=STRICT, id=report_id)
    with house.rt.database.begin(house.people.admin.scope) as conn:
        commands.manual_resolve(conn, md, house.people.admin, report_id, commands.Proof("CHQ-77", "CHEQUE"), house.clock.now())
    with house.rt.database.begin(house.people.second_admin.scope) as conn:
        commands.approve_manual(conn, md, house.people.second_admin, report_id, house.clock.now())
    with open_page(house, house.people.auditor, report=number) as test:
        test.run()
        page = shown(test)
        for words in ("Asked to settle by hand", "Settled by hand", "reference CHQ-77", "Cheque"):
            assert words in page
        for admin in (house.people.admin, house.people.second_admin):
            assert f"Name of {admin.username} (state admin)" in page


def test_a_corrected_address_is_shown_judged_and_tried_out_before_it_is_sent(house):
    report_id = failed(house)
    number = number_of(house, report_id)
    with open_page(house, report=number) as test:
        test.run()
        assert "the present address" in shown(test)
        assert f"SDCRS-{number}-R1, with a key of its own" in shown(test)
        test.text_input(key=f"payouts.vpa.{number}").set_value(" Amina@okaxis").run()
        page = shown(test)
        assert ">f•••@sandbox<" in page
        assert ">Amina@okaxis<" in page
        assert ">passes<" in page
        assert "new for this teacher: a new one is made" in page
        button(test, f"payouts.try.{number}").click().run()
        assert "would be sent again to Amina@okaxis as retry 1. Nothing was changed." in shown(test).replace("\\", "")
        assert house.payout(report_id).retry_count == 0
        test.text_input(key=f"payouts.vpa.{number}").set_value("two@@signs").run()
        assert "it needs exactly one @" in shown(test)
        button(test, f"payouts.try.{number}").click().run()
        assert "would be refused" in shown(test)
        test.text_input(key=f"payouts.vpa.{number}").set_value(REJECTED.upper()).run()
        assert "this is the present address" in shown(test)
    assert house.payout(report_id).retry_count == 0


def test_an_address_that_the_teacher_had_before_is_known(house):
    report_id = failed(house)
    asked = "SELECT provider_fund_account_id AS id FROM payout.fund_account WHERE beneficiary_id = :id"
    old = house.one(asked, id=house.report(report_id).reporter_id)
    retry(house, report_id, "fails.vpa.invalid@sandbox")
    house.to_the_end()
    number = number_of(house, report_id)
    with open_page(house, report=number) as test:
        test.run()
        test.text_input(key=f"payouts.vpa.{number}").set_value(REJECTED).run()
        assert f"known for this teacher: {old.id} is used" in shown(test)


def test_what_each_teacher_has_used_of_a_month_is_shown_fullest_first_by_month_and_area_and_as_a_file(house):
    more, less = house.teacher(), house.teacher()
    reports = house.captured(more, more, less)
    house.to_the_end()
    month = house.payout(reports[0]).cap_month
    house.execute("UPDATE payout.monthly_cap SET reserved_paise = 480000 WHERE beneficiary_id = :id", id=more.account_id)
    with open_page(house, house.people.auditor, **{"payouts.view": "Limits"}) as test:
        test.run()
        assert not test.exception
        page = shown(test)
        first, second = page.index(f">{more.username}<"), page.index(f">{less.username}<")
        line = page[first:second]
        assert "₹4,800" in line
        assert "₹1,000" in line
        assert "₹5,000" in line
        assert "96 %" in line
        assert "Full" in line
        assert ">Full<" not in page[second:]
        months = next(one for one in test.selectbox if one.key == "payouts.month")
        assert f"{month:%B %Y}" in months.options
    house.clock.set(house.clock.now() + timedelta(days=40))
    with open_page(house, **{"payouts.view": "Limits"}) as test:
        test.run()
        assert f">{more.username}<" not in shown(test)
        months = next(one for one in test.selectbox if one.key == "payouts.month")
        months.set_value(month).run()
        assert f">{more.username}<" in shown(test)
    with open_page(house, **{"payouts.view": "Limits", "payouts.area": "Ali Sabieh"}) as test:
        test.run()
        assert f">{more.username}<" not in shown(test)
    with BACKEND.adopted(house.rt, Health()):
        token = token_for(house.rt, house.people.district_admin)
        data = payout_cap.make(token, month, house.people.district_admin.scope, "csv")
    rows = {row["User name"]: row for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig")))}
    row = rows[more.username]
    assert (row["Reserved (INR)"], row["Paid (INR)"], row["Limit (INR)"], row["Used (%)"]) == ("4800", "1000", "5000", "96")
    audit = house.one("SELECT * FROM audit.event WHERE action = 'PAYOUT_LIMITS_EXPORTED'")
    assert audit.details["month"] == month.isoformat()


def test_a_long_month_has_pages_of_a_hundred(house, monkeypatch):
    monkeypatch.setattr(payout_cap, "PAGE_SIZE", 1)
    paid(house, 2)
    with open_page(house, **{"payouts.view": "Limits"}) as test:
        test.run()
        before = shown(test)
        button(test, "payouts.cap_on").click().run()
        assert not test.exception
        assert "2–2" in shown(test)
        assert shown(test) != before
        assert not button(test, "payouts.cap_back").disabled
