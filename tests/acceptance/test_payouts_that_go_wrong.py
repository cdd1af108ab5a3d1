"""Payouts that do not simply succeed, from the capture to what everybody is told of it, over HTTP alone."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from pipeline.notifications.follower import message_text
from tests.acceptance.town import Phone, Town
from tests.console import shown, tab, token_for
from tests.factories import VILLE, account

UNKNOWN = "fails.vpa.invalid@sandbox"  # the sandbox's own invention: an address that its bank does not know
REJECTED = "fails.bank.rejected@sandbox"  # and one that the bank refuses, which nobody tries again by itself
A_DAY = 5  # reports that a teacher may send in
FULL_MONTH = 10  # payouts of Rs 500 under a cap of Rs 5000
LAST_DAY = datetime(2026, 3, 31, 20, 59, tzinfo=UTC)  # 23:59 in Djibouti


def address(kind: str) -> str:
    """One that only this teacher has."""
    return f"x{uuid4().hex[:6]}.{kind}"


def failed(town: Town, kind: str) -> tuple[Phone, dict[str, Any]]:
    """A teacher and a report whose payout has failed."""
    teacher = town.teacher(vpa=address(kind))
    report = town.captured(teacher)
    town.drain()
    assert town.admin.read(report)["status"] == "PAYOUT_FAILED"
    return teacher, report


def messages(town: Town, report: dict[str, Any], template: str) -> list[str]:
    """The texts of one kind that went to a report's teacher."""
    with town.rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT template_id, locale, params FROM sdcrs.notification WHERE report_id = :id AND template_id = :template"),
            {"id": report["id"], "template": template},
        ).all()
    md = town.rt.masterdata.current()
    return [message_text(md, row.template_id, row.locale, row.params, {}) for row in rows]


def reserved(town: Town, teacher: Phone) -> dict[str, int]:
    """What is reserved of each of a teacher's months, in paise."""
    months = text("SELECT month, reserved_paise FROM payout.monthly_cap WHERE beneficiary_id = :id ORDER BY month")
    with town.rt.database.worker() as conn:
        return {f"{row.month:%Y-%m}": row.reserved_paise for row in conn.execute(months, {"id": teacher.account_id})}


