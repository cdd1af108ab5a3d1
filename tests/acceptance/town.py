"""The whole system as people meet it: HTTP, the jobs, Postgres, and the sandbox as a process with signed webhooks back to us.

Only the clock is held.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from pipeline.api.app import build
from pipeline.clock import SettableClock
from pipeline.demo.photos import photo
from pipeline.jobs.job import Job
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts.standin import own_sandbox
from pipeline.replay.run import listening, served
from pipeline.runtime import Runtime, assemble
from pipeline.work import all_jobs
from tests import factories
from tests.factories import SCHOOL_GATE, VILLE


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

    def days_later(self, teacher: Phone, days: int = 0, **more: int) -> Phone:
        """Everybody signs in anew on a later day; gives the teacher back."""
        self.clock.advance(timedelta(days=days, **more))
        self.verifier, self.supervisor, self.officer, self.admin = (
            self.again(phone) for phone in (self.verifier, self.supervisor, self.officer, self.admin)
        )
        return self.again(teacher)

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
        answer = self.sandbox.get("/_sandbox/journal/payouts", params={"limit": 1000})
        return [row for row in answer.json()["items"] if report["reportNumber"] in row["reference_id"]]


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


@contextmanager
def open_town(rt: Runtime) -> Iterator[Town]:
    """The town over this runtime's database, for the length of a block."""
    with own_sandbox(rt.database, None) as nowhere:
        # the sandbox needs our address and we need its, so the API goes up first with a sandbox address that is set after
        own = assemble(replace(rt.settings, razorpayx_base_url=nowhere), rt.database, rt.clock)
        with served(build(own), listening()) as api_url, closing(httpx.Client(base_url=api_url, timeout=30, trust_env=False)) as http:
            with own_sandbox(rt.database, f"{api_url}/webhook/v1/razorpay") as sandbox_url:
                ours = assemble(replace(rt.settings, razorpayx_base_url=sandbox_url), rt.database, rt.clock)
                with closing(httpx.Client(base_url=sandbox_url, timeout=30, trust_env=False)) as sandbox:
                    assert sandbox.post("/_sandbox/settings", json={"delay_seconds": 86_400}).is_success
                    yield Town(ours, http, sandbox)
