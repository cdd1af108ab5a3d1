"""The evidence of a report side by side: photos by short-lived links, what the files say of themselves, and the places on a map.

Who may see a photo is decided before: a photo that a query did not return is not shown. Bytes come from the API alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import map as maps
from dashboard.widgets.rows import escape
from pipeline.filestore.store import LINK_TTL_S, Variant
from pipeline.masterdata.geo import haversine_m

SAME_LINK_S = LINK_TTL_S // 2  # reruns within this time name the same address, so that the browser loads a photo once
CLOSEST_ZOOM = 16  # two metres a pixel: places 30 m apart are two dots, and a phone's accuracy is a circle that can be seen
TITLES = {"DOG_PHOTO": "Dog photo", "REPORTER_SELFIE": "Selfie of the reporter", "CAPTURE_PHOTO": "Photo of the capture"}
SAME_PHONE = {True: "Same as the dog photo", False: "Another than the dog photo"}


@dataclass(frozen=True)
class Spot:
    """A place that the evidence names."""

    title: str
    latitude: float
    longitude: float
    colour: str
    accuracy_m: float | None = None


def link(ctx: PageContext, file_id: UUID, variant: Variant = "photo") -> str:
    """A link to a photo that the viewer was found to be allowed to see; good for half a minute at least."""
    at = datetime.fromtimestamp(ctx.now.timestamp() // SAME_LINK_S * SAME_LINK_S, UTC)
    return ctx.api_url + ctx.runtime.files.sign(file_id, variant, at)


def photo(ctx: PageContext, evidence: RowMapping | None, kind: str, zone: ZoneInfo, title: str | None = None) -> None:
    """One photo with when it was taken; says so when there is none to show."""
    title = title or TITLES[kind]
    if evidence is None:
        with st.container(border=True):
            st.caption(f"{title}: none")
        return
    taken = formats.local_time(evidence["captured_at"], zone) if evidence["captured_at"] else "time unknown"
    with st.container(key=f"photo-{kind}"):
        st.image(link(ctx, evidence["file_id"]), caption=f"{title} · {taken}", alt=f"{title}, taken {taken}", width="stretch")


def of_kind(evidence: Sequence[RowMapping], kind: str) -> RowMapping | None:
    """The first photo of a kind."""
    return next((row for row in evidence if row["evidence_type"] == kind), None)


def spots(report: RowMapping, evidence: Sequence[RowMapping]) -> list[Spot]:
    """The places that a report names: the pin, the device, what the dog photo's file says, where the visit ended."""
    found = [Spot("Reported place", report["latitude"], report["longitude"], "red")]
    if report["gps_latitude"] is not None:
        found.append(Spot("Device of the reporter", report["gps_latitude"], report["gps_longitude"], "blue", report["gps_accuracy_m"]))
    dog = of_kind(evidence, "DOG_PHOTO")
    if dog is not None and dog["exif_latitude"] is not None:
        found.append(Spot("Stored in the dog photo", dog["exif_latitude"], dog["exif_longitude"], "green"))
    if report["completed_latitude"] is not None:
        found.append(Spot("Where the visit ended", report["completed_latitude"], report["completed_longitude"], "violet"))
    return found


def place_map(ctx: PageContext, key: str, report: RowMapping, found: Sequence[Spot], height: int = 272) -> None:
    """The places on a map with ward and tenant boundaries, the accuracy of the device as a circle, and what the colours mean."""
    md = ctx.runtime.masterdata.current()
    markers = [
        maps.Marker(spot.title, spot.latitude, spot.longitude, _label(spot), spot.colour, accuracy_m=spot.accuracy_m)
        for spot in reversed(found)  # the reported place is drawn last, so on top
    ]
    maps.draw(
        key,
        boundaries=md.boundary_geojson(report["tenant_id"]),
        markers=markers,
        tiles_url=ctx.runtime.settings.tiles_url,
        height=height,
        closest_zoom=CLOSEST_ZOOM,
    )
    maps.legend({spot.colour: spot.title for spot in found})


def _label(spot: Spot) -> str:
    accuracy = f", ± {formats.distance(spot.accuracy_m)}" if spot.accuracy_m else ""
    return f"{spot.title}: {formats.coordinates(spot.latitude, spot.longitude)}{accuracy}"


def places(found: Sequence[Spot]) -> list[tuple[str, str]]:
    """Each place in figures, with its distance from the reported one."""
    pin = found[0]
    told = []
    for spot in found:
        words = formats.coordinates(spot.latitude, spot.longitude)
        if spot.accuracy_m:
            words += f" (± {formats.distance(spot.accuracy_m)})"
        if spot is not pin:
            words += f", {formats.distance(haversine_m(pin.latitude, pin.longitude, spot.latitude, spot.longitude))} from the pin"
        told.append((spot.title, words))
    return told


def file_facts(evidence: Sequence[RowMapping], zone: ZoneInfo) -> None:
    """What the files of the photos say of themselves, photo beside photo."""
    shown = [row for row in evidence if row["evidence_type"] in TITLES]
    if not shown:
        return
    lines = [_facts(row, shown[0], zone) for row in shown]
    header = "".join(f'<th scope="col">{escape(TITLES[row["evidence_type"]])}</th>' for row in shown)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(line[name])}</td>" for line in lines)}</tr>' for name in lines[0]
    )
    st.html(f'<table class="facts"><thead><tr><th></th>{header}</tr></thead><tbody>{body}</tbody></table>')


def _facts(row: RowMapping, dog: RowMapping, zone: ZoneInfo) -> dict[str, str]:
    return {
        "Taken (satellite)": formats.local_time(row["exif_gps_at"], zone),
        "Taken (camera)": _camera_time(row, zone),
        "Taken (app says)": formats.local_time(row["claimed_at"], zone),
        "Place": formats.coordinates(row["exif_latitude"], row["exif_longitude"]),
        "Camera": str(row["exif_device"] or formats.ABSENT),
        "Software": str(row["exif_software"] or formats.ABSENT),
        "Phone": _phone(row, dog),
        "Size": f"{row['width_px']} × {row['height_px']} px, {_size(row['file_size'])}",
        "Own data (EXIF)": "present" if row["exif_present"] else "removed",
    }


def _phone(row: RowMapping, dog: RowMapping) -> str:
    """Whether one phone took both photos; nothing can be said where a file does not tell its phone."""
    if row is dog or not row["exif_device"] or not dog["exif_device"]:
        return formats.ABSENT
    return SAME_PHONE[row["exif_device"] == dog["exif_device"]]


def _camera_time(row: RowMapping, zone: ZoneInfo) -> str:
    """DateTimeOriginal with its offset; without one it is taken to be local, and said so."""
    taken = row["exif_taken_at"]
    if taken is None:
        return formats.ABSENT
    if row["exif_offset_min"] is None:
        return f"{formats.local_time(taken.replace(tzinfo=zone), zone)} (zone not stored)"
    return formats.local_time(taken.replace(tzinfo=timezone(timedelta(minutes=row["exif_offset_min"]))), zone)


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f} MB" if size_bytes >= 1_000_000 else f"{max(size_bytes // 1000, 1)} kB"
