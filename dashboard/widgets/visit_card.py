"""One report as the officer who visits it sees it, and the commands of a visit. Who reported is not known here.

Made for a phone first: one card a report, large buttons, and the photo straight from the camera.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import evidence, position, sla
from dashboard.widgets import map as maps
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import place
from pipeline.errors import AppError
from pipeline.filestore.upload import upload
from pipeline.masterdata.geo import haversine_m
from pipeline.masterdata.master import MasterData
from pipeline.reports.actions import act
from pipeline.reports.update import Update

PAGE = "visits"
FAR_M = 200  # further than a street away: worth a word before it is recorded
MAP_HEIGHT_PX = 260
CAPTURED, NOT_FOUND = "Dog captured", "Dog not found"
CAMERA, FILE = "Camera", "File"
HERE, AT_PIN = "My position", "The reported place"


@dataclass(frozen=True)
class Subject:
    """A report as it was shown when a button was drawn."""

    report_id: UUID
    version: int
    number: str
    tenant_id: str
    latitude: float
    longitude: float


class IncompleteFormError(Exception):
    """A form that lacks something; the sentence says what."""


def card(ctx: PageContext, row: RowMapping, mine: position.Position | None, is_open: bool) -> None:
    """One report to visit; opened, with its photo, its map and what the officer may do."""
    md = ctx.runtime.masterdata.current()
    subject = Subject(row["id"], row["version"], row["report_number"], row["tenant_id"], row["latitude"], row["longitude"])
    with st.container(border=True, key=f"visit-{row['report_number']}"):
        _head(ctx, md, row, mine)
        if is_open:
            _evidence(ctx, md, row, mine)
        if row["status"] == "ASSIGNED":
            _to_start(subject, is_open)
        elif is_open:
            _to_end(md, subject, mine)
        else:
            st.button(
                "End this visit", type="primary", key=f"visits.open.{subject.number}", width="stretch", on_click=_open, args=(subject,)
            )
        told: tuple[str, str] | None = st.session_state.get("visits.problem")
        if told is not None and told[0] == subject.number:
            st.error(formats.plain_markdown(told[1]), icon=":material/error:")


def attempt(ctx: PageContext, command: Callable[[PageContext, Subject], str], subject: Subject) -> str | None:
    """Carry out a command; what stops it is shown at its button, which on a phone is far from the top of the page."""
    st.session_state["visits.problem"] = None
    try:
        return command(ctx, subject)
    except AppError as error:
        sentence = error.message
    except IncompleteFormError as error:
        sentence = str(error)
    st.session_state["visits.problem"] = (subject.number, sentence)
    return None


def problem(shown: Collection[str]) -> tuple[str, str] | None:
    """What stopped the last command, as report number and sentence, when its report is not (or no longer) among those shown."""
    found: tuple[str, str] | None = st.session_state.get("visits.problem")
    return None if found is None or found[0] in shown else found


def start(ctx: PageContext, subject: Subject) -> str:
    """The officer sets out; the place is recorded when it was given."""
    here = position.current(PAGE)
    fields = {} if here is None else {"latitude": here.latitude, "longitude": here.longitude}
    _act(ctx, Update(subject.report_id, "START_FIELD_VISIT", version=subject.version, fields=fields))
    _open(subject)
    return f"The visit of {subject.number} has started."


def captured(ctx: PageContext, subject: Subject) -> str:
    """End the visit with a photo of the captured dog."""
    number = subject.number
    photo = _field(number, "camera") if _field(number, "from") == CAMERA else _field(number, "file")
    spot = _spot(subject)
    if photo is None:
        raise IncompleteFormError("Take a photo of the captured dog, or choose one, before you end the visit.")
    if spot is None:
        raise IncompleteFormError("Say where you are.")
    name = photo.name if "." in photo.name else f"{photo.name}.jpg"
    (stored,) = upload(ctx.runtime, ctx.caller, subject.tenant_id, "SDCRS", "capture-evidence", [(name, photo.getvalue())])
    fields = {
        "capture_file_id": stored.id,
        "resolution_type": _field(number, "resolution"),
        "resolution_remarks": _remarks(number),
        "latitude": spot[0],
        "longitude": spot[1],
    }
    _act(ctx, Update(subject.report_id, "MARK_CAPTURED", _remarks(number), subject.version, fields))
    _close()
    return f"{number}: the dog is captured. The payout to the teacher follows by itself."


def not_found(ctx: PageContext, subject: Subject) -> str:
    """End the visit without a dog, with the reason."""
    number = subject.number
    spot = _spot(subject)
    reason = _field(number, "reason")
    if reason is None:
        raise IncompleteFormError("Choose why the dog was not found.")
    if spot is None:
        raise IncompleteFormError("Say where you are.")
    fields = {
        "unable_reason": reason,
        "resolution_type": _field(number, "ending"),
        "resolution_remarks": _remarks(number),
        "latitude": spot[0],
        "longitude": spot[1],
    }
    _act(ctx, Update(subject.report_id, "MARK_UNABLE_TO_LOCATE", _remarks(number), subject.version, fields))
    _close()
    return f"{number} is ended: the dog was not found."


def distance_m(row: RowMapping, mine: position.Position | None) -> float | None:
    """Metres from the officer's place to the reported one; None while the officer has given none."""
    return None if mine is None else haversine_m(mine.latitude, mine.longitude, row["latitude"], row["longitude"])


