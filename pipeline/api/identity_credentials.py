"""/credentialrequest/v1 and /credentialservice/v1: the request generator and the credential service, for our own participants.

What they are asked comes with a service token; looking at a request, cancelling and retrying one is for people.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json
from sqlalchemy import Row

from pipeline.api.call import Call
from pipeline.api.envelope import HEADERS, answer
from pipeline.api.serving import serve
from pipeline.clock import epoch_ms
from pipeline.errors import AppError
from pipeline.identity import keys, remedies
from pipeline.identity.credentials import generator
from pipeline.identity.effect import Failed
from pipeline.identity.flow import open_ports, own_callbacks
from pipeline.identity.local import LocalGenerator, LocalService
from pipeline.identity.messages import About, Accepted, CredentialRequest, Issued, IssueRequest
from pipeline.identity.tokens import Participant, check_service
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.identity_credentials import AboutBody, CredentialAsked, CredentialRequestBody, IssueAsked

MAX_BYTES = 64 * 1024  # a request has some hundred bytes
MAX_EVENT_BYTES = 64 * 1024
RETRIGGERED = "Retriggered over the API"

router = APIRouter(tags=["Credentials"])


@router.post("/credentialrequest/v1/requestgenerator")
async def request_credential(request: Request) -> Response:
    """Ask for a credential."""
    return await serve(request, take_request, MAX_BYTES)


@router.get("/credentialrequest/v1/get/{request_id}")
async def look(request: Request) -> Response:
    """Look at a request."""
    return await serve(request, show_request)


@router.get("/credentialrequest/v1/cancel/{request_id}")
async def cancel(request: Request) -> Response:
    """Take a request back."""
    return await serve(request, cancel_request)


@router.put("/credentialrequest/v1/retrigger/{request_id}")
async def retrigger(request: Request) -> Response:
    """Have a credential issued again."""
    return await serve(request, retrigger_request)


@router.get("/credentialrequest/v1/callback/notifyStatus")
async def confirm_status(request: Request) -> Response:
    """The hub asks whether we subscribed."""
    return await serve(request, confirm_subscription)


@router.post("/credentialrequest/v1/callback/notifyStatus")
async def take_status(request: Request) -> Response:
    """The hub tells what became of a credential."""
    return await serve(request, take_delivery, MAX_EVENT_BYTES)


@router.post("/credentialservice/v1/issue")
async def issue(request: Request) -> Response:
    """Issue a credential."""
    return await serve(request, issue_credential, MAX_BYTES)


@router.get("/credentialservice/v1/.well-known/jwks.json")
async def jwks(request: Request) -> Response:
    """The keys that credentials are verified with."""
    return await serve(request, show_keys)


def take_request(call: Call) -> Response:
    """Packet 23/05: the request is taken. The same one again is answered the same."""
    service(call, "credentialrequest")
    asked = request_of(call.parse(CredentialAsked).request)
    (outcome,) = LocalGenerator(call.rt).request([asked])
    if isinstance(outcome, Accepted):
        return answer(call, {"requestId": str(outcome.request_id)})
    raise refusal(outcome)


def show_request(call: Call) -> Response:
    """A request with its status, as far as the caller's area goes; never the number."""
    caller = call.allowed("search_registrations")
    with call.rt.database.begin(caller.scope) as conn:
        return answer(call, _shown(generator.transaction(conn, _id(call))))


def cancel_request(call: Call) -> Response:
    """Only while nothing was issued. A cookie is not believed: other sites could send the browser here."""
    if not call.headers.get("authorization"):
        raise AppError("SDCRS_NOT_SIGNED_IN")
    caller = call.allowed("retry_credential")
    with call.rt.database.begin(caller.scope) as conn:
        generator.cancel(conn, _id(call), call.now)
        return answer(call, _shown(generator.transaction(conn, _id(call))))


def retrigger_request(call: Call) -> Response:
    """RETRY: the process job issues it anew."""
    caller = call.allowed("retry_credential")
    with call.rt.database.begin(caller.scope) as conn:
        remedies.issue_again(conn, call.md, caller, _id(call), RETRIGGERED, call.now)
        return answer(call, _shown(generator.transaction(conn, _id(call))))


