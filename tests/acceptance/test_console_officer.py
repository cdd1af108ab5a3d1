"""An officer's round in a real browser, on a phone and on a desk: set out, capture with a photo, or find nothing."""

from dataclasses import replace
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from pipeline.demo.photos import photo
from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")

NEARBY = (11.5891, 43.1462)  # of the phone: some ninety metres from the school gate


@pytest.fixture
def people(house, staff):
    """The same staff, with a teacher and an officer of the test's own."""
    tag = uuid4().hex[:6]
    return replace(
        staff,
        teacher=factories.account(house.rt, f"T{tag}", "TEACHER"),
        officer=factories.account(house.rt, f"MCO{tag}", "MC_OFFICER", wards=("W005",)),
    )


@pytest.fixture(params=[desks.PHONE, desks.DESKTOP], ids=["phone", "desktop"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        page.context.grant_permissions(["geolocation"], origin=house.console)
        page.context.set_geolocation({"latitude": NEARBY[0], "longitude": NEARBY[1], "accuracy": 9})
        yield page


def report(house, report_id):
    with house.rt.database.worker() as conn:
        return conn.execute(text("SELECT * FROM sdcrs.report WHERE id = :id"), {"id": report_id}).mappings().one()


def give_place(page):
    """The phone's own place, after the browser was allowed to tell it."""
    page.get_by_text("My position: not given").click()
    page.get_by_role("button", name="Use the place of this device").click()
    expect(page.get_by_text(f"My position: {NEARBY[0]:.5f}, {NEARBY[1]:.5f}")).to_be_visible()


def test_an_officer_sets_out_captures_the_dog_and_finds_the_visit_among_the_ended(house, people, page):
    report_id = factories.assigned(house.rt, people)
    number = report(house, report_id)["report_number"]
    desks.sign_in(page, house, people.officer.username, "/visits")
    desks.nothing_is_cut_off(page)
    expect(page.locator(".visit img")).to_have_js_property("complete", True)
    assert page.locator(".visit img").evaluate("image => image.naturalWidth") > 0
    assert people.teacher.username not in page.content()
    give_place(page)
    expect(page.get_by_text("from you")).to_be_visible()
    page.get_by_role("button", name="Start visit").click()
    expect(page.get_by_text(f"The visit of {number} has started.")).to_be_visible()
    desks.photos_are_loaded(page, 1)
    page.get_by_role("button", name="End the visit: dog captured").click()
    expect(page.get_by_text("Take a photo of the captured dog")).to_be_visible()
    picture = photo(uuid4().int % 10**9, "dog", *NEARBY, house.rt.clock.now())
    expect(page.locator("input[type=file]")).to_have_count(1)  # a page that is drawn anew shows it twice for a moment
    with page.expect_response(lambda answer: "upload_file" in answer.url and answer.request.method == "PUT"):  # its name shows before
        page.locator("input[type=file]").set_input_files({"name": "capture.jpg", "mimeType": "image/jpeg", "buffer": picture})
    expect(page.get_by_text("capture.jpg")).to_be_visible()
    page.get_by_label("Remarks").fill("Brought to the shelter")
    page.get_by_role("button", name="End the visit: dog captured").click()
    expect(page.get_by_text(f"{number}: the dog is captured.")).to_be_visible()
    desks.nothing_is_cut_off(page)
    row = report(house, report_id)
    assert (row["status"], row["resolution_type"], row["resolution_remarks"]) == ("CAPTURED", "CAPTURED", "Brought to the shelter")
    assert (row["visit_latitude"], row["completed_latitude"]) == (NEARBY[0], NEARBY[0])
    page.get_by_role("radio", name="Ended").or_(page.get_by_role("button", name="Ended", exact=True)).first.click()
    expect(page.get_by_text(number)).to_be_visible()
    expect(page.get_by_text("Brought to the shelter")).to_be_visible()


def test_an_officer_who_finds_no_dog_says_why_and_where(house, people, page):
    report_id = factories.in_progress(house.rt, people)
    number = report(house, report_id)["report_number"]
    desks.sign_in(page, house, people.officer.username, "/visits")
    page.get_by_role("radio", name="Dog not found").or_(page.get_by_role("button", name="Dog not found", exact=True)).first.click()
    page.get_by_role("button", name="End the visit: dog not found").click()
    expect(page.get_by_text("Choose why the dog was not found.")).to_be_visible()
    page.get_by_text("Dog has moved on").click()
    page.get_by_text("The reported place", exact=True).last.click()
    page.get_by_role("button", name="End the visit: dog not found").click()
    expect(page.get_by_text(f"{number} is ended: the dog was not found.")).to_be_visible()
    expect(page.get_by_text("Nothing is assigned to you at present.")).to_be_visible()
    row = report(house, report_id)
    assert (row["status"], row["unable_reason"], row["payout_eligible"]) == ("UNABLE_TO_LOCATE", "DOG_MOVED", False)
