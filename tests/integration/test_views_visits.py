"""The field visits of an officer: what is on a card, what ends a visit, and what an officer never sees."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

import queries
from dashboard.widgets import position, visit_card
from pipeline.demo.photos import photo
from tests import factories
from tests.console import shown, tab, token_for

EVERYBODY = ("teacher", "verifier", "senior", "supervisor", "officer", "second_officer", "district_admin", "admin", "auditor")


@pytest.fixture
def people(rt, staff):
    """The same staff for all tests, with a teacher and an officer of the test's own."""
    tag = uuid4().hex[:6]
    return replace(
        staff,
        teacher=factories.account(rt, f"T{tag}", "TEACHER"),
        officer=factories.account(rt, f"MCO{tag}", "MC_OFFICER", wards=("W005",)),
    )


def open_page(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "visits", **query)


def button(test, key):
    return next(one for one in test.button if one.key == key)


def report(rt, report_id):
    with rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM sdcrs.report WHERE id = :id"), {"id": report_id}).mappings().one()


@pytest.mark.parametrize("person", EVERYBODY)
def test_the_page_opens_for_officers_only(rt, staff, person):
    caller = getattr(staff, person)
    with open_page(rt, caller) as test:
        test.run()
        assert not test.exception
        assert ("Nothing is assigned to you" in shown(test)) is (person in {"officer", "second_officer"})


def test_a_visit_is_started_from_its_card_with_the_place_that_was_given(rt, people):
    report_id = factories.assigned(rt, people)
    number = report(rt, report_id)["report_number"]
    with open_page(rt, people.officer) as test:
        test.run()
        assert number in shown(test)
        test.text_input(key="visits.typed").set_value("11.5890, 43.1460").run()
        assert "from you" in shown(test)
        button(test, f"visits.start.{number}").click().run()
        assert not test.exception
        assert "has started" in shown(test).replace("\\", "")
    row = report(rt, report_id)
    assert (row["status"], row["visit_latitude"], row["visit_longitude"]) == ("IN_PROGRESS", 11.589, 43.146)


def test_a_visit_starts_without_a_place_too(rt, people):
    report_id = factories.assigned(rt, people)
    with open_page(rt, people.officer) as test:
        test.run()
        button(test, f"visits.start.{report(rt, report_id)['report_number']}").click().run()
    assert report(rt, report_id)["visit_latitude"] is None
    assert factories.status_of(rt, report_id) == "IN_PROGRESS"


def test_a_capture_needs_a_photo_and_a_place_and_keeps_both(rt, people):
    report_id = factories.in_progress(rt, people)
    number = report(rt, report_id)["report_number"]
    with open_page(rt, people.officer) as test:
        test.run()
        button(test, f"visits.end.{number}").click().run()
        assert "Take a photo of the captured dog" in shown(test)
        picture = photo(uuid4().int % 10**9, "dog", *factories.SCHOOL_GATE, rt.clock.now())
        test.file_uploader(key=f"visits.file.{number}").upload("capture.jpg", picture, "image/jpeg").run()
        button(test, f"visits.end.{number}").click().run()
        assert "Say where you are" in shown(test)
        test.radio(key=f"visits.where.{number}").set_value(visit_card.AT_PIN)
        test.selectbox(key=f"visits.resolution.{number}").set_value("RELOCATED")
        test.text_area(key=f"visits.remarks.{number}").set_value("Brought to the shelter").run()
        button(test, f"visits.end.{number}").click().run()
        assert not test.exception
        assert "the dog is captured" in shown(test)
    row = report(rt, report_id)
    assert (row["status"], row["resolution_type"], row["resolution_remarks"]) == ("CAPTURED", "RELOCATED", "Brought to the shelter")
    assert (row["completed_latitude"], row["completed_longitude"]) == factories.SCHOOL_GATE
    with rt.database.worker() as conn:
        kinds = conn.execute(text("SELECT evidence_type FROM sdcrs.evidence WHERE report_id = :id"), {"id": report_id}).scalars().all()
    assert sorted(kinds) == ["CAPTURE_PHOTO", "DOG_PHOTO", "REPORTER_SELFIE"]


