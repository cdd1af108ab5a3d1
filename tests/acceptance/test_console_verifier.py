"""A verifier's work in a real browser: the queue, the evidence from the API, a decision by mouse and by keyboard, the trace."""

from dataclasses import replace
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture
def people(house, staff):
    return replace(staff, teacher=factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER"))


@pytest.fixture(params=[desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        yield page


def number_of(house, report_id):
    with house.rt.database.worker() as conn:
        return conn.execute(text("SELECT report_number FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()


def test_a_verifier_opens_a_report_sees_the_evidence_and_rejects_it(house, people, page):
    report_id = factories.validated(house.rt, people.teacher)
    number = number_of(house, report_id)
    factories.validated(house.rt, people.teacher)
    desks.sign_in(page, house, people.verifier.username, "/inbox")
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name=f"Open {number}").click()
    expect(page.get_by_role("heading", level=2, name=number)).to_be_visible()
    expect(page.get_by_text("Yours until")).to_be_visible()
    desks.photos_are_loaded(page, 2)
    leaflet = page.frame_locator("iframe[title*='streamlit_folium']")
    expect(leaflet.locator(".leaflet-container canvas")).to_be_visible()
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="No dog").or_(page.get_by_role("radio", name="No dog")).first.click()
    expect(page.get_by_text("Photo does not show a dog")).to_be_visible()
    assert factories.status_of(house.rt, report_id) == "PENDING_VERIFICATION"
    page.get_by_role("button", name="Reject it").click()
    expect(page.get_by_text("is rejected.")).to_be_visible()
    expect(page.get_by_role("heading", level=2, name=number)).to_have_count(0)
    assert factories.status_of(house.rt, report_id) == "REJECTED"
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0


def test_keys_choose_and_confirm_but_one_key_alone_decides_nothing(house, people):
    report_id = factories.validated(house.rt, people.teacher)
    number = number_of(house, report_id)
    with desks.browser(house, desks.DESKTOP) as page:
        desks.sign_in(page, house, people.verifier.username, f"/inbox?report={number}")
        expect(page.get_by_role("heading", level=2, name=number)).to_be_visible()
        expect(page.get_by_role("button", name="Verify")).to_be_visible()
        desks.still(page)
        page.keyboard.press("v")
        expect(page.get_by_role("button", name="Verify it")).to_be_visible()
        page.get_by_label("Remarks (optional)").fill("very clear, exactly at the gate, dog and selfie")
        page.get_by_label("Remarks (optional)").press_sequentially(" xvd")  # keys of other actions are text here
        expect(page.get_by_role("button", name="Verify it")).to_be_visible()
        assert factories.status_of(house.rt, report_id) == "PENDING_VERIFICATION"
        page.get_by_label("Remarks (optional)").press("Control+Enter")
        expect(page.get_by_text("is verified.")).to_be_visible()
    assert factories.status_of(house.rt, report_id) == "VERIFIED"
    with house.rt.database.worker() as conn:
        remarks = conn.execute(text("SELECT verification_remarks FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()
    assert remarks == "very clear, exactly at the gate, dog and selfie xvd"


def test_the_trace_of_a_report_opens_packet_by_packet(house, people, page):
    number = number_of(house, factories.verified(house.rt, people))
    desks.sign_in(page, house, people.verifier.username, f"/trace?report={number}")
    expect(page.get_by_text("Waits for the municipal supervisor")).to_be_visible()
    page.get_by_role("radio", name="Diagram").or_(page.get_by_role("button", name="Diagram")).first.click()
    desks.still(page)
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name="All checks passed").click()
    expect(page.get_by_text("Rendered", exact=False).first).to_be_visible()
    expect(page.get_by_text('"overallResult"')).to_be_visible()
