"""A state admin's work in a real browser: a failed payout retried with another address, one settled by hand, a comparison with the
provider, and the dashboards."""

import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.runtime import assemble
from tests.acceptance import desks
from tests.acceptance.test_map_offline import CHROMIUM
from tests.conftest import ROLE_PREFIX
from tests.integration.payout_house import open_house

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture(scope="module")
def bank(urls, settings):
    """Payouts at a sandbox of their own, in the machine's time."""
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=4)) as database:
        with open_house(assemble(settings, database, SettableClock(datetime.now(UTC)))) as opened:
            yield opened


@pytest.fixture(scope="module")
def house(settings, bank):
    """Console and API that pay at the same sandbox."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAZORPAYX_BASE_URL", bank.sandbox.url)
        with desks.house(replace(settings, razorpayx_base_url=bank.sandbox.url), bank.rt) as found:
            yield found


@pytest.fixture(params=[desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def page(request, house):
    with desks.browser(house, request.param) as page:
        yield page


def failed(bank):
    bank.move_clock(datetime.now(UTC))
    (report_id,) = bank.captured(bank.teacher(vpa="fails.bank.rejected@sandbox"))
    bank.to_the_end()
    assert bank.report(report_id).status == "PAYOUT_FAILED"
    return report_id


def confirmed(page: Page, opener: str) -> None:
    """Open what asks again before money is sent."""
    page.get_by_role("button", name=opener, exact=True).click()


def test_a_failed_payout_is_retried_with_a_corrected_address_and_reaches_the_teacher(bank, house, page):
    report_id = failed(bank)
    number = bank.report(report_id).report_number
    desks.sign_in(page, house, bank.people.admin.username, f"/payouts?report={number}")
    expect(page.get_by_text("No money moves")).to_be_visible()
    expect(page.get_by_text("An admin:")).to_be_visible()
    assert "fails.bank.rejected@sandbox" not in page.content()
    desks.nothing_is_cut_off(page)
    confirmed(page, "Retry")
    assert bank.payout(report_id).retry_count == 0
    page.get_by_label("Corrected UPI address").fill("amina@okaxis")
    page.get_by_role("button", name="Send ₹500 now").click()
    expect(page.get_by_text(f"{number}: sent again to amina@okaxis as retry 1.")).to_be_visible()
    bank.move_clock(datetime.now(UTC))
    bank.to_the_end()
    assert bank.report(report_id).status == "RESOLVED"
    page.reload()
    expect(page.locator(".st-key-payouts-panel").get_by_text("Paid").first).to_be_visible()
    bank.check_money()


def test_a_failed_payout_is_settled_by_hand_with_its_reference(bank, house, page):
    report_id = failed(bank)
    number = bank.report(report_id).report_number
    desks.sign_in(page, house, bank.people.admin.username, f"/payouts?report={number}")
    confirmed(page, "Settle by hand")
    page.get_by_label("Reference of the payment").fill("NEFT-2026-0099")
    page.get_by_label("Comment").fill("Paid by the district office")
    page.get_by_test_id("stPopoverBody").get_by_role("button", name="Settle by hand").click()
    expect(page.get_by_text(f"{number}: is settled by hand; the report is resolved.")).to_be_visible()
    assert bank.payout(report_id).manual_reference == "NEFT-2026-0099"
    assert bank.report(report_id).status == "RESOLVED"


def test_all_that_match_are_tried_out_then_sent_and_the_list_leaves_as_a_file(bank, house, page):
    report_id = failed(bank)
    number = bank.report(report_id).report_number
    desks.sign_in(page, house, bank.people.admin.username, f"/payouts?payouts.find={number}&queue=failed")
    page.get_by_role("button", name="Export").click()
    for label, begins in (("CSV", b"\xef\xbb\xbfReport,"), ("Excel (XLSX)", b"PK")):
        with page.expect_download() as download:
            page.get_by_role("button", name=label, exact=True).click()
        data = download.value.path().read_bytes()
        assert data.startswith(begins)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Try a retry", exact=True).click()
    expect(page.get_by_text("1 would be sent again, ₹500 in all.")).to_be_visible()
    assert bank.payout(report_id).retry_count == 0
    page.get_by_role("button", name="Send ₹500 now").click()
    expect(page.get_by_text("1 of 1 sent again").first).to_be_visible()
    desks.nothing_is_cut_off(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert f"{number},f•••@sandbox,500,Yes,Sent again as retry 1." in download.value.path().read_text(encoding="utf-8-sig")
    assert bank.payout(report_id).retry_count == 1


def test_the_books_are_compared_with_the_provider(bank, house, page):
    report_id = failed(bank)
    bank.execute(
        "UPDATE payout.attempt SET provider_status = 'processing', provider_rank = 4, first_sent_at = first_sent_at - interval '2 hours' "
        "WHERE payout_id = (SELECT id FROM payout.payout WHERE report_id = :id)",
        id=report_id,
    )
    (attempt,) = bank.attempts(report_id)
    bank.execute("UPDATE sandbox.payout SET created_at = created_at - interval '2 hours' WHERE id = :id", id=attempt.provider_payout_id)
    desks.sign_in(page, house, bank.people.admin.username, "/payouts?payouts.view=Reconciliation")
    page.get_by_role("button", name="Reconcile").click()
    expect(page.get_by_text(re.compile(r"Compared \d+ of our payouts with \d+ of the provider's"))).to_be_visible()
    desks.nothing_is_cut_off(page)
    number = bank.report(report_id).report_number
    desks.still(page)
    tick = page.get_by_role("checkbox", name=f"Choose different state, {number}")
    page.get_by_test_id("stCheckbox").filter(has=tick).locator("label").click()
    expect(page.get_by_text(re.compile(r"^1 of \d+ chosen$"))).to_be_visible(timeout=desks.WAIT_MS)
    page.get_by_role("button", name="Put right").click()
    expect(page.get_by_text(re.compile(rf"{number}: The provider shows .* our books say so now"))).to_be_visible(timeout=desks.WAIT_MS)
    desks.nothing_is_cut_off(page)


def test_the_dashboards_are_drawn_and_a_number_leads_to_its_list(bank, house, page):
    failed(bank)
    desks.sign_in(page, house, bank.people.admin.username, "/analytics")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=desks.WAIT_MS)  # the library comes first
    expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=desks.WAIT_MS)
    desks.nothing_is_cut_off(page)
    tile = page.get_by_test_id("stMetric").filter(has_text="Reports").get_by_test_id("stMetricValue")
    before = tile.inner_text()
    page.locator("[class*='st-key-analytics-show-sdcrsTotalReports'] button").click()
    heading = page.get_by_role("heading", name=re.compile(r"^Reports: \d+"))
    expect(heading).to_be_visible(timeout=desks.WAIT_MS)
    listed = heading.inner_text()
    assert "list=all" in page.url
    page.get_by_role("button", name="Back to the dashboard").click()
    expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=desks.WAIT_MS)
    # a minute may have passed between the two, and the report that was just made counts from then on
    assert any(re.match(rf"Reports: {total}\s*\d{{1,2}} [A-Z]", listed) for total in (before, tile.inner_text())), listed
