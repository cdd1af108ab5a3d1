"""A teacher in a real browser, on a phone: a new report with photos and the device's place, and what became of it."""

from datetime import timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from pipeline.demo.photos import photo
from pipeline.jobs.worker import run_until_idle
from pipeline.validation.job import validation_job
from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture(params=[desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        page.context.grant_permissions(["geolocation"])
        page.context.set_geolocation({"latitude": factories.SCHOOL_GATE[0], "longitude": factories.SCHOOL_GATE[1], "accuracy": 24})
        yield page


def report_of(house, teacher):
    with house.rt.database.worker() as conn:
        found = text("SELECT * FROM sdcrs.report WHERE reporter_id = :id")
        return conn.execute(found, {"id": teacher.account_id}).mappings().one()


def jpeg(house, kind):
    taken = house.rt.clock.now().astimezone(ZoneInfo("Africa/Djibouti")) - timedelta(minutes=3)
    return {"name": f"{kind}.jpg", "mimeType": "image/jpeg", "buffer": photo(uuid4().int % 10**6, kind, *factories.SCHOOL_GATE, taken)}


def test_a_teacher_sends_a_report_and_answers_the_verifier(house, page):
    people = factories.people(house.rt)
    teacher = people.teacher
    desks.sign_in(page, house, teacher.username)
    expect(page.get_by_text("0 of 5")).to_be_visible()
    page.get_by_role("button", name="New report").click()
    page.locator("input[type=file]").nth(0).set_input_files(jpeg(house, "dog"))
    expect(page.get_by_text("Djibouti Centre, Ward 5")).to_be_visible()  # from the photo
    page.locator("input[type=file]").nth(1).set_input_files(jpeg(house, "selfie"))
    expect(page.get_by_text("The file stores the time and the place.")).to_have_count(2)
    page.get_by_label("Description").fill("Two dogs bark at pupils near the gate.")
    page.get_by_role("button", name="Use the place of this device").click()
    expect(page.get_by_text("This device is 0 m from there (± 24 m).")).to_be_visible()
    desks.nothing_is_cut_off(page)
    send = page.get_by_role("button", name="Send the report")
    expect(send).to_be_enabled()
    send.click()
    expect(page.get_by_text("is sent. The automatic checks")).to_be_visible()
    expect(page.get_by_text("Report Submitted").first).to_be_visible()
    desks.photos_are_loaded(page, 2)
    report = report_of(house, teacher)
    assert (report["ward_code"], report["gps_accuracy_m"], report["status"]) == ("W005", 24.0, "PENDING_VALIDATION")

    run_until_idle([validation_job(house.rt)], house.rt.clock)
    asked = factories.do(house.rt, people.verifier, report["id"], "SEND_BACK", comment="Inside the yard or outside?")
    assert asked.ok, asked.error
    page.reload()
    expect(page.get_by_text("Inside the yard or outside?").first).to_be_visible()
    page.get_by_label("Your answer").fill("Outside, at the fence.")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("Your answer to")).to_be_visible()
    assert report_of(house, teacher)["awaiting_teacher_at"] is None
    desks.nothing_is_cut_off(page)
    page.get_by_role("button", name="My reports").click()
    expect(page.get_by_text("1 of 5")).to_be_visible()


def test_a_teacher_s_pages_hold_nobody_else_s_report(house, page):
    people = factories.people(house.rt)
    foreign = factories.validated(house.rt, people.teacher)
    with house.rt.database.worker() as conn:
        number = conn.execute(text("SELECT report_number FROM sdcrs.report WHERE id = :id"), {"id": foreign}).scalar_one()
    stranger = factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER")
    desks.sign_in(page, house, stranger.username, f"/my_reports?report={number}")
    expect(page.get_by_text("You have no report")).to_be_visible()
    page.goto(f"{house.console}/trace?report={number}")
    expect(page.get_by_text("There is no report")).to_be_visible()
    page.goto(f"{house.console}/inbox?report={number}")
    desks.still(page)
    expect(page.get_by_text(number)).to_have_count(0)
    expect(page.get_by_text("Yours until")).to_have_count(0)
