"""Payouts over HTTP: who sees them, another attempt with a corrected address, and settlement by hand with and without a second admin."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.api.app import build
from pipeline.api.shapes import DogReportsAnswer, PayoutsAnswer, RetryAnswer
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.opening import open_job
from pipeline.payouts.settle import Refusal, settle
from pipeline.runtime import Runtime
from tests.api import signed_in
from tests.factories import VILLE, People, captured, people, status_of

UPDATE = "/sdcrs-services/v1/report/_update"
NEW_VPA = "teacher.new@okaxis"


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client


@pytest.fixture
def who(rt: Runtime) -> People:
    return people(rt)


@pytest.fixture(scope="module")
def as_(rt: Runtime, http: TestClient) -> Any:
    return lambda caller: signed_in(rt, http, caller)


def failed(rt: Runtime, who: People) -> UUID:
    """A report whose payout the provider has refused for certain."""
    report_id = captured(rt, who)
    run_until_idle([open_job(rt)], rt.clock)
    refuse(rt, report_id)
    assert status_of(rt, report_id) == "PAYOUT_FAILED"
    return report_id


def refuse(rt: Runtime, report_id: UUID) -> None:
    now = rt.clock.now()
    with rt.database.worker() as conn:
        attempt = conn.execute(
            text("""
                SELECT a.id, a.sends FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id
                WHERE p.report_id = :id ORDER BY a.number DESC LIMIT 1
            """),
            {"id": report_id},
        ).one()
        refusal = Refusal(attempt.id, attempt.sends, "beneficiary_vpa_invalid", "The UPI ID is not valid", now)
        assert settle(conn, rt.masterdata.current(), [refusal], now) == ["APPLIED"]


def body(report_id: UUID, action: str, **details: Any) -> dict[str, Any]:
    entry = {"id": str(report_id), "tenantId": VILLE, "workflow": {"action": action, "comment": "As agreed by phone"}}
    return {"RequestInfo": {"msgId": str(uuid4())}, "DogReports": [{**entry, "payoutDetails": details}]}


def test_a_retry_with_a_corrected_address_shows_it_once_and_keeps_it_out_of_the_log(rt: Runtime, as_: Any, who: People) -> None:
    report_id = failed(rt, who)
    client = as_(who.admin)
    answer = client.post(UPDATE, body(report_id, "RETRY_PAYOUT", beneficiaryVpa=NEW_VPA))
    DogReportsAnswer.model_validate(answer.json())
    report = answer.json()["DogReports"][0]
    told = report["payoutDetails"]
    assert report["status"] == "PAYOUT_PENDING"
    assert (told["payoutStatus"], told["beneficiaryVpa"], told["retryCount"], told["maxRetries"]) == ("RETRY_INITIATED", NEW_VPA, 1, 3)
    assert told["lastRetryAt"] is not None
    again = client.search(ids=[str(report_id)])["DogReports"][0]
    assert again["payoutDetails"]["beneficiaryVpa"] is None
    with rt.database.worker() as conn:
        kept = conn.execute(text("SELECT body FROM packet.log WHERE subject_id = :id AND packet = '09/07'"), {"id": report_id}).scalar_one()
    assert NEW_VPA not in json.dumps(kept)
    assert kept["DogReports"][0]["payoutDetails"]["beneficiaryVpa"] == {"$person": str(who.teacher.account_id), "field": "vpa"}


@pytest.mark.parametrize(
    ("role", "action", "details", "expected"),
    [
        ("district_admin", "RETRY_PAYOUT", {}, (403, "SDCRS_FORBIDDEN")),
        ("verifier", "RETRY_PAYOUT", {}, (403, "SDCRS_FORBIDDEN")),
        ("auditor", "RETRY_PAYOUT", {}, (403, "SDCRS_FORBIDDEN")),
        ("admin", "RETRY_PAYOUT", {"beneficiaryVpa": "no-address"}, (400, "SDCRS_INVALID_VPA")),
        ("admin", "MANUAL_RESOLVE", {"manualPaymentMethod": "CASH"}, (400, "SDCRS_FACT_MISSING")),
        ("admin", "MANUAL_RESOLVE", {"manualPaymentReference": "R-1"}, (400, "SDCRS_FACT_MISSING")),
        ("admin", "MANUAL_RESOLVE", {"manualPaymentReference": "R-1", "manualPaymentMethod": "SHELLS"}, (400, "SDCRS_INVALID_REQUEST")),
        ("district_admin", "MANUAL_RESOLVE", {"manualPaymentReference": "R-1", "manualPaymentMethod": "CASH"}, (403, "SDCRS_FORBIDDEN")),
    ],
)
def test_a_payout_action_that_is_not_possible_says_why(
    rt: Runtime, as_: Any, who: People, role: str, action: str, details: dict[str, Any], expected: tuple[int, str]
) -> None:
    report_id = failed(rt, who)
    assert as_(getattr(who, role)).code(UPDATE, body(report_id, action, **details)) == expected
    assert status_of(rt, report_id) == "PAYOUT_FAILED"


def test_a_stale_version_takes_a_retry_back(rt: Runtime, as_: Any, who: People) -> None:
    report_id = failed(rt, who)
    sent = body(report_id, "RETRY_PAYOUT")
    sent["DogReports"][0]["version"] = 2
    answer = as_(who.admin).post(UPDATE, sent)
    (error,) = answer.json()["Errors"]
    assert (answer.status_code, error["code"]) == (409, "SDCRS_STALE_VERSION")
    assert error["params"]["state"] == "PAYOUT_FAILED"
    assert error["params"]["changes"][-1]["action"] == "PAYOUT_FAILED"
    assert status_of(rt, report_id) == "PAYOUT_FAILED"


def test_a_settlement_by_hand_resolves_the_report(rt: Runtime, as_: Any, who: People) -> None:
    report_id = failed(rt, who)
    details = {"manualPaymentReference": "NEFT20260310", "manualPaymentMethod": "NEFT", "payoutStatus": "MANUAL_PAYOUT"}
    answer = as_(who.admin).post(UPDATE, body(report_id, "MANUAL_RESOLVE", **details))
    report = answer.json()["DogReports"][0]
    told = report["payoutDetails"]
    assert (report["status"], told["payoutStatus"], told["payoutAmount"]) == ("RESOLVED", "MANUAL_PAYOUT", 500)
    assert (told["manualPaymentReference"], told["manualPaymentMethod"]) == ("NEFT20260310", "BANK_TRANSFER")


def test_where_the_tenant_wants_it_a_second_admin_approves(rt: Runtime, as_: Any, who: People, monkeypatch: pytest.MonkeyPatch) -> None:
    md = rt.masterdata.current()
    strict = md.tenant(VILLE).__class__(**{**md.tenant(VILLE).__dict__, "manual_resolve_approval": True})
    plain = md.tenant
    monkeypatch.setattr(md, "tenant", lambda tenant_id: strict if tenant_id == VILLE else plain(tenant_id))
    report_id = failed(rt, who)
    details = {"manualPaymentReference": "CASH-7", "manualPaymentMethod": "CASH"}
    first = as_(who.admin).post(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)).json()["DogReports"][0]
    assert (first["status"], first["payoutDetails"]["approvalStatus"]) == ("PAYOUT_FAILED", "PENDING_APPROVAL")
    assert as_(who.admin).code(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)) == (403, "SDCRS_SELF_APPROVAL")
    other = {**details, "manualPaymentReference": "CASH-8"}
    assert as_(who.second_admin).code(UPDATE, body(report_id, "MANUAL_RESOLVE", **other)) == (409, "SDCRS_APPROVAL_PENDING")
    second = as_(who.second_admin).post(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)).json()["DogReports"][0]
    assert (second["status"], second["payoutDetails"]["approvalStatus"]) == ("RESOLVED", "APPROVED")


def test_outside_the_rules_a_second_admin_approves_also_where_the_tenant_wants_none(rt: Runtime, as_: Any, who: People) -> None:
    report_id = failed(rt, who)
    details = {"manualPaymentReference": "CASH-9", "manualPaymentMethod": "CASH", "exceptionReason": "Paid in cash by the district office"}
    first = as_(who.admin).post(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)).json()["DogReports"][0]
    assert (first["status"], first["payoutDetails"]["approvalStatus"]) == ("PAYOUT_FAILED", "PENDING_APPROVAL")
    assert as_(who.admin).code(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)) == (403, "SDCRS_SELF_APPROVAL")
    second = as_(who.second_admin).post(UPDATE, body(report_id, "MANUAL_RESOLVE", **details)).json()["DogReports"][0]
    assert (second["status"], second["payoutDetails"]["approvalStatus"]) == ("RESOLVED", "APPROVED")


def test_payouts_are_listed_for_admins_and_the_auditor_with_the_address_masked(rt: Runtime, as_: Any, who: People) -> None:
    report_id = failed(rt, who)
    criteria = {"searchCriteria": {"tenantId": VILLE, "status": ["FAILED"], "limit": 100}}
    for caller in (who.admin, who.district_admin, who.auditor):
        answer = as_(caller).post("/payout/v1/_search", criteria)
        PayoutsAnswer.model_validate(answer.json())
        (found,) = [payout for payout in answer.json()["Payouts"] if payout["reportId"] == str(report_id)]
        assert (found["status"], found["amount"], found["retryCount"], found["currency"]) == ("FAILED", 500, 0, "INR")
        assert found["referenceId"] == f"SDCRS-{found['reportNumber']}"
        assert found["beneficiaryName"] == f"Name of {who.teacher.username}"
        assert found["beneficiaryVpa"] == "t•••@okaxis"
        by_number = {"searchCriteria": {"tenantId": "dj.djibouti-ville", "reportNumber": found["reportNumber"]}}
        assert as_(caller).post("/payout/v1/_search", by_number).json()["TotalCount"] == 1
    for caller in (who.teacher, who.verifier, who.officer, who.supervisor):
        assert as_(caller).code("/payout/v1/_search", criteria) == (403, "SDCRS_FORBIDDEN")
    nothing = {"searchCriteria": {"tenantId": VILLE, "status": ["REVERSED"]}}
    assert as_(who.admin).post("/payout/v1/_search", nothing).json()["TotalCount"] == 0


def test_a_retry_of_several_answers_for_each_and_a_repetition_begins_nothing(rt: Runtime, as_: Any, who: People) -> None:
    one, two = failed(rt, who), failed(rt, people(rt))
    sent = {"RequestInfo": {"msgId": str(uuid4())}, "reportIds": [str(one), str(uuid4()), str(two), "not-ours"]}
    client = as_(who.admin)
    answers = [client.post("/payout/v1/_retry", sent) for _ in range(2)]
    RetryAnswer.model_validate(answers[0].json())
    for answer in answers:
        results = answer.json()["results"]
        assert [(r["reportId"], r["status"], r["error"] and r["error"]["code"]) for r in results] == [
            (str(one), "RETRY_INITIATED", None),
            (sent["reportIds"][1], None, "SDCRS_NOT_FOUND"),
            (str(two), "RETRY_INITIATED", None),
            ("not-ours", None, "SDCRS_NOT_FOUND"),
        ]
    assert client.search(ids=[str(one)])["DogReports"][0]["payoutDetails"]["retryCount"] == 1


def test_only_state_admins_retry(as_: Any, who: People) -> None:
    sent = {"reportIds": [str(uuid4())]}
    for caller in (who.district_admin, who.auditor, who.verifier):
        assert as_(caller).code("/payout/v1/_retry", sent) == (403, "SDCRS_FORBIDDEN")
