"""Admins in a real browser: one changes a rule's limit and sees what it would do, a second activates it; a flag is worked."""

from dataclasses import replace
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from pipeline.fraud.editing.checking import active_rules
from pipeline.masterdata.store import load
from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture
def people(house, staff):
    """The staff with a teacher of the test's own, and three reports of two teachers from one phone."""
    found = replace(staff, teacher=factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    other = factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER")
    for teacher in (other, found.teacher, found.teacher):
        factories.validated(house.rt, teacher, device_id=f"phone-{found.teacher.username}")
    return found


@pytest.fixture(params=[desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        yield page


def limit_of(house) -> int:
    with house.rt.database.worker() as conn:
        return int(active_rules(load(conn), "dj")["STD-003"]["condition"]["threshold"])


def go(page: Page, house, path: str) -> None:
    page.goto(f"{house.console}{path}")
    desks.still(page)


def signed_in_as(page: Page, house, username: str, path: str) -> None:
    page.context.clear_cookies()
    desks.sign_in(page, house, username, path)


def test_a_limit_is_changed_by_two_admins_who_see_what_it_would_have_done(house, people, page):
    before = limit_of(house)
    wanted = 1 if before != 1 else 2
    desks.sign_in(page, house, people.admin.username, "/fraud?fraud.view=Rules")
    expect(page.get_by_text("of 39 rules")).to_be_visible()
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name="Open STD-003").click()
    page.get_by_text("Change this rule").click()
    page.get_by_label("Fires above").fill(str(wanted))
    page.get_by_label("Fires above").press("Tab")
    page.get_by_label("Why it changes").fill("Two an hour are enough")
    page.get_by_label("Why it changes").press("Tab")
    desks.still(page)
    page.get_by_role("button", name="Keep as a draft and try it").click()
    expect(page.get_by_text("reports of the last 30 days").first).to_be_visible()
    expect(page.get_by_text("The rule as it is flags")).to_be_visible()
    desks.nothing_is_cut_off(page)
    assert limit_of(house) == before
    page.get_by_role("button", name="Submit to a second admin").click()
    expect(page.get_by_text("is submitted: a second admin decides")).to_be_visible()
    assert page.get_by_role("button", name="Activate").count() == 0

    signed_in_as(page, house, people.second_admin.username, "/fraud?fraud.view=Rule+changes")
    page.get_by_role("button", name="Open the draft of STD-003").first.click()
    expect(page.get_by_text("Two an hour are enough").first).to_be_visible()
    page.get_by_role("button", name="Activate").click()
    expect(page.get_by_text("of the rules counts from now on")).to_be_visible()
    assert limit_of(house) == wanted


def open_again(page, button, label):
    """What opens from a button, unless it is open: on a slow machine a late redraw closes it, and what was typed stays."""
    if not page.get_by_label(label).is_visible():
        page.get_by_role("button", name=button, exact=True).click()
        expect(page.get_by_label(label)).to_be_visible()


def test_a_flag_is_opened_with_its_evidence_and_resolved(house, people, page):
    with house.rt.database.worker() as conn:
        row = conn.execute(
            text("""
                SELECT f.id, r.report_number FROM fraud.flag f JOIN sdcrs.report r ON r.id = f.report_id
                WHERE f.account_id = :account AND f.rule_id = 'STD-007' ORDER BY f.raised_at LIMIT 1
            """),
            {"account": people.teacher.account_id},
        ).one()
    desks.sign_in(page, house, people.district_admin.username, f"/fraud?flag={row.id}")
    expect(page.get_by_role("heading", level=2, name=row.report_number)).to_be_visible()
    desks.photos_are_loaded(page, 2)
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("The flag is yours")).to_be_visible()
    desks.still(page)  # what opens while a page is still being drawn closes again
    open_again(page, "Resolve", "Comment")
    page.get_by_text("False alarm").last.click()
    desks.still(page)
    open_again(page, "Resolve", "Comment")
    page.get_by_label("Comment").fill("Two dogs, two photos")
    page.get_by_label("Comment").press("Tab")
    desks.still(page)
    open_again(page, "Resolve", "Comment")
    page.get_by_role("button", name="Keep the result").click()
    expect(page.get_by_text("The flag is resolved")).to_be_visible()
    with house.rt.database.worker() as conn:
        found = conn.execute(text("SELECT status, resolution, comment FROM fraud.flag WHERE id = :id"), {"id": row.id}).one()
    assert tuple(found) == ("RESOLVED", "FALSE_POSITIVE", "Two dogs, two photos")


def test_connections_and_teachers_are_shown_without_anything_from_outside(house, people, page):
    desks.sign_in(page, house, people.admin.username, "/fraud?fraud.view=Connections")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=desks.WAIT_MS)
    expect(page.get_by_role("heading", name="Reports close together")).to_be_visible()
    desks.nothing_is_cut_off(page)
    go(page, house, "/fraud?fraud.view=Teachers")
    expect(page.get_by_text("Highest risk")).to_be_visible()
    page.get_by_role("button", name=f"Open Name of {people.teacher.username}").click()
    expect(page.get_by_text("What the risk is made of")).to_be_visible()
    desks.nothing_is_cut_off(page)