def test_a_photo_that_is_none_is_refused_at_the_button(rt, people):
    report_id = factories.in_progress(rt, people)
    number = report(rt, report_id)["report_number"]
    with open_page(rt, people.officer) as test:
        test.run()
        test.file_uploader(key=f"visits.file.{number}").upload("capture.jpg", b"no photo at all", "image/jpeg").run()
        test.radio(key=f"visits.where.{number}").set_value(visit_card.AT_PIN).run()
        button(test, f"visits.end.{number}").click().run()
        assert not test.exception
        assert "is not a JPEG or PNG photo" in shown(test)
    assert factories.status_of(rt, report_id) == "IN_PROGRESS"


def test_a_dog_that_is_not_found_needs_a_reason(rt, people):
    report_id = factories.in_progress(rt, people)
    number = report(rt, report_id)["report_number"]
    with open_page(rt, people.officer) as test:
        test.run()
        next(one for one in test.segmented_control if one.key == f"visits.how.{number}").set_value(visit_card.NOT_FOUND).run()
        button(test, f"visits.end.{number}").click().run()
        assert "Choose why the dog was not found" in shown(test)
        test.radio(key=f"visits.reason.{number}").set_value("DOG_MOVED")
        test.radio(key=f"visits.where.{number}").set_value(visit_card.AT_PIN).run()
        button(test, f"visits.end.{number}").click().run()
        assert not test.exception
    row = report(rt, report_id)
    assert (row["status"], row["unable_reason"], row["payout_eligible"]) == ("UNABLE_TO_LOCATE", "DOG_MOVED", False)


def test_a_report_that_was_taken_back_meanwhile_is_not_visited(rt, people):
    report_id = factories.assigned(rt, people)
    number = report(rt, report_id)["report_number"]
    with open_page(rt, people.officer) as test:
        test.run()
        assert factories.do(rt, people.supervisor, report_id, "REASSIGN").ok
        button(test, f"visits.start.{number}").click().run()
        assert "This report is not assigned to you" in shown(test)
    assert factories.status_of(rt, report_id) == "VERIFIED"


def test_an_officer_sees_neither_the_reporter_nor_the_selfie_nor_others_reports(rt, people):
    report_id = factories.in_progress(rt, people)
    with rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT evidence_type, file_id::text AS file_id FROM sdcrs.evidence WHERE report_id = :id"), {"id": report_id}
        )
        files = {row.evidence_type: row.file_id for row in rows}
    with open_page(rt, people.officer) as test:
        test.run()
        page = str([*test.get("html"), *test.get("imgs")]) + shown(test)
        assert files["DOG_PHOTO"] in page
        assert files["REPORTER_SELFIE"] not in page
        assert people.teacher.username not in page
    with open_page(rt, people.second_officer) as test:
        test.run()
        assert report(rt, report_id)["report_number"] not in shown(test)
    for name in ("visits.mine", "visits.ended"):
        assert "reporter" not in str(queries.statement(name)).lower()


def test_ended_visits_are_listed_with_how_they_ended_and_how_long_they_took(rt, people):
    report_id = factories.in_progress(rt, people)
    rt.clock.advance(timedelta(minutes=25))
    outcome = factories.do(
        rt, people.officer, report_id, "MARK_UNABLE_TO_LOCATE", unable_reason="SEARCH_TIMEOUT", resolution_remarks="No trace of it"
    )
    assert outcome.ok
    with open_page(rt, people.officer, **{"visits.view": "Ended"}) as test:
        test.run()
        page = shown(test)
        assert report(rt, report_id)["report_number"] in page
        assert "Search ended" in page
        assert "after 25 min" in page
        assert "No trace of it" in page


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("11.5886, 43.1456", (11.5886, 43.1456)),
        (" -11.5;43 ", (-11.5, 43.0)),
        ("11.5886 43.1456", (11.5886, 43.1456)),
        ("91, 43", None),
        ("11.5, 181", None),
        ("north", None),
        ("", None),
    ],
)
def test_coordinates_are_read_as_people_type_them(typed, place, rt):
    found = position.parse(typed, rt.clock.now())
    assert (None if found is None else (found.latitude, found.longitude)) == place
