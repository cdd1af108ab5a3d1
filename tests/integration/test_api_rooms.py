"""The API beside reports: sign-in, officers, photos, places, workflow, the public page, webhooks, health, and the shape of errors."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.api import shapes
from pipeline.api.app import build
from pipeline.api.openapi import TOLD
from pipeline.clock import SettableClock
from pipeline.demo.photos import photo
from pipeline.demo.registrations import make_packet
from pipeline.identity.jobs import identity_jobs
from pipeline.jobs.worker import run_until_idle
from pipeline.packets.contracts.common import parse
from pipeline.payouts.provider import target_of
from pipeline.runtime import Runtime
from tests.api import Client, create_body, signed_in
from tests.factories import (
    PASSWORD,
    SCHOOL_GATE,
    VILLE,
    People,
    account,
    assigned,
    captured,
    people,
    photos,
    submitted,
    validated,
    verified,
)
from tests.registrations import uploaded


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


EXAMPLES = [(told.request, told.example) for told in TOLD.values() if told.request is not None]


def fresh() -> str:
    return uuid4().hex[:6]


# Sign-in


def form(**changes: str) -> dict[str, str]:
    return {"grant_type": "password", "password": PASSWORD, "tenantId": VILLE, "userType": "EMPLOYEE", "scope": "read", **changes}


def test_a_password_gives_a_token_for_an_hour_of_disuse_and_who_it_is_for(rt: Runtime, http: TestClient) -> None:
    teacher = account(rt, f"T{fresh()}", "TEACHER")
    answer = http.post("/user/oauth/token", data=form(username=teacher.username))
    body = answer.json()
    shapes.TokenAnswer.model_validate(body)
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 3600)
    info = body["userInfo"]
    assert (info["userName"], info["tenantId"], info["name"]) == (teacher.username, VILLE, f"Name of {teacher.username}")
    assert info["roles"] == [{"code": "TEACHER", "name": "Teacher", "tenantId": VILLE}]
    assert info["additionalDetails"]["schoolCode"] == "DJGHS001"
    assert "okaxis" not in answer.text  # the UPI address is not told
    found = http.post(
        "/sdcrs-services/v1/report/_search",
        json={"searchCriteria": {"tenantId": VILLE}},
        headers={"Authorization": f"Bearer {body['access_token']}"},
    )
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"password": "wrong"}, 401, "SDCRS_BAD_CREDENTIALS"),
        ({"username": "nobody-of-that-name"}, 401, "SDCRS_BAD_CREDENTIALS"),
        ({"tenantId": "dj.ali-sabieh"}, 403, "SDCRS_TENANT_OUT_OF_SCOPE"),
        ({"tenantId": "ncr.noida"}, 401, "SDCRS_BAD_CREDENTIALS"),
        ({"grant_type": "client_credentials"}, 400, "SDCRS_INVALID_REQUEST"),
        ({"password": ""}, 400, "SDCRS_INVALID_REQUEST"),
        ({"username": "x" * 9000}, 413, "SDCRS_BODY_TOO_LARGE"),
    ],
)
def test_a_sign_in_that_fails_says_no_more_than_it_must(
    rt: Runtime, http: TestClient, changes: dict[str, str], status: int, code: str
) -> None:
    teacher = account(rt, f"T{fresh()}", "TEACHER")
    answer = http.post("/user/oauth/token", data=form(**{"username": teacher.username, **changes}))
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (status, code)


def test_json_is_not_a_sign_in_form(http: TestClient) -> None:
    assert http.post("/user/oauth/token", json=form(username="x")).json()["Errors"][0]["code"] == "SDCRS_INVALID_REQUEST"


def test_too_many_wrong_passwords_make_the_user_name_wait(rt: Runtime, http: TestClient) -> None:
    teacher = account(rt, f"T{fresh()}", "TEACHER")
    for _ in range(8):
        http.post("/user/oauth/token", data=form(username=teacher.username, password="wrong"))
    answer = http.post("/user/oauth/token", data=form(username=teacher.username))
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (429, "SDCRS_SIGN_IN_THROTTLED")
    assert int(answer.headers["retry-after"]) > 0


def test_a_refresh_token_is_good_once_and_ends_both_old_tokens(rt: Runtime, http: TestClient, clock: SettableClock) -> None:
    teacher = account(rt, f"T{fresh()}", "TEACHER")
    first = http.post("/user/oauth/token", data=form(username=teacher.username)).json()
    renew = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = http.post("/user/oauth/token", data=renew)
    assert second.status_code == 200
    old, new = Client(http, first["access_token"]), Client(http, second.json()["access_token"])
    criteria = {"searchCriteria": {"tenantId": VILLE}}
    assert old.code("/sdcrs-services/v1/report/_search", criteria) == (401, "SDCRS_NOT_SIGNED_IN")
    assert new.search(tenantId=VILLE)["TotalCount"] == 0
    assert http.post("/user/oauth/token", data=renew).status_code == 401


# Officers


def test_a_supervisor_gets_the_officers_with_load_and_who_fits_best(rt: Runtime, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    body = {"tenantId": VILLE, "roleCodes": ["MC_OFFICER"], "active": True, "reportId": str(report_id)}
    answer = as_(who.supervisor).post("/user/v1/_search", body)
    shapes.OfficersAnswer.model_validate(answer.json())
    loads = {officer["uuid"]: officer["additionalDetails"]["currentWorkload"] for officer in answer.json()["user"]}
    assert (loads[str(who.officer.account_id)], loads[str(who.second_officer.account_id)]) == (1, 0)
    best = answer.json()["assignmentRecommendation"]
    assert "W005" in best["reason"]
    assert loads[best["recommendedOfficer"]] == 0
    mine = as_(who.supervisor).post("/user/v1/_search", {"tenantId": VILLE, "uuid": [str(who.officer.account_id)]}).json()
    (officer,) = mine["user"]
    assert (officer["name"], officer["mobileNumber"]) == (f"Name of {who.officer.username}", "98••••••10")
    assert officer["additionalDetails"]["assignedWards"] == ["W005", "W006"]
    assert "assignmentRecommendation" not in mine


def test_a_ward_that_nobody_covers_has_no_recommendation(as_: Any, who: People) -> None:
    answer = as_(who.supervisor).post("/user/v1/_search", {"tenantId": VILLE, "wardCode": "W999"}).json()
    assert answer["assignmentRecommendation"]["recommendedOfficer"] is None


@pytest.mark.parametrize(
    ("role", "status"), [("teacher", 403), ("verifier", 403), ("officer", 403), ("district_admin", 200), ("auditor", 200)]
)
def test_officers_are_listed_for_those_who_assign_and_oversee(as_: Any, who: People, role: str, status: int) -> None:
    assert as_(getattr(who, role)).post("/user/v1/_search", {"tenantId": VILLE}).status_code == status


def test_teachers_are_never_listed(as_: Any, who: People) -> None:
    body = {"tenantId": VILLE, "roleCodes": ["TEACHER"]}
    assert as_(who.admin).code("/user/v1/_search", body) == (403, "SDCRS_FORBIDDEN")


# Photos


def upload(client: Client, *names: str, query: str = f"?tenantId={VILLE}&module=SDCRS", data: bytes | None = None) -> Any:
    picture = data or photo(int(fresh(), 16), "dog", *SCHOOL_GATE, client_time())
    files = [("file", (name, picture, "image/jpeg")) for name in names]
    return client.http.post(f"/filestore/v1/files{query}", files=files, headers=client.headers)


def client_time() -> Any:
    from tests.conftest import TUESDAY_MORNING

    return TUESDAY_MORNING - timedelta(minutes=1)


def test_an_upload_answers_201_with_an_id_for_each_file(as_: Any, who: People) -> None:
    client = as_(who.teacher)
    answer = upload(client, "dog.jpg", "selfie.jpg")
    shapes.FilesAnswer.model_validate(answer.json())
    files = answer.json()["files"]
    assert answer.status_code == 201
    assert [file["fileName"] for file in files] == ["dog.jpg", "selfie.jpg"]
    assert files[0]["url"] == f"/filestore/v1/files/{files[0]['fileStoreId']}?tenantId={VILLE}"
    opened = client.http.get(files[0]["url"].partition("?")[0], headers=client.headers)
    assert (opened.status_code, opened.headers["content-type"]) == (200, "image/jpeg")
    assert opened.content.startswith(b"\xff\xd8\xff")
    assert b"Exif" not in opened.content


def test_the_fields_may_come_in_the_form(as_: Any, who: People) -> None:
    client = as_(who.officer)
    picture = photo(77, "dog", *SCHOOL_GATE, client_time())
    answer = client.http.post(
        "/filestore/v1/files",
        data={"tenantId": VILLE, "module": "sdcrs", "tag": "capture-evidence"},
        files={"file": ("capture.jpg", picture)},
        headers=client.headers,
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("query", "data", "status", "code"),
    [
        ("?tenantId=dj.ali-sabieh", None, 403, "SDCRS_TENANT_OUT_OF_SCOPE"),
        ("", None, 400, "SDCRS_INVALID_REQUEST"),
        (f"?tenantId={VILLE}", b"not a photo", 400, "SDCRS_FILE_NOT_AN_IMAGE"),
        (f"?tenantId={VILLE}", b"\xff\xd8\xff" + b"0" * (11 * 1024 * 1024), 413, "SDCRS_FILE_TOO_LARGE"),
        (f"?tenantId={VILLE}", b"\xff\xd8\xff" + b"0" * (41 * 1024 * 1024), 413, "SDCRS_BODY_TOO_LARGE"),
    ],
)
def test_an_upload_that_cannot_be_taken_says_why(as_: Any, who: People, query: str, data: bytes | None, status: int, code: str) -> None:
    answer = upload(as_(who.teacher), "dog.jpg", query=query, data=data)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (status, code)


def test_nobody_uploads_without_a_session_and_no_form_is_read_before(http: TestClient) -> None:
    answer = http.post("/filestore/v1/files", content=b"x" * 100)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (401, "SDCRS_NOT_SIGNED_IN")


def test_an_upload_without_files_or_in_another_form_is_refused(as_: Any, who: People) -> None:
    client = as_(who.teacher)
    for sent in ({"json": {}}, {"data": {"a": "b"}}):
        answer = client.http.post(f"/filestore/v1/files?tenantId={VILLE}", headers=client.headers, **sent)
        assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (400, "SDCRS_INVALID_REQUEST")


def test_photos_are_opened_by_whom_they_concern(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    report_id = assigned(rt, who)
    photos_of = {e["evidenceType"]: e for e in as_(who.verifier).search(ids=[str(report_id)])["DogReports"][0]["evidence"]}
    dog, selfie = (f"/filestore/v1/files/{photos_of[kind]['fileStoreId']}" for kind in ("DOG_PHOTO", "REPORTER_SELFIE"))

    def status(caller: Any, path: str) -> int:
        return http.get(path, headers=as_(caller).headers).status_code

    stranger = account(rt, f"T{fresh()}", "TEACHER")
    table = [
        (who.teacher, 200, 200), (who.verifier, 200, 200), (who.district_admin, 200, 200), (who.officer, 200, 403),
        (who.supervisor, 200, 403), (stranger, 404, 404),
    ]  # fmt: skip
    for caller, of_dog, of_selfie in table:
        assert (status(caller, dog), status(caller, selfie)) == (of_dog, of_selfie), caller.roles
    assert status(who.officer, f"{dog}?variant=original") == 403
    assert status(who.verifier, f"{dog}?variant=original") == 200
    assert status(who.verifier, f"{dog}?variant=huge") == 400
    assert http.get(dog).status_code == 401
    assert http.get("/filestore/v1/files/not-an-id", headers=as_(who.verifier).headers).status_code == 404


def test_a_signed_link_opens_for_a_minute_and_only_as_it_was_made(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    report_id = validated(rt, who.teacher)
    url = as_(who.verifier).search(ids=[str(report_id)])["DogReports"][0]["evidence"][0]["url"]
    assert url.startswith("http://api.test/filestore/v1/files/")
    opened = http.get(url)
    assert (opened.status_code, opened.headers["cache-control"]) == (200, "private, max-age=60")
    assert http.get(url.replace("variant=photo", "variant=original")).json()["Errors"][0]["code"] == "SDCRS_LINK_EXPIRED"
    later = rt.clock
    assert isinstance(later, SettableClock)
    later.advance(timedelta(seconds=61))
    assert http.get(url).status_code == 403


def test_a_browser_opens_a_photo_with_its_console_cookie(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    dog, _ = photos(rt, who.teacher)
    cookie = {"Cookie": f"sdcrs_session={as_(who.teacher).token}"}
    assert http.get(f"/filestore/v1/files/{dog}", headers=cookie).status_code == 200


# Places and workflow


def test_a_place_is_found_in_its_ward_and_locality(as_: Any, who: People) -> None:
    body = {"tenantId": VILLE, "latitude": SCHOOL_GATE[0], "longitude": SCHOOL_GATE[1]}
    answer = as_(who.teacher).post("/location/v1/_boundary", body).json()
    shapes.BoundaryAnswer.model_validate(answer)
    found = answer["boundary"]
    assert (found["isWithinBoundary"], found["ward"]["code"], found["locality"]["code"]) == (True, "W005", "DJC001")


def test_a_place_outside_names_the_nearest_tenant_and_the_distance(as_: Any, who: People) -> None:
    found = as_(who.teacher).post("/location/v1/_boundary", {"tenantId": VILLE, "latitude": 11.85, "longitude": 43.5}).json()["boundary"]
    assert (found["isWithinBoundary"], found["nearestTenant"], found["ward"]) == (False, "dj.ali-sabieh", None)
    assert found["distanceFromBoundaryKm"] > 1


def test_an_unknown_tenant_has_no_boundary(as_: Any, who: People) -> None:
    body = {"tenantId": "dj.nowhere", "latitude": 11.5, "longitude": 43.1}
    assert as_(who.teacher).code("/location/v1/_boundary", body) == (404, "SDCRS_NOT_FOUND")


TRANSITION = "/egov-workflow-v2/egov-wf/process/_transition"


def instance(number: str, action: str, **fields: Any) -> dict[str, Any]:
    entry = {"tenantId": VILLE, "businessService": "SDCRS", "businessId": number, "moduleName": "sdcrs-services", "action": action}
    return {"RequestInfo": {"msgId": fresh()}, "ProcessInstances": [{**entry, **fields}]}


def test_a_transition_by_report_number_goes_through_the_same_door(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, who.teacher)
    client = as_(who.verifier)
    number = client.search(ids=[str(report_id)])["DogReports"][0]["reportNumber"]
    answer = client.post(TRANSITION, instance(number, "VERIFY", comment="Evidence is clear"))
    shapes.ProcessInstancesAnswer.model_validate(answer.json())
    (done,) = answer.json()["ProcessInstances"]
    assert (answer.status_code, done["state"]["state"], done["action"], done["previousStatus"]) == (
        200, "VERIFIED", "VERIFY", "PENDING_VERIFICATION",
    )  # fmt: skip
    assert client.code(TRANSITION, instance(number, "VERIFY")) == (409, "SDCRS_ACTION_NOT_ALLOWED")
    given = as_(who.supervisor).post(TRANSITION, instance(number, "ASSIGN", assignee=[str(who.officer.account_id)]))
    assert given.json()["ProcessInstances"][0]["state"]["state"] == "ASSIGNED"


def test_submit_and_the_systems_actions_do_not_pass_by_transition(rt: Runtime, as_: Any, who: People) -> None:
    report_id = submitted(rt, who.teacher)
    number = as_(who.teacher).search(ids=[str(report_id)])["DogReports"][0]["reportNumber"]
    for action in ("SUBMIT", "AUTO_VALIDATE_PASS"):
        assert as_(who.teacher).code(TRANSITION, instance(number, action)) == (403, "SDCRS_FORBIDDEN")


def test_history_is_told_newest_first_to_those_who_may_read_the_report(rt: Runtime, as_: Any, who: People) -> None:
    report_id = verified(rt, who)
    number = as_(who.verifier).search(ids=[str(report_id)])["DogReports"][0]["reportNumber"]
    assert [entry["action"] for entry in as_(who.verifier).instances(number)] == ["VERIFY", "AUTO_VALIDATE_PASS", "SUBMIT"]
    assert as_(who.officer).instances(number) == []
    now = as_(who.verifier).post(f"/egov-workflow-v2/egov-wf/process/_search?businessIds={number}", {}).json()["ProcessInstances"]
    assert [entry["state"]["state"] for entry in now] == ["VERIFIED"]


# Tracking


def test_anybody_with_the_tracking_id_sees_state_and_times_and_no_person(rt: Runtime, http: TestClient, as_: Any, who: People) -> None:
    report_id = captured(rt, who)
    report = as_(who.verifier).search(ids=[str(report_id)])["DogReports"][0]
    answer = http.post("/sdcrs-services/v1/report/_track", json={"trackingId": report["trackingId"].lower()})
    shapes.TrackAnswer.model_validate(answer.json())
    told = answer.json()["DogReport"]
    assert set(told) == {"reportNumber", "trackingId", "status", "statusLabel", "location", "timeline", "createdAt", "resolvedAt"}
    assert (told["status"], told["statusLabel"], told["location"]["wardCode"]) == ("CAPTURED", "Dog Captured", "W005")
    assert [step["status"] for step in told["timeline"]] == [
        "Report Submitted", "Under Review", "Verified", "Team Assigned", "Field Visit Started", "Dog Captured",
    ]  # fmt: skip
    page = http.get(f"/track/{report['trackingId']}")
    assert page.status_code == 200
    for text_ in ("Dog Captured", report["reportNumber"], "10 March 2026", "10:0", "noindex"):
        assert text_ in page.text
    for secret in ("Name of", "98765", "Govt High School", "school gate", str(who.teacher.account_id)):
        assert secret not in page.text
        assert secret not in answer.text
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "set-cookie" not in page.headers
    assert "script" not in page.text
    assert "unsafe" not in page.headers["content-security-policy"]


def test_the_token_of_the_public_link_opens_the_page_too(rt: Runtime, http: TestClient, who: People) -> None:
    report_id = submitted(rt, who.teacher)
    with rt.database.worker() as conn:
        token = conn.execute(text("SELECT tracking_token FROM sdcrs.report WHERE id = :id"), {"id": report_id}).scalar_one()
    assert "Report Submitted" in http.get(f"/track/{token}").text


@pytest.mark.parametrize("wanted", ["ZZZZZZZZ", "short", "0O1I0O1I", "x" * 200, "%00", "%F0%9F%90%95", "' OR 1=1 --", "<script>"])
def test_a_tracking_id_that_is_nobodys_is_told_kindly(http: TestClient, wanted: str) -> None:
    page = http.get(f"/track/{wanted}")
    assert page.status_code == 404
    assert "No report with this number" in page.text
    assert "<script>" not in page.text


def test_an_unknown_tracking_id_is_404_for_machines(http: TestClient) -> None:
    answer = http.post("/sdcrs-services/v1/report/_track", json={"trackingId": "ZZZZZZZZ"})
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (404, "SDCRS_NOT_FOUND")


# Webhooks


def event(**changes: Any) -> bytes:
    payout = {"id": f"pout_{fresh()}00000000", "entity": "payout", "status": "processed", "amount": 50000, "currency": "INR", "notes": []}
    body = {"entity": "event", "event": "payout.processed", "contains": ["payout"], "payload": {"payout": {"entity": payout}}}
    return json.dumps({**body, **changes}).encode()


def deliver(rt: Runtime, http: TestClient, raw: bytes, signature: str | None = None, event_id: str | None = None) -> Any:
    secret = target_of(rt.settings).webhook_secrets[0]
    made = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"X-Razorpay-Signature": made if signature is None else signature, "X-Razorpay-Event-Id": event_id or fresh()}
    return http.post("/webhook/v1/razorpay", content=raw, headers=headers)


def test_a_signed_event_is_stored_and_answered_and_a_repeated_one_too(rt: Runtime, http: TestClient) -> None:
    raw, event_id = event(), fresh()
    answers = [deliver(rt, http, raw, event_id=event_id) for _ in range(2)]
    assert [(a.status_code, a.json()["fresh"]) for a in answers] == [(200, True), (200, False)]


@pytest.mark.parametrize(
    ("raw", "signature", "status", "code"),
    [
        (b"{}", "0" * 64, 401, "SDCRS_BAD_SIGNATURE"),
        (b"{}", "", 401, "SDCRS_BAD_SIGNATURE"),
        (b"{}", "\u00e9".encode("latin-1").decode("latin-1"), 401, "SDCRS_BAD_SIGNATURE"),
        (b"not json", None, 400, "SDCRS_INVALID_JSON"),
        (b"[1]", None, 400, "SDCRS_INVALID_JSON"),
        (b"\xff\xfe", None, 400, "SDCRS_INVALID_JSON"),
        (b"", None, 400, "SDCRS_INVALID_JSON"),
        (b"x" * 300_000, None, 413, "SDCRS_BODY_TOO_LARGE"),
    ],
)
def test_a_webhook_that_cannot_be_taken_is_never_a_fault_of_ours(
    rt: Runtime, http: TestClient, raw: bytes, signature: str | None, status: int, code: str
) -> None:
    sent = signature.encode("latin-1") if signature is not None else None
    answer = deliver(rt, http, raw, sent)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (status, code)


def test_a_signed_event_of_an_unknown_kind_is_taken_in(rt: Runtime, http: TestClient) -> None:
    assert deliver(rt, http, json.dumps({"event": "transaction.created", "payload": {}}).encode()).status_code == 200


# Health, metrics, description


def test_it_says_that_it_lives_and_is_ready(http: TestClient) -> None:
    assert http.get("/livez").json() == {"status": "alive"}
    ready = http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"database": "ok", "disk": "ok", "key": "ok"}})


def test_another_key_makes_it_not_ready(rt: Runtime) -> None:
    from pipeline.vault.keys import Keyring
    from pipeline.vault.persons import Vault

    account(rt, f"T{fresh()}", "TEACHER")
    wrong = replace(rt, vault=Vault(Keyring(rt.keyring.current, ((rt.keyring.current, b"x" * 32),))))
    with TestClient(build(wrong)) as client:
        ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["key"]) == (503, "failed")


def test_metrics_are_for_this_machine_and_for_those_who_oversee(rt: Runtime, as_: Any, who: People) -> None:
    submitted(rt, who.teacher)
    app = build(rt)
    with TestClient(app, client=("127.0.0.1", 5)) as here, TestClient(app, client=("203.0.113.9", 5)) as there:
        figures = here.get("/metrics")
        assert figures.status_code == 200
        assert 'sdcrs_reports{state="PENDING_VALIDATION"}' in figures.text
        assert "sdcrs_dead_letters 0" in figures.text
        assert 'sdcrs_queue_age_seconds{state="PENDING_VALIDATION"}' in figures.text
        assert here.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
        assert there.get("/metrics").status_code == 401
        assert there.get("/metrics", headers=signed_in(rt, there, who.auditor).headers).status_code == 200
        assert there.get("/metrics", headers=signed_in(rt, there, who.teacher).headers).status_code == 403


def test_metrics_tell_what_is_stuck_in_the_identity_flow(rt: Runtime, who: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.api.health.METRICS_TTL_S", -1)
    uploaded(rt, who.district_admin, make_packet(1, rt.clock.now(), meta={"registrationId": "9" * 29}))
    run_until_idle(identity_jobs(rt), rt.clock)
    with TestClient(build(rt), client=("127.0.0.1", 5)) as here:
        figures = here.get("/metrics").text
    assert 'sdcrs_identity_stuck{check="REGISTRATION_FAILED"} 1' in figures
    assert 'sdcrs_identity_stuck{check="EVENT_LOST"} 0' in figures
    assert 'sdcrs_identity_stuck_oldest_seconds{check="REGISTRATION_FAILED"} 0.0' in figures


def test_the_description_names_every_operation_with_its_models_and_an_example(http: TestClient) -> None:
    described = http.get("/openapi.json").json()
    create = described["paths"]["/sdcrs-services/v1/report/_create"]["post"]
    assert create["requestBody"]["content"]["application/json"]["example"]["DogReports"]
    assert create["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/DogReportsAnswer"}
    assert create["security"] == [{"bearer": []}]
    references = set(json.dumps(described).split('"$ref": "#/components/schemas/')[1:])
    assert {reference.partition('"')[0] for reference in references} <= set(described["components"]["schemas"])
    assert not [path for path, operations in described["paths"].items() for told in operations.values() if "422" in told["responses"]]
    written = {(path, method) for path, operations in described["paths"].items() for method in operations if method != "get"}
    assert written <= set(TOLD)
    for model, example in EXAMPLES:
        parse(model, example)


# Errors


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no/such/path", 404, "SDCRS_UNKNOWN_PATH"),
        ("POST", "/sdcrs-services/v1/report/_create/", 404, "SDCRS_UNKNOWN_PATH"),
        ("GET", "/docs", 404, "SDCRS_UNKNOWN_PATH"),
        ("GET", "/sdcrs-services/v1/report/_create", 405, "SDCRS_METHOD_NOT_ALLOWED"),
        ("DELETE", "/sdcrs-services/v1/report/_update", 405, "SDCRS_METHOD_NOT_ALLOWED"),
    ],
)
def test_unknown_paths_and_methods_are_answered_in_the_error_shape(
    http: TestClient, method: str, path: str, status: int, code: str
) -> None:
    answer = http.request(method, path)
    shapes.ErrorAnswer.model_validate(answer.json())
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (status, code)
    assert (status == 405) == ("allow" in answer.headers)


@pytest.mark.parametrize("sent", [b"{", b"[]", b"\xff", b'{"a": NaN}', b'{"a": "\\u0000"}', b"[" * 100_000, b'{"searchCriteria": 5}'])
def test_a_body_that_cannot_be_read_is_the_senders_fault(as_: Any, who: People, sent: bytes) -> None:
    client = as_(who.verifier)
    answer = client.http.post("/sdcrs-services/v1/report/_search", content=sent, headers=client.headers)
    assert answer.status_code == 400
    assert answer.json()["Errors"][0]["code"] in {"SDCRS_INVALID_JSON", "SDCRS_INVALID_REQUEST"}


def test_a_body_over_the_cap_is_refused_before_it_is_parsed(as_: Any, who: People) -> None:
    client = as_(who.verifier)
    answer = client.http.post("/sdcrs-services/v1/report/_search", content=b" " * (1024 * 1024 + 1), headers=client.headers)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (413, "SDCRS_BODY_TOO_LARGE")


def test_a_fault_of_ours_is_answered_with_a_reference_that_the_log_has_and_nothing_else(
    rt: Runtime, as_: Any, who: People, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("Ravi Kumar 9876543210")

    monkeypatch.setattr("pipeline.api.report_read.find", broken)
    answer = as_(who.verifier).post("/sdcrs-services/v1/report/_search", {"searchCriteria": {"tenantId": VILLE}})
    error = answer.json()["Errors"][0]
    assert (answer.status_code, error["code"]) == (500, "SDCRS_INTERNAL")
    assert error["params"]["reference"] in caplog.text
    assert "ValueError" in caplog.text
    assert "Ravi" not in caplog.text + answer.text


def test_a_lock_that_cannot_be_had_says_come_again(rt: Runtime, as_: Any, who: People) -> None:
    report_id = validated(rt, who.teacher)
    body = {"DogReports": [{"id": str(report_id), "workflow": {"action": "VERIFY"}}]}
    client = as_(who.verifier)
    with rt.database.worker() as conn:
        conn.execute(text("SELECT 1 FROM sdcrs.report WHERE id = :id FOR UPDATE"), {"id": report_id})
        answer = client.post("/sdcrs-services/v1/report/_update", body)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (503, "SDCRS_BUSY")
    assert answer.headers["retry-after"] == "2"
    assert client.post("/sdcrs-services/v1/report/_update", body).status_code == 200


def test_answers_are_kept_by_nobody(rt: Runtime, as_: Any, who: People) -> None:
    answer = as_(who.teacher).post("/sdcrs-services/v1/report/_create", create_body(rt, who.teacher))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert UUID(answer.headers["x-correlation-id"])
