"""The assignment page as each role: what is offered, what a supervisor's commands do, and what is never shown."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

import queries
from dashboard.widgets import handing_out, picking
from dashboard.widgets import map as maps
from pipeline.reports.assignment import Officer, recommend_each
from tests import factories
from tests.console import shown, tab, token_for

EVERYBODY = ("teacher", "verifier", "senior", "supervisor", "officer", "second_officer", "district_admin", "admin", "auditor")


@pytest.fixture
def people(rt, staff):
    """The same staff for all tests, with a teacher of the test's own, who may report five times."""
    return replace(staff, teacher=factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))


@pytest.fixture
def reports(rt, people):
    """Two verified reports at the school gate."""
    return [str(factories.verified(rt, people)) for _ in range(2)]


def open_page(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "assignment", **query)


def pick(test, ids):
    """Tick the rows of these reports, as the list's widget would say it."""
    listed = test.session_state["assignment.list_ids"]
    test.session_state["assignment.list"] = {"selection": {"rows": [listed.index(one) for one in ids]}}
    test.session_state["assignment.chosen"] = frozenset(ids)
    return test.run()


def status(rt, report_id):
    return factories.status_of(rt, UUID(report_id))


def button(test, key):
    return next(one for one in test.button if one.key == key)


@pytest.mark.parametrize("person", EVERYBODY)
def test_the_page_opens_for_supervisors_and_admins_only(rt, people, reports, person):
    with open_page(rt, getattr(people, person)) as test:
        test.run()
        assert not test.exception
        open_to = {"supervisor", "district_admin", "admin"}
        assert ("to assign" in shown(test)) is (person in open_to)
        assert any((one.key or "").startswith("assignment.assign") for one in test.button) is False


@pytest.mark.parametrize("person", ["district_admin", "admin"])
def test_admins_look_and_cannot_choose(rt, people, reports, person):
    with open_page(rt, getattr(people, person)) as test:
        test.run()
        pick(test, reports)
        assert not [one for one in test.button if (one.key or "").startswith("assignment.")]


def test_each_report_goes_to_the_officer_who_covers_the_ward_with_the_lowest_load(rt, people, reports):
    factories.assigned(rt, people)  # the first officer has one in hand more
    with open_page(rt, people.supervisor) as test:
        test.run()
        pick(test, reports)
        assert "Covers ward W005, lowest load" in shown(test)
        button(test, "assignment.assign").click().run()
        assert not test.exception
        assert "2 of 2 assigned" in shown(test)
    assert [status(rt, one) for one in reports] == ["ASSIGNED", "ASSIGNED"]


def test_all_chosen_reports_go_to_one_officer(rt, people, reports):
    with open_page(rt, people.supervisor) as test:
        test.run()
        pick(test, reports)
        test.radio(key="assignment.how").set_value(handing_out.ONE).run()
        box = test.selectbox(key="assignment.officer")
        box.set_value(next(one for one in box.options if people.second_officer.username in one)).run()
        button(test, "assignment.assign").click().run()
        assert "2 of 2 assigned" in shown(test)
    with rt.database.worker() as conn:
        found = conn.execute(
            text("SELECT DISTINCT assigned_officer_id FROM sdcrs.report WHERE id = ANY (CAST(:ids AS uuid[]))"), {"ids": reports}
        ).scalars()
        assert list(found) == [people.second_officer.account_id]


def test_a_report_that_somebody_took_meanwhile_is_told_and_the_others_are_assigned(rt, people, reports):
    with open_page(rt, people.supervisor) as test:
        test.run()
        pick(test, reports)
        assert factories.do(rt, people.supervisor, UUID(reports[0]), "ASSIGN", assignee=people.officer.account_id).ok
        button(test, "assignment.assign").click().run()
        page = shown(test)
        assert "1 of 2 assigned" in page
        assert "Somebody changed this report meanwhile" in page