def issue_credential(call: Call) -> Response:
    """Packet 24/07: the credential is shared and announced."""
    service(call, "credentialservice")
    sent = call.parse(IssueAsked).request
    asked = IssueRequest(request_of(sent), UUID(sent.credential_id), UUID(sent.share_id), UUID(sent.event_id))
    ports = open_ports(call.rt)
    (outcome,) = LocalService(call.rt, ports.datashare, ports.hub).issue([asked])
    if isinstance(outcome, Issued):
        issued = {"credentialId": str(outcome.credential_id), "dataShareUrl": outcome.data_share_url, "signature": outcome.signature}
        return answer(call, {**issued, "issuanceDate": outcome.issued_at.isoformat()})
    raise refusal(outcome)


def show_keys(call: Call) -> Response:
    """A JWK set; whoever verifies may keep it for a while."""
    return Response(to_json(keys.jwks(call.rt.keyring)), 200, {**HEADERS, "Cache-Control": "public, max-age=300"}, "application/json")


def confirm_subscription(call: Call) -> Response:
    """The challenge as it came, for a subscription of ours; 404 for any other."""
    callback = own_callbacks(call.rt).on(call.path)
    challenge = None if callback is None else callback.confirm(call.query)
    if challenge is None:
        raise AppError("SDCRS_NOT_FOUND", kind="subscription", id=call.query.get("hub.topic", "")[:200])
    return Response(challenge.encode()[:1024], 200, HEADERS, "text/plain")


def take_delivery(call: Call) -> Response:
    """200 for an event that the hub has signed, new or known; 401 for a wrong signature."""
    callback = own_callbacks(call.rt).on(call.path)
    if callback is None:
        raise AppError("SDCRS_NOT_FOUND", kind="callback", id=call.path[:200])
    (outcome,) = callback.take([({name.lower(): value for name, value in call.headers.items()}, call.raw)])
    if isinstance(outcome, Failed):
        raise AppError(outcome.code) if outcome.code == "SDCRS_BAD_SIGNATURE" else refusal(outcome)
    return answer(call, {"status": "taken"})


def service(call: Call, audience: Participant) -> None:
    """Raise SDCRS_NOT_SIGNED_IN unless one of our participants asks."""
    check_service(call.rt.keyring, audience, call.headers.get("authorization", ""), (epoch_ms(call.now) or 0) // 1000)


def about_of(sent: AboutBody) -> About:
    """What a call is about."""
    return About(sent.tenant_id, UUID(sent.registration_id), UUID(sent.request_id))


def request_of(sent: CredentialRequestBody) -> CredentialRequest:
    """A request as it came over the wire. Raises SDCRS_INVALID_REQUEST for a time that there is not."""
    return CredentialRequest(
        about=about_of(sent),
        state_id=sent.state_id,
        partner_id=sent.partner_id,
        individual_id_hash=sent.individual_id_hash,
        token_id=sent.token_id,
        expires_at=None if sent.expires_at is None else _moment(sent.expires_at),
        transaction_limit=sent.transaction_limit,
        individual_id=sent.individual_id,
    )


def refusal(failed: Failed) -> AppError:
    """The error of an outcome, for who asked over HTTP."""
    if failed.code == "SDCRS_IDEMPOTENCY_CONFLICT":
        return AppError("SDCRS_IDEMPOTENCY_CONFLICT")
    if failed.code in ("SDCRS_INVALID_REQUEST", "SDCRS_INVALID_JSON"):
        return AppError("SDCRS_INVALID_REQUEST", field="body", detail=failed.detail)
    if failed.final:
        return AppError("SDCRS_CREDENTIAL_REFUSED", reason=failed.comment)
    return AppError("SDCRS_PARTICIPANT_AWAY", why=failed.comment)


def _moment(sent: str) -> datetime:
    try:
        return datetime.fromisoformat(sent)
    except ValueError as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="request.expiresAt", detail="is no time") from error


def _id(call: Call) -> UUID:
    sent = call.path_params["request_id"]
    found = as_uuid(sent)
    if found is None:
        raise AppError("SDCRS_NOT_FOUND", kind="credential request", id=sent[:64])
    return found


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "requestId": str(row.id),
        "partnerId": row.partner_id,
        "statusCode": row.status_code,
        "statusComment": row.status_comment,
        "credentialId": None if row.credential_id is None else str(row.credential_id),
        "issuances": row.issuances,
        "retryCount": row.trn_retry_count,
        "issuanceDate": None if row.issuance_date is None else row.issuance_date.isoformat(),
        "registrationId": str(row.registration_id),
        "tenantId": row.tenant_id,
    }
