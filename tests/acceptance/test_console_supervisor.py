"""A supervisor's work in a real browser: choosing on the map, giving reports to officers, and taking one back."""

from dataclasses import replace
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import text

from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")

OTHER_PLACE = (11.5551, 43.1401)  # in ward W007, some kilometres from the school gate


@pytest.fixture
def people(house):
    """Staff of an area of the test's own would be best; there is one area, so reports of earlier tests are assigned away first."""
    staff = factories.people(house.rt)
    with house.rt.database.worker() as conn:
        waiting = conn.execute(text("SELECT id FROM sdcrs.report WHERE status = 'VERIFIED'")).scalars().all()
        conn.execute(
            text("UPDATE access.account SET active = false WHERE roles @> ARRAY['MC_OFFICER'] AND username NOT LIKE :mine"),
            {"mine": f"{staff.officer.username[:-1]}%"},
        )
    for report_id in waiting:
        assert factories.do(house.rt, staff.supervisor, report_id, "ASSIGN", assignee=staff.officer.account_id).ok
    return replace(staff, teacher=factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER"))


def leaflet(page: Page):
    return page.frame_locator("iframe[title*='streamlit_folium']")


def at(page: Page, place: tuple[float, float]) -> tuple[float, float]:
    """Where a place stands on the screen, with the map scrolled into view."""
    expect(leaflet(page).locator(".leaflet-draw-draw-rectangle")).to_be_visible()
    iframe = page.locator("iframe[title*='streamlit_folium']")
    iframe.scroll_into_view_if_needed()
    find = "([lat, lng]) => { const p = window.map.latLngToContainerPoint([lat, lng]); return [p.x, p.y]; }"
    x, y = iframe.element_handle().content_frame().evaluate(find, list(place))
    box = iframe.bounding_box()
    return box["x"] + x, box["y"] + y


def panel(page: Page):
    return page.locator(".st-key-assignment-panel")


def verified_at(house, people, place):
    """A verified report at a place."""
    dog, selfie = factories.photos(house.rt, people.teacher, place)
    made = factories.submission(house.rt, people.teacher, (dog, selfie), place)
    report_id = factories.validated(house.rt, people.teacher, place=made.place, evidence=made.evidence)
    assert factories.do(house.rt, people.verifier, report_id, "VERIFY").ok
    return report_id


def test_reports_inside_a_drawn_box_go_to_the_recommended_officers(house, people):
    near, far = verified_at(house, people, factories.SCHOOL_GATE), verified_at(house, people, OTHER_PLACE)
    with desks.browser(house, desks.DESKTOP) as page:
        desks.sign_in(page, house, people.supervisor.username, "/assignment")
        expect(page.get_by_text("2 to assign")).to_be_visible()
        x, y = at(page, factories.SCHOOL_GATE)
        leaflet(page).locator(".leaflet-draw-draw-rectangle").click()
        page.mouse.move(x - 25, y - 25)
        page.mouse.down()
        page.mouse.move(x + 25, y + 25, steps=5)
        page.mouse.up()
        expect(panel(page).get_by_text("1 report chosen")).to_be_visible()
        expect(panel(page).get_by_text("Covers ward W005, lowest load (")).to_be_visible()
        panel(page).get_by_role("button", name="Assign 1 report").click()
        expect(page.get_by_text("assigned to Name of")).to_be_visible()
        expect(page.get_by_text("1 to assign")).to_be_visible()
    assert factories.status_of(house.rt, near) == "ASSIGNED"
    assert factories.status_of(house.rt, far) == "VERIFIED"


@pytest.mark.parametrize("size", [desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def test_a_report_clicked_on_the_map_is_chosen_once_and_assigned_once(house, people, size):
    report_id = verified_at(house, people, factories.SCHOOL_GATE)
    with desks.browser(house, size) as page:
        desks.sign_in(page, house, people.supervisor.username, "/assignment")
        desks.nothing_is_cut_off(page)
        page.mouse.click(*at(page, factories.SCHOOL_GATE))
        expect(panel(page).get_by_text("1 report chosen")).to_be_visible()
        panel(page).get_by_role("button", name="Assign 1 report").dblclick()
        expect(page.get_by_text("assigned to Name of")).to_be_visible()
        desks.nothing_is_cut_off(page)
    with house.rt.database.worker() as conn:
        actions = conn.execute(
            text("SELECT action FROM sdcrs.report_history WHERE report_id = :id ORDER BY version"), {"id": report_id}
        ).scalars()
        assert list(actions).count("ASSIGN") == 1


def test_an_assigned_report_is_found_by_its_address_and_taken_back_with_a_reason(house, people):
    report_id = verified_at(house, people, factories.SCHOOL_GATE)
    assert factories.do(house.rt, people.supervisor, report_id, "ASSIGN", assignee=people.second_officer.account_id).ok
    with desks.browser(house, desks.DESKTOP) as page:
        name = f"Name of {people.second_officer.username} ({people.second_officer.username})"
        desks.sign_in(page, house, people.supervisor.username, "/assignment")
        page.get_by_role("radio", name="Assigned").or_(page.get_by_role("button", name="Assigned", exact=True)).first.click()
        desks.still(page)
        page.get_by_label("Officer").click()
        page.get_by_role("option", name=name).click()
        expect(page.get_by_text("1 report.")).to_be_visible()
        assert "assignment.with=" in page.url
        page.reload()
        expect(page.get_by_text("1 report.")).to_be_visible()
        page.mouse.click(*at(page, factories.SCHOOL_GATE))
        expect(panel(page).get_by_text("1 report chosen")).to_be_visible()
        panel(page).get_by_label("Why").fill("He is on leave")
        panel(page).get_by_role("button", name="Take back 1 report").click()
        expect(page.get_by_text("taken back to the verified reports")).to_be_visible()
    assert factories.status_of(house.rt, report_id) == "VERIFIED"
    with house.rt.database.worker() as conn:
        comment = conn.execute(
            text("SELECT comment FROM sdcrs.report_history WHERE report_id = :id ORDER BY version DESC LIMIT 1"), {"id": report_id}
        ).scalar_one()
    assert comment == "He is on leave"
