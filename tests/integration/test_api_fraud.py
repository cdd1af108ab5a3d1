"""/fraud/v1/_evaluateSync over HTTP: who may ask, what is answered, what is counted, and what a wrong body is told."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.api.app import build
from pipeline.api.fraud_shapes import EvaluateAnswer
from pipeline.runtime import Runtime
from tests import factories
from tests.api import Client, signed_in

PATH = "/fraud/v1/_evaluateSync"


@pytest.fixture(scope="module")
def who(rt: Runtime) -> factories.People:
    return factories.people(rt)


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def admin(rt: Runtime, http: TestClient, who: factories.People) -> Client:
    return signed_in(rt, http, who.admin)


def asked(applicant: object = "11t0e02b", **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "moduleCode": "SDCRS",
        "tenantId": factories.VILLE,
        "referenceId": "dr-uuid-001",
        "applicantInfo": {"applicantId": str(applicant), "deviceId": "android-1", "name": "Sentinel Teacher", "mobileNumber": "253770"},
        "locationData": {"latitude": 11.5701, "longitude": 43.1301, "locality": "DJC001", "ward": "W005", "district": "DJ01"},
        "evidences": [
            {"type": "PHOTO", "purpose": "DOG_PHOTO",
             "metadata": {"gpsLatitude": 11.5701, "gpsLongitude": 43.1301, "timestamp": 1773125900000, "exifPresent": True}},
            {"type": "PHOTO", "purpose": "SELFIE",
             "metadata": {"gpsLatitude": 11.5702, "gpsLongitude": 43.1301, "timestamp": 1773125950000, "exifPresent": True}},
        ],
        "additionalData": {"dogCount": 2, "isAggressive": False, "lifetimeReportCount": 45},
        "_spelContext": {"#now": 1},
    }  # fmt: skip
    return {"RequestInfo": {"msgId": "1|en_IN"}, "request": {**request, **changes}}


def judged(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(PATH, body)
    assert answer.status_code == 200, answer.text
    EvaluateAnswer.model_validate(answer.json())
    return dict(answer.json()["response"])


def rule(response: dict[str, Any], rule_id: str) -> dict[str, Any]:
    return next(one for one in (*response["ruleResults"], *response["externalResults"]) if one["ruleId"] == rule_id)


def test_an_ordinary_report_is_approved_and_every_rule_answered(admin: Client) -> None:
    response = judged(admin, asked())
    assert (response["totalScore"], response["riskLevel"], response["recommendation"]) == (0, "LOW", "APPROVE")
    assert response["summary"]["totalRulesEvaluated"] == 39
    assert len(response["ruleResults"]) == 27
    assert {one["outcome"] for one in response["externalResults"]} == {"SKIPPED"}
    assert rule(response, "EXT-001")["details"]["message"].startswith("OBJECT_DETECTOR: is not asked by this call, which answers at once")
    assert response["summary"]["externalRulesSkipped"] == 12
    assert "autoRejectReason" not in response
    assert rule(response, "SDCRS-013")["spelExpression"].startswith("#additionalData")


def test_a_risky_report_is_rejected_with_the_reason(admin: Client) -> None:
    body = asked(additionalData={"dogCount": 15, "lifetimeReportCount": 100}, locationData={"latitude": 28.56, "longitude": 77.10})
    body["request"]["applicantInfo"]["deviceId"] = "emulator-5554"
    body["request"]["evidences"] = body["request"]["evidences"][:1]
    response = judged(admin, body)
    assert (response["totalScore"], response["riskLevel"], response["recommendation"]) == (100, "CRITICAL", "AUTO_REJECT")
    assert response["autoRejectReason"]
    assert response["summary"]["customSpelRulesTriggered"] == 5
    assert rule(response, "SDCRS-013")["details"]["evaluated"] == "#additionalData['dogCount'] = 15"


def test_what_a_teacher_of_ours_sent_before_counts(rt: Runtime, admin: Client) -> None:
    teacher = factories.account(rt, "T-asked", "TEACHER")
    first = factories.submitted(rt, teacher, device_id="android-77")
    body = asked(teacher.account_id, additionalData={})
    body["request"]["applicantInfo"]["deviceId"] = "android-77"
    response = judged(admin, body)
    assert rule(response, "SDCRS-006")["details"]["actual"] == 2
    assert rule(response, "STD-007")["triggered"]  # the report before is of the same moment
    assert rule(response, "SDCRS-016")["details"]["evaluated"] == "#additionalData['lifetimeReportCount'] = 2"
    other = asked("somebody else", additionalData={})
    other["request"]["applicantInfo"]["deviceId"] = "android-77"
    assert rule(judged(admin, other), "STD-008")["details"]["actual"] == 2
    again = judged(admin, asked(teacher.account_id, referenceId=str(first), additionalData={}))
    assert rule(again, "SDCRS-006")["details"]["actual"] == 1  # itself
    assert rule(again, "SDCRS-016")["details"]["evaluated"] == "#additionalData['lifetimeReportCount'] = 1"


def test_a_photo_of_ours_is_compared_by_its_file(rt: Runtime, admin: Client, who: factories.People) -> None:
    files = factories.photos(rt, who.teacher)
    first = factories.validated(rt, who.teacher, evidence=factories.submission(rt, who.teacher, files).evidence)
    assert factories.status_of(rt, first) == "PENDING_VERIFICATION"
    body = asked()
    body["request"]["evidences"][0]["fileStoreId"] = str(files[0])
    response = judged(admin, body)
    assert rule(response, "STD-005")["triggered"]
    assert rule(response, "STD-006")["triggered"]
    assert rule(response, "SDCRS-010")["triggered"] is False
    assert response["recommendation"] == "AUTO_REJECT"
    same = judged(admin, {**body, "request": {**body["request"], "referenceId": str(first)}})
    assert rule(same, "STD-005")["triggered"] is False


def test_nothing_is_stored(rt: Runtime, admin: Client) -> None:
    def count() -> int:
        with rt.database.worker() as conn:
            return int(
                conn.execute(text("SELECT (SELECT count(*) FROM fraud.evaluation) + (SELECT count(*) FROM packet.log)")).scalar_one()
            )

    before = count()
    judged(admin, asked())
    assert count() == before


def test_only_admins_ask_and_only_in_their_area(rt: Runtime, http: TestClient, who: factories.People, admin: Client) -> None:
    judged(signed_in(rt, http, who.district_admin), asked())
    for caller in (who.teacher, who.verifier, who.senior, who.officer, who.supervisor, who.auditor):
        assert signed_in(rt, http, caller).code(PATH, asked()) == (403, "SDCRS_FORBIDDEN")
    assert admin.code(PATH, asked(tenantId="ncr.noida"))[1] == "SDCRS_TENANT_OUT_OF_SCOPE"
    assert http.post(PATH, json=asked()).status_code == 401


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("evidences", [{"purpose": "DOG_PHOTO"}] * 11, "request.evidences"),
        ("evidences", [{"purpose": "CAT_PHOTO"}], "request.evidences[0].purpose"),
        ("locationData", {"latitude": 91.0}, "request.locationData.latitude"),
        ("additionalData", {"x": {"deep": 1}}, "request.additionalData"),
        ("additionalData", {f"k{n}": n for n in range(51)}, "request.additionalData"),
        ("unknown", 1, "request.unknown"),
        ("referenceId", "", "request.referenceId"),
    ],
)
def test_a_wrong_field_is_named(admin: Client, path: str, value: Any, field: str) -> None:
    body = deepcopy(asked())
    body["request"][path] = value
    answer = admin.post(PATH, body)
    assert answer.status_code == 400
    assert answer.json()["Errors"][0]["params"]["field"].startswith(field)


def test_what_is_not_told_leads_to_no_error(admin: Client) -> None:
    body = asked(evidences=None, additionalData=None, locationData={})
    response = judged(admin, body)
    assert rule(response, "SDCRS-014")["triggered"]
    assert rule(response, "STD-002")["outcome"] == "CLEAR"
    assert response["recommendation"] in ("APPROVE", "MANUAL_REVIEW")
