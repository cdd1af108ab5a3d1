"""Where the person says to be: the device's place on request, or coordinates that are typed; kept for the page."""

import re
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from dashboard import formats
from dashboard.widgets import browser

_COORDINATES = re.compile(r"^\s*(-?\d{1,2}(?:\.\d+)?)\s*[,; ]\s*(-?\d{1,3}(?:\.\d+)?)\s*$")


@dataclass(frozen=True)
class Position:
    """A place that the person gave. `accuracy_m` None: typed."""

    latitude: float
    longitude: float
    accuracy_m: float | None
    at: datetime


def ask(page: str, now: datetime) -> Position | None:
    """The button and the field; returns the place given last on this page, None while there is none."""
    found = browser.device_place(f"{page}.device")
    if found is not None and found != st.session_state.get(f"{page}.device_seen"):
        st.session_state[f"{page}.device_seen"] = found
        st.session_state[f"{page}.place"] = Position(found.latitude, found.longitude, found.accuracy_m, now)
    st.text_input(
        "Or type latitude and longitude", key=f"{page}.typed", placeholder="11.58860, 43.14560", on_change=_typed, args=(page, now)
    )
    if st.session_state.get(f"{page}.typed_wrong"):
        st.caption(":material/error: Two numbers with a comma between them are needed, such as 11.58860, 43.14560.")
    return current(page)


def current(page: str) -> Position | None:
    """The place given last on this page."""
    found = st.session_state.get(f"{page}.place")
    return found if isinstance(found, Position) else None


def parse(text: str, now: datetime) -> Position | None:
    """Typed coordinates, latitude first; None when they are not such."""
    match = _COORDINATES.match(text)
    if match is None:
        return None
    latitude, longitude = float(match.group(1)), float(match.group(2))
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        return None
    return Position(latitude, longitude, None, now)


def words(position: Position) -> str:
    """The place in figures."""
    accuracy = f" (± {formats.distance(position.accuracy_m)})" if position.accuracy_m else ""
    return f"{formats.coordinates(position.latitude, position.longitude)}{accuracy}"


def _typed(page: str, now: datetime) -> None:
    text = str(st.session_state.get(f"{page}.typed") or "")
    found = parse(text, now)
    st.session_state[f"{page}.typed_wrong"] = found is None and bool(text.strip())
    if found is not None:
        st.session_state[f"{page}.place"] = found
