"""A teacher's new report in the console: two photos, what and where, sent through the same intake as the app's.

Nothing is decided here: what the form says in advance (limits, a place outside) the services say again, and they count.
"""

import base64
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import browser, place, rows
from dashboard.widgets.browser import DevicePlace
from dashboard.widgets.place import Pin
from pipeline.errors import AppError
from pipeline.filestore.measure import MAX_MEGABYTES, Measured, measure, render
from pipeline.filestore.upload import upload
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Intake, Place, Submission
from pipeline.reports.requests import request_key
from pipeline.reports.standing import check_may_report
from pipeline.runtime import Runtime

ENDPOINT = "console/my_reports"
PREVIEW_PX = 480  # what fits into half a page; a few kilobytes, so it goes inline
MAX_DESCRIPTION = 512  # the column's CHECK
MAX_LINE = 200
MAX_DOGS = 50  # of one report; more are several packs
PHOTOS = {"DOG_PHOTO": "Photo of the dog", "REPORTER_SELFIE": "Selfie at the place"}
MAP_KEY = "my_reports.place"


@dataclass(frozen=True)
class Photo:
    """An uploaded file that is a photo."""

    name: str
    data: bytes
    measured: Measured
    preview: str  # data: address


@dataclass(frozen=True)
class Draft:
    """What the form holds when it is sent."""

    token: str  # one for each form, so that a second click sends nothing twice
    photos: tuple[Photo, Photo]
    service_type: str
    description: str
    pin: Pin
    device: DevicePlace | None
    address: str | None
    landmark: str | None
    dogs: int | None


def show(ctx: PageContext) -> None:
    """The form. Raises what keeps the teacher from reporting now: SDCRS_TEACHER_SUSPENDED or SDCRS_DAILY_LIMIT_EXCEEDED."""
    with ctx.begin() as conn:
        check_may_report(conn, ctx.runtime.masterdata.current(), ctx.caller.tenant_id, ctx.caller.account_id, ctx.now)
    hours = ctx.runtime.masterdata.current().validation_limits(ctx.caller.tenant_id).max_photo_age_hours
    rows.part("1 Photos", f"JPEG or PNG, up to {MAX_MEGABYTES} MB each, taken in the last {hours} hours")
    left, right = st.columns(2, gap="medium")
    with left:
        dog = _photo("DOG_PHOTO")
    with right:
        selfie = _photo("REPORTER_SELFIE")
    rows.part("2 What you saw")
    kind, description, dogs = _what(ctx)
    rows.part("3 Where the dog is", "click on the map to move the pin")
    device = browser.device_place("my_reports.device")
    stored = None if dog is None else _stored_place(dog.measured)
    pin = place.choose(ctx, MAP_KEY, stored, device)
    if dog is not None and stored is None and device is None:
        st.warning("The photo does not say where it was taken. Let this device say where you are, or the report cannot be checked.")
    left, right = st.columns(2, gap="medium")
    address = left.text_input("Address (optional)", key="my_reports.address", max_chars=MAX_LINE)
    landmark = right.text_input("Landmark (optional)", key="my_reports.landmark", max_chars=MAX_LINE)
    missing = _missing(dog, selfie, description, pin)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if dog is None or selfie is None or pin is None or missing:
            st.button("Send the report", type="primary", disabled=True, key="my_reports.send")
        else:
            token = str(st.session_state.setdefault("my_reports.token", uuid4().hex))
            draft = Draft(token, (dog, selfie), kind, description, pin, device, address.strip() or None, landmark.strip() or None, dogs)
            st.button("Send the report", type="primary", key="my_reports.send", on_click=perform, args=(partial(send, draft),))
        st.button("Cancel", key="my_reports.cancel", on_click=leave)
    if missing:
        st.caption(f"Still missing: {', '.join(missing)}.")


def leave() -> None:
    """Back to the list; the form is forgotten."""
    for name in ("my_reports.token", *(f"my_reports.read.{kind}" for kind in PHOTOS)):
        st.session_state.pop(name, None)
    place.forget(MAP_KEY)
    st.query_params.pop("new", None)


