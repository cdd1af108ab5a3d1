"""The queues of the payouts page: each payout in one of them, the numbers those of the lists, filters, retry of many, and files."""

import csv
import io
from datetime import timedelta
from uuid import uuid4

import pytest

from dashboard.backend import BACKEND, Health
from dashboard.widgets import payout_bulk, payout_export
from dashboard.widgets.payout_filter import Filter, Wanted
from dashboard.widgets.payout_words import QUEUES
from dashboard.widgets.work import Area
from pipeline.errors import AppError
from pipeline.payouts import commands, retry_many
from tests import factories
from tests.console import shown, tab, token_for
from tests.integration.payout_house import open_house

STRICT = "dj.ali-sabieh"  # takes from its state that a second admin approves
REJECTED = "fails.bank.rejected@sandbox"


@pytest.fixture(scope="module")
def house(rt):
    with open_house(rt) as opened:
        yield opened


@pytest.fixture(scope="module")
def placed(house):
    """A payout in each queue, by name of the queue."""
    found = {}

    def one(vpa):
        (report_id,) = house.captured(house.teacher(vpa=vpa))
        house.run()
        return report_id

    found["STUCK"], found["REVERSED"] = one("stuck@sandbox"), one("reversed.after.processed@sandbox")
    house.sandbox.settle(late=True)
    house.to_the_end()
    house.move_clock(house.clock.now() + timedelta(days=7))
    house.deaf = True
    found["FAILED"], found["APPROVAL"], found["RETRYING"] = one(REJECTED), one(REJECTED), one("fails.bank.offline@sandbox")
    found["DONE"] = one("ravi@okaxis")
    house.deaf = False
    house.to_the_end()
    for table, column in (("sdcrs.report", "id"), ("payout.payout", "report_id")):
        house.execute(f"UPDATE {table} SET tenant_id = :tenant WHERE {column} = :id", tenant=STRICT, id=found["APPROVAL"])
    with house.rt.database.begin(house.people.admin.scope) as conn:
        proof = commands.Proof("CHQ-7", "CHEQUE")
        commands.manual_resolve(conn, house.rt.masterdata.current(), house.people.admin, found["APPROVAL"], proof, house.clock.now())
    house.deaf = True  # what follows stays as it is
    found["UNDER_WAY"], found["PERSON"], found["LOW_BALANCE"] = (one("stuck@sandbox") for _ in range(3))
    house.execute("UPDATE payout.payout SET needs_person = 'Look at it' WHERE report_id = :id", id=found["PERSON"])
    house.execute(
        "UPDATE payout.attempt SET provider_status = 'queued', provider_rank = 3, reason = 'low_balance' "
        "WHERE payout_id = (SELECT id FROM payout.payout WHERE report_id = :id)",
        id=found["LOW_BALANCE"],
    )
    house.sandbox.fault("drop_before_commit")
    found["UNKNOWN"] = one("ravi@okaxis")
    return found


def open_page(house, caller=None, **query):
    return tab(house.rt, token_for(house.rt, caller or house.people.admin), "payouts", **query)


def listed(test):
    return list(test.session_state["payouts.list_ids"]) if "payouts.list_ids" in test.session_state else []


def button(test, key):
    return next(one for one in test.button if one.key == key)


def numbers(test):
    """What the pills say, by name of the queue."""
    (pills,) = [one for one in test.pills if one.key == "payouts.queue"]
    told = {}
    for label in pills.options:
        name, _, rest = label.partition(" (")
        told[name] = int(rest.rstrip(")")) if rest else None
    return told


def failed(house, count):
    house.deaf = False
    house.move_clock(house.clock.now() + timedelta(days=1))
    ids = house.captured(*[house.teacher(vpa=REJECTED) for _ in range(count)])
    house.to_the_end()
    return ids


@pytest.mark.parametrize("queue", QUEUES)
def test_each_queue_has_its_payout_and_its_number_is_that_of_the_list(house, placed, queue):
    for person in (house.people.admin, house.people.auditor):
        with open_page(house, person, queue=queue.lower()) as test:
            test.run()
            assert not test.exception
            ids = listed(test)
            assert str(placed[queue]) in ids
            assert not {str(one) for name, one in placed.items() if name != queue} & set(ids)
            assert numbers(test)[QUEUES[queue]] in ({len(ids)} if queue != "DONE" else {None})


def test_the_tiles_say_the_same_numbers_as_the_queues(house, placed):
    with open_page(house) as test:
        test.run()
        page, said = shown(test), numbers(test)
        for name in ("Failed", "Reversed", "Stuck", "Unknown", "To look into", "To approve"):
            assert f"<dt>{name}</dt><dd>{said[name]}<small>" in page.replace("\n", ""), name
            assert said[name] >= 1


