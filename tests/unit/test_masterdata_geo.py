"""Places: the shipped boundaries, and distances that are true on the globe."""

import json
import math

import numpy as np
import pytest
import shapely
from shapely.geometry import shape

from pipeline.masterdata.files import load_folder
from pipeline.masterdata.geo import Area, TenantBoundary, haversine_m
from pipeline.masterdata.master import MasterData

VILLE = "dj.djibouti-ville"


@pytest.fixture(scope="module")
def md() -> MasterData:
    return load_folder()


def test_the_packets_place_is_in_ward_5_of_djibouti_centre(md):
    place = md.locate(VILLE, 11.5886, 43.1456)
    assert (place.inside, place.km_outside, place.nearest_tenant) == (True, 0.0, None)
    assert (place.ward.code, place.ward.name) == ("W005", "Ward 5")
    assert (place.locality.code, place.locality.name) == ("DJC001", "Djibouti Centre")
    assert (place.district.code, place.district.name) == ("DJ01", "Djibouti-Ville")


def test_a_place_in_the_gulf_is_outside_and_the_neighbour_is_named(md):
    place = md.locate(VILLE, 11.85, 43.50)
    assert not place.inside
    assert place.km_outside == pytest.approx(45.6, abs=0.1)
    assert place.nearest_tenant == "dj.ali-sabieh"
    assert (place.ward, place.locality, place.district) == (None, None, None)
    assert not md.locate("dj", 11.85, 43.50).inside


def test_a_place_in_a_neighbour_is_outside_and_that_neighbour_is_nearest(md):
    place = md.locate("ncr.new-delhi", 28.5200, 77.2150)
    assert (place.inside, place.nearest_tenant) == (False, "ncr.south-delhi")
    assert 0 < place.km_outside < 10
    assert md.locate("ncr", 28.5200, 77.2150).ward.code == "W201"


def test_a_place_in_the_hole_is_outside_but_close(md):
    boundary = next(f for f in md.boundary_geojson("ncr.south-delhi")["features"] if f["properties"]["kind"] == "tenant")
    hole = shape({"type": "Polygon", "coordinates": [boundary["geometry"]["coordinates"][1]]})
    middle = hole.representative_point()
    place = md.locate("ncr.south-delhi", middle.y, middle.x)
    assert not place.inside
    assert 0 < place.km_outside < 2
    assert place.nearest_tenant is not None


def test_a_detached_part_belongs_to_its_tenant(md):
    assert md.locate("ncr.noida", 28.1230, 77.5560).ward.name == "Jewar"
    assert not md.locate("ncr.noida", 28.3000, 77.5500).inside


def test_the_edge_itself_is_inside(md):
    boundary = next(f for f in md.boundary_geojson(VILLE)["features"] if f["properties"]["kind"] == "tenant")
    for longitude, latitude in boundary["geometry"]["coordinates"][0]:
        assert md.locate(VILLE, latitude, longitude).inside


def test_wards_tile_their_tenant_and_neighbours_adjoin(md):
    for tenant_id in md.leaves():
        features = md.boundary_geojson(tenant_id)["features"]
        outline = shape(features[0]["geometry"])
        wards = [shape(feature["geometry"]) for feature in features[1:]]
        assert shapely.coverage_is_valid(wards)
        assert shapely.union_all(wards).symmetric_difference(outline).area < 1e-12
    for state in ("dj", "ncr"):
        outlines = [shape(f["geometry"]) for f in md.boundary_geojson(state)["features"] if f["properties"]["kind"] == "tenant"]
        assert shapely.coverage_is_valid(outlines)
        assert shapely.union_all(outlines).geom_type == ("Polygon" if state == "dj" else "MultiPolygon")  # Jewar lies apart


def test_every_ward_has_a_locality_and_codes_are_unique_in_a_state(md):
    for state in ("dj", "ncr"):
        wards, localities = md.wards(state), md.localities(state)
        assert len({ward.code for ward in wards}) == len(wards)
        assert len({place.code for place in localities}) == len(localities)
        assert {place.ward_code for place in localities} == {ward.code for ward in wards}
    assert [ward.code for ward in md.wards(VILLE)] == ["W005", "W006", "W007", "W008", "W009"]
    assert {"Djibouti Centre", "Arhiba", "Boulaos", "Ambouli"} <= {place.name for place in md.localities(VILLE)}


def test_every_locality_is_found_at_its_own_middle(md):
    for tenant_id in md.leaves():
        for locality in md.localities(tenant_id):
            place = md.locate(tenant_id, locality.latitude, locality.longitude)
            assert (place.ward.code, place.locality.code) == (locality.ward_code, locality.code)


def test_shapes_are_modest_and_kept_to_five_decimals(md):
    for state in ("dj", "ncr"):
        for feature in md.boundary_geojson(state)["features"]:
            geometry = shape(feature["geometry"])
            assert shapely.get_num_coordinates(geometry) <= 60
            assert np.array_equal(shapely.get_coordinates(geometry).round(5), shapely.get_coordinates(geometry))


def test_the_map_data_is_plain_geojson(md):
    text = json.dumps(md.boundary_geojson("dj"))
    kinds = [feature["properties"]["kind"] for feature in json.loads(text)["features"]]
    assert kinds.count("tenant") == 2
    assert kinds.count("ward") == 9


# from, to, metres as known from a quarter of the meridian, a degree of the equator, and two cities
DISTANCES = [
    ((0, 0), (0, 0), 0),
    ((0, 0), (1, 0), 111_195),
    ((0, 0), (0, 1), 111_195),
    ((60, 0), (60, 1), 55_597),
    ((0, 0), (90, 0), 10_007_557),
    ((28.6139, 77.2090), (19.0760, 72.8777), 1_148_100),
    ((0, 0), (0, 180), 20_015_115),
]


@pytest.mark.parametrize(("here", "there", "metres"), DISTANCES)
def test_haversine_is_true_on_the_globe(here, there, metres):
    assert haversine_m(*here, *there) == pytest.approx(metres, rel=1e-4, abs=1)
    assert haversine_m(*there, *here) == pytest.approx(haversine_m(*here, *there))


def test_the_distance_to_the_edge_is_that_of_the_nearest_of_many_points_on_it():
    source = TenantBoundary.model_validate_json(json.dumps(_square(28.0, 77.0, 0.2)), strict=True)
    area = Area("x", source)
    ring = shapely.segmentize(area.geometry, 0.0005)
    for latitude, longitude in [(28.5, 77.1), (27.2, 76.1), (28.1, 78.0), (28.1, 77.05), (29.0, 78.2)]:
        walked = min(haversine_m(latitude, longitude, y, x) for x, y in shapely.get_coordinates(ring))
        assert area.edge_m(latitude, longitude) == pytest.approx(walked, rel=2e-3)


def test_a_degree_of_longitude_counts_less_than_one_of_latitude():
    area = Area("x", TenantBoundary.model_validate_json(json.dumps(_square(60.0, 10.0, 1.0)), strict=True))
    # 0.12 degrees west of the edge is nearer than 0.1 degrees south of it, since the meridians close up
    assert area.edge_m(60.1, 9.88) == pytest.approx(111_195 * 0.12 * math.cos(math.radians(60.1)), rel=1e-3)


def _square(south: float, west: float, side: float) -> dict[str, object]:
    ring = [[west, south], [west + side, south], [west + side, south + side], [west, south + side], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {
        "districts": [{"code": "D", "name": "D"}],
        "localities": [],
        "boundary": geometry,
        "wards": [{"code": "W", "name": "W", "districtCode": "D", "geometry": geometry}],
    }
