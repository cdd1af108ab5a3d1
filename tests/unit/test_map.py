"""What a map selects, and that nothing on it can become script. The drawing itself is tested in a browser."""

from hypothesis import given
from hypothesis import strategies as st

from dashboard.widgets import map as maps

GATE = maps.Marker("gate", 11.5886, 43.1456, "School gate")
TWIN = maps.Marker("twin", 11.5886, 43.1456, "The same place")
PORT = maps.Marker("port", 11.6000, 43.1400, "Port", colour="orange", accuracy_m=40.0)
ALL = (GATE, TWIN, PORT)
AROUND_PORT = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [[[43.13, 11.59], [43.15, 11.59], [43.15, 11.61], [43.13, 11.61], [43.13, 11.59]]]},
}
WARD = {"type": "Feature", "properties": {"kind": "ward", "name": "W005"}, "geometry": AROUND_PORT["geometry"]}


def click(marker):
    return {"last_object_clicked": {"lat": marker.latitude, "lng": marker.longitude}}


def test_a_click_selects_every_marker_of_that_place():
    assert maps.selection(click(GATE), ALL, "marker") == maps.Selection(("gate", "twin"))


def test_a_click_beside_every_marker_selects_none():
    assert maps.selection({"last_object_clicked": {"lat": 11.0, "lng": 43.0}}, ALL, "marker") == maps.Selection()


def test_a_drawn_area_selects_what_is_inside_and_wins_over_a_click():
    answer = {**click(GATE), "all_drawings": [AROUND_PORT]}
    assert maps.selection(answer, ALL, "marker or area") == maps.Selection(("port",), by_area=True)


def test_an_area_counts_only_where_areas_are_asked_for():
    assert maps.selection({**click(PORT), "all_drawings": [AROUND_PORT]}, ALL, "marker") == maps.Selection(("port",))
    assert maps.selection({**click(PORT), "all_drawings": [AROUND_PORT]}, ALL, "nothing") == maps.Selection()


def test_an_erased_area_gives_the_click_its_word_back():
    assert maps.selection({**click(PORT), "all_drawings": []}, ALL, "marker or area") == maps.Selection(("port",))


def test_the_view_fits_the_markers_else_the_wards():
    assert maps.bounds_of(None, ALL) == [(11.5886, 43.14), (11.6, 43.1456)]
    assert maps.bounds_of({"features": [WARD]}, ()) == [(11.59, 43.13), (11.61, 43.15)]
    assert maps.bounds_of({"features": []}, ()) is None


def test_every_file_of_a_map_comes_from_the_console():
    drawn = maps.ground(boundaries={"features": [WARD]}, bounds=None, selecting="marker or area", tiles_url=None)
    page = drawn.get_root().render()
    assert "https://" not in page.replace('"https://www.w3.org', "")
    assert "/leaflet/leaflet.js" in page
    assert "/leaflet/draw/leaflet.draw.js" in page


def test_tiles_are_loaded_only_where_they_are_configured():
    with_tiles = maps.ground(boundaries=None, bounds=None, selecting="nothing", tiles_url="https://tiles.example/{z}/{x}/{y}.png")
    assert "tiles.example" in with_tiles.get_root().render()


@given(st.text(max_size=80))
def test_a_label_can_end_neither_the_script_nor_the_tag_that_it_stands_in(label):
    harmless = maps._harmless(label)
    assert not set(harmless) & set("<>`$\\\"'{")
