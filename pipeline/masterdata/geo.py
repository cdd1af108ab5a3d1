"""Where a place is: inside which tenant, ward and locality, and how far outside when it is outside.

Places are degrees on WGS 84, latitude first in arguments and longitude first in GeoJSON. Distances are metres or
kilometres along the ground by the haversine formula.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import shapely
from pydantic import Field
from shapely.geometry import shape

from pipeline.masterdata.base import Strict
from pipeline.masterdata.tenants import TenantTree

EARTH_RADIUS_M = 6_371_008.8  # the mean radius of WGS 84

Longitude = Annotated[float, Field(ge=-180, le=180)]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Position = tuple[Longitude, Latitude]
Ring = Annotated[tuple[Position, ...], Field(min_length=4)]  # a triangle, closed
Rings = Annotated[tuple[Ring, ...], Field(min_length=1)]  # the outline, then the holes


class PolygonShape(Strict):
    """A GeoJSON polygon."""

    type: Literal["Polygon"]
    coordinates: Rings


class MultiPolygonShape(Strict):
    """A GeoJSON polygon of several parts."""

    type: Literal["MultiPolygon"]
    coordinates: Annotated[tuple[Rings, ...], Field(min_length=1)]


Shape = Annotated[PolygonShape | MultiPolygonShape, Field(discriminator="type")]


class District(Strict):
    """An administrative district."""

    code: str
    name: str


class WardEntry(Strict):
    """A ward as the document has it."""

    code: str
    name: str
    district_code: str
    geometry: Shape


class Locality(Strict):
    """A quarter of a ward, known by its middle: a place belongs to the nearest one of its ward."""

    code: str
    name: str
    ward_code: str
    latitude: Latitude
    longitude: Longitude


class TenantBoundary(Strict):
    """One tenant's area and what it is made of. The wards tile the area."""

    districts: tuple[District, ...] = Field(min_length=1)
    localities: tuple[Locality, ...]
    boundary: Shape
    wards: tuple[WardEntry, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Ward:
    """A ward and the district it lies in. Codes are unique within a state."""

    code: str
    name: str
    tenant_id: str
    district: District


@dataclass(frozen=True)
class Place:
    """What a position means for a tenant. Outside it, ward, locality and district are None."""

    inside: bool
    km_outside: float  # to the nearest point of the tenant's edge; 0 inside
    nearest_tenant: str | None  # outside: the other tenant of the state that contains the place or is nearest to it
    ward: Ward | None = None
    locality: Locality | None = None
    district: District | None = None


def haversine_m(latitude_1: float, longitude_1: float, latitude_2: float, longitude_2: float) -> float:
    """Metres between two positions along the ground."""
    phi_1, phi_2 = math.radians(latitude_1), math.radians(latitude_2)
    half_lat = math.sin((phi_2 - phi_1) / 2)
    half_lon = math.sin(math.radians(longitude_2 - longitude_1) / 2)
    a = half_lat * half_lat + math.cos(phi_1) * math.cos(phi_2) * half_lon * half_lon
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(a)))


class Area:
    """One tenant's boundary, prepared for many questions."""

    def __init__(self, tenant_id: str, source: TenantBoundary) -> None:
        districts = {district.code: district for district in source.districts}
        self.tenant_id = tenant_id
        self.source = source
        self.geometry = shape(source.boundary.model_dump())
        self.wards = tuple(Ward(entry.code, entry.name, tenant_id, districts[entry.district_code]) for entry in source.wards)
        shapely.prepare(self.geometry)
        self._ward_tree = shapely.STRtree([shape(entry.geometry.model_dump()) for entry in source.wards])
        parts = [source.boundary.coordinates] if isinstance(source.boundary, PolygonShape) else source.boundary.coordinates
        self._rings = [np.array(ring, dtype=float) for part in parts for ring in part]

    def contains(self, latitude: float, longitude: float) -> bool:
        """Whether the place is inside or exactly on the edge."""
        return bool(shapely.intersects_xy(self.geometry, longitude, latitude))

    def ward_at(self, latitude: float, longitude: float) -> Ward | None:
        """The ward; the first by code on the edge of two."""
        hits = self._ward_tree.query(shapely.Point(longitude, latitude), predicate="intersects")
        return min((self.wards[i] for i in hits), key=lambda ward: ward.code, default=None)

    def locality_at(self, ward: Ward, latitude: float, longitude: float) -> Locality | None:
        """The locality of the ward whose middle is nearest."""
        return min(
            (entry for entry in self.source.localities if entry.ward_code == ward.code),
            key=lambda entry: haversine_m(latitude, longitude, entry.latitude, entry.longitude),
            default=None,
        )

    def edge_m(self, latitude: float, longitude: float) -> float:
        """Metres to the nearest point of any ring, holes included.

        The nearest point of each ring is found in a plane laid at the place, which is true to a few metres over the
        hundred kilometres that matter, and its distance is then taken on the globe.
        """
        squeeze = math.cos(math.radians(latitude))  # a degree of longitude is shorter than one of latitude
        nearest = math.inf
        for ring in self._rings:
            x, y = (ring[:, 0] - longitude) * squeeze, ring[:, 1] - latitude
            dx, dy = np.diff(x), np.diff(y)
            length = dx * dx + dy * dy
            along = np.clip(-(x[:-1] * dx + y[:-1] * dy) / np.where(length == 0, 1, length), 0, 1)
            px, py = x[:-1] + along * dx, y[:-1] + along * dy
            best = int(np.argmin(px * px + py * py))
            nearest = min(nearest, haversine_m(latitude, longitude, latitude + py[best], longitude + px[best] / squeeze))
        return nearest