def send(draft: Draft, ctx: PageContext) -> str:
    """Store the photos and create the report. Raises what intake and file store raise; a repeated click finds the first report."""
    runtime, caller = ctx.runtime, ctx.caller
    with ctx.begin() as conn:  # before anything is stored
        check_may_report(conn, runtime.masterdata.current(), caller.tenant_id, caller.account_id, ctx.now)
    stored = upload(runtime, caller, caller.tenant_id, "SDCRS", None, [(photo.name, photo.data) for photo in draft.photos])
    evidence = tuple(EvidenceClaim(file.id, kind) for file, kind in zip(stored, PHOTOS, strict=True))
    device = draft.device
    submission = Submission(
        reporter_id=caller.account_id,
        tenant_id=caller.tenant_id,
        service_type=draft.service_type,
        description=draft.description,
        place=Place(
            draft.pin.latitude,
            draft.pin.longitude,
            address=draft.address,
            landmark=draft.landmark,
            gps_latitude=None if device is None else device.latitude,
            gps_longitude=None if device is None else device.longitude,
            gps_accuracy_m=None if device is None else device.accuracy_m,
            gps_at=None if device is None else device.at,
        ),
        evidence=evidence,
        at=ctx.now,
        dog_count=draft.dogs,
    )
    key = request_key(caller.account_id, ENDPOINT, {}, idempotency_key=draft.token)
    (report_id,), _ = intake_of(runtime).create(caller, caller.tenant_id, lambda: [submission], key, ctx.now)
    with ctx.begin() as conn:
        row = queries.one(conn, "my_reports.number", id=report_id, account_id=caller.account_id)
    number = "" if row is None else str(row["report_number"])
    leave()
    st.query_params["report"] = number
    return f"{number} is sent. The automatic checks take about a minute; then a verifier looks at it."


_INTAKE_LOCK = threading.Lock()
_intake: Intake | None = None
_intake_runtime: Runtime | None = None


def intake_of(runtime: Runtime) -> Intake:
    """The one intake of this process for this runtime: it holds a block of report numbers."""
    global _intake, _intake_runtime
    with _INTAKE_LOCK:
        if _intake is None or _intake_runtime is not runtime:
            _intake, _intake_runtime = Intake(runtime), runtime
        return _intake


def _photo(kind: str) -> Photo | None:
    """One upload with its preview; None until a readable photo is there."""
    file = st.file_uploader(PHOTOS[kind], type=["jpg", "jpeg", "png"], max_upload_size=MAX_MEGABYTES, key=f"my_reports.{kind}")
    if file is None:
        return None
    try:
        photo = _read(kind, file)
    except AppError as error:
        st.error(formats.plain_markdown(error.message), icon=":material/broken_image:")
        return None
    st.html(f'<img class="preview" src="{photo.preview}" alt="{rows.escape(PHOTOS[kind])}">')
    st.caption(_says(photo.measured))
    return photo


def _read(kind: str, file: Any) -> Photo:
    """Measure an upload once, not at every rerun. Raises what `measure` raises."""
    key = f"my_reports.read.{kind}"
    known: tuple[str, Photo] | None = st.session_state.get(key)
    if known is not None and known[0] == file.file_id:
        return known[1]
    data = file.getvalue()
    measured = measure(data, file.name)
    preview = base64.b64encode(render(data, PREVIEW_PX)).decode()
    photo = Photo(file.name, data, measured, f"data:image/jpeg;base64,{preview}")
    st.session_state[key] = (file.file_id, photo)
    return photo


def _says(measured: Measured) -> str:
    """What the file says of itself that the checks will look at."""
    if not measured.exif_present:
        return "This file has lost its own data (time and place), as pictures sent by a messenger do. Better take the original."
    when = "the time" if measured.exif_taken_at or measured.exif_gps_at else "no time"
    where = "the place" if measured.exif_latitude is not None else "no place"
    return f"The file stores {when} and {where}."


def _stored_place(measured: Measured) -> tuple[float, float] | None:
    if measured.exif_latitude is None or measured.exif_longitude is None:
        return None
    return measured.exif_latitude, measured.exif_longitude


def _what(ctx: PageContext) -> tuple[str, str, int | None]:
    kinds = ctx.runtime.masterdata.current().report_types(ctx.caller.tenant_id)
    kind = st.radio(
        "Type",
        list(kinds),
        format_func=lambda code: kinds[code].name,
        captions=[entry.description for entry in kinds.values()],
        horizontal=True,
        key="my_reports.type",
    )
    description = st.text_area("Description", max_chars=MAX_DESCRIPTION, height=90, key="my_reports.description")
    dogs = st.number_input("How many dogs (optional)", 1, MAX_DOGS, value=None, key="my_reports.dogs", width=200)
    return str(kind), description.strip(), None if dogs is None else int(dogs)


def _missing(dog: Photo | None, selfie: Photo | None, description: str, pin: Pin | None) -> Sequence[str]:
    wanted = {"photo of the dog": dog, "selfie": selfie, "description": description or None, "place": pin}
    return [name for name, value in wanted.items() if value is None]
