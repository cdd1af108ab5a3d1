"""Maps that draw without internet: Leaflet comes from our own route, wards from our own boundaries, tiles only if configured.

Every script, style and icon of a map is served by this console; markers are vector circles, so no icon or font is fetched.
A map never stands alone: the page shows the same items as a list beside it.
"""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import folium
import streamlit as st
import streamlit_folium
from branca.element import MacroElement
from folium.plugins import Draw
from jinja2 import Template
from shapely.geometry import Point, shape
from shapely.prepared import prep
from streamlit.runtime import get_instance

from dashboard.routes.static import LEAFLET_PATH

MAX_MARKERS = 2000  # beyond this a phone no longer pans smoothly; lists page, maps say so
EDGE_PX = 24  # room between the outermost marker and the edge
CLOSEST_ZOOM = 17  # streets: one marker alone must not fill the map with a few metres
CLOSEST_ZOOM_WITHOUT_TILES = 14  # without streets only wards say where it is, so some of them stay in view
SAME_PLACE = 1e-7  # degrees: about a centimetre, what a coordinate loses on its way through the browser

WARD_COLOUR = "#7d93a5"
OUTLINE_COLOUR = "#33495c"
ACCURACY_COLOUR = "#0b4f8a"
# Okabe and Ito's colours, told apart with any colour vision; the legend says what each means
COLOURS: dict[str, str] = {
    "blue": "#0072b2",
    "orange": "#e69f00",
    "green": "#009e73",
    "violet": "#cc79a7",
    "red": "#d55e00",
    "gray": "#6b7785",
    "sky": "#56b4e9",
}

STYLE = """<style>
.leaflet-container { background: #e6ecf1; border: 1px solid #c9d3dc; border-radius: 6px; box-sizing: border-box;
  font: 14px/1.4 "Source Sans Pro", "Noto Sans", system-ui, sans-serif; }
.leaflet-control-scale-line { font-size: 12px; }
.leaflet-control-scale-line:not(:first-child) { display: none; }
</style>"""  # the scale in metres only

Selecting = Literal["nothing", "marker", "marker or area"]


@dataclass(frozen=True)
class Marker:
    """A thing on the map. `label` is plain text, shown on hover and read out; `accuracy_m` draws the circle it may lie in."""

    id: str
    latitude: float
    longitude: float
    label: str
    colour: str = "blue"  # a key of COLOURS
    selected: bool = False
    accuracy_m: float | None = None


@dataclass(frozen=True)
class Selection:
    """What the person chose last: the markers clicked on, or those inside the drawn areas. Empty when nothing."""

    ids: tuple[str, ...] = ()
    by_area: bool = False


class OfflineMap(folium.Map):
    """A folium map whose files come from this console, without the icon fonts that folium would fetch."""

    default_js = [("leaflet", f"{LEAFLET_PATH}/leaflet.js")]  # noqa: RUF012 - folium's own class attribute
    default_css = [("leaflet_css", f"{LEAFLET_PATH}/leaflet.css")]  # noqa: RUF012


class OfflineDraw(Draw):
    """Leaflet's drawing tools from this console."""

    default_js = [("leaflet_draw_js", f"{LEAFLET_PATH}/draw/leaflet.draw.js")]  # noqa: RUF012
    default_css = [("leaflet_draw_css", f"{LEAFLET_PATH}/draw/leaflet.draw.css")]  # noqa: RUF012


