"""/idauthentication/v1: events of credentials come in, and demographic authentication is answered."""

from fastapi import APIRouter, Request, Response

from pipeline.api.call import Call
from pipeline.api.envelope import answer
from pipeline.api.identity_credentials import confirm_subscription, take_delivery
from pipeline.api.serving import serve
from pipeline.identity.ida.authentication import authenticate
from pipeline.identity.ida.matching import Field
from pipeline.identity.ida.receiver import MAX_BYTES
from pipeline.packets.contracts.identity_auth import AuthAsked

router = APIRouter(prefix="/idauthentication/v1", tags=["Authentication"])


@router.get("/internal/callback/{topic:path}")
async def confirm(request: Request) -> Response:
    """The hub asks whether we subscribed."""
    return await serve(request, confirm_subscription)


@router.post("/internal/callback/{topic:path}")
async def take(request: Request) -> Response:
    """The hub tells of a credential."""
    return await serve(request, take_delivery, MAX_BYTES)


@router.post("/auth")
async def auth(request: Request) -> Response:
    """Ask whether a number belongs to somebody."""
    return await serve(request, compare)


def compare(call: Call) -> Response:
    """Yes or no for each field that was sent; never a value."""
    caller = call.allowed("authenticate_person")
    sent = call.parse(AuthAsked).request
    known: dict[Field, str | None] = {
        "name": sent.demographics.name,
        "birthYear": sent.demographics.birth_year,
        "phone": sent.demographics.phone,
    }
    said: dict[Field, str] = {field: value for field, value in known.items() if value is not None}
    done = authenticate(call.rt, caller, sent.tenant_id, sent.individual_id, said, call.now)
    return answer(call, {"authStatus": done.matched, "fields": dict(done.fields), "transactionId": str(done.transaction_id)})
