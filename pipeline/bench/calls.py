"""What the bench's clients send: the bodies of people's requests, with nothing in them that an app would not send."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pipeline.bench.people import PLACE, TENANT, Person
from pipeline.bench.stock import Draft

REPORTS = "/sdcrs-services/v1/report"
PAGE = 20  # what a list on a screen shows


@dataclass(frozen=True)
class Call:
    """One request over HTTP. `kind` names it in the figures."""

    kind: str
    path: str
    body: bytes
    token: str
    keeps_ids: bool = False  # its answer's report ids are wanted


def create(draft: Draft, message_id: str) -> Call:
    """A teacher sends a report, whose message id makes a repetition harmless."""
    latitude, longitude = draft.spot
    report = {
        "tenantId": TENANT,
        "serviceType": "StrayDogAggressive",
        "description": "A pack of dogs by the school gate since the morning",
        "location": {
            "latitude": latitude,
            "longitude": longitude,
            "address": "By the school gate",
            "gpsLatitude": latitude + 0.0001,
            "gpsLongitude": longitude - 0.0001,
            "gpsAccuracy": 8.5,
        },
        "evidence": [
            {"fileStoreId": str(draft.dog), "evidenceType": "DOG_PHOTO"},
            {"fileStoreId": str(draft.selfie), "evidenceType": "REPORTER_SELFIE"},
        ],
        "dogDetails": {"count": 3, "isAggressive": True},
    }
    return _call("create", f"{REPORTS}/_create", {"DogReports": [report]}, draft.teacher, message_id, keeps_ids=True)


def verify(report_id: UUID, by: Person) -> Call:
    """A verifier accepts the report."""
    return act("verify", "VERIFY", report_id, by, {"verificationRemarks": "Dogs and gate are seen in the photo"})


def assign(report_id: UUID, by: Person, officer: Person) -> Call:
    """A supervisor gives the report to an officer."""
    return act("assign", "ASSIGN", report_id, by, {"assignedOfficerId": str(officer.caller.account_id)})


def start_visit(report_id: UUID, by: Person) -> Call:
    """The officer is on the way."""
    return act("start visit", "START_FIELD_VISIT", report_id, by, {"fieldVisitLocation": _place()})


def captured(report_id: UUID, by: Person, photo: UUID) -> Call:
    """The officer has the dog, and shows it."""
    evidence = {"photoFileStoreId": str(photo), "captureLocation": _place()}
    return act("captured", "MARK_CAPTURED", report_id, by, {"captureEvidence": evidence, "resolutionType": "CAPTURED"})


def unable(report_id: UUID, by: Person) -> Call:
    """The officer found no dog: the report ends here, without a payout."""
    return act("unable to locate", "MARK_UNABLE_TO_LOCATE", report_id, by, {"unableToLocateReason": "DOG_MOVED"})


def search_number(report_number: str, by: Person) -> Call:
    """Somebody looks a report up by its number."""
    return _search("search by number", {"reportNumber": report_number}, by)


def search_page(by: Person, status: str | None = None) -> Call:
    """Somebody opens a list: the newest reports of the tenant, in a state if one is given."""
    criteria: dict[str, Any] = {"limit": PAGE} | ({"status": [status]} if status else {})
    return _search("search a page", criteria, by)


def _search(kind: str, criteria: dict[str, Any], by: Person) -> Call:
    return _call(kind, f"{REPORTS}/_search", {"searchCriteria": {"tenantId": TENANT, **criteria}}, by)


def act(kind: str, action: str, report_id: UUID, by: Person, fields: dict[str, Any]) -> Call:
    """One person's action on one report, always under the same message id."""
    update = {"id": str(report_id), "tenantId": TENANT, "workflow": {"action": action}, **fields}
    return _call(kind, f"{REPORTS}/_update", {"DogReports": [update]}, by, f"{action}-{report_id}")


def _call(kind: str, path: str, content: dict[str, Any], by: Person, message_id: str | None = None, keeps_ids: bool = False) -> Call:
    info = {"apiId": "sdcrs-bench", "ver": "1.0"} | ({"msgId": message_id} if message_id else {})
    body = json.dumps({"RequestInfo": info, **content}, separators=(",", ":")).encode()
    return Call(kind, path, body, by.token, keeps_ids)


def _place() -> dict[str, float]:
    return {"latitude": PLACE[0], "longitude": PLACE[1]}