def _head(ctx: PageContext, md: MasterData, row: RowMapping, mine: position.Position | None) -> None:
    kind = md.report_types(row["tenant_id"], retired=True).get(row["service_type"])
    allowed_s = md.workflow(row["tenant_id"]).states[row["status"]].sla_s
    spent = (ctx.now - row["state_entered_at"]).total_seconds()
    band = sla.band_of(spent, allowed_s)
    due = mark(f"{band.label}, {sla.due_words(spent, allowed_s)}", band.colour) if band else ""
    away = distance_m(row, mine)
    told = [place(row), " · ".join(part for part in (row["locality"], row["ward"]) if part)]
    dogs = [f"{row['dog_count']} dogs" if (row["dog_count"] or 0) > 1 else "", "aggressive" if row["is_aggressive"] else ""]
    note = ", ".join(part for part in dogs if part)
    photo = "" if row["file_id"] is None else f'<img src="{escape(evidence.link(ctx, row["file_id"], "thumbnail"))}" alt="Dog photo">'
    st.html(
        f'<div class="visit">{photo}<div><p class="visit-top"><strong>{escape(row["report_number"])}</strong> '
        f"{mark(*formats.STATUS[row['status']])} {due}</p>"
        f"<p><b>{escape(kind.name if kind else formats.words(row['service_type']))}</b>{escape(', ' + note if note else '')}</p>"
        f"<p>{'<br>'.join(escape(line) for line in told if line)}</p>"
        + (f"<p><b>{escape(formats.distance(away))}</b> from you</p>" if away is not None else "")
        + "</div></div>"
    )


def _evidence(ctx: PageContext, md: MasterData, row: RowMapping, mine: position.Position | None) -> None:
    st.text(row["description"])
    if row["file_id"] is not None:
        with st.container(key=f"visit-photo-{row['report_number']}"):
            st.image(evidence.link(ctx, row["file_id"]), alt="Photo of the dog, from the report", width="stretch")
    markers = [maps.Marker("pin", row["latitude"], row["longitude"], "Reported place", "red")]
    if mine is not None:
        markers.append(maps.Marker("me", mine.latitude, mine.longitude, "You", "blue", accuracy_m=mine.accuracy_m))
    maps.draw(
        f"visits.map.{row['report_number']}",
        boundaries=md.boundary_geojson(row["tenant_id"]),
        markers=markers,
        tiles_url=ctx.runtime.settings.tiles_url,
        height=MAP_HEIGHT_PX,
    )
    maps.legend({"red": "Reported place"} | ({"blue": "You"} if mine is not None else {}))
    spot = f"{row['latitude']:.6f},{row['longitude']:.6f}"
    st.link_button(
        f"Open {formats.coordinates(row['latitude'], row['longitude'])} in the maps app",
        f"geo:{spot}?q={spot}",  # a phone's own maps, without a map service of our choice
        icon=":material/directions:",
        width="stretch",
    )


