"""/websub/hub: the hub's one address, as W3C WebSub has it, and publishing by our own participants."""

from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response

from pipeline.api.call import Call
from pipeline.api.envelope import HEADERS, answer
from pipeline.api.identity_credentials import refusal, service
from pipeline.api.serving import serve
from pipeline.errors import AppError
from pipeline.identity.effect import Failed
from pipeline.identity.local import LocalHub
from pipeline.identity.messages import JSON, About, Publication
from pipeline.identity.subscribing import own_base
from pipeline.identity.websub import hub
from pipeline.packets.contracts.common import as_uuid

MAX_BYTES = 64 * 1024  # an event has some 900 bytes, a wish less
MAX_FIELDS = 20
NOTHING = UUID(int=0)  # the request id of a publication is not known to the hub: it writes no header of it

router = APIRouter(prefix="/websub", tags=["Hub"])


@router.post("/hub")
async def ask(request: Request) -> Response:
    """Subscribe, unsubscribe or publish."""
    return await serve(request, take, MAX_BYTES)


def take(call: Call) -> Response:
    """202 for a wish, which the hub then verifies at the callback; 200 for an event that is kept."""
    if call.query.get("hub.mode") == "publish":
        return publish(call)
    wish = hub.read_ask(_form(call))
    if not hub.may_subscribe(call.rt, wish.callback, own_base(call.rt.settings)):
        raise AppError("SDCRS_CALLBACK_NOT_ALLOWED")
    with call.rt.database.worker() as conn:
        hub.ask(conn, call.rt, wish, call.now)
    return Response(b"", 202, HEADERS)


def publish(call: Call) -> Response:
    """Keep an event of one of our participants. Its id is the Idempotency-Key: sent again, it is the same event."""
    service(call, "websub")
    event_id = as_uuid(call.headers.get("idempotency-key", ""))
    registration_id = as_uuid(call.query.get("registrationId", ""))
    if event_id is None or registration_id is None:
        raise AppError("SDCRS_INVALID_REQUEST", field="Idempotency-Key, registrationId", detail="must be UUIDs")
    tenant = call.md.tenant(call.query.get("tenantId", ""))
    content_type = call.headers.get("content-type", JSON)[:100]
    about = About(tenant.id, registration_id, NOTHING)
    again = call.query.get("again") == "true"
    event = Publication(about, event_id, call.query.get("hub.topic", "")[: hub.MAX_TOPIC], call.raw, (), content_type, again)
    (outcome,) = LocalHub(call.rt).publish([event])
    if isinstance(outcome, Failed):
        raise refusal(outcome)
    return answer(call, {"eventId": str(event_id)})


def _form(call: Call) -> dict[str, Any]:
    """The form's fields. Raises SDCRS_INVALID_REQUEST for a body that is no form."""
    if call.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise AppError("SDCRS_INVALID_REQUEST", field="Content-Type", detail="must be application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(call.raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="body", detail="is no form") from error
    if any("\x00" in value for _, value in pairs):
        raise AppError("SDCRS_INVALID_REQUEST", field="body", detail="holds a NUL")
    return dict(pairs)
