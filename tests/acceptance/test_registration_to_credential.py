"""The sample registration packet, from a registration client on the wire to the authentication side, every participant asked over HTTP:
as it is it is refused by name, repaired it ends STORED on both sides, and its diagram has every message.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from dashboard.widgets import identity_diagram, identity_story
from pipeline.access.caller import Caller
from pipeline.database.engine import Database
from pipeline.demo.registrations import MadePacket
from pipeline.identity.jobs import identity_jobs
from pipeline.jobs.worker import run_until_idle
from pipeline.packets.catalogue import packets_of
from pipeline.runtime import Runtime, assemble
from tests.api_server import free_port, serving
from tests.conftest import ROLE_PREFIX
from tests.factories import PASSWORD, VILLE, account
from tests.registrations import SAMPLE_ID, repaired, rows, sample

BASE = "/registrationprocessor/v1"
ROUNDS = 6  # of work with a few seconds between them, for what waits
SUBSCRIPTIONS = {"25/01", "26/02"}  # made once, long before


@dataclass
class Field:
    """A registration client, the API on its socket, and a worker to whom every participant is elsewhere."""

    rt: Runtime
    worker: Runtime
    http: httpx.Client
    admin: Caller

    def post(self, path: str, **request: Any) -> Any:
        answer = self.http.post(f"{BASE}/{path}", **request)
        assert answer.is_success, answer.text
        return answer.json()["response"]

    def sync(self, packet: MadePacket) -> str:
        said = packet.announcement
        parts = [{"name": part.name, "size": part.size_bytes, "hash": part.sha256.hex()} for part in said.components]
        one = {
            "registrationId": said.reg_id,
            "process": said.process,
            "source": said.source,
            "schemaVersion": said.schema_version,
            "supervisorStatus": said.supervisor_status,
            "components": parts,
        }
        (result,) = self.post("registrationstatus/sync", json={"tenantId": VILLE, "request": [one]})
        return str(result["status"])

    def upload(self, packet: MadePacket) -> int:
        files = [("file", (name, data, "application/octet-stream")) for name, data in packet.files]
        return int(self.post("packetreceiver/registrationpackets", files=files)["uploadNumber"])

    def status(self) -> str:
        (one,) = self.post("registrationstatus/search", json={"request": [{"registrationId": SAMPLE_ID}]})
        return str(one["statusCode"])

    def work(self) -> None:
        clock: Any = self.rt.clock
        for _ in range(ROUNDS):
            run_until_idle(identity_jobs(self.worker), clock)
            clock.advance(timedelta(seconds=3))


@pytest.fixture(scope="module")
def field(rt: Runtime, urls: Any) -> Iterator[Field]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    here = replace(rt.settings, api_port=port, identity_networks=("127.0.0.1/32",))
    there = replace(here, credential_request_url=url, credential_service_url=url, datashare_url=url, websub_hub_url=url)
    admin = account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=8)) as database:
        worker = assemble(there, rt.database, rt.clock)
        with serving(assemble(here, database, rt.clock)) as found, httpx.Client(base_url=found, timeout=30) as http:
            form = {"grant_type": "password", "username": admin.username, "password": PASSWORD, "tenantId": VILLE, "userType": "EMPLOYEE"}
            token = http.post("/user/oauth/token", data={**form, "scope": "read"}).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            yield Field(rt, worker, http, admin)


def test_the_sample_packet_is_refused_by_name_and_a_repaired_copy_ends_stored_on_both_sides(field: Field) -> None:
    packet, rt = sample(), field.rt
    assert field.sync(packet) == "SUCCESS"
    assert field.upload(packet) == 1
    field.work()
    assert field.status() == "RESEND"
    (found,) = field.post("workflowmanager/workflow/search", json={"request": {"registrationId": SAMPLE_ID}})["registrations"]
    assert (found["statusCode"], found["subStatusCode"]) == ("FAILED", "PACKET_MISMATCH")
    assert found["statusComment"].startswith("id: packet_data_hash.txt is E4098A23C496BDD0")
    parts = rows(rt, "SELECT name, verified FROM regprc.component ORDER BY name")
    assert {part.name: part.verified for part in parts} == {"id": "MISMATCH", "evidence": "VERIFIED", "optional": "VERIFIED"}
    before = len(rows(rt, "SELECT id FROM packet.log WHERE subject_kind = 'REGISTRATION'"))

    whole = repaired(packet)
    assert field.sync(whole) == "SUCCESS"
    assert field.upload(whole) == 2
    field.work()
    assert field.status() == "PROCESSED"
    (row,) = rows(rt, "SELECT id, identity_id FROM regprc.registration WHERE reg_id = :id", id=SAMPLE_ID)
    (asked,) = rows(rt, "SELECT status, request_id FROM idrepo.credential_request_status WHERE registration_id = :id", id=row.id)
    (issued,) = rows(rt, "SELECT status_code, trn_retry_count FROM credential.credential_transaction WHERE id = :id", id=asked.request_id)
    (event,) = rows(rt, "SELECT event_id, status_code FROM ida.credential_event_store WHERE registration_id = :id", id=row.id)
    assert (asked.status, issued.status_code, issued.trn_retry_count, event.status_code) == ("REQUESTED", "STORED", 0, "STORED")
    assert len(rows(rt, "SELECT id FROM ida.identity_cache WHERE event_id = :id", id=event.event_id)) == 1

    said = rows(rt, "SELECT packet FROM packet.log WHERE subject_kind = 'REGISTRATION' AND subject_id = :id ORDER BY id", id=row.id)
    told = list(dict.fromkeys(one.packet for one in said[before:]))
    assert told == [packet.id for packet in packets_of("identity") if packet.id not in SUBSCRIPTIONS], (
        "every message, in the diagram's order"
    )
    assert drawn(field, row.id, asked.request_id) == {packet.id for packet in packets_of("identity")}


def drawn(field: Field, registration_id: UUID, request_id: UUID) -> set[str]:
    """The messages that have a time on the page's diagram."""
    page: Any = SimpleNamespace(begin=lambda: field.rt.database.begin(field.admin.scope))
    story = identity_story.load(page, registration_id)
    assert story is not None
    return set(identity_diagram.times_of(story, request_id))