class Dots(MacroElement):
    """Markers as one element that the browser draws in a loop: folium's own cost milliseconds each, so that 500 took seconds.

    A dot is at least 16 px across, and its tooltip is the second way to it.
    """

    _template = Template("""{% macro script(this, kwargs) %}
        {{ this.rows }}.forEach(([lat, lng, label, fill, chosen, accuracy]) => {
            if (accuracy) {
                L.circle([lat, lng], { radius: accuracy, color: "{{ this.accuracy_colour }}", weight: 1, fillOpacity: 0.08,
                    interactive: false }).addTo({{ this.layer }});
            }
            L.circleMarker([lat, lng], { radius: chosen ? 10 : 8, color: chosen ? "#1b2733" : "#ffffff", weight: chosen ? 3 : 1.5,
                fill: true, fillColor: fill, fillOpacity: 0.95 }).bindTooltip(label, { sticky: false }).addTo({{ this.layer }});
        });
    {% endmacro %}""")
    accuracy_colour = ACCURACY_COLOUR

    def __init__(self, markers: Sequence[Marker]) -> None:
        super().__init__()
        self._name = "Dots"
        self.rows = json.dumps(
            [[m.latitude, m.longitude, _harmless(m.label), COLOURS[m.colour], m.selected, m.accuracy_m or 0] for m in markers]
        )

    @property
    def layer(self) -> str:
        """The layer's variable in the script; known only when it is written."""
        return str(self._parent.get_name())


def register() -> None:
    """Make the map's browser part known to the running server; called once at its start.

    Streamlit does so by itself only when the module is first imported inside a page run, which ours is not.
    """
    get_instance().component_registry.register_component(streamlit_folium._component_func)  # noqa: SLF001


def draw(
    key: str,
    *,
    boundaries: Mapping[str, Any] | None,
    markers: Sequence[Marker],
    selecting: Selecting = "nothing",
    tiles_url: str | None = None,
    height: int = 420,
    closest_zoom: int | None = None,
) -> Selection:
    """Draw the wards and the markers, and return what is selected on the map.

    `boundaries` is the GeoJSON of `MasterData.boundary_geojson`; None where a tenant has none. The view fits the markers, else the
    wards, no closer than `closest_zoom` (None: what suits a list of reports). `height` is in pixels. Only the first MAX_MARKERS are
    drawn, and the map says so.
    """
    shown = markers[:MAX_MARKERS]
    answer = streamlit_folium.st_folium(
        ground(
            boundaries=boundaries,
            bounds=bounds_of(boundaries, shown),
            selecting=selecting,
            tiles_url=tiles_url,
            closest_zoom=closest_zoom,
        ),
        feature_group_to_add=marker_layer(shown),  # apart from the ground: a change of markers keeps the view as it is
        key=key,
        height=height,
        use_container_width=True,
        returned_objects=_returned(selecting),
    )
    if len(markers) > MAX_MARKERS:
        st.caption(f"The map shows the first {MAX_MARKERS} of {len(markers)}; filter to see the others.")
    return selection(answer or {}, shown, selecting)


def ground(
    *,
    boundaries: Mapping[str, Any] | None,
    bounds: list[tuple[float, float]] | None,
    selecting: Selecting,
    tiles_url: str | None,
    closest_zoom: int | None = None,
) -> folium.Map:
    """The map without its markers: tiles where configured, wards, drawing tools, and the view to begin with."""
    # attribution is owed to the maker of tiles; without tiles there is none
    built = OfflineMap(tiles=None, prefer_canvas=True, control_scale=True, max_zoom=19, attribution_control=bool(tiles_url))
    built.get_root().header.add_child(folium.Element(STYLE))
    if tiles_url:
        folium.TileLayer(tiles=tiles_url, attr="Map tiles", control=False).add_to(built)
    if boundaries is not None and boundaries.get("features"):
        _add_wards(built, boundaries)
    if selecting == "marker or area":
        OfflineDraw(
            export=False,
            show_geometry_on_click=False,
            draw_options=dict.fromkeys(("polyline", "circle", "marker", "circlemarker"), False),
            edit_options={"edit": False},
        ).add_to(built)
    if bounds is not None:
        closest = closest_zoom or (CLOSEST_ZOOM if tiles_url else CLOSEST_ZOOM_WITHOUT_TILES)
        built.fit_bounds(bounds, padding=(EDGE_PX, EDGE_PX), max_zoom=closest)
    return built


