"""One command for many subjects: tried out first, then done to one of them, and only then to the rest; told one by one.

A trial holds for the list and the reason for which it was made. Only what passed in it is done, each checked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import pandas
import streamlit as st

from dashboard import formats
from dashboard.console import PageContext, notify, perform
from dashboard.widgets import identity_search
from dashboard.widgets import identity_words as words
from dashboard.widgets.identity_acts import DEEDS, Deed
from dashboard.widgets.payout_sheet import csv_file
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.identity.checks import MOST
from pipeline.identity.remedies import REASON_MAX
from pipeline.identity.remedy_many import Result, act_on_many, try_out

LIST_HEIGHT_PX = 320  # eight rows: the buttons under the list stay on the screen
FORECAST, DONE = "identity.forecast", "identity.done"


@dataclass(frozen=True)
class Subject:
    """One row that a command is given: its id, and the registration that people know it by."""

    id: UUID
    reg_id: str | None


@dataclass(frozen=True)
class Line:
    """One subject as it is told: what would become of it, or what did."""

    subject: Subject
    ok: bool
    sentence: str


@dataclass(frozen=True)
class Forecast:
    """What was tried out, and how far it has been done since. `of`: for which list; `left`: what passed and is not done yet."""

    of: str
    deed: str
    reason: str
    lines: tuple[Line, ...]
    left: tuple[Subject, ...]
    canary: Line | None = None


def show(ctx: PageContext, of: str, deeds: Sequence[str], subjects: Sequence[Subject], total: int) -> None:
    """The reason, a button to try out each command, and what was tried out. `subjects` are all that it would be done to."""
    allowed = [DEEDS[code] for code in deeds if code in DEEDS and can(ctx.caller, DEEDS[code].operation)]
    if not allowed or not subjects:
        return
    subjects = subjects[:MOST]
    with st.container(border=True, key="identity.bulk"):
        which = "" if len(subjects) == 1 else f" all {formats.count(len(subjects))}" if len(subjects) >= total else " the oldest"
        st.text_input("Reason, for the record", key=f"identity.reason.{of}", max_chars=REASON_MAX)
        with st.container(horizontal=True):
            for deed in allowed:
                number = which + (f" {formats.count(len(subjects))}" if which == " the oldest" else "")
                command = partial(_try, of=of, deed=deed, subjects=subjects)
                label = f"Try: {deed.verb.lower()}{number}"
                st.button(label, icon=deed.icon, key=f"identity.try.{deed.code}.{of}", on_click=perform, args=(command,))
        _forecast(of)


def show_done() -> None:
    """What became of each of the last, until it is dismissed."""
    lines: tuple[Line, ...] | None = st.session_state.get(DONE)
    if not lines:
        return
    with st.container(border=True, key="identity.done_list"):
        done = [line for line in lines if line.ok]
        st.markdown(f"**{formats.count(len(done))} of {formats.count(len(lines))} done**")
        _table(lines, "What became of each")
        with st.container(horizontal=True):
            st.download_button(
                "Download as CSV",
                result_file(lines),
                file_name="identity-results.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
                key="identity.done_file",
            )
            st.button("Dismiss", type="tertiary", key="identity.done_dismiss", on_click=_forget, args=(DONE,))


def result_file(lines: Sequence[Line]) -> bytes:
    """The results of one command as CSV."""
    rows = [(line.subject.reg_id or "", str(line.subject.id), "Yes" if line.ok else "No", line.sentence) for line in lines]
    return csv_file(("Registration", "Subject", "Done", "What became of it"), rows)


def _forecast(of: str) -> None:
    kept: Forecast | None = st.session_state.get(FORECAST)
    if kept is None or kept.of != of:
        return
    deed, refused = DEEDS[kept.deed], sum(not line.ok for line in kept.lines)
    passed = len(kept.lines) - refused
    rest = f"; {formats.count(refused)} would be refused." if refused else "."
    st.markdown(f"**Tried out, nothing was changed.** {deed.verb}: {formats.count(passed)} would pass{rest}")
    _table(kept.lines, "What would become of each")
    if kept.canary is not None:
        _canary(kept)
    with st.container(horizontal=True):
        if kept.left and kept.canary is None:
            label = f"{deed.verb} this one" if len(kept.left) == 1 else f"{deed.verb} the first one"
            command = partial(_do, of=of, number=1)
            st.button(label, type="primary", key="identity.do_one", on_click=perform, args=(command,))
        elif kept.left:
            command = partial(_do, of=of, number=len(kept.left))
            label = f"{deed.verb} the other {formats.count(len(kept.left))}"
            st.button(label, type="primary", key="identity.do_rest", on_click=perform, args=(command,))
        st.button("Leave it", type="tertiary", key="identity.leave", on_click=_forget, args=(FORECAST,))


def _canary(kept: Forecast) -> None:
    """The one that was done first: look at it before the others follow."""
    one = kept.canary
    if one is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**First one:** {formats.plain_markdown(one.sentence)}")
        if one.subject.reg_id:
            reg_id = one.subject.reg_id
            st.link_button("Look at it", f"/identity?{identity_search.ADDRESS}={reg_id}", icon=":material/open_in_new:")


def _try(ctx: PageContext, of: str, deed: Deed, subjects: Sequence[Subject]) -> None:
    reason = str(st.session_state.get(f"identity.reason.{of}") or "").strip()
    st.session_state.pop(DONE, None)
    results = try_out(ctx.runtime, ctx.caller, deed.act(ctx.runtime), [one.id for one in subjects], reason, ctx.now)
    lines = _lines(subjects, results, deed)
    left = tuple(line.subject for line in lines if line.ok)
    st.session_state[FORECAST] = Forecast(of, deed.code, reason, tuple(sorted(lines, key=lambda line: line.ok)), left)


def _do(ctx: PageContext, of: str, number: int) -> None:
    """Do it to the next of those that passed: the first one alone, then all others."""
    kept: Forecast | None = st.session_state.get(FORECAST)
    if kept is None or kept.of != of or not kept.left:
        raise AppError("SDCRS_INVALID_REQUEST", field="trial", detail="try it out again: what was tried out is no longer there")
    now, later = kept.left[:number], kept.left[number:]
    deed = DEEDS[kept.deed]
    results = act_on_many(ctx.runtime, ctx.caller, deed.act(ctx.runtime), [one.id for one in now], kept.reason, ctx.now)
    lines = _lines(now, results, deed)
    before = (kept.canary,) if kept.canary is not None else ()
    if later and lines[0].ok:
        st.session_state[FORECAST] = replace(kept, left=later, canary=lines[0])
        notify("success", f"The first one {deed.done}. Look at it, then do the other {formats.count(len(later))}.")
        return
    st.session_state.pop(FORECAST, None)
    st.session_state[DONE] = tuple(sorted((*before, *lines), key=lambda line: line.ok))
    done = sum(line.ok for line in (*before, *lines))
    stopped = f" The other {formats.count(len(later))} were left alone, since the first one failed." if later else ""
    word = f"{deed.verb}: {formats.count(done)} of {formats.count(len(before) + len(lines))} done.{stopped}"
    notify("success" if done == len(before) + len(lines) and not later else "warning", word)


def _lines(subjects: Sequence[Subject], results: Sequence[Result], deed: Deed) -> list[Line]:
    by_id = {one.id: one for one in subjects}
    good = f"{deed.done[0].upper()}{deed.done[1:]}."
    return [Line(by_id[one.subject_id], one.ok, good if one.error is None else f"Refused: {one.error.message}") for one in results]


def _table(lines: Sequence[Line], title: str) -> None:
    frame = pandas.DataFrame(
        [(words.registration_id(line.subject.reg_id or formats.ABSENT), line.sentence) for line in lines], columns=["Registration", title]
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={title: st.column_config.TextColumn(title, width="large")},
        height=min(LIST_HEIGHT_PX, 38 + 35 * len(frame)),
        alt=title,
    )


def _forget(key: str) -> None:
    st.session_state.pop(key, None)