def test_a_second_click_on_what_was_shown_before_changes_nothing(rt, people, reports):
    report_id = UUID(reports[0])
    with rt.database.worker() as conn:
        version = conn.execute(text("SELECT version FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()
    hand = handing_out.Hand(report_id, version, "DR", people.officer.account_id, "An officer")
    with open_page(rt, people.supervisor) as test:
        test.run()
        pick(test, reports[:1])
        button(test, "assignment.assign").click().run()
        assert "assigned to" in shown(test)
    outcome = factories.do(rt, people.supervisor, hand.report_id, "ASSIGN", assignee=hand.officer_id)
    assert outcome.error is not None
    assert outcome.error.code == "SDCRS_ACTION_NOT_ALLOWED"
    with rt.database.worker() as conn:
        assert conn.execute(text("SELECT version FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one() == version + 1


def test_an_assigned_report_is_given_to_another_officer_with_the_reason_in_its_history(rt, people):
    report_id = factories.assigned(rt, people)
    with open_page(rt, people.supervisor, **{"assignment.view": "Assigned"}) as test:
        test.run()
        pick(test, [str(report_id)])
        test.text_input(key="assignment.comment").set_value("Nearer to his round")
        box = test.selectbox(key="assignment.other")
        box.set_value(next(one for one in box.options if people.second_officer.username in one)).run()
        button(test, "assignment.reassign").click().run()
        assert "reassigned to" in shown(test)
    with rt.database.worker() as conn:
        row = conn.execute(
            text("SELECT action, comment, to_state FROM sdcrs.report_history WHERE report_id = :id ORDER BY version DESC LIMIT 1"),
            {"id": report_id},
        ).one()
    assert tuple(row) == ("REASSIGN", "Nearer to his round", "ASSIGNED")


def test_an_assigned_report_is_taken_back(rt, people):
    report_id = factories.assigned(rt, people)
    with open_page(rt, people.supervisor, **{"assignment.view": "Assigned"}) as test:
        test.run()
        pick(test, [str(report_id)])
        button(test, "assignment.take_back").click().run()
        assert "taken back to the verified reports" in shown(test)
    assert factories.status_of(rt, report_id) == "VERIFIED"


def test_filters_come_from_the_address_and_nothing_found_is_said(rt, people, reports):
    with open_page(rt, people.supervisor, **{"assignment.ward": "Ward 9"}) as test:
        test.run()
        assert test.selectbox(key="assignment.ward").value == "Ward 9"
        assert "No report matches these filters" in shown(test)
    with open_page(rt, people.supervisor, **{"assignment.ward": "Ward 5", "assignment.type": "Aggressive dog"}) as test:
        test.run()
        assert set(reports) <= set(test.session_state["assignment.list_ids"])


def test_nothing_of_the_reporter_reaches_the_page(rt, people, reports):
    with open_page(rt, people.supervisor) as test:
        test.run()
        pick(test, reports)
        page = shown(test) + str([one.value for one in test.dataframe])
        assert people.teacher.username not in page
        assert "9876543210" not in page
    assert "reporter" not in str(queries.statement("assignment.reports")).lower()


def test_a_click_on_the_map_adds_and_removes_and_an_area_replaces(rt, people, reports):
    first, second = maps.Marker("a", 11.5, 43.1, "A"), maps.Marker("b", 11.6, 43.2, "B")
    corners = [[43.15, 11.55], [43.25, 11.55], [43.25, 11.65], [43.15, 11.65], [43.15, 11.55]]
    area = {"geometry": {"type": "Polygon", "coordinates": [corners]}}
    state = {}

    def on_map(answer):
        state["p.map"] = answer
        picking.follow_map("p", [first, second])
        return sorted(state["p.chosen"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picking.st, "session_state", state)
        assert on_map({"last_object_clicked": {"lat": 11.5, "lng": 43.1}, "all_drawings": None}) == ["a"]
        assert on_map({"last_object_clicked": {"lat": 11.6, "lng": 43.2}, "all_drawings": None}) == ["a", "b"]
        assert on_map({"last_object_clicked": {"lat": 11.5, "lng": 43.1}, "all_drawings": None}) == ["b"]
        assert on_map({"last_object_clicked": {"lat": 11.5, "lng": 43.1}, "all_drawings": [area]}) == ["b"]
        assert on_map({"last_object_clicked": {"lat": 11.5, "lng": 43.1}, "all_drawings": []}) == []


def test_reports_given_out_together_are_spread_over_the_officers():
    def officer(name, load, wards=("W005",), on_duty=True):
        return Officer(UUID(int=len(name)), name, factories.VILLE, wards, on_duty, load, 3, True)

    one, other, away = officer("a", 1), officer("bb", 2), officer("ccc", 0, on_duty=False)
    chosen = recommend_each([one, other, away], ["W005", "W005", "W005", "W005", "W009"])
    assert [None if found is None else (found.username, found.load) for found in chosen] == [("a", 1), ("a", 2), ("bb", 2), None, None]
