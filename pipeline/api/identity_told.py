"""What /openapi.json says of steps 3 to 6 of the identity flow: bodies, answers, errors and an example for each."""

from collections.abc import Mapping
from typing import Any

from pipeline.api import identity_shapes as shapes
from pipeline.api.told import READ_ERRORS, WRITE_ERRORS, Told, query
from pipeline.packets.contracts.identity_auth import AuthAsked
from pipeline.packets.contracts.identity_credentials import CredentialAsked, IssueAsked, ShareAsked

VILLE = "dj.djibouti-ville"
ONE, TWO, THREE, FOUR = (f"0195d3a0-0000-7000-8000-00000000000{digit}" for digit in range(1, 5))
SERVICE_ERRORS = (400, 401, 409, 413, 429, 503)
CALLBACK_ERRORS = (400, 401, 404, 413, 429, 503)
CALLBACK = "/idauthentication/v1/internal/callback/{topic}"
NOTIFY = "/credentialrequest/v1/callback/notifyStatus"
HUB_QUERY: tuple[Mapping[str, Any], ...] = (
    query("hub.mode", "publish: the body is an event of one of our participants; else the form says", enum=["publish"]),
    query("hub.topic", "of the event", maxLength=200),
    query("tenantId", "of the event"),
    query("registrationId", "what the event is about"),
    query("again", "true: also for those who are said to have it", enum=["true", "false"]),
)
CONFIRM = (
    query("hub.mode", "subscribe, as the hub asks"),
    query("hub.topic", "what was subscribed to"),
    query("hub.challenge", "what is to be answered"),
    query("hub.lease_seconds", "how long it holds"),
)


def _enveloped(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "sdcrs.identity", "version": "1.0", "requesttime": "2026-03-10T07:00:00.000Z", "request": dict(request)}


ABOUT = {"tenantId": VILLE, "registrationId": ONE, "requestId": TWO}
REQUEST = {
    **ABOUT,
    "stateId": "dj",
    "partnerId": "IDA",
    "individualId": "2957301846",
    "individualIdHash": "0" * 64,
    "tokenId": "2" * 36,
    "expiresAt": None,
    "transactionLimit": None,
}
ISSUE = {**REQUEST, "credentialId": THREE, "shareId": FOUR, "eventId": ONE}
SHARE = {**ABOUT, "shareId": FOUR, "validMinutes": 60, "uses": 3, "signature": "eyJhbGciOiJFUzI1NiJ9..c2lnbmF0dXJl", "data": "ZGF0YQ=="}
AUTH = {"tenantId": VILLE, "individualId": "2957301846", "demographics": {"name": "Made Up", "birthYear": "1988"}}
FORM = {
    "hub.mode": "subscribe",
    "hub.topic": "IDA/CREDENTIAL_ISSUED",
    "hub.callback": "https://partner.example/websub",
    "hub.lease_seconds": "86400",
    "hub.secret": "<secret>",
}

TOLD: Mapping[tuple[str, str], Told] = {
    ("/credentialrequest/v1/requestgenerator", "post"): Told(
        CredentialAsked, _enveloped(REQUEST), answer=shapes.RequestTakenAnswer, errors=SERVICE_ERRORS
    ),
    ("/credentialrequest/v1/get/{request_id}", "get"): Told(answer=shapes.CredentialShownAnswer),
    ("/credentialrequest/v1/cancel/{request_id}", "get"): Told(answer=shapes.CredentialShownAnswer, errors=WRITE_ERRORS),
    ("/credentialrequest/v1/retrigger/{request_id}", "put"): Told(answer=shapes.CredentialShownAnswer, errors=WRITE_ERRORS),
    (NOTIFY, "get"): Told(errors=CALLBACK_ERRORS, media="text/plain", parameters=CONFIRM),
    (NOTIFY, "post"): Told(answer=shapes.TakenAnswer, errors=CALLBACK_ERRORS),
    ("/credentialservice/v1/issue", "post"): Told(
        IssueAsked, _enveloped(ISSUE), answer=shapes.CredentialIssuedAnswer, errors=SERVICE_ERRORS
    ),
    ("/credentialservice/v1/.well-known/jwks.json", "get"): Told(answer=shapes.KeysAnswer, errors=(413, 429, 503)),
    ("/datashare/v1/create/{policy_id}/{subscriber_id}", "post"): Told(
        ShareAsked, _enveloped(SHARE), answer=shapes.ShareMadeAnswer, errors=SERVICE_ERRORS
    ),
    ("/datashare/v1/get/{policy_id}/{subscriber_id}/{key}", "get"): Told(errors=(404, 410, 413, 429, 503), media="application/jose"),
    ("/websub/hub", "post"): Told(errors=(400, 401, 403, 404, 409, 413, 429, 503), parameters=HUB_QUERY, status=202),
    (CALLBACK, "get"): Told(errors=CALLBACK_ERRORS, media="text/plain", parameters=CONFIRM),
    (CALLBACK, "post"): Told(answer=shapes.TakenAnswer, errors=CALLBACK_ERRORS),
    ("/idauthentication/v1/auth", "post"): Told(AuthAsked, _enveloped(AUTH), answer=shapes.ComparedAnswer, errors=(*READ_ERRORS, 409)),
}
# Who asks there shows a token of our participants, a signature of the hub, or the address alone: no session
OPEN = (
    *(
        "/credentialservice/v1/.well-known/jwks.json",
        "/datashare/v1/get/{policy_id}/{subscriber_id}/{key}",
        "/websub/hub",
        NOTIFY,
        CALLBACK,
    ),
)
