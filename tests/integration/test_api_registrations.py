"""The registration client's endpoints and the operator's: envelopes, codes, and a packet that goes in by HTTP and comes out processed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from pipeline.api import registration_shapes as shapes
from pipeline.api import registrations as room
from pipeline.api.app import build
from pipeline.clock import SettableClock, epoch_ms
from pipeline.demo.registrations import MadePacket, applicant, make_packet
from pipeline.identity.numbers import Numbers, flaw
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from tests.api import Client, signed_in
from tests.factories import VILLE, account
from tests.registrations import packets_of, rows, uploaded

SEEDS = iter(range(40_000, 50_000))
BASE = "/registrationprocessor/v1"
SYNC, STATUS = f"{BASE}/registrationstatus/sync", f"{BASE}/registrationstatus/search"
UPLOAD, ACT, SEARCH = (
    f"{BASE}/packetreceiver/registrationpackets",
    f"{BASE}/workflowmanager/workflowaction",
    f"{BASE}/workflowmanager/workflow/search",
)


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client


@pytest.fixture(scope="module")
def admin(rt: Runtime) -> Caller:
    return account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")


@pytest.fixture
def client(rt: Runtime, http: TestClient, admin: Caller) -> Client:
    return signed_in(rt, http, admin)


@pytest.fixture
def packet(rt: Runtime) -> MadePacket:
    return make_packet(next(SEEDS), rt.clock.now())


def said(packet: MadePacket, **changes: Any) -> dict[str, Any]:
    one = packet.announcement
    return {
        "registrationId": one.reg_id,
        "process": one.process,
        "source": one.source,
        "schemaVersion": one.schema_version,
        "langCode": one.lang_code,
        "supervisorStatus": one.supervisor_status,
        "name": "Zyxandra Quillfeather",
        "phone": "9871203465",
        "components": [{"name": part.name, "size": part.size_bytes, "hash": part.sha256.hex()} for part in one.components],
    } | changes


def synced(client: Client, *items: dict[str, Any], **beside: Any) -> Response:
    return client.post(SYNC, {"id": "x", "version": "1.0", "requesttime": "2026-03-10T07:00:00.000Z", **beside, "request": list(items)})


def sent(client: Client, packet: MadePacket, **headers: str) -> Response:
    files = [("file", (name, data, "application/octet-stream")) for name, data in packet.files]
    return client.http.post(UPLOAD, files=files, headers={**client.headers, **headers})


def code(answer: Response) -> str:
    body = answer.json()
    assert set(body) == {"id", "version", "responsetime", "response", "errors"}
    assert body["response"] is None
    return str(body["errors"][0]["errorCode"])


def test_a_packet_goes_in_by_http_and_its_client_follows_it_to_the_end(rt: Runtime, client: Client, packet: MadePacket) -> None:
    answer = synced(client, said(packet), tenantId=VILLE)
    assert (answer.status_code, answer.json()["errors"]) == (200, [])
    assert shapes.SyncAnswer.model_validate(answer.json()).response[0].status == "SUCCESS"

    def told() -> str:
        found = client.post(STATUS, {"request": [{"registrationId": packet.reg_id}]})
        return shapes.StatusAnswer.model_validate(found.json()).response[0].status_code

    assert told() == "UPLOAD_PENDING"
    taken = sent(client, packet)
    assert (taken.status_code, shapes.UploadAnswer.model_validate(taken.json()).response.upload_number) == (201, 1)
    assert told() == "RECEIVED"
    run_until_idle([StagesJob(rt)], rt.clock)
    assert told() == "PROCESSED"
    (row,) = rows(rt, "SELECT id FROM regprc.registration WHERE reg_id = :id", id=packet.reg_id)
    assert packets_of(rt, row.id)[:4] == ["21/01", "21/02", "21/03", "21/04"]
    kept = repr(rows(rt, "SELECT body FROM packet.log WHERE subject_id = :id", id=row.id))
    assert "Quillfeather" not in kept
    assert "9871203465" not in kept


def test_a_sync_answers_each_item_and_is_refused_only_as_a_whole(client: Client, rt: Runtime, packet: MadePacket) -> None:
    other = make_packet(next(SEEDS), rt.clock.now())
    answer = synced(client, said(packet, process="LOST"), said(other))
    assert answer.status_code == 200
    assert [(one["status"], one["errorCode"]) for one in answer.json()["response"]] == [
        ("FAILURE", "SDCRS_PROCESS_NOT_TAKEN"),
        ("SUCCESS", None),
    ]
    alone = synced(client, said(packet, process="LOST"))
    assert (alone.status_code, code(alone)) == (400, "SDCRS_PROCESS_NOT_TAKEN")


# what is wrong with an announcement, and where
BODIES: list[tuple[dict[str, Any], str]] = [
    ({"registrationId": "12"}, "request[0].registrationId"),
    ({"components": []}, "request[0].components"),
    ({"components": [{"name": "id", "size": 0, "hash": "0" * 64}]}, "request[0].components[0].size"),
    ({"components": [{"name": "id", "size": 1, "hash": "0"}]}, "request[0].components[0].hash"),
    ({"components": [{"name": "id", "size": 1, "hash": "0" * 64}] * 2}, "request[0].components"),
    ({"supervisorStatus": "MAYBE"}, "request[0].supervisorStatus"),
    ({"source": "with blanks in it"}, "request[0].source"),
    ({"surprise": 1}, "request[0].surprise"),
]


@pytest.mark.parametrize(("change", "field"), BODIES)
def test_an_announcement_that_is_not_right_names_its_field(client: Client, packet: MadePacket, change: dict[str, Any], field: str) -> None:
    answer = synced(client, said(packet, **change))
    assert (answer.status_code, code(answer)) == (400, "SDCRS_INVALID_REQUEST")
    assert answer.json()["errors"][0]["params"]["field"] == field


def test_refusals_come_in_the_envelope_with_our_codes(client: Client, http: TestClient, rt: Runtime, packet: MadePacket) -> None:
    assert (sent(client, packet).status_code, code(sent(client, packet))) == (404, "SDCRS_NOT_SYNCED")
    synced(client, said(packet))
    spoiled = packet.with_component("id", packet.zips["id"] + b"\0")
    assert (sent(client, spoiled).status_code, code(sent(client, spoiled))) == (400, "SDCRS_PACKET_SIZE_DIFFERS")
    nobody = http.post(UPLOAD, files=[("file", packet.files[0])])
    assert (nobody.status_code, code(nobody)) == (401, "SDCRS_NOT_SIGNED_IN")
    teacher = signed_in(rt, http, account(rt, f"T{uuid4().hex[:6]}", "TEACHER"))
    assert (sent(teacher, packet).status_code, code(sent(teacher, packet))) == (403, "SDCRS_FORBIDDEN")
    plain = client.http.post(UPLOAD, content=b"{}", headers={**client.headers, "Content-Type": "application/json"})
    assert (plain.status_code, code(plain)) == (400, "SDCRS_INVALID_REQUEST")


def test_an_upload_that_is_too_large_is_cut_off(client: Client, monkeypatch: pytest.MonkeyPatch, packet: MadePacket) -> None:
    monkeypatch.setattr(room, "MAX_BODY_BYTES", 2000)
    answer = sent(client, packet)
    assert (answer.status_code, code(answer)) == (413, "SDCRS_BODY_TOO_LARGE")


def test_more_files_than_a_packet_can_have_are_not_read(client: Client) -> None:
    files = [("file", (f"{number}.zip", b"x")) for number in range(20)]
    answer = client.http.post(UPLOAD, files=files, headers=client.headers)
    assert (answer.status_code, code(answer)) == (400, "SDCRS_INVALID_REQUEST")


def test_the_same_upload_again_is_answered_again_under_its_key_and_else_refused(client: Client, packet: MadePacket) -> None:
    synced(client, said(packet))
    key = {"Idempotency-Key": uuid4().hex}
    first = sent(client, packet, **key)
    again = sent(client, packet, **key)
    assert (first.status_code, again.status_code, again.json()["response"]) == (201, 201, first.json()["response"])
    assert (sent(client, packet).status_code, code(sent(client, packet))) == (409, "SDCRS_ALREADY_UPLOADED")
    other = sent(client, packet.with_component("id", b"other"), **key)
    assert (other.status_code, code(other)) == (409, "SDCRS_IDEMPOTENCY_CONFLICT")


def test_workflow_actions_have_a_result_each(client: Client, rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    uploaded(rt, admin, packet)
    ids = [packet.reg_id, "0" * 29]

    def acted(action: str) -> Response:
        return client.post(ACT, {"request": {"workflowIds": ids, "workflowAction": action, "reason": "Asked for"}})

    answer = acted("PAUSE_PROCESSING")
    assert [(one.status, one.error_code) for one in shapes.ActionAnswer.model_validate(answer.json()).response] == [
        ("SUCCESS", None),
        ("FAILURE", "SDCRS_NOT_FOUND"),
    ]
    assert (acted("PAUSE_PROCESSING").status_code, code(acted("PAUSE_PROCESSING"))) == (409, "SDCRS_REGISTRATION_STATE")
    found = client.post(SEARCH, {"request": {"statusCode": ["PAUSED"], "registrationId": packet.reg_id}})
    listed = shapes.WorkflowAnswer.model_validate(found.json()).response
    assert [(one.workflow_id, one.pause_rule, one.stage) for one in listed.registrations] == [
        (packet.reg_id, "BY_PERSON", "SECUREZONE_NOTIFICATION")
    ]
    assert acted("RESUME_PROCESSING").json()["response"][0]["status"] == "SUCCESS"
    assert acted("STOP_PROCESSING").json()["response"][0]["status"] == "SUCCESS"


def test_registrations_are_listed_newest_first_a_page_at_a_time(client: Client, rt: Runtime, admin: Caller, clock: SettableClock) -> None:
    clock.advance(timedelta(minutes=1))
    mine = [make_packet(next(SEEDS), rt.clock.now()) for _ in range(3)]
    for one in mine:
        uploaded(rt, admin, one)

    def page(offset: int) -> shapes.Workflows:
        wanted = {"statusCode": ["PROCESSING"], "fromDate": epoch_ms(rt.clock.now()), "offset": offset, "limit": 2}
        return shapes.WorkflowAnswer.model_validate(client.post(SEARCH, {"request": wanted}).json()).response

    first, second = page(0), page(2)
    assert first.total_count == second.total_count == len(first.registrations) + len(second.registrations) == 3
    assert [one.workflow_id for one in (*first.registrations, *second.registrations)] == [one.reg_id for one in reversed(mine)]


def test_a_vid_is_told_once_and_its_credentials_are_asked_for(client: Client, rt: Runtime, admin: Caller) -> None:
    handle = f"V{uuid4().hex[:6]}"
    person = replace(applicant(next(SEEDS), rt.clock.now()), employee_id=handle)
    received = uploaded(rt, admin, make_packet(next(SEEDS), rt.clock.now(), person=person))
    run_until_idle([StagesJob(rt)], rt.clock)
    answer = client.post("/idrepository/v1/vid", {"request": {"individualId": handle.lower()}})
    assert answer.status_code == 201
    made = shapes.VidAnswer.model_validate(answer.json()).response
    rules = rt.masterdata.current().identity_stages(VILLE).numbers
    assert flaw(made.VID, rules) is None
    assert made.transactionLimit == rules.vid_transaction_limit
    (row,) = rows(rt, "SELECT * FROM idrepo.identifier WHERE id_hash = :hash", hash=Numbers(rt).hash("dj", "VID", made.VID))
    assert (row.kind, epoch_ms(row.expires_at)) == ("VID", made.expiryTimestamp)
    asked = rows(rt, "SELECT * FROM idrepo.credential_request_status WHERE identifier_id = :id", id=row.id)
    assert [(one.partner_id, one.status, one.id_transaction_limit) for one in asked] == [("IDA", "NEW", rules.vid_transaction_limit)]
    assert packets_of(rt, received.id).count("23/01") == 3, "for the UIN, the handle and the VID"
    unknown = client.post("/idrepository/v1/vid", {"request": {"individualId": "nobody-has-this"}})
    assert (unknown.status_code, code(unknown)) == (404, "SDCRS_NOT_FOUND")
    assert "nobody" not in unknown.text
