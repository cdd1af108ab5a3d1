"""A report from a teacher's packet to its end, over HTTP alone: sign-in, photos, the report, every person's step, the money.

Real API, real jobs, real Postgres, the sandbox as a process with signed webhooks back to us. Only the clock is held.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from pipeline.clock import SettableClock
from pipeline.demo.photos import photo
from pipeline.jobs.job import Job
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.standin import own_sandbox
from pipeline.replay.run import served
from pipeline.runtime import Runtime, assemble
from pipeline.work import all_jobs
from tests import factories
from tests.factories import SCHOOL_GATE, VILLE

FAILING = "fails.vpa.invalid@sandbox"  # the sandbox's own invention: an address that its bank does not know


@dataclass
class Phone:
    """Somebody's signed-in client."""

    http: httpx.Client
    token: str
    account_id: str
    username: str

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json={"RequestInfo": {"msgId": uuid4().hex, "authToken": self.token}, **body})

    def update(self, report: dict[str, Any], action: str, comment: str | None = None, **fields: Any) -> dict[str, Any]:
        workflow = {"action": action, "comment": comment, **({"assignee": fields.pop("assignee")} if "assignee" in fields else {})}
        change = {"id": report["id"], "tenantId": VILLE, "workflow": workflow, **fields}
        answer = self.post("/sdcrs-services/v1/report/_update", DogReports=[change])
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["DogReports"][0])

    def read(self, report: dict[str, Any]) -> dict[str, Any]:
        answer = self.post("/sdcrs-services/v1/report/_search", searchCriteria={"ids": [report["id"]]})
        return dict(answer.json()["DogReports"][0])

    def upload(self, *files: tuple[str, bytes]) -> list[str]:
        answer = self.http.post(
            f"/filestore/v1/files?tenantId={VILLE}&module=SDCRS",
            files=[("file", (name, data, "image/jpeg")) for name, data in files],
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status_code == 201, answer.text
        return [entry["fileStoreId"] for entry in answer.json()["files"]]


class Town:
    """The whole system with a sandbox, and everybody's phone."""

    def __init__(self, rt: Runtime, http: httpx.Client, sandbox: httpx.Client) -> None:
        self.rt, self.http, self.sandbox = rt, http, sandbox
        self.clock: SettableClock = rt.clock  # type: ignore[assignment]
        self.jobs: list[Job] = all_jobs(rt)
        who = factories.people(rt)
        self.verifier, self.supervisor = self.sign_in(who.verifier.username), self.sign_in(who.supervisor.username)
        self.officer, self.admin = self.sign_in(who.officer.username), self.sign_in(who.admin.username)

    def sign_in(self, username: str) -> Phone:
        form = {"grant_type": "password", "username": username, "password": factories.PASSWORD, "tenantId": VILLE, "userType": "EMPLOYEE"}
        answer = self.http.post("/user/oauth/token", data={**form, "scope": "read"})
        assert answer.status_code == 200, answer.text
        return Phone(self.http, answer.json()["access_token"], answer.json()["userInfo"]["uuid"], username)

    def again(self, phone: Phone) -> Phone:
        """The same person the next morning."""
        return self.sign_in(phone.username)

    def teacher(self, vpa: str | None = None) -> Phone:
        username = f"T{uuid4().hex[:8]}"
        factories.account(self.rt, username, "TEACHER", vpa=vpa)
        return self.sign_in(username)

    def drain(self) -> None:
        """Our jobs and the provider, in turn, until neither has anything left."""
        for _ in range(4):
            run_until_idle(self.jobs, self.clock)
            assert self.sandbox.post("/_sandbox/settle", json={"delay": 0}).is_success
        run_until_idle(self.jobs, self.clock)

    def submit(self, teacher: Phone, seed: int | None = None, exif_at: tuple[float, float] = SCHOOL_GATE) -> dict[str, Any]:
        now = self.clock.now()
        seed = uuid4().int % 10**9 if seed is None else seed
        taken_at = now - timedelta(minutes=2)
        dog, selfie = teacher.upload(
            ("dog.jpg", photo(seed, "dog", *exif_at, taken_at)),
            ("selfie.jpg", photo(uuid4().int % 10**9, "selfie", *SCHOOL_GATE, taken_at)),
        )
        answer = teacher.post("/sdcrs-services/v1/report/_create", DogReports=[report_body(dog, selfie, taken_at)])
        assert answer.status_code == 201, answer.text
        return dict(answer.json()["DogReports"][0])

    def visited(self, teacher: Phone) -> dict[str, Any]:
        """A report whose officer has arrived."""
        report = self.submit(teacher)
        self.drain()
        self.verifier.update(report, "VERIFY", "The photo shows it.")
        self.supervisor.update(report, "ASSIGN", assignee=[self.officer.account_id])
        self.officer.update(report, "START_FIELD_VISIT", fieldVisitLocation={"latitude": 11.59, "longitude": 43.14})
        return report

    def captured(self, teacher: Phone) -> dict[str, Any]:
        """A report whose dog is caught; the payout follows by itself."""
        report = self.visited(teacher)
        (picture,) = self.officer.upload(("capture.jpg", photo(uuid4().int % 10**9, "dog", *SCHOOL_GATE, self.clock.now())))
        answer = self.officer.update(
            report, "MARK_CAPTURED", resolutionType="CAPTURED", resolutionRemarks="Taken to the shelter.",
            captureEvidence={"photoFileStoreId": picture, "captureLocation": {"latitude": 11.5887, "longitude": 43.1455}},
        )  # fmt: skip
        assert (answer["status"], answer["payoutEligible"]) == ("CAPTURED", True)
        return report

    def provider_payouts(self, report: dict[str, Any]) -> list[dict[str, Any]]:
        """What the provider itself says that it paid for this report."""
        found = self.sandbox.get("/_sandbox/journal/payouts", params={"limit": 1000}).json()
        rows = (
            found["payouts"] if isinstance(found, dict) and "payouts" in found else next(v for v in found.values() if isinstance(v, list))
        )
        return [row for row in rows if report["reportNumber"] in row["reference_id"]]


def report_body(dog: str, selfie: str, taken_at: datetime) -> dict[str, Any]:
    at = int(taken_at.timestamp() * 1000)
    latitude, longitude = SCHOOL_GATE
    photos = [
        {
            "fileStoreId": file_id,
            "evidenceType": kind,
            "fileName": f"{kind}.jpg",
            "captureTime": at,
            "latitude": latitude,
            "longitude": longitude,
        }
        for file_id, kind in ((dog, "DOG_PHOTO"), (selfie, "REPORTER_SELFIE"))
    ]
    return {
        "tenantId": VILLE,
        "serviceType": "StrayDogAggressive",
        "description": "Three dogs chase the children at the gate in the morning.",
        "location": {
            "latitude": latitude, "longitude": longitude, "address": "School gate", "gpsLatitude": latitude + 0.0001,
            "gpsLongitude": longitude - 0.0001, "gpsAccuracy": 8.5, "gpsTimestamp": at,
        },
        "evidence": photos,
    }  # fmt: skip


@pytest.fixture(scope="module")
def town(rt: Runtime) -> Iterator[Town]:
    with own_sandbox(rt.database, None) as nowhere:
        # the sandbox needs our address and we need its, so the API goes up first with a sandbox address that is set after
        own = assemble(replace(rt.settings, razorpayx_base_url=nowhere), rt.database, rt.clock)
        with served(own) as api_url, closing(httpx.Client(base_url=api_url, timeout=30, trust_env=False)) as http:
            with own_sandbox(rt.database, f"{api_url}/webhook/v1/razorpay") as sandbox_url:
                ours = assemble(replace(rt.settings, razorpayx_base_url=sandbox_url), rt.database, rt.clock)
                with closing(httpx.Client(base_url=sandbox_url, timeout=30, trust_env=False)) as sandbox:
                    assert sandbox.post("/_sandbox/settings", json={"delay_seconds": 86_400}).is_success
                    yield Town(ours, http, sandbox)


def test_a_captured_dog_is_paid_once_and_the_public_can_follow_it(town: Town) -> None:
    teacher = town.teacher()
    report = town.captured(teacher)
    town.drain()
    mine = teacher.read(report)
    assert mine["status"] == "RESOLVED"
    assert (mine["payoutDetails"]["payoutStatus"], mine["payoutDetails"]["payoutAmount"]) == ("SUCCESS", 500)
    paid = town.provider_payouts(report)
    assert [(row["status"], row["amount_paise"]) for row in paid] == [("processed", 50_000)]
    assert mine["payoutDetails"]["utr"] == paid[0]["utr"]
    tracked = town.http.post("/sdcrs-services/v1/report/_track", json={"trackingId": report["trackingId"]}).json()["DogReport"]
    assert tracked["statusLabel"] == "Resolved - Dog Captured"
    assert [step["status"] for step in tracked["timeline"]][-1] == "Resolved"
    page = town.http.get(f"/track/{report['trackingId']}")
    assert page.status_code == 200
    for secret in ("9876543210", "okaxis", "Name of", "500", str(paid[0]["utr"])):
        assert secret not in page.text, secret


def test_a_photo_from_elsewhere_is_rejected_by_itself(town: Town) -> None:
    teacher = town.teacher()
    report = town.submit(teacher, exif_at=(11.632, 43.189))
    town.drain()
    mine = teacher.read(report)
    assert (mine["status"], mine["rejectionReason"], mine["payoutEligible"]) == ("AUTO_REJECTED", "INVALID_GPS", False)


def test_the_same_photo_from_two_teachers_is_a_duplicate(town: Town) -> None:
    seed = uuid4().int % 10**9
    first, second = town.teacher(), town.teacher()
    original = town.submit(first, seed=seed)
    town.drain()
    copy = town.submit(second, seed=seed)
    town.drain()
    assert first.read(original)["status"] == "PENDING_VERIFICATION"
    assert (second.read(copy)["status"], second.read(copy)["rejectionReason"]) == ("AUTO_REJECTED", "DUPLICATE_IMAGE")


def test_a_verifier_marks_the_same_dog_as_already_reported(town: Town) -> None:
    original, copy = town.submit(town.teacher()), town.submit(town.teacher())
    town.drain()
    answer = town.verifier.update(
        copy, "MARK_DUPLICATE", rejectionReason="DUPLICATE", additionalDetails={"duplicateOf": original["reportNumber"]}
    )
    assert (answer["status"], answer["payoutEligible"]) == ("DUPLICATE", False)


def test_an_officer_who_finds_no_dog_ends_the_report_without_payout(town: Town) -> None:
    teacher = town.teacher()
    report = town.visited(teacher)
    answer = town.officer.update(
        report, "MARK_UNABLE_TO_LOCATE", resolutionType="UNABLE_TO_LOCATE", unableToLocateReason="DOG_MOVED",
        fieldVisitLocation={"latitude": 11.5887, "longitude": 43.1455},
    )  # fmt: skip
    assert answer["status"] == "UNABLE_TO_LOCATE"
    town.drain()
    assert town.provider_payouts(report) == []


def test_a_failed_payout_is_retried_with_a_corrected_address(town: Town) -> None:
    teacher = town.teacher(vpa=f"x{uuid4().hex[:6]}.{FAILING}")
    report = town.captured(teacher)
    town.drain()
    failed = town.admin.read(report)
    assert failed["status"] == "PAYOUT_FAILED"
    answer = town.admin.update(report, "RETRY_PAYOUT", "Address corrected by phone", payoutDetails={"beneficiaryVpa": "corrected@okaxis"})
    assert (answer["status"], answer["payoutDetails"]["payoutStatus"]) == ("PAYOUT_PENDING", "RETRY_INITIATED")
    assert answer["payoutDetails"]["beneficiaryVpa"] == "corrected@okaxis"
    town.drain()
    assert teacher.read(report)["status"] == "RESOLVED"
    assert sorted(row["status"] for row in town.provider_payouts(report)) == ["failed", "processed"]


def test_an_admin_settles_a_failed_payout_by_hand(town: Town) -> None:
    teacher = town.teacher(vpa=f"y{uuid4().hex[:6]}.{FAILING}")
    report = town.captured(teacher)
    town.drain()
    answer = town.admin.update(
        report, "MANUAL_RESOLVE", "Paid at the counter", payoutDetails={"manualPaymentReference": "CASH-17", "manualPaymentMethod": "CASH"}
    )
    assert (answer["status"], answer["payoutDetails"]["payoutStatus"]) == ("RESOLVED", "MANUAL_PAYOUT")
    town.drain()
    assert [row["status"] for row in town.provider_payouts(report)] == ["failed"]


def test_the_eleventh_capture_of_a_month_is_resolved_without_payout(town: Town) -> None:
    teacher = town.teacher()
    reports = []
    for day in range(3):
        if day:
            town.clock.advance(timedelta(days=1))
            town.verifier, town.supervisor, town.officer = (town.again(phone) for phone in (town.verifier, town.supervisor, town.officer))
            teacher = town.again(teacher)
        reports += [town.captured(teacher) for _ in range(min(5, 11 - len(reports)))]
        town.drain()
    last = teacher.read(reports[-1])
    assert last["status"] == "RESOLVED"
    assert last["payoutDetails"]["payoutStatus"] == "SKIPPED_CAP_REACHED"
    assert town.provider_payouts(reports[-1]) == []
    assert [len(town.provider_payouts(report)) for report in reports[:10]] == [1] * 10


def test_the_sixth_report_of_a_day_is_refused_with_when_to_come_back(town: Town) -> None:
    teacher = town.teacher()
    for _ in range(5):
        town.submit(teacher)
    answer = teacher.post("/sdcrs-services/v1/report/_create", DogReports=[{"nonsense": True}])
    error = answer.json()["Errors"][0]
    assert (answer.status_code, error["code"]) == (400, "SDCRS_DAILY_LIMIT_EXCEEDED")


def test_a_repeated_request_is_answered_again_and_not_done_again(town: Town) -> None:
    teacher = town.teacher()
    now = town.clock.now()
    dog, selfie = teacher.upload(
        ("dog.jpg", photo(uuid4().int % 10**9, "dog", *SCHOOL_GATE, now)),
        ("selfie.jpg", photo(uuid4().int % 10**9, "selfie", *SCHOOL_GATE, now)),
    )
    body = {"RequestInfo": {"msgId": "20260310100000|en_IN", "authToken": teacher.token}, "DogReports": [report_body(dog, selfie, now)]}
    answers = [town.http.post("/sdcrs-services/v1/report/_create", json=body) for _ in range(3)]
    assert {answer.json()["DogReports"][0]["id"] for answer in answers} == {answers[0].json()["DogReports"][0]["id"]}
    listed = teacher.post("/sdcrs-services/v1/report/_search", searchCriteria={"tenantId": VILLE}).json()
    assert listed["TotalCount"] == 1