def fill_the_month(town: Town, teacher: Phone) -> Phone:
    """Ten paid reports on two days; the teacher on the day after."""
    for _ in range(FULL_MONTH // A_DAY):
        reports = [town.captured(teacher) for _ in range(A_DAY)]
        town.drain()
        assert {teacher.read(report)["payoutDetails"]["payoutStatus"] for report in reports} == {"SUCCESS"}
        teacher = town.days_later(teacher, days=1)
    return teacher


def test_a_payout_without_money_waits_the_admins_see_what_is_missing_and_a_top_up_pays_it(town: Town) -> None:
    teacher = town.teacher()
    assert town.sandbox.post("/_sandbox/balance", json={"amount_paise": 12_300}).is_success
    report = town.captured(teacher)
    town.drain()
    assert teacher.read(report)["status"] == "PAYOUT_PENDING"
    assert [row["status"] for row in town.provider_payouts(report)] == ["queued"]
    (found,) = town.admin.post("/payout/v1/_search", searchCriteria={"tenantId": VILLE, "reportNumber": report["reportNumber"]}).json()[
        "Payouts"
    ]
    assert found["status"] == "INITIATED"
    teacher = town.days_later(teacher, minutes=3)
    town.drain()
    treasurer = account(town.rt, f"ADM{uuid4().hex[:6]}", "STATE_ADMIN", tenant_id="dj")
    with tab(town.rt, token_for(town.rt, treasurer), "payouts") as page:
        page.run()
        assert not page.exception
        alert = shown(page)
    assert "₹123" in alert
    assert "₹377" in alert
    assert town.sandbox.post("/_sandbox/funds", json={"amount_paise": 100_000_000}).is_success
    town.drain()
    mine = teacher.read(report)
    assert (mine["status"], mine["payoutDetails"]["payoutStatus"]) == ("RESOLVED", "SUCCESS")
    assert [row["status"] for row in town.provider_payouts(report)] == ["processed"]


def test_a_failed_payout_says_why_to_the_teacher_and_gives_the_month_back(town: Town) -> None:
    teacher, report = failed(town, UNKNOWN)
    mine = teacher.read(report)
    assert (mine["status"], mine["payoutDetails"]["payoutStatus"]) == ("PAYOUT_FAILED", "FAILED")
    assert mine["payoutDetails"]["failureReason"] == "Invalid beneficiary VPA"
    assert [row["status"] for row in town.provider_payouts(report)] == ["failed"]
    (told,) = messages(town, report, "SDCRS_PAYOUT_FAILED_TEACHER")
    assert "Invalid beneficiary VPA" in told
    assert reserved(town, teacher) == {"2026-03": 0}


def test_a_failed_payout_is_retried_with_a_corrected_address(town: Town) -> None:
    teacher, report = failed(town, UNKNOWN)
    answer = town.admin.update(report, "RETRY_PAYOUT", "Address corrected by phone", payoutDetails={"beneficiaryVpa": "corrected@okaxis"})
    assert (answer["status"], answer["payoutDetails"]["payoutStatus"]) == ("PAYOUT_PENDING", "RETRY_INITIATED")
    assert (answer["payoutDetails"]["beneficiaryVpa"], answer["payoutDetails"]["retryCount"]) == ("corrected@okaxis", 1)
    town.drain()
    assert teacher.read(report)["status"] == "RESOLVED"
    first, second = town.provider_payouts(report)
    assert (first["status"], second["status"]) == ("failed", "processed")
    assert (first["reference_id"], second["reference_id"]) == (f"SDCRS-{report['reportNumber']}", f"SDCRS-{report['reportNumber']}-R1")
    assert first["idempotency_key"] != second["idempotency_key"]
    assert first["fund_account_id"] != second["fund_account_id"]
    accounts = town.sandbox.get("/_sandbox/journal/fund_accounts", params={"limit": 1000}).json()["items"]
    by_id = {row["id"]: row for row in accounts}
    old, new = by_id[first["fund_account_id"]], by_id[second["fund_account_id"]]
    assert new["address"] == "corrected@okaxis"
    assert old["contact_id"] == new["contact_id"]


def test_an_admin_settles_a_failed_payout_by_hand_with_the_reference_of_the_bank_transfer(town: Town) -> None:
    teacher, report = failed(town, UNKNOWN)
    details = {"manualPaymentReference": "NEFT-AXIS-000123456", "manualPaymentMethod": "BANK_TRANSFER"}
    answer = town.admin.update(report, "MANUAL_RESOLVE", "Paid by bank transfer", payoutDetails=details)
    assert (answer["status"], answer["payoutDetails"]["payoutStatus"]) == ("RESOLVED", "MANUAL_PAYOUT")
    assert (answer["payoutDetails"]["manualPaymentReference"], answer["payoutDetails"]["manualPaymentMethod"]) == tuple(details.values())
    town.drain()
    assert teacher.read(report)["status"] == "RESOLVED"
    assert [row["status"] for row in town.provider_payouts(report)] == ["failed"]
    assert reserved(town, teacher) == {"2026-03": 50_000}
    again = town.admin.post("/payout/v1/_retry", reportIds=[report["id"]]).json()["results"]
    assert again[0]["error"]["code"] == "SDCRS_ACTION_NOT_ALLOWED"


def test_the_fourth_retry_is_refused(town: Town) -> None:
    teacher, report = failed(town, REJECTED)
    for number in (1, 2, 3):
        answer = town.admin.update(report, "RETRY_PAYOUT", "The bank says that it was a mistake")
        assert answer["payoutDetails"]["retryCount"] == number
        town.drain()
        assert teacher.read(report)["status"] == "PAYOUT_FAILED"
    change = {"id": report["id"], "tenantId": VILLE, "workflow": {"action": "RETRY_PAYOUT"}}
    refused = town.admin.post("/sdcrs-services/v1/report/_update", DogReports=[change])
    assert (refused.status_code, refused.json()["Errors"][0]["code"]) == (409, "SDCRS_RETRIES_EXHAUSTED")
    listed = town.admin.post("/payout/v1/_retry", reportIds=[report["id"]]).json()["results"]
    assert listed[0]["error"]["code"] == "SDCRS_RETRIES_EXHAUSTED"
    town.drain()
    reference = f"SDCRS-{report['reportNumber']}"
    assert [row["reference_id"] for row in town.provider_payouts(report)] == [reference, *(f"{reference}-R{n}" for n in (1, 2, 3))]
    assert town.admin.read(report)["payoutDetails"]["canRetry"] is False


def test_over_the_cap_a_report_is_resolved_without_payout_and_the_message_says_so(town: Town) -> None:
    teacher = fill_the_month(town, town.teacher())
    report = town.captured(teacher)
    town.drain()
    mine = teacher.read(report)
    details = mine["payoutDetails"]
    assert (mine["status"], details["payoutStatus"], details["payoutAmount"]) == ("RESOLVED", "SKIPPED_CAP_REACHED", 0)
    assert town.provider_payouts(report) == []
    (told,) = messages(town, report, "SDCRS_CAP_REACHED_TEACHER")
    assert "monthly payout limit of Rs.5000" in told
    assert "no payout is made for this report" in told
    assert reserved(town, teacher) == {"2026-03": 500_000}


def test_a_month_ends_at_midnight_in_the_tenants_own_zone(town: Town) -> None:
    teacher = fill_the_month(town, town.teacher())
    town.clock.set(LAST_DAY)
    teacher = town.days_later(teacher)
    before = town.captured(teacher)
    town.drain()
    teacher = town.days_later(teacher, minutes=2)  # 21:01 on 31 March in UTC, 00:01 on 1 April in Djibouti
    after = town.captured(teacher)
    town.drain()
    assert teacher.read(before)["payoutDetails"]["payoutStatus"] == "SKIPPED_CAP_REACHED"
    assert teacher.read(after)["payoutDetails"]["payoutStatus"] == "SUCCESS"
    assert reserved(town, teacher) == {"2026-03": 500_000, "2026-04": 50_000}
