"""Many registration packets at once: component archives and their sidecars, sorted by registration, each whole or not at all.

A packet must have been announced by its client before. What became of each file is told, and leaves as a file.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pandas
import streamlit as st

from dashboard import formats
from dashboard.console import PageContext, notify, perform
from dashboard.widgets import identity_search, rows
from dashboard.widgets.payout_sheet import csv_file
from pipeline.access.policy import can
from pipeline.identity.registration.upload import FileResult, upload_many

FIELD, RESULT = "identity.files", "identity.uploaded"
LIST_HEIGHT_PX = 420


def show(ctx: PageContext) -> None:
    """The field for the files, and what became of the last ones."""
    if not can(ctx.caller, "sync_registrations"):
        st.info("Only admins upload packets.", icon=":material/lock:")
        return
    rows.part("Upload packets", "component archives (.zip) with their sidecars (.json); several registrations at once")
    again = int(st.session_state.get("identity.files_round", 0))  # an emptied field is a new one
    chosen = st.file_uploader("Files", type=["zip", "json"], accept_multiple_files=True, key=f"{FIELD}.{again}")
    if chosen:
        size = formats.count(sum(one.size for one in chosen) // 1024)
        st.caption(f"{formats.count(len(chosen))} files, {size} kB")
    command = partial(_upload, field=f"{FIELD}.{again}")
    st.button("Upload", type="primary", disabled=not chosen, key="identity.upload", on_click=perform, args=(command,))
    _results(st.session_state.get(RESULT) or ())


def _upload(ctx: PageContext, field: str) -> None:
    files: Sequence[Any] = st.session_state.get(field) or ()
    results = upload_many(ctx.runtime, ctx.caller, [(one.name, one.getvalue()) for one in files], ctx.now)
    st.session_state[RESULT] = tuple(results)
    st.session_state["identity.files_round"] = int(st.session_state.get("identity.files_round", 0)) + 1
    taken = {one.reg_id for one in results if one.error is None}
    failed = {one.reg_id for one in results if one.error is not None}
    notify("warning" if failed else "success", f"{_packets(len(taken))} taken, {_packets(len(failed))} refused.")


def _packets(number: int) -> str:
    return f"{formats.count(number)} {'packet' if number == 1 else 'packets'}"


def _results(results: Sequence[FileResult]) -> None:
    if not results:
        return
    ordered = sorted(results, key=lambda one: one.error is None)
    frame = pandas.DataFrame(
        [(one.name, f"/identity?{identity_search.ADDRESS}={one.reg_id}" if one.reg_id else None, said(one)) for one in ordered],
        columns=["File", "Registration", "What became of it"],
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={
            "Registration": st.column_config.LinkColumn("Registration", display_text=rf"{identity_search.ADDRESS}=(.*)$"),
            "What became of it": st.column_config.TextColumn(width="large"),
        },
        height=min(LIST_HEIGHT_PX, 38 + 35 * len(frame)),
        alt="What became of each file",
        placeholder=formats.ABSENT,
    )
    with st.container(horizontal=True):
        st.download_button(
            "Download as CSV",
            csv_file(("File", "Registration", "What became of it"), [(one.name, one.reg_id or "", said(one)) for one in ordered]),
            file_name="uploaded-packets.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="identity.uploaded_file",
        )
        st.button("Dismiss", type="tertiary", key="identity.uploaded_dismiss", on_click=_forget)


def said(one: FileResult) -> str:
    """What became of a file, in a sentence."""
    return "Taken" if one.error is None else f"Refused: {one.error.message}"


def _forget() -> None:
    st.session_state.pop(RESULT, None)
