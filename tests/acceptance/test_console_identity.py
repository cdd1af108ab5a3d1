"""The identity page in a real browser: a person's number finds the registration's timeline, and what was given up is done again."""

import re
from contextlib import closing
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from pipeline.clock import SystemClock
from pipeline.database.engine import Database
from pipeline.identity.jobs import identity_jobs, identity_tasks
from pipeline.identity.numbers import Numbers
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import assemble
from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM
from tests.conftest import ROLE_PREFIX
from tests.registrations import registration, uploaded

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")

REASON = "The centre asked for it"


@pytest.fixture(scope="module")
def house(urls, settings):
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=4)) as database:
        with desks.house(settings, assemble(settings, database, SystemClock())) as opened:
            yield opened


@pytest.fixture(params=[desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        yield page


@pytest.fixture
def admin(house):
    return factories.account(house.rt, f"ADM{uuid4().hex[:6]}", "STATE_ADMIN", tenant_id="dj")


def run(house):
    """Every job of the flow until nothing is due."""
    for task in identity_tasks(house.rt):
        task.task(house.rt.clock.now())
    for _ in range(3):
        run_until_idle(identity_jobs(house.rt), house.rt.clock)


def uin_of(house, registration_id):
    found = """SELECT n.id, n.id_sealed FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id
               WHERE i.registration_id = :id AND n.kind = 'UIN'"""
    with house.rt.database.worker() as conn:
        row = conn.execute(text(found), {"id": registration_id}).one()
    return Numbers(house.rt).open(row.id, row.id_sealed)


def test_a_number_finds_the_timeline_and_stays_out_of_the_address(house, admin, page):
    one = uploaded(house.rt, admin, int(uuid4().int % 10**6))
    run(house)
    uin = uin_of(house, one.id)
    desks.sign_in(page, house, admin.username, "/identity")
    field = page.get_by_role("textbox", name="Registration id, UIN or its hash, or request id")
    field.fill(uin)
    field.press("Enter")
    expect(page.get_by_text("Stored by every partner")).to_be_visible()
    expect(page).to_have_url(re.compile(f"registration={one.reg_id}"))
    expect(field).to_have_value("")
    assert uin not in page.url
    expect(page.get_by_text("Cached, and the event becomes STORED").first).to_be_visible()
    page.get_by_text("Diagram", exact=True).click()
    expect(page.get_by_text("34 of 34 messages have come")).to_be_visible()


def test_a_registration_that_was_given_up_is_tried_out_and_then_begun_anew(house, admin, page):
    one = uploaded(house.rt, admin, int(uuid4().int % 10**6))
    with house.rt.database.worker() as conn:  # as after a stage that failed in all its attempts
        given_up = "UPDATE regprc.registration SET status_code = 'REPROCESS_FAILED', attempts = 8 WHERE id = :id"
        conn.execute(text(given_up), {"id": one.id})
    desks.sign_in(page, house, admin.username, f"/identity?registration={one.reg_id}")
    expect(page.get_by_text("An admin must act")).to_be_visible()
    reason = page.get_by_label("Reason, for the record")
    reason.fill(REASON)
    reason.press("Tab")
    desks.still(page)
    page.get_by_role("button", name="Try: begin anew").click()
    expect(page.get_by_text("Tried out, nothing was changed.")).to_be_visible()
    assert registration(house.rt, one.id).status_code == "REPROCESS_FAILED"
    page.get_by_role("button", name="Begin anew this one").click()
    expect(page.get_by_text("1 of 1 done", exact=True)).to_be_visible()
    assert registration(house.rt, one.id).status_code == "RESUMABLE"
    run(house)
    page.reload()
    expect(page.get_by_text("Stored by every partner")).to_be_visible()
    expect(page.get_by_text(REASON).first).to_be_visible()