def _to_start(subject: Subject, is_open: bool) -> None:
    with st.container(horizontal=True):
        st.button(
            "Start visit",
            type="primary",
            key=f"visits.start.{subject.number}",
            width="stretch",
            on_click=perform,
            args=(partial(attempt, command=start, subject=subject),),
        )
        st.button(
            "Hide details" if is_open else "Photo and map",
            key=f"visits.look.{subject.number}",
            width="stretch",
            on_click=_close if is_open else _open,
            args=() if is_open else (subject,),
        )


def _to_end(md: MasterData, subject: Subject, mine: position.Position | None) -> None:
    number = subject.number
    ending = st.segmented_control(
        "How did the visit end?", [CAPTURED, NOT_FOUND], default=CAPTURED, required=True, key=_key(number, "how"), width="stretch"
    )
    if ending == CAPTURED:
        _photo(number)
        kinds = {code: kind for code, kind in md.resolution_types(subject.tenant_id).items() if kind.triggers_payout}
        st.selectbox("What was done", list(kinds), format_func=lambda code: kinds[code].name, key=_key(number, "resolution"))
    else:
        reasons = md.unable_reasons(subject.tenant_id)
        st.radio(
            "Why was the dog not found?",
            list(reasons),
            index=None,
            format_func=lambda code: reasons[code].name,
            captions=[reason.description for reason in reasons.values()],
            key=_key(number, "reason"),
        )
        endings = {code: kind for code, kind in md.resolution_types(subject.tenant_id).items() if not kind.triggers_payout}
        st.selectbox("The report ends as", list(endings), format_func=lambda code: endings[code].name, key=_key(number, "ending"))
    _where(subject, mine)
    st.text_area("Remarks", key=_key(number, "remarks"), max_chars=500, height=80)
    command, words = (captured, "End the visit: dog captured") if ending == CAPTURED else (not_found, "End the visit: dog not found")
    st.button(
        words,
        type="primary",
        key=f"visits.end.{number}",
        width="stretch",
        on_click=perform,
        args=(partial(attempt, command=command, subject=subject),),
    )


def _photo(number: str) -> None:
    """A photo from the phone's own camera app is a file: it keeps its time and place. The page's camera keeps neither."""
    source = st.segmented_control(
        "Photo of the captured dog", [FILE, CAMERA], default=FILE, required=True, key=_key(number, "from"), width="stretch"
    )
    if source == CAMERA:
        st.camera_input("Take the photo", key=_key(number, "camera"), label_visibility="collapsed")
    else:
        st.file_uploader(
            "Take or choose the photo",
            type=["jpg", "jpeg", "png"],
            max_upload_size=10,
            key=_key(number, "file"),
            label_visibility="collapsed",
        )


def _where(subject: Subject, mine: position.Position | None) -> None:
    """Where it ended: the officer says so, nothing is assumed."""
    options = [AT_PIN] if mine is None else [HERE, AT_PIN]
    st.radio("Where are you?", options, index=0 if mine is not None else None, key=_key(subject.number, "where"), horizontal=True)
    if mine is None:
        st.caption("Give your position at the top of the page to record it instead.")
        return
    away = haversine_m(mine.latitude, mine.longitude, subject.latitude, subject.longitude)
    caution = ":material/warning: " if away > FAR_M else ""
    st.caption(f"{caution}Your position: {position.words(mine)}, {formats.distance(away)} from the reported place.")


def _spot(subject: Subject) -> tuple[float, float] | None:
    chosen = _field(subject.number, "where")
    here = position.current(PAGE)
    if chosen == HERE and here is not None:
        return here.latitude, here.longitude
    return (subject.latitude, subject.longitude) if chosen == AT_PIN else None


def _act(ctx: PageContext, update: Update) -> None:
    """Raises what the door refuses."""
    with ctx.begin() as conn:
        (outcome,) = act(conn, ctx.runtime.masterdata.current(), ctx.caller, [update], ctx.now)
    if outcome.error is not None:
        raise outcome.error


def _key(number: str, name: str) -> str:
    return f"visits.{name}.{number}"


def _field(number: str, name: str) -> Any:
    return st.session_state.get(_key(number, name))


def _remarks(number: str) -> str | None:
    return str(_field(number, "remarks") or "").strip() or None


def _open(subject: Subject) -> None:
    st.session_state["visits.open"] = subject.number


def _close() -> None:
    st.session_state["visits.open"] = None
