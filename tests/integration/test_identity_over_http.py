"""Steps 3 to 6 between processes: the same flow when every participant is asked over HTTP, with real sockets and service tokens."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import text

from pipeline.database.engine import Database
from pipeline.identity import keys
from pipeline.identity.flow import credential_jobs
from pipeline.identity.subscribing import own_base
from pipeline.identity.tokens import service_token
from pipeline.identity.websub.signature import own_secret, signature
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime, assemble
from tests.api import signed_in
from tests.api_server import free_port, serving
from tests.conftest import ROLE_PREFIX
from tests.factories import VILLE
from tests.identity_rows import PERSON, packets_of, state_of, waiting
from tests.integration.test_identity_credentials import DIAGRAM

ISSUED = "/idauthentication/v1/internal/callback/IDA/CREDENTIAL_ISSUED"


@dataclass
class Apart:
    """The worker's runtime, told that everybody is elsewhere, and the process in which they are."""

    rt: Runtime
    url: str
    http: httpx.Client

    def token(self, audience: str) -> dict[str, str]:
        made = service_token(self.rt.keyring, audience, int(self.rt.clock.now().timestamp()))  # type: ignore[arg-type]
        return {"Authorization": f"Bearer {made}"}


@pytest.fixture(scope="module")
def apart(rt: Runtime, urls) -> Iterator[Apart]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    here = replace(rt.settings, api_port=port, identity_networks=("127.0.0.1/32",))
    there = replace(here, credential_request_url=url, credential_service_url=url, datashare_url=url, websub_hub_url=url)
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=8)) as database:
        server, worker = assemble(here, database, rt.clock), assemble(there, rt.database, rt.clock)
        with serving(server) as found, httpx.Client(base_url=found) as http:
            yield Apart(worker, found, http)


@pytest.fixture(scope="module")
def jobs(apart: Apart):
    return credential_jobs(apart.rt)


def test_the_same_flow_runs_over_http_by_every_message_of_the_diagram(apart: Apart, jobs) -> None:
    one = waiting(apart.rt)
    run_until_idle(jobs, apart.rt.clock)
    state = state_of(apart.rt, one)
    assert (state.status, state.transaction, state.events, state.cached) == ("REQUESTED", "STORED", ["STORED"], 1)
    assert sorted(packets_of(apart.rt, one)) == sorted(DIAGRAM)
    assert state.data_share_url.startswith(f"{apart.url}/datashare/v1/get/auth-policy/IDA/")


def test_without_a_token_of_ours_or_with_one_for_another_nobody_is_served(apart: Apart) -> None:
    for path, audience in (
        ("/credentialrequest/v1/requestgenerator", "credentialrequest"),
        ("/credentialservice/v1/issue", "credentialservice"),
        ("/datashare/v1/create/auth-policy/IDA", "datashare"),
        ("/websub/hub?hub.mode=publish&hub.topic=IDA/CREDENTIAL_ISSUED", "websub"),
    ):
        other = "websub" if audience == "datashare" else "datashare"
        for headers in ({}, {"Authorization": "Bearer nonsense"}, apart.token(other)):
            answer = apart.http.post(path, json={"request": {}}, headers=headers)
            assert answer.status_code == 401, (path, answer.text)
            assert answer.json()["errors"][0]["errorCode"] == "SDCRS_NOT_SIGNED_IN"
        assert apart.http.post(path, json={"request": {}}, headers=apart.token(audience)).status_code == 400


def test_the_published_keys_verify_what_the_share_holds_and_a_share_is_used_up(apart: Apart, jobs) -> None:
    one = waiting(apart.rt)
    run_until_idle(jobs, apart.rt.clock)
    url = state_of(apart.rt, one).data_share_url
    answers = [httpx.get(url) for _ in range(3)]  # three uses, of which authentication took one
    assert [answer.status_code for answer in answers] == [200, 200, 410]
    assert answers[2].json()["errors"][0]["errorCode"] == "SDCRS_SHARE_USED_UP"
    assert keys.verified(apart.rt.keyring, answers[0].text)
    published = apart.http.get("/credentialservice/v1/.well-known/jwks.json").json()
    assert published == keys.jwks(apart.rt.keyring)
    assert httpx.get(url[:-1] + ("A" if url[-1] != "A" else "B")).status_code == 404


def test_callbacks_confirm_what_was_asked_for_and_take_what_is_signed(apart: Apart) -> None:
    challenge = {"hub.mode": "subscribe", "hub.topic": "IDA/CREDENTIAL_ISSUED", "hub.challenge": "a challenge"}
    assert apart.http.get(ISSUED, params=challenge).text == "a challenge"
    for wrong in ({"hub.mode": "unsubscribe"}, {"hub.topic": "CREDENTIAL_STATUS_UPDATE"}):
        assert apart.http.get(ISSUED, params={**challenge, **wrong}).status_code == 404
    assert apart.http.post(ISSUED, content=b"{}").status_code == 401
    signed = {"X-Hub-Signature": signature(own_secret(apart.rt.keyring, "IDA/CREDENTIAL_ISSUED"), b"{}")}
    assert apart.http.post(ISSUED, content=b"{}", headers=signed).status_code == 400
    assert apart.http.get("/idauthentication/v1/internal/callback/no/topic", params=challenge).status_code == 404


