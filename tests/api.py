"""Talking to the API as somebody, for tests: sessions opened by the product's own command, bodies that are accepted."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from httpx import Response
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from pipeline.access.sessions import open_session
from pipeline.api.shapes import DogReportsAnswer
from pipeline.runtime import Runtime
from tests.factories import SCHOOL_GATE, VILLE, photos

REPORT = "/sdcrs-services/v1/report"


@dataclass
class Client:
    """A signed-in client."""

    http: TestClient
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Response:
        return self.http.post(path, json=body, headers={**self.headers, **(headers or {})})

    def code(self, path: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and first error code of a request that is refused."""
        answer = self.post(path, body, headers)
        return answer.status_code, answer.json()["Errors"][0]["code"]

    def act(self, body: dict[str, Any]) -> dict[str, Any]:
        """The one report after an _update that must succeed."""
        answer = self.post(f"{REPORT}/_update", body)
        assert answer.status_code == 200, answer.text
        DogReportsAnswer.model_validate(answer.json())
        (report,) = answer.json()["DogReports"]
        return dict(report)

    def search(self, **criteria: Any) -> dict[str, Any]:
        answer = self.post(f"{REPORT}/_search", {"searchCriteria": criteria})
        assert answer.status_code == 200, answer.text
        DogReportsAnswer.model_validate(answer.json())
        return dict(answer.json())

    def instances(self, number: str) -> list[dict[str, Any]]:
        """All changes of a report, newest first."""
        answer = self.post(f"/egov-workflow-v2/egov-wf/process/_search?businessIds={number}&history=true", {})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["ProcessInstances"])


def signed_in(rt: Runtime, http: TestClient, caller: Caller) -> Client:
    """A client with a session of this account."""
    with rt.database.worker() as conn:
        session = open_session(rt, conn, caller.account_id, caller.tenant_id, sorted(caller.roles), "API", rt.clock.now())
    return Client(http, session.token)


def create_body(rt: Runtime, teacher: Caller, files: tuple[UUID, UUID] | None = None) -> dict[str, Any]:
    """A _create that is accepted, with photos of its own."""
    dog, selfie = files or photos(rt, teacher)
    latitude, longitude = SCHOOL_GATE
    return {
        "RequestInfo": {"apiId": "Rainmaker", "ver": ".01", "msgId": f"{uuid4()}|en_IN"},
        "DogReports": [
            {
                "tenantId": VILLE,
                "serviceType": "StrayDogAggressive",
                "description": "Pack of dogs near the school gate in the morning.",
                "location": {
                    "latitude": latitude,
                    "longitude": longitude,
                    "address": "Near the school gate",
                    "gpsLatitude": latitude + 0.0001,
                    "gpsLongitude": longitude - 0.0001,
                    "gpsAccuracy": 8.5,
                },
                "evidence": [
                    {"fileStoreId": str(dog), "evidenceType": "DOG_PHOTO"},
                    {"fileStoreId": str(selfie), "evidenceType": "REPORTER_SELFIE"},
                ],
            }
        ],
    }
