"""The dashboards: by role, a number and its list are the same, a failing chart leaves the others, teachers see their own."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
import streamlit as st

import queries
from dashboard.views import analytics
from dashboard.widgets import asking, charts
from pipeline.access.sessions import sign_out
from tests import factories
from tests.console import shown, tab, token_for

# person, dashboards in the order of the menu; none: a single one needs no menu
BOARDS = [
    ("teacher", []),
    ("verifier", ["Overview", "Deadlines"]),
    ("senior", ["Overview", "Deadlines"]),
    ("supervisor", ["Overview", "Deadlines", "My team"]),
    ("officer", []),
    ("district_admin", ["Overview", "Payouts", "Deadlines", "People"]),
    ("admin", ["Overview", "Payouts", "Deadlines", "People"]),
    ("auditor", ["Overview", "Payouts", "Deadlines", "People"]),
]


@pytest.fixture(scope="module")
def people(rt):
    """Staff, and reports of two teachers in several states, one of them of last month."""
    staff = factories.people(rt)
    other = replace(staff, teacher=factories.account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    factories.validated(rt, other.teacher)
    rt.clock.advance(timedelta(days=40))
    factories.captured(rt, staff)
    factories.assigned(rt, staff)
    factories.verified(rt, staff)
    report = factories.validated(rt, staff.teacher)
    assert factories.do(rt, staff.verifier, report, "REJECT", rejection_reason="POOR_QUALITY").ok
    factories.validated(rt, other.teacher)
    return staff


@pytest.fixture(autouse=True)
def fresh_answers():
    """No answer of another test counts."""
    st.cache_data.clear()


def open_page(rt, caller, **query):
    return tab(rt, token_for(rt, caller), "analytics", **query)


def metric(test, label):
    return next(one for one in test.metric if one.label == label).value


def metrics(test):
    return {one.label: one.value for one in test.metric}


@pytest.mark.parametrize(("person", "names"), BOARDS)
def test_each_role_has_the_dashboards_of_the_master_data_and_every_chart_draws(rt, people, person, names):
    for name in names or [None]:
        query = {} if name is None else {"analytics.dashboard": name}
        with open_page(rt, getattr(people, person), **query) as test:
            test.run()
            assert not test.exception
            assert not test.error, [one.value for one in test.error]
            options = [list(one.options) for one in test.segmented_control if one.key == "analytics.dashboard"]
            assert options == ([names] if names else [])


def test_every_chart_of_every_dashboard_can_be_drawn(rt):
    boards = rt.masterdata.current().dashboards().values()
    assert {tile.id for board in boards for row in board.rows for tile in row} <= set(charts.CHARTS)


def test_the_overview_counts_what_there_is(rt, people):
    with open_page(rt, people.admin) as test:
        test.run()
        assert metrics(test) == {"Reports": "5", "Resolved": "0", "Capture rate": "50.0 %"}


def test_a_teacher_and_an_officer_see_their_own_reports_only(rt, people):
    with open_page(rt, people.teacher) as test:
        test.run()
        assert metric(test, "Reports") == "4"
        assert "Your own reports" in shown(test)
    with open_page(rt, people.officer) as test:
        test.run()
        assert metric(test, "Reports") == "2"
    with open_page(rt, people.second_officer) as test:
        test.run()
        assert metric(test, "Reports") == "0"


def test_the_period_narrows_and_is_compared_with_the_one_before(rt, people):
    with open_page(rt, people.admin, **{"analytics.period": "All time"}) as test:
        test.run()
        assert metric(test, "Reports") == "6"
    with open_page(rt, people.admin, **{"analytics.period": "Last 30 days"}) as test:
        test.run()
        assert metric(test, "Reports") == "5"
        assert "compared with the 30 days before" in shown(test)
        assert next(one for one in test.metric if one.label == "Reports").delta == "+400 %"
    with open_page(rt, people.admin, **{"analytics.period": "Last month"}) as test:
        test.run()
        assert metric(test, "Reports") == "1"


@pytest.mark.parametrize("person", ["teacher", "officer", "supervisor", "district_admin", "admin", "auditor"])
@pytest.mark.parametrize("period", ["Last 30 days", "All time"])
def test_a_tile_and_its_list_are_the_same_number(rt, people, person, period):
    with open_page(rt, getattr(people, person), **{"analytics.period": period}) as test:
        test.run()
        total = metric(test, "Reports")
    with open_page(rt, getattr(people, person), **{"analytics.period": period, "list": "all"}) as test:
        test.run()
        assert f"Reports: {total}" in shown(test)
        assert [len(one.value) for one in test.dataframe] == [int(total)]


@pytest.mark.parametrize("key", ["all", "resolved", "captured", "given", "closed", "in_time", "open", "overdue", "status:VERIFIED"])
def test_each_list_has_as_many_lines_as_its_heading_says(rt, people, key):
    with open_page(rt, people.admin, list=key) as test:
        test.run()
        assert not test.exception
        listed = sum(len(one.value) for one in test.dataframe)
        assert f": {listed}<" in shown(test) or f": {listed}" in shown(test)


def test_a_list_that_does_not_exist_is_said_so(rt, people):
    for key in ("nonsense", "status:DROP TABLE", "type:X", "age:9"):
        with open_page(rt, people.admin, list=key) as test:
            test.run()
            assert "This list does not exist" in shown(test)


def test_the_button_of_a_tile_leads_to_its_list_and_back(rt, people):
    with open_page(rt, people.admin) as test:
        test.run()
        next(one for one in test.button if one.key == "analytics.show.sdcrsTotalReports").click().run()
        assert "Reports: 5" in shown(test)
        next(one for one in test.button if one.key == "analytics.back").click().run()
        assert metric(test, "Reports") == "5"


def test_closed_counts_as_resolved_and_a_payout_under_way_as_captured(rt):
    known = asking.measures(rt.masterdata.current(), factories.VILLE)
    assert set(known["resolved"].statuses) == {"RESOLVED", "CLOSED"}
    assert set(known["captured"].statuses) == {"RESOLVED", "CLOSED", "CAPTURED", "PAYOUT_PENDING", "PAYOUT_FAILED"}


def test_one_failing_chart_never_blanks_the_page(rt, people, monkeypatch, caplog):
    def fails(*_):
        raise ValueError("phone 9876543210")

    monkeypatch.setitem(charts.CHARTS, "sdcrsReportsByType", fails)
    with open_page(rt, people.admin) as test:
        test.run()
        assert not test.exception
        assert metric(test, "Reports") == "5"
        assert ["cannot be drawn at present" in one.value for one in test.error] == [True]
        assert "9876543210" not in shown(test)
        assert "By ward" in shown(test) or "By district" in shown(test)


def test_supervisors_do_not_learn_who_reported(rt, people):
    with open_page(rt, people.supervisor, **{"analytics.dashboard": "My team"}) as test:
        test.run()
        page = shown(test)
        assert "Who reported is known to verifiers" in page
        assert f"Name of {people.teacher.username}" not in page
        assert f"Name of {people.officer.username}" in page
    with open_page(rt, people.admin, **{"analytics.dashboard": "People"}) as test:
        test.run()
        assert f"Name of {people.teacher.username}" in shown(test)


def test_a_chart_asks_again_who_looks_at_it(rt, people):
    token = token_for(rt, people.admin)
    with tab(rt, token, "analytics") as test:
        test.run()
        sign_out(rt, token)
        next(one for one in test.button if one.key == "analytics.show.sdcrsTotalReports").click().run()
        assert not test.metric or "signed out" in shown(test).lower()


def test_somebody_elses_question_is_refused(rt, people):
    with open_page(rt, people.teacher) as test:
        test.run()
    from dashboard.console import PageContext
    from dashboard.widgets.period import all_time
    from dashboard.widgets.work import Area
    from pipeline.errors import AppError

    def context_of(caller):
        zone = rt.masterdata.current().tenant(factories.VILLE).timezone
        return PageContext(rt, caller, rt.clock.now(), zone, {}, "", False)

    ctx = context_of(people.admin)
    period = all_time(rt.clock.now(), ctx.zone)
    question = asking.asked(ctx, Area("dj", ("dj.djibouti-ville",)), period, rt.clock.now(), None, None)
    with pytest.raises(AppError) as caught:
        analytics.check(context_of(people.teacher), "sdcrsTotalReports", question)
    assert caught.value.code == "SDCRS_FORBIDDEN"
    with pytest.raises(AppError):
        analytics.check(context_of(people.verifier), "sdcrsTotalPayouts", replace(question, own_reporter=None))


def test_every_statement_of_the_dashboards_uses_the_one_predicate():
    predicate = str(queries.statement("analytics.matching"))
    for name, statement in queries.statements("analytics").items():
        if name not in ("matching", "usernames"):
            assert str(statement).startswith(f"WITH matching AS NOT MATERIALIZED (\n{predicate}\n)\n"), name
