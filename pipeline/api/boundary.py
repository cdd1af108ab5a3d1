"""Where a place is: inside the tenant or not, in which ward and locality."""

from fastapi import APIRouter, Request, Response

from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.packets.contracts.boundary import BoundaryRequest

router = APIRouter(prefix="/location/v1", tags=["Places"])


@router.post("/_boundary")
async def boundary(request: Request) -> Response:
    """Look a place up."""
    return await serve(request, locate)


def locate(call: Call) -> Response:
    """The answer of packet 03/04; outside also how far, and the other tenant that is nearest.

    Boundaries are no secret: any tenant may be asked about.
    """
    call.allowed("locate")
    sent = call.parse(BoundaryRequest)
    tenant = call.md.tenant(sent.tenant_id)
    found = call.md.locate(tenant.id, sent.latitude, sent.longitude)
    answer = {
        "tenantId": tenant.id,
        "name": tenant.name,
        "isWithinBoundary": found.inside,
        "locality": {"code": found.locality.code, "name": found.locality.name} if found.locality else None,
        "ward": {"code": found.ward.code, "name": found.ward.name} if found.ward else None,
        "district": {"code": found.district.code, "name": found.district.name} if found.district else None,
        "distanceFromBoundaryKm": round(found.km_outside, 3),
        "nearestTenant": found.nearest_tenant,
    }
    return ok(call, {"boundary": answer})
