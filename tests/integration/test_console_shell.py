"""The frame around the pages: who may open what, and what happens to people whose session ends or whose page fails."""

import sys
import types

import pytest
import streamlit as st

from dashboard import console
from dashboard.backend import Health
from pipeline.access.sessions import sign_out
from pipeline.errors import AppError
from tests import factories
from tests.console import shown, tab, token_for

PEOPLE = ("teacher", "verifier", "senior", "supervisor", "officer", "district_admin", "admin", "auditor")
# person, pages in the order of the menu; the first is where the person lands
MENU = [
    ("teacher", ["my_reports", "analytics", "trace"]),
    ("verifier", ["inbox", "analytics", "trace"]),
    ("senior", ["inbox", "analytics", "trace"]),
    ("supervisor", ["assignment", "analytics", "trace"]),
    ("officer", ["visits", "analytics", "trace"]),
    ("district_admin", ["payouts", "assignment", "inbox", "fraud", "identity", "analytics", "trace"]),
    ("admin", ["payouts", "assignment", "inbox", "fraud", "identity", "analytics", "trace"]),
    ("auditor", ["payouts", "fraud", "identity", "analytics", "trace"]),
]
done: list[str] = []


@pytest.fixture(scope="module")
def people(rt):
    return factories.people(rt)


@pytest.fixture
def plain_views(monkeypatch):
    """Every page says its name, has a button that acts, one that is refused and one that fails."""

    def view(path: str) -> types.ModuleType:
        module = types.ModuleType(f"dashboard.views.{path}")

        def act(ctx: console.PageContext) -> str:
            done.append(ctx.caller.username)
            return "It was *done*."

        def refuse(ctx: console.PageContext) -> None:
            raise AppError("SDCRS_NOT_YOUR_REPORT")

        def render(ctx: console.PageContext) -> None:
            st.text(f"page {path} in {ctx.zone.key} for {', '.join(ctx.tenants.values())}")
            st.button("Act", on_click=console.perform, args=(act,))
            st.button("Refuse", on_click=console.perform, args=(refuse,))
            if st.button("Raise"):
                raise AppError("SDCRS_STALE_VERSION", current=3, sent=2, state="VERIFIED", changes=[])

        module.render = render
        return module

    done.clear()
    for spec in console.PAGES:
        monkeypatch.setitem(sys.modules, spec.view, view(spec.path))


@pytest.mark.parametrize(("person", "pages"), MENU)
def test_each_role_has_its_pages_and_lands_on_the_first(rt, people, plain_views, person, pages):
    caller = getattr(people, person)
    assert [spec.path for spec in console.pages_for(caller)] == pages
    with tab(rt, token_for(rt, caller)) as test:
        test.run()
        assert not test.exception
        assert f"page {pages[0]} in Africa/Djibouti" in shown(test)


@pytest.mark.parametrize("person", PEOPLE)
def test_a_page_of_another_role_does_not_open(rt, people, plain_views, person):
    caller = getattr(people, person)
    mine = {spec.path for spec in console.pages_for(caller)}
    for spec in console.PAGES:
        if spec.path not in mine:
            with tab(rt, token_for(rt, caller), spec.path) as test:
                test.run()
                assert f"page {spec.path} " not in shown(test)


def test_the_header_says_who_as_what_and_where(rt, people, plain_views):
    with tab(rt, token_for(rt, people.verifier)) as test:
        test.run()
        header = shown(test)
    assert f"Name of {people.verifier.username}" in header
    assert "Verifier" in header
    assert rt.masterdata.current().tenant("dj.djibouti-ville").name in header
    assert 'action="/auth/logout"' in header
    assert "Demo data" not in header


def test_a_command_is_carried_out_and_its_sentence_shown_as_plain_text(rt, people, plain_views):
    with tab(rt, token_for(rt, people.verifier)) as test:
        test.run()
        test.button[0].click().run()
        assert done == [people.verifier.username]
        assert [box.value for box in test.success] == ["It was \\*done\\*\\."]
        test.run()
        assert not test.success


def test_a_refused_command_shows_the_sentence_of_its_error(rt, people, plain_views):
    with tab(rt, token_for(rt, people.verifier)) as test:
        test.run()
        test.button[1].click().run()
        assert "not assigned to you" in test.error[0].value
        assert not test.exception


def test_an_error_of_the_page_itself_is_shown_in_its_place(rt, people, plain_views):
    with tab(rt, token_for(rt, people.verifier)) as test:
        test.run()
        test.button[2].click().run()
        assert "Somebody changed this report" in test.error[0].value
        assert not test.exception


def test_a_click_after_the_session_ended_does_nothing(rt, people, plain_views):
    token = token_for(rt, people.verifier)
    with tab(rt, token) as test:
        test.run()
        sign_out(rt, token)
        test.button[0].click().run()
        assert done == []
        assert "You are signed out" in shown(test)
        assert not test.button


def test_a_tab_of_one_person_is_never_continued_as_another(rt, people, plain_views):
    with tab(rt, token_for(rt, people.verifier)) as test:
        test.run()
        with tab(rt, token_for(rt, people.officer)):
            test.button[0].click().run()
        assert done == []
        assert "You are signed out" in shown(test)


def test_without_a_session_nothing_of_a_page_is_sent(rt, plain_views):
    with tab(rt, None) as test:
        test.run()
        assert "You are signed out" in shown(test)
        assert "page " not in shown(test)


@pytest.mark.parametrize(
    ("health", "said"),
    [
        (Health(api=True, worker=True), None),
        (Health(), None),
        (Health(api=False, worker=True), "API does not run"),
        (Health(api=True, worker=False), "worker does not run"),
        (Health(api=False, worker=False), "API and worker do not run"),
    ],
)
def test_parts_that_do_not_run_are_named(rt, people, plain_views, health, said):
    with tab(rt, token_for(rt, people.verifier), health=health) as test:
        test.run()
        assert [said in box.value for box in test.warning] == ([True] if said else [])


def test_while_the_database_starts_the_tab_says_so(plain_views):
    with tab(None, "any") as test:
        test.run()
        assert not test.exception
        assert "Starting" in shown(test)


def test_a_failing_page_is_logged_under_the_reference_that_the_person_sees(caplog):
    assert console.on_script_error(ValueError("phone 9876543210")) is True
    assert "reference" in caplog.text
