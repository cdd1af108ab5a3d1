"""A right that ends while the browser is open: the next click into a part of the page, and the next that decides, do nothing."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import text

from tests import factories
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")

ENDS = {
    "role": "UPDATE access.account SET roles = ARRAY['AUDITOR'] WHERE id = :id",
    "session": "UPDATE access.session SET revoked_at = now(), revoked_reason = 'a test' WHERE account_id = :id AND revoked_at IS NULL",
}


def end(house, caller, what):
    with house.rt.database.worker() as conn:
        assert conn.execute(text(ENDS[what]), {"id": caller.account_id}).rowcount


@pytest.mark.parametrize(("what", "click"), [("role", "fragment"), ("role", "callback"), ("session", "callback")])
def test_after_a_right_has_ended_the_next_click_does_nothing(house, staff, what, click):
    teacher = factories.account(house.rt, f"T{uuid4().hex[:6]}", "TEACHER")
    verifier = factories.account(house.rt, f"V{uuid4().hex[:6]}", "VERIFIER")
    report_id = factories.validated(house.rt, teacher)
    with house.rt.database.worker() as conn:
        number = conn.execute(text("SELECT report_number FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()
    with desks.browser(house, desks.DESKTOP) as page:
        desks.sign_in(page, house, verifier.username, "/inbox")
        page.get_by_role("button", name=f"Open {number}").click()
        expect(page.get_by_role("heading", level=2, name=number)).to_be_visible()
        if click == "callback":
            page.get_by_role("button", name="Reject").click()
            page.get_by_role("button", name="No dog").or_(page.get_by_role("radio", name="No dog")).first.click()
            expect(page.get_by_text("Photo does not show a dog")).to_be_visible()
        end(house, verifier, what)
        # the first runs a part of the page alone, the second decides
        page.get_by_role("button", name="Reject" if click == "fragment" else "Reject it").click()
        expect(page.get_by_text("You are signed out").first).to_be_visible()
        page.goto(f"{house.console}/inbox")
        expect(page.get_by_label("Password")).to_be_visible()
    assert factories.status_of(house.rt, report_id) == "PENDING_VERIFICATION"