def marker_layer(markers: Sequence[Marker]) -> folium.FeatureGroup:
    """All markers as one layer, the selected ones on top."""
    layer = folium.FeatureGroup(name="markers", control=False)
    layer.add_child(Dots(sorted(markers, key=lambda one: one.selected)))
    return layer


def selection(answer: Mapping[str, Any], markers: Sequence[Marker], selecting: Selecting) -> Selection:
    """What an answer of the map component selects among the markers that were drawn. A drawn area wins over a click."""
    if selecting == "marker or area" and answer.get("all_drawings"):
        areas = [prep(shape(drawing["geometry"])) for drawing in answer["all_drawings"]]
        inside = (m.id for m in markers if any(area.intersects(Point(m.longitude, m.latitude)) for area in areas))
        return Selection(tuple(inside), by_area=True)
    clicked = answer.get("last_object_clicked")
    if selecting == "nothing" or not clicked:
        return Selection()
    return Selection(tuple(m.id for m in markers if _is_at(m, clicked["lat"], clicked["lng"])))


def legend(entries: Mapping[str, str]) -> None:
    """The meaning of the colours in use: words by key of COLOURS."""
    items = "".join(f'<li><i style="background:{COLOURS[colour]}"></i>{html.escape(words)}</li>' for colour, words in entries.items())
    st.html(f'<ul class="map-legend" aria-label="Legend of the map">{items}</ul>')


def _returned(selecting: Selecting) -> list[str]:
    return {"nothing": [], "marker": ["last_object_clicked"], "marker or area": ["last_object_clicked", "all_drawings"]}[selecting]


def _add_wards(built: folium.Map, boundaries: Mapping[str, Any]) -> None:
    """Wards filled and named on hover; a tenant's own outline, which they cover, as a heavier line around them."""
    outlines = [one for one in boundaries["features"] if one["properties"].get("kind") == "tenant"]
    wards = [one for one in boundaries["features"] if one["properties"].get("kind") != "tenant"]
    if not wards:
        wards, outlines = outlines, []
    features = [{**one, "properties": {"name": _harmless(str(one["properties"].get("name", "")))}} for one in wards]
    folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        style_function=lambda _feature: {"color": WARD_COLOUR, "weight": 1.2, "fillColor": "#ffffff", "fillOpacity": 0.9},
        tooltip=folium.GeoJsonTooltip(fields=["name"], labels=False, sticky=True),
        control=False,
    ).add_to(built)
    if outlines:
        folium.GeoJson(
            {"type": "FeatureCollection", "features": [{**one, "properties": {}} for one in outlines]},
            style_function=lambda _feature: {"color": OUTLINE_COLOUR, "weight": 2.5, "fill": False, "interactive": False},
            control=False,
        ).add_to(built)


def _harmless(label: str) -> str:
    """A label as HTML text that also cannot end the script literal which folium puts it into."""
    return html.escape(label).replace("\\", "&#92;").replace("`", "&#96;").replace("$", "&#36;").replace("{", "&#123;")


def bounds_of(boundaries: Mapping[str, Any] | None, markers: Sequence[Marker]) -> list[tuple[float, float]] | None:
    """South-west and north-east corner of the markers, else of the wards; None when there is neither."""
    if markers:
        south, north = min(m.latitude for m in markers), max(m.latitude for m in markers)
        west, east = min(m.longitude for m in markers), max(m.longitude for m in markers)
        return [(south, west), (north, east)]
    if boundaries is None or not boundaries.get("features"):
        return None
    boxes = [shape(feature["geometry"]).bounds for feature in boundaries["features"]]
    return [(min(b[1] for b in boxes), min(b[0] for b in boxes)), (max(b[3] for b in boxes), max(b[2] for b in boxes))]


def _is_at(marker: Marker, latitude: float, longitude: float) -> bool:
    return abs(marker.latitude - latitude) < SAME_PLACE and abs(marker.longitude - longitude) < SAME_PLACE
