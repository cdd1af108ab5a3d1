"""/datashare/v1: shares are made by our participants, and downloaded by whoever has their address, some times and for a while."""

from base64 import b64decode
from uuid import UUID

from fastapi import APIRouter, Request, Response

from pipeline.api.call import Call
from pipeline.api.envelope import HEADERS, answer
from pipeline.api.identity_credentials import about_of, refusal, service
from pipeline.api.serving import serve
from pipeline.errors import AppError
from pipeline.identity.datashare import shares
from pipeline.identity.effect import Failed
from pipeline.identity.local import LocalDataShare
from pipeline.identity.messages import ShareRequest
from pipeline.identity.subscribing import own_base
from pipeline.packets.contracts.identity_credentials import ShareAsked

MAX_BYTES = shares.MAX_BYTES * 4 // 3 + 64 * 1024  # in base64, with what stands around it

router = APIRouter(prefix="/datashare/v1", tags=["Data share"])


@router.post("/create/{policy_id}/{subscriber_id}")
async def create(request: Request) -> Response:
    """Share bytes."""
    return await serve(request, create_share, MAX_BYTES)


@router.get("/get/{policy_id}/{subscriber_id}/{key}")
async def download(request: Request) -> Response:
    """Download what was shared."""
    return await serve(request, hand_over)


def create_share(call: Call) -> Response:
    """Packet 24/04: the address. The same share again has the same one."""
    service(call, "datashare")
    sent = call.parse(ShareAsked).request
    try:
        data = b64decode(sent.data, validate=True)
    except ValueError as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="request.data", detail="is not base64") from error
    asked = ShareRequest(
        about=about_of(sent),
        share_id=UUID(sent.share_id),
        policy_id=call.path_params["policy_id"],
        subscriber_id=call.path_params["subscriber_id"],
        valid_minutes=sent.valid_minutes,
        uses=sent.uses,
        signature=sent.signature,
        data=data,
    )
    (outcome,) = LocalDataShare(call.rt, own_base(call.rt.settings)).create([asked])
    if isinstance(outcome, Failed):
        raise refusal(outcome)
    return answer(call, {"url": outcome.url, "signature": outcome.signature})


def hand_over(call: Call) -> Response:
    """The bytes, at the price of one use; 410 when the share is over."""
    params = call.path_params
    (data,) = shares.fetch(call.rt, [(params["policy_id"], params["subscriber_id"], params["key"])], call.now)
    if isinstance(data, AppError):
        raise data
    return Response(data, 200, HEADERS, "application/jose")
