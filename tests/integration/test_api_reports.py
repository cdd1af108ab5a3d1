"""The report API over a real database: what is answered to whom, in which order things are checked, and what a repetition does."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.api.app import build
from pipeline.api.shapes import DogReportsAnswer, ErrorAnswer
from pipeline.clock import SettableClock, epoch_ms
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.validation.job import validation_job
from tests.api import Client, create_body, signed_in
from tests.factories import VILLE, People, account, assigned, do, in_progress, people, photos, submitted, validated, verified


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


def test_a_teacher_submits_and_reads_the_own_report_with_everything_of_the_own(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-own", "TEACHER")
    client: Client = as_(teacher)
    answer = client.post("/sdcrs-services/v1/report/_create", create_body(rt, teacher))
    assert answer.status_code == 201
    DogReportsAnswer.model_validate(answer.json())
    report = answer.json()["DogReports"][0]
    assert report["status"] == "PENDING_VALIDATION"
    assert report["reporterName"] == "Name of T-own"
    assert report["reporterPhone"] == "9876543210"
    assert report["reporterSchool"] == "Govt High School Djibouti"
    assert {photo["evidenceType"] for photo in report["evidence"]} == {"DOG_PHOTO", "REPORTER_SELFIE"}
    assert report["trackingUrl"] == f"http://api.test/track/{report['trackingId']}"
    assert report["location"]["gpsValidated"] is None
    assert report["payoutStatus"] is None
    found = client.search(ids=[report["id"]])
    assert found["TotalCount"] == 1
    assert found["DogReports"][0]["reportNumber"] == report["reportNumber"]


def test_a_report_may_be_sent_alone_as_dog_report(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-alone", "TEACHER")
    body = create_body(rt, teacher)
    body["DogReport"] = body.pop("DogReports")[0]
    assert as_(teacher).post("/sdcrs-services/v1/report/_create", body).status_code == 201


def test_the_stored_request_holds_no_token_and_nothing_that_it_says_of_its_sender(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-body", "TEACHER")
    body = create_body(rt, teacher)
    body["RequestInfo"] |= {"authToken": "secret-token", "userInfo": {"name": "Somebody", "roles": [{"code": "STATE_ADMIN"}]}}
    body["_remark"] = "not kept"
    report = as_(teacher).post("/sdcrs-services/v1/report/_create", body).json()["DogReports"][0]
    with rt.database.worker() as conn:
        kept = conn.execute(
            text("SELECT packet, body, correlation_id FROM packet.log WHERE subject_id = :id AND body IS NOT NULL"), {"id": report["id"]}
        ).one()
    assert kept.packet == "02/07"
    assert "secret-token" not in json.dumps(kept.body)
    assert "userInfo" not in kept.body["RequestInfo"]
    assert "_remark" not in kept.body
    assert kept.body["DogReports"][0]["description"] == body["DogReports"][0]["description"]


def test_two_teachers_who_name_one_phone_by_the_header_alone_share_it(rt: Runtime, as_: Any) -> None:
    ids = []
    for name in ("T-phone-1", "T-phone-2"):
        teacher = account(rt, name, "TEACHER")
        answer = as_(teacher).post("/sdcrs-services/v1/report/_create", create_body(rt, teacher), {"X-Device-Id": "phone-of-both"})
        ids.append(UUID(answer.json()["DogReports"][0]["id"]))
    run_until_idle([validation_job(rt)], rt.clock)
    with rt.database.worker() as conn:
        devices = text("SELECT DISTINCT report_id, device_id FROM sdcrs.evidence WHERE report_id = ANY (:ids)")
        assert {tuple(row) for row in conn.execute(devices, {"ids": ids})} == {(one, "phone-of-both") for one in ids}
        fired = text("SELECT report_id FROM fraud.rule_result WHERE rule_id = 'STD-008' AND outcome = 'FIRED' AND report_id = ANY (:ids)")
        assert conn.execute(fired, {"ids": ids}).scalars().all() == ids[1:]


def test_the_header_tells_nothing_where_a_photo_names_a_device(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-phones", "TEACHER")
    body = create_body(rt, teacher)
    body["DogReports"][0]["evidence"][1]["deviceId"] = "phone-of-the-selfie"
    report = as_(teacher).post("/sdcrs-services/v1/report/_create", body, {"X-Device-Id": "phone-of-the-header"}).json()["DogReports"][0]
    with rt.database.worker() as conn:
        found = conn.execute(text("SELECT evidence_type, device_id FROM sdcrs.evidence WHERE report_id = :id"), {"id": report["id"]})
        assert {tuple(row) for row in found} == {("DOG_PHOTO", "phone-of-the-selfie"), ("REPORTER_SELFIE", "phone-of-the-selfie")}


def test_the_correlation_id_of_the_client_is_kept_and_answered(rt: Runtime, as_: Any) -> None:
    teacher, sent = account(rt, "T-corr", "TEACHER"), uuid4()
    answer = as_(teacher).post("/sdcrs-services/v1/report/_create", create_body(rt, teacher), {"X-Correlation-Id": str(sent)})
    assert answer.headers["x-correlation-id"] == str(sent)
    assert answer.json()["ResponseInfo"]["resMsgId"] == str(sent)
    with rt.database.worker() as conn:
        kept = conn.execute(
            text("SELECT DISTINCT correlation_id FROM packet.log WHERE subject_id = :id"), {"id": answer.json()["DogReports"][0]["id"]}
        ).scalars()
        assert set(kept) == {sent}


# Repetition


def test_the_same_request_is_answered_again_and_creates_nothing(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-again", "TEACHER")
    client, body = as_(teacher), create_body(rt, teacher)
    first = client.post("/sdcrs-services/v1/report/_create", body)
    second = client.post("/sdcrs-services/v1/report/_create", body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["DogReports"][0]["id"] == second.json()["DogReports"][0]["id"]
    assert client.search(tenantId=VILLE)["TotalCount"] == 1


def test_the_same_message_id_with_another_body_is_a_new_request(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-new", "TEACHER")
    client, body = as_(teacher), create_body(rt, teacher)
    other = create_body(rt, teacher)
    other["RequestInfo"] = body["RequestInfo"]
    ids = {client.post("/sdcrs-services/v1/report/_create", sent).json()["DogReports"][0]["id"] for sent in (body, other)}
    assert len(ids) == 2


def test_another_body_under_the_same_idempotency_key_is_a_conflict(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-key", "TEACHER")
    client, key = as_(teacher), {"Idempotency-Key": "k-1"}
    assert client.post("/sdcrs-services/v1/report/_create", create_body(rt, teacher), key).status_code == 201
    assert client.code("/sdcrs-services/v1/report/_create", create_body(rt, teacher), key) == (409, "SDCRS_IDEMPOTENCY_CONFLICT")


def test_a_repeated_update_is_answered_again_with_the_report_as_it_is(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    client, body = as_(who.verifier), update_body(report_id, "VERIFY")
    assert [client.post(UPDATE, body).json()["DogReports"][0]["version"] for _ in range(2)] == [3, 3]


# The order of the checks


UPDATE = "/sdcrs-services/v1/report/_update"
CREATE = "/sdcrs-services/v1/report/_create"
SEARCH = "/sdcrs-services/v1/report/_search"


def update_body(report_id: Any, action: str, comment: str | None = None, **fields: Any) -> dict[str, Any]:
    """An _update of one report."""
    workflow = {"action": action, "comment": comment, "assignee": fields.pop("assignee", None)}
    entry = {"id": str(report_id), "tenantId": VILLE, "workflow": {k: v for k, v in workflow.items() if v is not None}, **fields}
    return {"RequestInfo": {"msgId": f"{uuid4()}|en_IN"}, "DogReports": [entry]}


def test_without_a_session_nothing_is_said_of_the_body(http: TestClient) -> None:
    answer = http.post(CREATE, json={"DogReports": "nonsense"})
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (401, "SDCRS_NOT_SIGNED_IN")
    assert answer.headers["www-authenticate"] == "Bearer"
    ErrorAnswer.model_validate(answer.json())


def test_a_suspended_teacher_is_told_so_before_the_limit_and_the_body(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-susp", "TEACHER")
    with rt.database.worker() as conn:
        conn.execute(
            text("UPDATE access.account SET standing = 'SUSPENSION', standing_until = :until, standing_reason = 'r' WHERE id = :id"),
            {"until": "2026-12-01T00:00:00Z", "id": teacher.account_id},
        )
    answer = as_(teacher).post(CREATE, {"DogReports": [{"tenantId": VILLE}]})
    error = answer.json()["Errors"][0]
    assert (answer.status_code, error["code"]) == (403, "SDCRS_TEACHER_SUSPENDED")
    assert error["params"] == {"suspendedUntil": "2026-12-01T00:00:00Z", "reason": "r", "helpdesk": error["params"]["helpdesk"]}


def test_the_sixth_report_of_a_day_is_refused_before_its_body_is_read(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-six", "TEACHER")
    for _ in range(5):
        submitted(rt, teacher)
    answer = as_(teacher).post(CREATE, {"DogReports": [{"tenantId": VILLE}]})
    error = answer.json()["Errors"][0]
    assert (answer.status_code, error["code"]) == (400, "SDCRS_DAILY_LIMIT_EXCEEDED")
    assert error["params"] == {"dailyLimit": 5, "submittedToday": 5, "nextAvailableTime": "2026-03-10T21:00:00Z"}


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"tenantId": "ncr.noida"}, "SDCRS_TENANT_OUT_OF_SCOPE", 403),
        ({"serviceType": "StrayCat"}, "SDCRS_UNKNOWN_SERVICE_TYPE", 400),
        ({"description": "short"}, "SDCRS_INVALID_REQUEST", 400),
        ({"evidence": []}, "SDCRS_EVIDENCE_MISSING", 400),
        ({"status": "RESOLVED"}, "SDCRS_INVALID_REQUEST", 400),
        ({"reporterId": str(uuid4())}, "SDCRS_INVALID_REQUEST", 400),
        ({"location": {"latitude": 91, "longitude": 43}}, "SDCRS_INVALID_REQUEST", 400),
    ],
)
def test_what_is_wrong_with_a_new_report_is_named(rt: Runtime, as_: Any, change: dict[str, Any], code: str, status: int) -> None:
    teacher = account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    body = create_body(rt, teacher)
    body["DogReports"][0] |= change
    assert as_(teacher).code(CREATE, body) == (status, code)


def test_another_teachers_photo_is_not_ones_own_evidence(rt: Runtime, as_: Any) -> None:
    teacher, other = account(rt, "T-thief", "TEACHER"), account(rt, "T-robbed", "TEACHER")
    body = create_body(rt, teacher, photos(rt, other))
    assert as_(teacher).code(CREATE, body) == (400, "SDCRS_UNKNOWN_FILE")


def test_two_reports_in_one_request_are_refused(rt: Runtime, as_: Any) -> None:
    teacher = account(rt, "T-two", "TEACHER")
    body = create_body(rt, teacher)
    body["DogReports"] *= 2
    assert as_(teacher).code(CREATE, body) == (400, "SDCRS_INVALID_REQUEST")


def test_only_teachers_submit(rt: Runtime, as_: Any, who: People) -> None:
    body = create_body(rt, account(rt, "T-body2", "TEACHER"))
    for caller in (who.verifier, who.officer, who.supervisor, who.admin, who.auditor):
        assert as_(caller).code(CREATE, body) == (403, "SDCRS_FORBIDDEN")


# Actions


def test_each_role_carries_a_report_to_captured(rt: Runtime, as_: Any, who: People, clock: SettableClock) -> None:
    teacher = account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    report_id = validated(rt, teacher)
    verified_now = as_(who.verifier).act(update_body(report_id, "VERIFY", "Clear photo", verificationRemarks="A stray dog"))
    assert (verified_now["status"], verified_now["verificationRemarks"]) == ("VERIFIED", "A stray dog")
    assert verified_now["verifiedBy"] == str(who.verifier.account_id)
    given = as_(who.supervisor).act(update_body(report_id, "ASSIGN", assignee=[str(who.officer.account_id)], assignedOfficerName="Any"))
    assert (given["status"], given["assignedOfficerId"]) == ("ASSIGNED", str(who.officer.account_id))
    assert given["assignedOfficerName"] == f"Name of {who.officer.username}"
    now_ms = epoch_ms(clock.now())
    started = as_(who.officer).act(
        update_body(report_id, "START_FIELD_VISIT", fieldVisitStartedAt=now_ms, fieldVisitLocation={"latitude": 11.59, "longitude": 43.14})
    )
    assert (started["status"], started["fieldVisitStartedAt"]) == ("IN_PROGRESS", now_ms)
    photo, _ = photos(rt, who.officer)
    done = as_(who.officer).act(
        update_body(
            report_id,
            "MARK_CAPTURED",
            resolutionType="CAPTURED",
            resolutionRemarks="To the shelter",
            fieldVisitCompletedAt=now_ms,
            captureEvidence={
                "photoFileStoreId": str(photo),
                "capturedAt": now_ms,
                "captureLocation": {"latitude": 11.5887, "longitude": 43.1455},
            },
        )
    )
    assert (done["status"], done["resolutionType"], done["payoutEligible"]) == ("CAPTURED", "CAPTURED", True)
    assert done["captureEvidence"]["photoFileStoreId"] == str(photo)


def test_a_rejection_keeps_reason_and_remarks(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    report = as_(who.verifier).act(update_body(report_id, "REJECT", rejectionReason="NOT_A_DOG", rejectionRemarks="A cat"))
    shown = (report["status"], report["rejectionReason"], report["rejectionRemarks"], report["payoutEligible"])
    assert shown == ("REJECTED", "NOT_A_DOG", "A cat", False)


def test_a_duplicate_names_the_original_to_the_verifier_and_not_to_the_teacher(rt: Runtime, as_: Any, who: People) -> None:
    original = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    teacher = account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    report_id = validated(rt, teacher)
    number = as_(who.verifier).search(ids=[str(original)])["DogReports"][0]["reportNumber"]
    body = update_body(report_id, "MARK_DUPLICATE", rejectionReason="DUPLICATE", additionalDetails={"duplicateOf": number})
    report = as_(who.verifier).act(body)
    assert (report["status"], report["additionalDetails"]["duplicateOf"], report["payoutEligible"]) == ("DUPLICATE", number, False)
    seen = as_(teacher).search(ids=[str(report_id)])["DogReports"][0]
    assert seen["status"] == "DUPLICATE"
    assert number not in json.dumps(seen)


def test_unable_to_locate_ends_without_payout(rt: Runtime, as_: Any, who: People) -> None:
    report_id = in_progress(rt, who)
    report = as_(who.officer).act(
        update_body(
            report_id,
            "MARK_UNABLE_TO_LOCATE",
            resolutionType="UNABLE_TO_LOCATE",
            resolutionRemarks="Searched for an hour",
            unableToLocateReason="DOG_MOVED",
            fieldVisitLocation={"latitude": 11.59, "longitude": 43.14},
        )
    )
    assert (report["status"], report["unableToLocateReason"], report["payoutEligible"]) == ("UNABLE_TO_LOCATE", "DOG_MOVED", False)


def test_a_reassignment_names_the_new_officer_or_takes_the_report_back(rt: Runtime, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    other = str(who.second_officer.account_id)
    moved = as_(who.supervisor).act(update_body(report_id, "REASSIGN", assignee=[other]))
    assert (moved["status"], moved["assignedOfficerId"]) == ("ASSIGNED", other)
    back = as_(who.supervisor).act(update_body(report_id, "REASSIGN", assignee=[]))
    assert (back["status"], back["assignedOfficerId"]) == ("VERIFIED", None)


@pytest.mark.parametrize(
    "action", ["AUTO_VALIDATE_PASS", "INITIATE_PAYOUT", "PAYOUT_SUCCESS", "PAYOUT_FAILED", "RESOLVE_NO_PAYOUT", "SUBMIT", "NO_SUCH_ACTION"]
)
def test_the_systems_actions_are_for_nobody_over_http(rt: Runtime, as_: Any, who: People, action: str) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    body = update_body(report_id, action)
    body["RequestInfo"]["userInfo"] = {"userName": "SYSTEM", "roles": [{"code": "SYSTEM"}]}
    assert as_(who.admin).code(UPDATE, body) == (403, "SDCRS_FORBIDDEN")


@pytest.mark.parametrize(
    ("role", "action", "fields", "expected"),
    [
        ("teacher", "VERIFY", {}, (403, "SDCRS_ROLE_NOT_ALLOWED")),
        ("auditor", "VERIFY", {}, (403, "SDCRS_FORBIDDEN")),
        ("senior", "VERIFY", {}, (403, "SDCRS_ROLE_NOT_ALLOWED")),  # not in the senior queue
        ("verifier", "REJECT", {"rejectionReason": "OUTSIDE_BOUNDARY"}, (400, "SDCRS_UNKNOWN_REASON")),
        ("verifier", "REJECT", {}, (400, "SDCRS_FACT_MISSING")),
        ("verifier", "VERIFY", {"version": 1}, (409, "SDCRS_STALE_VERSION")),
        ("verifier", "VERIFY", {"payoutStatus": "SUCCESS", "status": "RESOLVED"}, (400, "SDCRS_INVALID_REQUEST")),
        ("supervisor", "ASSIGN", {"assignee": ["not-a-uuid"]}, (400, "SDCRS_UNKNOWN_OFFICER")),
        ("supervisor", "ASSIGN", {}, (409, "SDCRS_ACTION_NOT_ALLOWED")),
        ("verifier", "SEND_BACK", {}, (400, "SDCRS_FACT_MISSING")),
    ],
)
def test_an_action_that_is_not_possible_says_why(
    rt: Runtime, as_: Any, who: People, role: str, action: str, fields: dict[str, Any], expected: tuple[int, str]
) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    if action == "ASSIGN" and not fields:
        fields = {"assignee": [str(who.officer.account_id)]}
    assert as_(getattr(who, role)).code(UPDATE, update_body(report_id, action, **fields)) == expected


def test_who_acts_on_an_old_version_learns_what_changed_and_not_by_whom(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    seen = as_(who.verifier).act(update_body(report_id, "ESCALATE", comment="needs a second look"))["version"]
    as_(who.senior).act(update_body(report_id, "VERIFY"))
    answer = as_(who.senior).post(UPDATE, update_body(report_id, "VERIFY", version=seen - 1))
    assert answer.status_code == 409
    (error,) = answer.json()["Errors"]
    assert error["code"] == "SDCRS_STALE_VERSION"
    assert (error["params"]["sent"], error["params"]["current"], error["params"]["state"]) == (seen - 1, seen + 1, "VERIFIED")
    assert [(one["version"], one["action"], one["status"]) for one in error["params"]["changes"]] == [
        (seen, "ESCALATE", "PENDING_VERIFICATION"),
        (seen + 1, "VERIFY", "VERIFIED"),
    ]
    assert all(set(one) == {"version", "action", "status", "at"} for one in error["params"]["changes"])


def test_another_officers_visit_is_not_ones_own(rt: Runtime, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    assert as_(who.second_officer).code(UPDATE, update_body(report_id, "START_FIELD_VISIT")) == (403, "SDCRS_NOT_YOUR_REPORT")


def test_a_report_of_another_tenant_does_not_exist(rt: Runtime, as_: Any, who: People) -> None:
    stranger = account(rt, f"V{uuid4().hex[:6]}", "VERIFIER", tenant_id="dj.ali-sabieh")
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    body = update_body(report_id, "VERIFY")
    del body["DogReports"][0]["tenantId"]
    assert as_(stranger).code(UPDATE, body) == (404, "SDCRS_NOT_FOUND")
    assert as_(stranger).search(ids=[str(report_id)])["TotalCount"] == 0


def test_of_several_reports_all_are_changed_or_none(rt: Runtime, as_: Any, who: People) -> None:
    good, done = (validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER")) for _ in range(2))
    assert do(rt, who.verifier, done, "VERIFY").ok
    body = update_body(good, "VERIFY")
    body["DogReports"] += update_body(done, "VERIFY")["DogReports"]
    client = as_(who.verifier)
    answer = client.post(UPDATE, body)
    errors = answer.json()["Errors"]
    assert answer.status_code == 409
    assert [(error["code"], error["params"]["reportId"]) for error in errors] == [("SDCRS_ACTION_NOT_ALLOWED", str(done))]
    assert client.search(ids=[str(good)])["DogReports"][0]["status"] == "PENDING_VERIFICATION"
    body["DogReports"] = body["DogReports"][:1]
    assert client.post(UPDATE, body).status_code == 200


def test_several_reports_are_changed_in_one_request_and_each_keeps_its_own_part(rt: Runtime, as_: Any, who: People) -> None:
    ids = [validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER")) for _ in range(3)]
    body = update_body(ids[0], "VERIFY")
    body["DogReports"] = [update_body(i, "VERIFY", verificationRemarks=f"Remark {i}")["DogReports"][0] for i in ids]
    answer = as_(who.verifier).post(UPDATE, body).json()
    assert [report["id"] for report in answer["DogReports"]] == [str(i) for i in ids]
    assert {report["status"] for report in answer["DogReports"]} == {"VERIFIED"}
    with rt.database.worker() as conn:
        kept = conn.execute(
            text("SELECT subject_id, body FROM packet.log WHERE packet = '04/03' AND subject_id = ANY (:ids)"), {"ids": ids}
        ).all()
    assert {row.subject_id: len(row.body["DogReports"]) for row in kept} == dict.fromkeys(ids, 1)
    assert all(str(row.subject_id) in row.body["DogReports"][0]["verificationRemarks"] for row in kept)


def test_a_report_named_twice_in_a_request_is_refused(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    body = update_body(report_id, "VERIFY")
    body["DogReports"] *= 2
    assert as_(who.verifier).code(UPDATE, body) == (400, "SDCRS_INVALID_REQUEST")


def test_put_updates_like_post(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    answer = http.put(UPDATE, json=update_body(report_id, "VERIFY"), headers=as_(who.verifier).headers)
    assert (answer.status_code, answer.json()["DogReports"][0]["status"]) == (200, "VERIFIED")


def test_the_token_may_stand_in_the_request_info(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    report_id = validated(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    body = update_body(report_id, "VERIFY")
    body["RequestInfo"]["authToken"] = as_(who.verifier).token
    assert http.post(UPDATE, json=body).status_code == 200


def test_a_cookie_is_not_believed_by_anything_that_writes(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    body = {"searchCriteria": {"tenantId": VILLE}}
    answer = http.post(SEARCH, json=body, headers={"Cookie": f"sdcrs_session={as_(who.verifier).token}"})
    assert answer.status_code == 401


# Who sees what


REPORTER_FIELDS = ("reporterId", "reporterName", "reporterPhone", "reporterSchool")


def test_officers_and_supervisors_learn_nothing_of_the_reporter(rt: Runtime, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    for caller in (who.officer, who.supervisor):
        report = as_(caller).search(ids=[str(report_id)])["DogReports"][0]
        told = json.dumps(report)
        assert not set(report) & set(REPORTER_FIELDS)
        assert [photo["evidenceType"] for photo in report["evidence"]] == ["DOG_PHOTO"]
        for secret in (str(who.teacher.account_id), f"Name of {who.teacher.username}", "9876543210", "Govt High School", "fraudScore"):
            assert secret not in told


def test_a_comment_of_the_teacher_does_not_tell_supervisors_who_it_was(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, who.teacher)
    assert do(rt, who.verifier, report_id, "SEND_BACK", "Which gate?").ok
    assert do(rt, who.teacher, report_id, "COMMENT", "The north gate").ok
    report = as_(who.supervisor).search(ids=[str(report_id)])["DogReports"][0]
    assert report["auditDetails"]["createdBy"] is None
    assert report["auditDetails"]["lastModifiedBy"] is None
    number = report["reportNumber"]
    history = as_(who.supervisor).instances(number)
    assert [entry["action"] for entry in history][:2] == ["COMMENT", "SEND_BACK"]
    assert str(who.teacher.account_id) not in json.dumps(history)
    assert str(who.teacher.account_id) in json.dumps(as_(who.verifier).instances(number))


def test_verifiers_and_admins_see_name_and_school_and_a_masked_phone(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, who.teacher)
    for caller in (who.verifier, who.senior, who.district_admin, who.admin, who.auditor):
        report = as_(caller).search(ids=[str(report_id)])["DogReports"][0]
        assert report["reporterName"] == f"Name of {who.teacher.username}"
        assert report["reporterSchool"] == "Govt High School Djibouti"
        assert report["reporterPhone"] == "98••••••10"
        assert report["riskLevel"] is not None


def test_teachers_see_only_their_own_reports(rt: Runtime, as_: Any, who: People) -> None:
    mine, theirs = validated(rt, account(rt, "T-mine", "TEACHER")), account(rt, "T-theirs", "TEACHER")
    client = as_(theirs)
    assert client.search(ids=[str(mine)])["TotalCount"] == 0
    assert client.search(tenantId=VILLE)["TotalCount"] == 0
    assert client.search(tenantId=VILLE, reporterId=str(who.teacher.account_id))["TotalCount"] == 0


def test_officers_see_only_reports_assigned_to_them(rt: Runtime, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    assert as_(who.officer).search(reportId=str(report_id))["TotalCount"] == 1
    assert as_(who.second_officer).search(reportId=str(report_id))["TotalCount"] == 0


def test_supervisors_may_not_search_by_reporter(as_: Any, who: People) -> None:
    body = {"searchCriteria": {"tenantId": VILLE, "reporterId": str(who.teacher.account_id)}}
    assert as_(who.supervisor).code(SEARCH, body) == (403, "SDCRS_FORBIDDEN")


# Search


def test_a_search_filters_sorts_and_pages(rt: Runtime, as_: Any, who: People, clock: SettableClock) -> None:
    teacher = account(rt, "T-search", "TEACHER")
    first, second, third = (submitted(rt, teacher) for _ in range(3))
    client = as_(teacher)

    def found(**criteria: Any) -> tuple[list[UUID], int]:
        answer = client.search(tenantId=VILLE, **criteria)
        return [UUID(report["id"]) for report in answer["DogReports"]], answer["TotalCount"]

    assert found(sortOrder="ASC") == ([first, second, third], 3)
    assert found() == ([third, second, first], 3)
    assert found(sortOrder="ASC", limit=2) == ([first, second], 3)
    assert found(sortOrder="ASC", limit=2, offset=2) == ([third], 3)
    assert found(sortOrder="ASC", offset=7) == ([], 3)
    assert found(sortBy="reportNumber", sortOrder="ASC") == ([first, second, third], 3)
    assert found(sortBy="reportNumber") == ([third, second, first], 3)
    assert found(status=["PENDING_VALIDATION"], sortOrder="ASC")[1] == 3
    assert found(status=["VERIFIED", "PENDING_VALIDATION"])[1] == 3
    assert found(status=["VERIFIED"]) == ([], 0)
    assert found(serviceType="StrayDogInjured")[1] == 0
    assert found(wardCode="W005")[1] == 3
    assert found(locality="DJC001")[1] == 3
    assert found(locality="DJC009")[1] == 0
    now = epoch_ms(clock.now())
    assert found(fromDate=now, toDate=now)[1] == 3
    assert found(toDate=now - 1)[1] == 0
    assert found(reporterId=str(teacher.account_id))[1] == 3
    assert found(reporterId="uuid-of-another-system")[1] == 0
    assert found(reportId=str(second)) == ([second], 1)
    number = client.search(ids=[str(first)])["DogReports"][0]
    assert client.search(reportNumber=number["reportNumber"])["TotalCount"] == 1
    assert client.search(trackingId=number["trackingId"].lower())["TotalCount"] == 1
    count = client.post("/sdcrs-services/v1/report/_count", {"searchCriteria": {"tenantId": VILLE}})
    assert count.json()["TotalCount"] == 3


def test_a_state_admin_searches_all_tenants_of_the_state_at_once(rt: Runtime, as_: Any, who: People) -> None:
    here = submitted(rt, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    client = as_(who.admin)
    everything = client.search(tenantId="dj", limit=100)
    assert str(here) in {report["id"] for report in everything["DogReports"]}
    assert client.search(tenantId="dj.ali-sabieh")["TotalCount"] == 0
    assert client.search(tenantId="dj.ali-sabieh", ids=[str(here)])["TotalCount"] == 0
    assert client.search(tenantId="dj", ids=[str(here)])["TotalCount"] == 1
    assert client.code(SEARCH, {"searchCriteria": {"tenantId": "ncr"}}) == (403, "SDCRS_TENANT_OUT_OF_SCOPE")


def test_a_search_names_a_tenant_or_a_report(as_: Any, who: People) -> None:
    assert as_(who.verifier).code(SEARCH, {"searchCriteria": {"status": ["VERIFIED"]}}) == (400, "SDCRS_INVALID_REQUEST")


def test_a_report_late_by_its_own_deadline_says_so(rt: Runtime, as_: Any, who: People) -> None:
    report_id = verified(rt, who)
    assert as_(who.admin).search(ids=[str(report_id)])["DogReports"][0]["slaBreached"] is False
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE sdcrs.report SET sla_due_at = created_at - interval '1 hour' WHERE id = :id"), {"id": report_id})
    assert as_(who.admin).search(ids=[str(report_id)])["DogReports"][0]["slaBreached"] is True
