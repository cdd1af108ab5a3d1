"""The provider's webhooks: raw bytes in, stored, answered at once; what they mean is a job's work."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.payouts.webhook import MAX_BYTES, receive

router = APIRouter(prefix="/webhook/v1", tags=["Webhooks"])


@router.post("/razorpay")
async def razorpay(request: Request) -> Response:
    """Take an event in."""
    return await serve(request, take_event, MAX_BYTES)


def take_event(call: Call) -> Response:
    """200 for every signed event, new or known; 401 for a wrong signature, 400 for what is no JSON object."""
    receipt = receive(call.rt, call.raw, call.headers, call.now)
    return ok(call, {"event": receipt.event, "fresh": receipt.fresh})