def test_three_working_days_make_it_stuck_and_not_a_moment_less(house, placed):
    accepted = house.attempts(placed["UNDER_WAY"])[0].accepted_at
    begin = house.clock.now()
    days = next(n for n in range(1, 9) if sum((accepted + timedelta(days=d)).weekday() < 5 for d in range(1, n + 1)) == 4)
    try:
        last = (accepted + timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
        for at, queue in ((last - timedelta(seconds=1), "under_way"), (last, "stuck")):
            house.clock.set(at)
            with open_page(house, queue=queue) as test:
                test.run()
                assert str(placed["UNDER_WAY"]) in listed(test), queue
    finally:
        house.clock.set(begin)


def test_an_area_narrows_numbers_and_lists_alike(house, placed):
    with open_page(house, **{"payouts.area": "Ali Sabieh", "queue": "approval"}) as test:
        test.run()
        area = next(one for one in test.selectbox if one.key == "payouts.area")
        assert area.value == "Ali Sabieh", area.options
        assert listed(test) == [str(placed["APPROVAL"])]
        assert numbers(test)["Failed"] == 0
        assert numbers(test)["To approve"] == 1


NAMES = {
    "report": lambda house, one: house.report(one).report_number,
    "report in small letters": lambda house, one: house.report(one).report_number.lower(),
    "reference": lambda house, one: house.attempts(one)[0].reference_id,
    "payout": lambda house, one: house.attempts(one)[0].provider_payout_id,
    "UTR": lambda house, one: house.payout(one).utr,
}


@pytest.mark.parametrize("what", NAMES)
def test_a_payout_is_found_by_each_of_its_names_alone(house, placed, what):
    name = NAMES[what](house, placed["DONE"])
    with open_page(house, queue="done", **{"payouts.find": name}) as test:
        test.run()
        assert listed(test) == [str(placed["DONE"])]
        assert numbers(test)["Settled"] == 1
        button(test, "payouts.unfilter").click().run()
        assert not test.exception
        assert numbers(test)["Settled"] is None
    with open_page(house, queue="failed", **{"payouts.find": name}) as test:
        test.run()
        assert listed(test) == []
        assert "Elsewhere: Settled (1)" in shown(test)
    with open_page(house, queue="done", **{"payouts.find": name[:-1]}) as test:
        test.run()
        assert listed(test) == []


def test_filters_narrow_by_reason_teacher_and_day_and_stand_in_the_address(house, placed):
    wanted = placed["FAILED"]
    teacher = house.one("SELECT a.username FROM access.account a WHERE a.id = :id", id=house.report(wanted).reporter_id).username
    day = house.payout(wanted).created_at.astimezone(house.rt.masterdata.current().tenant("dj").timezone).date()
    matching = {"payouts.reason": "Beneficiary bank rejected", "payouts.teacher": teacher.lower(), "payouts.since": str(day)}
    matching["payouts.until"] = str(day)
    for name, value in matching.items():
        with open_page(house, queue="failed", **{name: value}) as test:
            test.run()
            assert not test.exception
            assert str(wanted) in listed(test), name
    others = {"payouts.reason": "Bank account closed", "payouts.teacher": "T00000", "payouts.since": str(day + timedelta(days=1))}
    house.clock.set(house.clock.now() + timedelta(days=2))  # the day after is chosen only once it has begun
    for name, value in others.items():
        with open_page(house, queue="failed", **{name: value}) as test:
            test.run()
            assert str(wanted) not in listed(test), name
    with open_page(house, queue="failed", **{"payouts.until": str(day - timedelta(days=1))}) as test:
        test.run()
        assert str(wanted) not in listed(test)


def test_all_that_match_are_tried_out_then_sent_and_nothing_else(house, placed):
    first, second, other = failed(house, 3)
    house.execute("UPDATE payout.payout SET failure_reason = 'bank_account_closed' WHERE report_id = ANY (:ids)", ids=[first, second])
    with open_page(house, queue="failed", **{"payouts.reason": "Bank account closed"}) as test:
        test.run()
        assert set(listed(test)) == {str(first), str(second)}
        button(test, "payouts.try_all").click().run()
        assert not test.exception
        assert "2 would be sent again, ₹1,000 in all" in shown(test)
        assert "f•••@sandbox" in str([one.value.to_dict() for one in test.dataframe])
        assert [house.payout(one).retry_count for one in (first, second)] == [0, 0]
        # meanwhile one of them fell into doubt
        doubted = "UPDATE payout.attempt SET phase = 'REVIEW' WHERE payout_id = (SELECT id FROM payout.payout WHERE report_id = :id)"
        house.execute(doubted, id=second)
        button(test, "payouts.send_many").click().run()
        assert not test.exception
        assert "1 of 2 sent again" in shown(test)
        lines = test.session_state["payouts.sent"]
        assert [(line.number, line.done) for line in lines] == [
            (house.report(second).report_number, False),
            (house.report(first).report_number, True),
        ]
    rows = list(csv.reader(io.StringIO(payout_bulk.result_file(lines).decode("utf-8-sig"))))
    assert [row[3] for row in rows] == ["Sent again", "No", "Yes"]
    assert rows[1][4].startswith("Refused: ")
    assert [house.payout(one).retry_count for one in (first, second, other)] == [1, 0, 0]


def test_a_trial_holds_for_the_list_it_was_made_for_alone(house):
    failed(house, 2)
    with open_page(house, queue="failed") as test:
        test.run()
        button(test, "payouts.try_all").click().run()
        assert "payouts.send_many" in {one.key for one in test.button}
        test.text_input(key="payouts.teacher").set_value("nobody").run()
        assert "payouts.send_many" not in {one.key for one in test.button}


def test_more_than_are_taken_at_once_are_said_and_the_oldest_are_taken(house, monkeypatch):
    ids = failed(house, 3)
    monkeypatch.setattr(payout_bulk, "MAX_AT_ONCE", 2)
    house.execute("UPDATE payout.payout SET failure_reason = 'invalid_ifsc_code' WHERE report_id = ANY (:ids)", ids=ids)
    in_order = house.all("SELECT report_id FROM payout.payout WHERE report_id = ANY (:ids) ORDER BY created_at, id", ids=ids)
    oldest = [row.report_id for row in in_order]
    with open_page(house, queue="failed", **{"payouts.reason": "Invalid ifsc code"}) as test:
        test.run()
        assert button(test, "payouts.try_all").label == "Try a retry of the oldest 2"
        button(test, "payouts.try_all").click().run()
        assert "More match. 2 are taken at once" in shown(test)
        button(test, "payouts.send_many").click().run()
    assert [house.payout(one).retry_count for one in oldest] == [1, 1, 0]


@pytest.mark.parametrize("person", ["district_admin", "auditor"])
def test_who_only_reads_exports_and_has_no_button_that_tries_or_sends(house, placed, person):
    with open_page(house, getattr(house.people, person), queue="failed") as test:
        test.run()
        keys = {one.key or "" for one in test.button}
        assert not [key for key in keys if key.startswith(("payouts.try", "payouts.send", "payouts.retry"))]
        assert {one.key for one in test.get("download_button")} >= {"payouts.export.csv", "payouts.export.xlsx"}
    caller = getattr(house.people, person)
    with pytest.raises(AppError) as caught:
        retry_many.retry_many(house.rt, caller, [placed["FAILED"]], house.clock.now())
    assert caught.value.code == "SDCRS_FORBIDDEN"


def whole(house, caller, **filters):
    return Wanted(Area(caller.tenant_id, caller.scope), Filter(**filters), "FAILED")


def exported(house, caller, wanted, kind="csv"):
    with BACKEND.adopted(house.rt, Health()):
        return payout_export.make(token_for(house.rt, caller), wanted, kind)


def test_the_export_has_the_filtered_list_in_local_time_masked_and_harmless_and_is_recorded(house):
    ids = failed(house, 2)
    house.execute("UPDATE payout.payout SET failure_reason = 'bank_account_frozen', failure_text = '=1+1' WHERE report_id = :id", id=ids[0])
    auditor = house.people.auditor
    data = exported(house, auditor, whole(house, auditor, reason="bank_account_frozen"))
    (row,) = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    payout = house.payout(ids[0])
    assert row["Report"] == payout.report_number
    assert (row["UPI address"], row["Amount (INR)"], row["Queue"], row["Reason in words"]) == ("f•••@sandbox", "500", "Failed", "'=1+1")
    assert row["Teacher"] == f"Name of {row['User name']}"
    zone = house.rt.masterdata.current().tenant(payout.tenant_id).timezone
    assert row["Created"] == f"{payout.created_at.astimezone(zone):%Y-%m-%d %H:%M}"
    assert REJECTED.encode() not in data
    audit = house.one("SELECT * FROM audit.event WHERE action = 'PAYOUTS_EXPORTED' AND actor_id = :id", id=auditor.account_id)
    assert (audit.details["rows"], audit.details["kind"], audit.details["reason"]) == (1, "csv", "bank_account_frozen")
    assert exported(house, auditor, whole(house, auditor), "xlsx").startswith(b"PK")


def test_nobody_exports_beyond_their_area_or_role_or_after_their_session(house):
    failed(house, 1)
    elsewhere = factories.account(house.rt, f"AUD{uuid4().hex[:6]}", "AUDITOR", tenant_id="ncr")
    data = exported(house, elsewhere, whole(house, house.people.admin))
    assert len(data.decode("utf-8-sig").splitlines()) == 1
    for caller, code in ((house.people.teacher, "SDCRS_FORBIDDEN"), (None, "SDCRS_NOT_SIGNED_IN")):
        with pytest.raises(AppError) as caught, BACKEND.adopted(house.rt, Health()):
            payout_export.make(token_for(house.rt, caller) if caller else "ended", whole(house, house.people.admin), "csv")
        assert caught.value.code == code
