"""A request for every route of the API, about our tenant and its things; who sends it is the test's matter.

Every JSON body claims in its RequestInfo to come from SYSTEM, with every other role besides: nothing of that may count.
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from httpx import Response
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from pipeline.demo.photos import photo
from tests.api import REPORT, Client, create_body, signed_in
from tests.authorization.world import ROLES, World
from tests.factories import SCHOOL_GATE, VILLE

REGISTRATIONS = "/registrationprocessor/v1"
PROCESS = "/egov-workflow-v2/egov-wf/process"
PICTURE = photo(11, "dog", *SCHOOL_GATE, None)


def claimed() -> dict[str, Any]:
    """A RequestInfo that lies about who asks."""
    roles = [{"code": role, "name": role, "tenantId": VILLE} for role in ("SYSTEM", *ROLES)]
    info = {"uuid": str(uuid4()), "userName": "system", "type": "SYSTEM", "tenantId": VILLE, "roles": roles}
    return {"apiId": "Rainmaker", "ver": ".01", "msgId": f"{uuid4()}|en_IN", "userInfo": info}


def _json(path: str, **body: Any) -> dict[str, Any]:
    return {"url": path, "json": {"RequestInfo": claimed(), **body}}


def _create(world: World, caller: Caller | None) -> dict[str, Any]:
    """Photos are checked to be the sender's own, so a stranger's request fails at the tenant or at the latest there."""
    dog, selfie = world.files["DOG_PHOTO"], world.files["REPORTER_SELFIE"]
    files = None if caller == world.ours["TEACHER"] else (dog, selfie)
    body = create_body(world.rt, world.ours["TEACHER"], files)
    return {"url": f"{REPORT}/_create", "json": {**body, "RequestInfo": claimed()}}


TAKES = {  # a step that the role takes, though not of a report that is closed
    "TEACHER": "COMMENT",
    "MC_OFFICER": "START_FIELD_VISIT",
    "MC_SUPERVISOR": "REASSIGN",
    "DISTRICT_ADMIN": "REOPEN",
    "STATE_ADMIN": "REOPEN",
}


def _step(caller: Caller | None) -> dict[str, Any]:
    (role,) = caller.roles if caller is not None else ("VERIFIER",)
    return {"action": TAKES.get(role, "VERIFY"), "comment": "Because"}


def _update(world: World, caller: Caller | None) -> dict[str, Any]:
    entry = {"id": str(world.reports["CLOSED"]), "workflow": _step(caller)}
    return _json(f"{REPORT}/_update", DogReports=[entry])


def _transition(world: World, caller: Caller | None) -> dict[str, Any]:
    entry = {"tenantId": VILLE, "businessId": world.numbers["CLOSED"], **_step(caller)}
    return _json(f"{PROCESS}/_transition", ProcessInstances=[entry])


def _evaluation(world: World) -> dict[str, Any]:
    asked = {
        "moduleCode": "SDCRS",
        "tenantId": VILLE,
        "referenceId": str(uuid4()),
        "applicantInfo": {"applicantId": str(world.ours["TEACHER"].account_id)},
        "locationData": {"latitude": SCHOOL_GATE[0], "longitude": SCHOOL_GATE[1]},
        "evidences": [{"fileStoreId": str(world.files["DOG_PHOTO"]), "purpose": "DOG_PHOTO"}],
    }
    return _json("/fraud/v1/_evaluateSync", request=asked)


def _sync(world: World) -> dict[str, Any]:
    said = world.packet.announcement
    one = {
        "registrationId": said.reg_id,
        "process": said.process,
        "source": said.source,
        "schemaVersion": said.schema_version,
        "langCode": said.lang_code,
        "supervisorStatus": said.supervisor_status,
        "components": [{"name": part.name, "size": part.size_bytes, "hash": part.sha256.hex()} for part in said.components],
    }
    return _json(f"{REGISTRATIONS}/registrationstatus/sync", tenantId=VILLE, request=[one])


def _workflow(world: World) -> dict[str, Any]:
    asked = {"workflowIds": [world.packet.reg_id], "workflowAction": "STOP_PROCESSING", "reason": "Because"}
    return _json(f"{REGISTRATIONS}/workflowmanager/workflowaction", request=asked)


CALLS: dict[str, Callable[[World, Caller | None], dict[str, Any]]] = {
    "POST /user/oauth/token": lambda w, c: {
        "url": "/user/oauth/token",
        "data": {"grant_type": "refresh_token", "refresh_token": "x" * 43},
    },
    "POST /user/_logout": lambda w, c: _json("/user/_logout"),
    "GET /sso/v1/auth-url": lambda w, c: {"url": "/sso/v1/auth-url", "params": {"redirect_uri": "https://elsewhere.example/"}},
    "POST /sso/v1/token-exchange": lambda w, c: {
        "url": "/sso/v1/token-exchange",
        "json": {"code": "c", "state": "s", "redirect_uri": "https://elsewhere.example/"},
    },
    "POST /sso/v1/token-refresh": lambda w, c: {"url": "/sso/v1/token-refresh", "json": {"refresh_token": "x" * 43}},
    "POST /user/v1/_search": lambda w, c: _json("/user/v1/_search", tenantId=VILLE),
    "GET /user/v1/mydata": lambda w, c: {"url": "/user/v1/mydata"},
    "POST /filestore/v1/files": lambda w, c: {
        "url": "/filestore/v1/files",
        "params": {"tenantId": VILLE, "module": "SDCRS"},
        "files": [("file", ("dog.jpg", PICTURE, "image/jpeg"))],
    },
    "GET /filestore/v1/files/{file_store_id}": lambda w, c: {"url": f"/filestore/v1/files/{w.files['DOG_PHOTO']}"},
    f"POST {REPORT}/_create": _create,
    f"POST {REPORT}/_update": _update,
    f"PUT {REPORT}/_update": _update,
    f"POST {REPORT}/_search": lambda w, c: _json(f"{REPORT}/_search", searchCriteria={"tenantId": VILLE}),
    f"POST {REPORT}/_count": lambda w, c: _json(f"{REPORT}/_count", searchCriteria={"tenantId": VILLE}),
    f"POST {REPORT}/_track": lambda w, c: _json(f"{REPORT}/_track", trackingId=w.tracking["ASSIGNED"]),
    f"POST {PROCESS}/_search": lambda w, c: _json(f"{PROCESS}/_search?history=true&businessIds={w.numbers['CLOSED']}"),
    f"POST {PROCESS}/_transition": _transition,
    "POST /location/v1/_boundary": lambda w, c: _json("/location/v1/_boundary", tenantId=VILLE, latitude=11.59, longitude=43.14),
    "POST /fraud/v1/_evaluateSync": lambda w, c: _evaluation(w),
    "POST /payout/v1/_search": lambda w, c: _json("/payout/v1/_search", searchCriteria={"tenantId": VILLE}),
    "POST /payout/v1/_retry": lambda w, c: _json("/payout/v1/_retry", reportIds=[str(w.reports["RESOLVED"])]),
    "POST /webhook/v1/razorpay": lambda w, c: {"url": "/webhook/v1/razorpay", "json": {"event": "payout.processed"}},
    f"POST {REGISTRATIONS}/registrationstatus/sync": lambda w, c: _sync(w),
    f"POST {REGISTRATIONS}/registrationstatus/search": lambda w, c: _json(
        f"{REGISTRATIONS}/registrationstatus/search", request=[{"registrationId": w.packet.reg_id}]
    ),
    f"POST {REGISTRATIONS}/packetreceiver/registrationpackets": lambda w, c: {
        "url": f"{REGISTRATIONS}/packetreceiver/registrationpackets",
        "files": [("file", file) for file in w.packet.files],
    },
    f"POST {REGISTRATIONS}/workflowmanager/workflowaction": lambda w, c: _workflow(w),
    f"POST {REGISTRATIONS}/workflowmanager/workflow/search": lambda w, c: _json(
        f"{REGISTRATIONS}/workflowmanager/workflow/search", request={"tenantId": VILLE}
    ),
    "POST /idrepository/v1/vid": lambda w, c: _json("/idrepository/v1/vid", request={"tenantId": VILLE, "individualId": w.handle}),
    "POST /credentialrequest/v1/requestgenerator": lambda w, c: {"url": "/credentialrequest/v1/requestgenerator", "json": {"request": {}}},
    "GET /credentialrequest/v1/get/{request_id}": lambda w, c: {"url": f"/credentialrequest/v1/get/{w.things['credential']}"},
    "GET /credentialrequest/v1/cancel/{request_id}": lambda w, c: {"url": f"/credentialrequest/v1/cancel/{w.things['credential']}"},
    "PUT /credentialrequest/v1/retrigger/{request_id}": lambda w, c: {"url": f"/credentialrequest/v1/retrigger/{w.things['credential']}"},
    "GET /credentialrequest/v1/callback/notifyStatus": lambda w, c: {
        "url": "/credentialrequest/v1/callback/notifyStatus",
        "params": {"hub.mode": "subscribe", "hub.topic": "another", "hub.challenge": "c"},
    },
    "POST /credentialrequest/v1/callback/notifyStatus": lambda w, c: {
        "url": "/credentialrequest/v1/callback/notifyStatus",
        "json": {"event": {}},
    },
    "POST /credentialservice/v1/issue": lambda w, c: {"url": "/credentialservice/v1/issue", "json": {"request": {}}},
    "GET /credentialservice/v1/.well-known/jwks.json": lambda w, c: {"url": "/credentialservice/v1/.well-known/jwks.json"},
    "POST /datashare/v1/create/{policy_id}/{subscriber_id}": lambda w, c: {
        "url": "/datashare/v1/create/auth-policy/IDA",
        "json": {"request": {}},
    },
    "GET /datashare/v1/get/{policy_id}/{subscriber_id}/{key}": lambda w, c: {"url": f"/datashare/v1/get/auth-policy/IDA/{'k' * 43}"},
    "POST /websub/hub": lambda w, c: {
        "url": "/websub/hub",
        "data": {"hub.mode": "subscribe", "hub.topic": "IDA/CREDENTIAL_ISSUED", "hub.callback": "https://elsewhere.example/"},
    },
    "GET /idauthentication/v1/internal/callback/{topic:path}": lambda w, c: {
        "url": "/idauthentication/v1/internal/callback/IDA/CREDENTIAL_ISSUED",
        "params": {"hub.mode": "subscribe", "hub.topic": "another", "hub.challenge": "c"},
    },
    "POST /idauthentication/v1/internal/callback/{topic:path}": lambda w, c: {
        "url": "/idauthentication/v1/internal/callback/IDA/CREDENTIAL_ISSUED",
        "json": {"event": {}},
    },
    "POST /idauthentication/v1/auth": lambda w, c: {
        "url": "/idauthentication/v1/auth",
        "json": {"request": {"tenantId": VILLE, "individualId": "2957301846", "demographics": {"birthYear": "1988"}}},
    },
    "GET /track/{tracking_id}": lambda w, c: {"url": f"/track/{w.tracking['ASSIGNED']}"},
    "GET /livez": lambda w, c: {"url": "/livez"},
    "GET /readyz": lambda w, c: {"url": "/readyz"},
    "GET /metrics": lambda w, c: {"url": "/metrics"},
    "GET /openapi.json": lambda w, c: {"url": "/openapi.json"},
}


def ask(world: World, http: TestClient, call: str, caller: Caller | None) -> Response:
    """The request, from a session of the caller's own; None: from nobody, though with a token that looks like one."""
    method = call.split(maxsplit=1)[0]
    headers = {"Authorization": f"Bearer {uuid4().hex}"} if caller is None else as_(world, http, caller).headers
    return http.request(method, **CALLS[call](world, caller), headers=headers)


def as_(world: World, http: TestClient, caller: Caller) -> Client:
    """A signed-in client of this person."""
    return signed_in(world.rt, http, caller)


def told_of(answer: Response) -> list[Any]:
    """The things in a list's answer; refused results of several are none."""
    body = answer.json()
    found = [item for name in ("DogReports", "ProcessInstances", "Payouts", "user") for item in body.get(name, [])]
    found += body["response"] if isinstance(body.get("response"), list) else []
    found += [result for result in body.get("results", []) if result["error"] is None or result["error"]["code"] != "SDCRS_NOT_FOUND"]
    return found
