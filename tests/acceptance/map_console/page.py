"""One map with two wards, three markers and the drawing tools; what is selected is written beside it."""

import streamlit as st

from dashboard.widgets import map as maps

WARDS = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "properties": {"name": "North <b>`${1}"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[43.10, 11.56], [43.16, 11.56], [43.16, 11.62], [43.10, 11.62], [43.10, 11.56]]],
            },
        },
        {
            "type": "Feature",
            "properties": {"name": "South"},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[43.10, 11.50], [43.16, 11.50], [43.16, 11.56], [43.10, 11.56], [43.10, 11.50]]],
            },
        },
    ],
}
MARKERS = [
    maps.Marker("one", 11.59, 43.12, "DR-1 <script>alert(1)</script> `${alert(1)}`", "orange", accuracy_m=300),
    maps.Marker("two", 11.57, 43.14, "DR-2", "blue"),
    maps.Marker("three", 11.53, 43.13, "DR-3", "green", selected=True),
]

st.set_page_config(layout="wide")
chosen = maps.draw("map", boundaries=WARDS, markers=MARKERS, selecting="marker or area")
maps.legend({"orange": "To verify", "blue": "Verified", "green": "Resolved"})
st.text(f"chosen: {', '.join(sorted(chosen.ids)) or 'nothing'}{' by area' if chosen.by_area else ''}")
