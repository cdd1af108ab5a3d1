"""The two things that only the browser can do: say where the device is, and show a page from its top.

The scripts are our own, a few lines each, and get no text from anywhere but the numbers and names given here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

WAIT_MS = 20_000  # a cold receiver under trees needs that long; then the person may type the place

_PLACE_CSS = """
button { font: inherit; font-size: .93rem; min-height: 2.5rem; padding: 0 .9rem; cursor: pointer; color: var(--st-text-color);
  border: 1px solid var(--st-border-color); border-radius: 6px; background: var(--st-background-color); }
button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
button:focus-visible { outline: 3px solid #f2a900; outline-offset: 2px; }
span { font-size: .86rem; margin-left: .6rem; color: #8c1d18; }
"""
_PLACE_HTML = '<button type="button">Use the place of this device</button><span role="status"></span>'
_PLACE_JS = """
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const button = parentElement.querySelector("button"), note = parentElement.querySelector("span");
  button.onclick = () => {
    if (!navigator.geolocation) { note.textContent = "This browser cannot tell its place."; return; }
    note.textContent = "Looking for the place of this device";
    navigator.geolocation.getCurrentPosition(
      (found) => {
        note.textContent = "";
        const { latitude, longitude, accuracy } = found.coords;
        setStateValue("place", { latitude, longitude, accuracy, at: found.timestamp });
      },
      () => { note.textContent = "The place could not be read. Allow it in the browser, or type it."; },
      { enableHighAccuracy: true, timeout: data.wait_ms, maximumAge: 60000 },
    );
  };
}
"""
_TOP_JS = """
let shown = null;
export default function (component) {
  if (shown !== component.data && shown !== null) {
    const main = document.querySelector('[data-testid="stMain"]');
    if (main) main.scrollTo({ top: 0 });
  }
  shown = component.data;
}
"""


@dataclass(frozen=True)
class DevicePlace:
    """Where the browser says that the device is. `accuracy_m` is the radius in which it is likely to be."""

    latitude: float
    longitude: float
    accuracy_m: float
    at: datetime


def device_place(key: str) -> DevicePlace | None:
    """A button that asks the browser where the device is; what it answered last, None while it has not.

    A browser answers only on https or on this very machine, and only when the person allows it.
    """
    mount = st.components.v2.component("sdcrs.device_place", html=_PLACE_HTML, css=_PLACE_CSS, js=_PLACE_JS)
    answer: Any = mount(key=key, data={"wait_ms": WAIT_MS}, on_place_change=lambda: None).get("place")
    if not isinstance(answer, dict):
        return None
    try:  # the answer comes from a browser, so it may be anything
        latitude, longitude, accuracy = (float(answer[name]) for name in ("latitude", "longitude", "accuracy"))
        at = datetime.fromtimestamp(float(answer["at"]) / 1000, UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and accuracy >= 0):
        return None
    return DevicePlace(latitude, longitude, accuracy, at)


def from_the_top(what: str) -> None:
    """Scroll to the top of the page whenever `what` is shown there is another than before."""
    mount = st.components.v2.component("sdcrs.from_the_top", js=_TOP_JS)
    mount(key="shell.top", data=what)
