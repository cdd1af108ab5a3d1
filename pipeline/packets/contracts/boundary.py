"""The body of the boundary look-up."""

from pipeline.packets.contracts.common import Request
from pipeline.packets.contracts.fields import Latitude, Longitude, TenantId


class BoundaryRequest(Request):
    """/location/v1/_boundary: is the point inside the tenant, and in which ward and locality."""

    tenant_id: TenantId
    latitude: Latitude
    longitude: Longitude
