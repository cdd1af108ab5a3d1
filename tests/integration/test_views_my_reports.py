"""A teacher's own reports: what stands there in plain words, the limits, an answer, a rating, and a new report through the form."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

from sqlalchemy import text

from dashboard.widgets import report_form
from dashboard.widgets.browser import DevicePlace
from dashboard.widgets.place import Pin
from pipeline.access.caller import SYSTEM_ID
from pipeline.demo.photos import photo
from pipeline.filestore.measure import measure
from pipeline.reports.workflow import Actor, Item, transition
from tests import factories
from tests.console import shown, tab, token_for


def report(rt, report_id):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM sdcrs.report WHERE id = :id"), {"id": report_id}).mappings().one()


def number_of(rt, report_id):
    return report(rt, report_id)["report_number"]


def mine(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "my_reports", **query)


def test_a_teacher_sees_the_own_reports_and_no_others(rt, staff, teacher):
    own, foreign = factories.validated(rt, teacher), factories.validated(rt, staff.teacher)
    with mine(rt, teacher) as test:
        test.run()
        assert not test.exception
        assert number_of(rt, own) in shown(test)
        assert number_of(rt, foreign) not in shown(test)
        assert "1 of 5" in shown(test)
        assert "of at most ₹5,000" in shown(test)
    with mine(rt, teacher, report=number_of(rt, foreign)) as test:
        test.run()
        assert not test.exception
        assert "You have no report" in shown(test)


def test_what_is_shown_stays_chosen_while_a_report_or_the_form_is_open(rt, teacher):
    number = number_of(rt, factories.validated(rt, teacher))
    with mine(rt, teacher) as test:
        test.run()
        test.segmented_control(key="my_reports.show").set_value("open").run()
        test.button(key=f"open-mine-{number}").click().run()
        assert f"<h2>{number}</h2>" in shown(test)
        test.button(key="my_reports.back").click().run()
        assert test.segmented_control(key="my_reports.show").value == "open"
        test.button(key="my_reports.new").click().run()
        assert not test.exception
        assert test.get("file_uploader")
        test.button(key="my_reports.cancel").click().run()
        assert not test.exception
        assert test.segmented_control(key="my_reports.show").value == "open"
        assert number in shown(test)


def test_a_report_stands_there_in_the_public_s_words_with_photos_and_tracking_link(rt, teacher):
    report_id = factories.validated(rt, teacher)
    with mine(rt, teacher, report=number_of(rt, report_id)) as test:
        test.run()
        page = shown(test)
        assert "Under Review" in page
        assert "A verifier looks at your photos" in page
        assert "Fraud score" not in page
        assert len(test.get("image")) == 2  # the own dog photo and the own selfie
        (link,) = test.get("link_button")
        assert link.proto.url.endswith(f"/track/{report(rt, report_id)['tracking_id']}")


def test_a_rejection_tells_the_reason_and_not_how_the_checks_work(rt, teacher):
    stale = factories.photos(rt, teacher, taken_at=rt.clock.now() - timedelta(hours=60))
    report_id = factories.validated(rt, teacher, evidence=factories.submission(rt, teacher, stale).evidence)
    assert factories.status_of(rt, report_id) == "AUTO_REJECTED"
    with mine(rt, teacher, report=number_of(rt, report_id)) as test:
        test.run()
        page = shown(test)
        assert "Not Accepted" in page
        assert "The photo was not taken within the last 48 hours" in page
        assert "60.0 h" not in page


def test_a_question_is_answered_and_the_verifier_s_clock_goes_on(rt, staff, teacher):
    report_id = factories.validated(rt, teacher)
    number = number_of(rt, report_id)
    assert factories.do(rt, staff.verifier, report_id, "SEND_BACK", comment="Which side of the road?").ok
    with mine(rt, teacher, report=number) as test:
        test.run()
        assert "Which side of the road?" in shown(test)
        send = next(button for button in test.button if button.label == "Send the answer")
        send.click().run()
        assert "needs a text" in shown(test)
        test.text_area(key=f"my_reports.answer.{number}").set_value("The side of the school.")
        next(button for button in test.button if button.label == "Send the answer").click().run()
        assert not test.exception
        assert "is sent" in shown(test)
    assert report(rt, report_id)["awaiting_teacher_at"] is None


def test_a_resolved_report_is_rated_once(rt, clock, staff, teacher):
    report_id = factories.captured(rt, replace(staff, teacher=teacher))
    facts = {"payout_status": "SKIPPED_CAP_REACHED", "payout_amount_paise": 0, "resolved_at": clock.now(), "payout_eligible": False}
    with rt.database.worker() as conn:
        system = Actor(SYSTEM_ID, frozenset({"SYSTEM"}))
        (outcome,) = transition(conn, rt.masterdata.current(), "RESOLVE_NO_PAYOUT", [Item(report_id, facts)], system, clock.now())
    assert outcome.ok, outcome.error
    with mine(rt, teacher, report=number_of(rt, report_id)) as test:
        test.run()
        assert "Not paid: monthly limit" in shown(test)
        test.feedback(key=f"my_reports.stars.{number_of(rt, report_id)}").set_value(3).run()
        assert not test.exception
        assert "is rated 4 of 5" in shown(test)
        assert "How did it go?" not in shown(test)
    row = report(rt, report_id)
    assert (row["status"], row["rating"]) == ("CLOSED", 4)


def test_the_daily_limit_is_said_before_anything_is_typed(rt, teacher):
    for _ in range(5):
        factories.submitted(rt, teacher)
    with mine(rt, teacher) as test:
        test.run()
        assert "5 of 5" in shown(test)
        assert test.button(key="my_reports.new").disabled
    with mine(rt, teacher, new="1") as test:
        test.run()
        assert not test.exception
        assert "daily limit" in shown(test)
        assert not test.get("file_uploader")


def test_the_form_sends_a_report_through_the_intake(rt, teacher):
    now = rt.clock.now()
    seed = uuid4().int % 10**6
    dog = photo(seed, "dog", *factories.SCHOOL_GATE, now - timedelta(minutes=3))
    selfie = photo(seed + 1, "selfie", *factories.SCHOOL_GATE, now - timedelta(minutes=2))
    with mine(rt, teacher, new="1") as test:
        test.run()
        assert not test.exception
        assert test.button(key="my_reports.send").disabled
        assert "Still missing: photo of the dog, selfie, description, place." in shown(test)
        test.file_uploader(key="my_reports.DOG_PHOTO").set_value([("dog.jpg", dog, "image/jpeg")]).run()
        assert "The file stores the time and the place." in shown(test)
        assert "Djibouti Centre, Ward 5" in shown(test)
        test.file_uploader(key="my_reports.REPORTER_SELFIE").set_value([("selfie.jpg", selfie, "image/jpeg")]).run()
        test.radio(key="my_reports.type").set_value("StrayDogPack")
        test.text_area(key="my_reports.description").set_value("Three dogs at the gate.").run()
        test.button(key="my_reports.send").click().run()
        assert not test.exception
        assert "is sent" in shown(test)
        number = test.query_params["report"]
    with rt.database.worker() as conn:
        row = conn.execute(text("SELECT * FROM sdcrs.report WHERE report_number = :n"), {"n": number}).mappings().one()
    assert (row["reporter_id"], row["service_type"], row["ward_code"]) == (teacher.account_id, "StrayDogPack", "W005")
    assert row["status"] == "PENDING_VALIDATION"


def draft(rt, token):
    now = rt.clock.now()
    seed = uuid4().int % 10**6
    files = []
    for kind in ("dog", "selfie"):
        data = photo(seed, kind, *factories.SCHOOL_GATE, now - timedelta(minutes=3))
        files.append(report_form.Photo(f"{kind}.jpg", data, measure(data, "x"), ""))
    device = DevicePlace(*factories.SCHOOL_GATE, 24.0, now)
    pin = Pin(*factories.SCHOOL_GATE, "typed")
    return report_form.Draft(token, (files[0], files[1]), "StrayDogStandard", "One dog.", pin, device, "Gate", None, 1)


def test_a_second_click_on_send_makes_no_second_report(rt, teacher, monkeypatch):
    monkeypatch.setattr(report_form, "leave", lambda: None)
    monkeypatch.setattr(report_form.st, "query_params", {})
    ctx = SimpleNamespace(runtime=rt, caller=teacher, now=rt.clock.now(), begin=lambda: rt.database.begin(teacher.scope))
    sent = draft(rt, uuid4().hex)
    assert report_form.send(sent, ctx) == report_form.send(sent, ctx)
    with rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT gps_accuracy_m, address FROM sdcrs.report WHERE reporter_id = :id"), {"id": teacher.account_id}
        ).all()
    assert rows == [(24.0, "Gate")]