class Geography:
    """All tenants' areas."""

    def __init__(self, tree: TenantTree, boundaries: Mapping[str, TenantBoundary]) -> None:
        self._tree = tree
        self._areas = {tenant_id: Area(tenant_id, source) for tenant_id, source in boundaries.items()}

    def areas(self, tenant_id: str) -> tuple[Area, ...]:
        """The areas of a tenant: its own, or those of all tenants below it. Raises SDCRS_NOT_FOUND."""
        return tuple(self._areas[below] for below in self._tree.descendants(tenant_id) if below in self._areas)

    def locate(self, tenant_id: str, latitude: float, longitude: float) -> Place:
        """What the position means for the tenant. Raises SDCRS_NOT_FOUND for an unknown tenant."""
        own = self.areas(tenant_id)
        for area in own:
            if area.contains(latitude, longitude):
                ward = area.ward_at(latitude, longitude)
                if ward is None:
                    return Place(True, 0.0, None)
                return Place(True, 0.0, None, ward, area.locality_at(ward, latitude, longitude), ward.district)
        outside_m = min((area.edge_m(latitude, longitude) for area in own), default=math.inf)
        return Place(False, outside_m / 1000, self._nearest_other(tenant_id, latitude, longitude))

    def inside(self, tenant_id: str, latitudes: Sequence[float], longitudes: Sequence[float]) -> list[bool]:
        """Which of many positions lie inside the tenant or on its edge; at once, which costs a hundredth of one by one."""
        found = np.zeros(len(latitudes), dtype=bool)
        for area in self.areas(tenant_id):
            found |= shapely.intersects_xy(area.geometry, np.asarray(longitudes), np.asarray(latitudes))
        return [bool(one) for one in found]

    def _nearest_other(self, tenant_id: str, latitude: float, longitude: float) -> str | None:
        mine = set(self._tree.descendants(tenant_id))
        others = [area for area in self.areas(self._tree.get(tenant_id).state_id) if area.tenant_id not in mine]
        for area in others:
            if area.contains(latitude, longitude):
                return area.tenant_id
        return min(others, key=lambda area: area.edge_m(latitude, longitude)).tenant_id if others else None

    def feature_collection(self, tenant_id: str) -> dict[str, Any]:
        """GeoJSON for a map: one feature for each tenant's outline and one for each ward, told apart by `kind`."""
        features: list[dict[str, Any]] = []
        for area in self.areas(tenant_id):
            name = self._tree.get(area.tenant_id).name
            features.append(_feature("tenant", area.tenant_id, area.tenant_id, name, area.source.boundary))
            features.extend(_feature("ward", area.tenant_id, entry.code, entry.name, entry.geometry) for entry in area.source.wards)
        return {"type": "FeatureCollection", "features": features}


def _feature(kind: str, tenant_id: str, code: str, name: str, geometry: PolygonShape | MultiPolygonShape) -> dict[str, Any]:
    properties = {"kind": kind, "tenantId": tenant_id, "code": code, "name": name}
    return {"type": "Feature", "properties": properties, "geometry": geometry.model_dump()}


def uncovered_share(whole: Shape, parts: Sequence[Shape]) -> float:
    """How far the parts are from tiling the whole: missing plus overhanging plus overlapping area, as a share of it."""
    target = shape(whole.model_dump())
    pieces = [shape(part.model_dump()) for part in parts]
    union = shapely.union_all(pieces)
    overlap = sum(piece.area for piece in pieces) - union.area
    return float((target.symmetric_difference(union).area + overlap) / target.area)
