"""Choosing a place on the map: a click, the place stored in a photo, or coordinates; and what ward that is."""

from dataclasses import dataclass
from typing import Any

import streamlit as st
import streamlit_folium

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import map as maps
from dashboard.widgets.browser import DevicePlace
from pipeline.masterdata.geo import Place as Located
from pipeline.masterdata.geo import haversine_m

MAP_PX = 320
STREET_ZOOM = 15  # the quarter around the pin stays in view, so that it can be found again without streets


@dataclass(frozen=True)
class Pin:
    """The place that was chosen, in degrees, and how: for the words beside it."""

    latitude: float
    longitude: float
    chosen: str


def choose(ctx: PageContext, key: str, photo: tuple[float, float] | None, device: DevicePlace | None) -> Pin | None:
    """The map with what can be chosen on it; the pin that counts now, None while there is none.

    Until the person chooses, the place stored in the photo counts, else that of the device.
    """
    pin = _chosen(key) or _default(photo, device)
    left, right = st.columns([1.7, 1], gap="medium")
    with left:
        _map(ctx, key, pin, photo, device)
    with right:
        _say(ctx, pin)
        if pin is not None and device is not None:
            apart = haversine_m(pin.latitude, pin.longitude, device.latitude, device.longitude)
            st.caption(f"This device is {formats.distance(apart)} from there (± {formats.distance(device.accuracy_m)}).")
        if photo is not None:
            st.button("Take the photo's place", key=f"{key}.photo", on_click=_set, args=(key, Pin(*photo, "stored in the photo")))
        if device is not None:
            here = Pin(device.latitude, device.longitude, "place of this device")
            st.button("Take this device's place", key=f"{key}.device", on_click=_set, args=(key, here))
        with st.popover("Type coordinates", icon=":material/pin_drop:"):
            _typed(key, pin)
    return pin


def forget(key: str) -> None:
    """Begin anew."""
    for name in (f"{key}.pin", f"{key}.click"):
        st.session_state.pop(name, None)


def _chosen(key: str) -> Pin | None:
    pin: Pin | None = st.session_state.get(f"{key}.pin")
    return pin


def _set(key: str, pin: Pin) -> None:
    st.session_state[f"{key}.pin"] = pin


def _default(photo: tuple[float, float] | None, device: DevicePlace | None) -> Pin | None:
    if photo is not None:
        return Pin(*photo, "stored in the photo")
    return None if device is None else Pin(device.latitude, device.longitude, "place of this device")


def _map(ctx: PageContext, key: str, pin: Pin | None, photo: tuple[float, float] | None, device: DevicePlace | None) -> None:
    md = ctx.runtime.masterdata.current()
    boundaries = md.boundary_geojson(ctx.caller.tenant_id)
    markers = []
    if photo is not None:
        markers.append(maps.Marker("photo", *photo, "Stored in the photo", "green"))
    if device is not None:
        markers.append(maps.Marker("device", device.latitude, device.longitude, "This device", "blue", accuracy_m=device.accuracy_m))
    if pin is not None:
        markers.append(maps.Marker("pin", pin.latitude, pin.longitude, "The dog", "red", selected=True))
    answer = streamlit_folium.st_folium(
        maps.ground(
            boundaries=boundaries,
            bounds=maps.bounds_of(boundaries, markers),
            selecting="nothing",
            tiles_url=ctx.runtime.settings.tiles_url,
            closest_zoom=STREET_ZOOM,
        ),
        feature_group_to_add=maps.marker_layer(markers),
        key=f"{key}.map",
        height=MAP_PX,
        use_container_width=True,
        returned_objects=["last_clicked"],
    )
    maps.legend({"red": "The dog"} | ({"green": "Stored in the photo"} if photo else {}) | ({"blue": "This device"} if device else {}))
    _clicked(key, answer)


def _clicked(key: str, answer: Any) -> None:
    """A click counts once: the map repeats its last one at every rerun."""
    click = (answer or {}).get("last_clicked")
    if click and click != st.session_state.get(f"{key}.click"):
        st.session_state[f"{key}.click"] = click
        _set(key, Pin(float(click["lat"]), float(click["lng"]), "chosen on the map"))
        st.rerun()


def _typed(key: str, pin: Pin | None) -> None:
    latitude = st.number_input("Latitude", -90.0, 90.0, value=pin.latitude if pin else None, format="%.5f", key=f"{key}.latitude")
    longitude = st.number_input("Longitude", -180.0, 180.0, value=pin.longitude if pin else None, format="%.5f", key=f"{key}.longitude")
    if latitude is not None and longitude is not None:
        st.button("Take these", key=f"{key}.typed", on_click=_set, args=(key, Pin(latitude, longitude, "typed")))


def _say(ctx: PageContext, pin: Pin | None) -> None:
    if pin is None:
        st.markdown("Click on the map where the dog is.")
        return
    found = locate(ctx, pin)
    where = f"{formats.coordinates(pin.latitude, pin.longitude)}, {pin.chosen}"
    if not found.inside:
        area = ctx.tenants[ctx.caller.tenant_id]
        st.warning(
            f"{where}: {found.km_outside:.1f} km outside {area}. Reports from there are not accepted.", icon=":material/wrong_location:"
        )
        return
    named = ", ".join(part.name for part in (found.locality, found.ward) if part is not None)
    st.markdown(f"The dog is in **{formats.plain_markdown(named)}**")
    st.caption(where)


def locate(ctx: PageContext, pin: Pin) -> Located:
    """What the place means for the person's own tenant."""
    return ctx.runtime.masterdata.current().locate(ctx.caller.tenant_id, pin.latitude, pin.longitude)