def test_a_strangers_callback_is_refused_and_a_topic_that_there_is_not_is_denied(apart: Apart, jobs) -> None:
    wish = {"hub.mode": "subscribe", "hub.topic": "IDA/CREDENTIAL_ISSUED", "hub.callback": "https://stranger.example/take"}
    answer = apart.http.post("/websub/hub", data=wish)
    assert (answer.status_code, answer.json()["errors"][0]["errorCode"]) == (403, "SDCRS_CALLBACK_NOT_ALLOWED")
    own = f"{own_base(apart.rt.settings)}{ISSUED}"
    assert apart.http.post("/websub/hub", data={**wish, "hub.topic": "nothing", "hub.callback": own}).status_code == 202
    run_until_idle(jobs, apart.rt.clock)
    with apart.rt.database.worker() as conn:
        status = conn.execute(text("SELECT status_code FROM websub.subscription WHERE topic = 'nothing'")).scalar_one()
    assert status == "DENIED"
    for field, value in (("hub.mode", "publish"), ("hub.secret", "x" * 200), ("hub.lease_seconds", "soon"), ("hub.callback", "file:///x")):
        assert apart.http.post("/websub/hub", data={**wish, field: value}).status_code == 400, field


def test_admins_look_at_a_request_cancel_one_that_is_new_and_retrigger_one_that_failed(apart: Apart, jobs, staff) -> None:
    one = waiting(apart.rt)
    by_name = {job.name: job for job in jobs}
    by_name["identity.request"].run_once(apart.rt.clock.now())
    request_id = state_of(apart.rt, one).request_id
    client = signed_in(apart.rt, apart.http, staff.admin)  # type: ignore[arg-type]
    shown = apart.http.get(f"/credentialrequest/v1/get/{request_id}", headers=client.headers).json()["response"]
    assert (shown["statusCode"], shown["partnerId"], shown["registrationId"]) == ("NEW", "IDA", str(one.registration_id))
    assert one.number not in json.dumps(shown)
    cookie = {"Cookie": f"sdcrs_session={client.headers['Authorization'].removeprefix('Bearer ')}"}
    assert apart.http.get(f"/credentialrequest/v1/cancel/{request_id}", headers=cookie).status_code == 401
    cancelled = apart.http.get(f"/credentialrequest/v1/cancel/{request_id}", headers=client.headers)
    assert cancelled.json()["response"]["statusCode"] == "CANCELLED"
    run_until_idle(jobs, apart.rt.clock)
    assert state_of(apart.rt, one).transaction == "CANCELLED"
    assert apart.http.put(f"/credentialrequest/v1/retrigger/{request_id}", headers=client.headers).status_code == 409


def test_a_number_is_somebodys_by_name_birth_year_and_phone_as_often_as_it_may_be_asked(apart: Apart, jobs, staff) -> None:
    one = waiting(apart.rt, "VID", valid_for=timedelta(days=1), limit=2)
    run_until_idle(jobs, apart.rt.clock)
    client = signed_in(apart.rt, apart.http, staff.district_admin)  # type: ignore[arg-type]

    def ask(**demographics: str) -> httpx.Response:
        request = {"tenantId": VILLE, "individualId": one.number, "demographics": demographics}
        return apart.http.post("/idauthentication/v1/auth", json={"request": request}, headers=client.headers)

    first = ask(name="robleh  AMINA hassan", birthYear="1988", phone="+253 77812345")
    assert first.json()["response"]["authStatus"] is True
    second = ask(name="Somebody Else", birthYear="1988").json()["response"]
    assert (second["authStatus"], second["fields"]) == (False, {"name": False, "birthYear": True})
    third = ask(birthYear="1988")
    assert (third.status_code, third.json()["errors"][0]["errorCode"]) == (409, "SDCRS_AUTH_USED_UP")
    assert ask().status_code == 400
    with apart.rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT asked, matched, error_code FROM ida.auth_transaction WHERE individual_id_hash = :id ORDER BY id"),
            {"id": one.id_hash},
        ).all()
    assert [tuple(row) for row in rows] == [
        (["birthYear", "name", "phone"], True, None),
        (["birthYear", "name"], False, None),
        (["birthYear"], False, "SDCRS_AUTH_USED_UP"),
    ]
    assert PERSON["dateOfBirth"] not in first.text + third.text
