"""Retrying several payouts, or all that a list has: tried out first, sent after a second click that names the sum, told one by one.

Only what was tried out and passed is sent, and only while the person looks at the list for which it was tried out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import pandas
import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext, notify, perform
from dashboard.widgets import payout_filter, picking
from dashboard.widgets.payout_acts import Subject
from dashboard.widgets.payout_filter import Wanted
from dashboard.widgets.payout_sheet import csv_file
from pipeline.errors import AppError
from pipeline.payouts.retry_many import MAX_AT_ONCE, Result, retry_many, try_out
from pipeline.vault.persons import mask_vpa

PAGE = "payouts"
FORECAST, SENT = "payouts.forecast", "payouts.sent"
ALL, CHOSEN = "all", "chosen"
LIST_HEIGHT_PX = 320  # eight rows: the buttons under the list stay on the screen
UNPAID = ["FAILED", "REVERSED"]


@dataclass(frozen=True)
class Line:
    """One payout as it is told: what would become of it, or what did."""

    number: str
    address: str
    amount_paise: int
    done: bool
    sentence: str


@dataclass(frozen=True)
class Forecast:
    """What was tried out. `of` says for what: it holds for nothing else. `passed` are the reports that would be sent again."""

    of: str
    passed: tuple[UUID, ...]
    paise: int
    lines: tuple[Line, ...]
    more: bool


def of_all(wanted: Wanted) -> str:
    """The list for which a trial holds."""
    return f"{ALL} {wanted}"


def of_chosen(subjects: Sequence[Subject]) -> str:
    """The selection for which a trial holds."""
    return f"{CHOSEN} {sorted(subject.number for subject in subjects)}"


def button_for_all(wanted: Wanted, total: int) -> None:
    """Try out the retry of everything that the list has."""
    number = formats.count(min(total, MAX_AT_ONCE))
    whole = "Try a retry" if total == 1 else f"Try a retry of all {number}"
    label = whole if total <= MAX_AT_ONCE else f"Try a retry of the oldest {number}"
    command = partial(try_all, wanted=wanted)
    st.button(label, icon=":material/replay:", key="payouts.try_all", on_click=perform, args=(command,))


def button_for_chosen(subjects: Sequence[Subject]) -> None:
    """Try out the retry of what is ticked."""
    command = partial(try_chosen, subjects=subjects)
    label = f"Try a retry of {formats.count(len(subjects))}"
    st.button(label, icon=":material/replay:", key="payouts.try_chosen", on_click=perform, args=(command,))


def try_chosen(ctx: PageContext, subjects: Sequence[Subject]) -> None:
    """Try out the ticked ones."""
    _try(ctx, of_chosen(subjects), [subject.report_id for subject in subjects], more=False)


def try_all(ctx: PageContext, wanted: Wanted) -> None:
    """Try out all that match at this moment, the longest waiting first, as many as are taken at once."""
    with ctx.begin() as conn:
        params = payout_filter.params(ctx, conn, wanted) | {"statuses": UNPAID}
        found = [row["report_id"] for row in queries.rows(conn, "payouts.reports", limit=MAX_AT_ONCE + 1, **params)]
    if not found:
        notify("info", "Nothing in this list can be sent again any more.")
        return
    _try(ctx, of_all(wanted), found[:MAX_AT_ONCE], more=len(found) > MAX_AT_ONCE)


def send(ctx: PageContext, of: str, passed: Sequence[UUID]) -> None:
    """Send what was tried out and passed; each is checked again."""
    st.session_state.pop(FORECAST, None)
    results = retry_many(ctx.runtime, ctx.caller, passed, ctx.now)
    lines = _lines(ctx, results, "Sent again as retry {}")
    st.session_state[SENT] = lines
    done = [line for line in lines if line.done]
    picking.choose(PAGE, [str(one.report_id) for one in results if not one.ok] if of.startswith(CHOSEN) else ())
    word = f"{formats.count(len(done))} of {formats.count(len(lines))} sent again, {formats.inr(sum(line.amount_paise for line in done))}."
    notify("success" if len(done) == len(lines) else "warning", word)


def show(of: str) -> None:
    """What was tried out for this, with the button that sends it; nothing when nothing was."""
    kept: Forecast | None = st.session_state.get(FORECAST)
    if kept is None or kept.of != of:
        return
    refused = len(kept.lines) - len(kept.passed)
    with st.container(border=True, key="payouts.trial"):
        st.markdown(
            f"**Tried out, nothing was changed.** {formats.count(len(kept.passed))} would be sent again, {formats.inr(kept.paise)} in all"
            + (f"; {formats.count(refused)} would be refused." if refused else ".")
        )
        if kept.more:
            st.caption(f"More match. {formats.count(MAX_AT_ONCE)} are taken at once, the longest waiting first; try again for the rest.")
        _table(kept.lines, "What would become of each")
        with st.container(horizontal=True):
            st.button(
                f"Send {formats.inr(kept.paise)} now",
                type="primary",
                key="payouts.send_many",
                disabled=not kept.passed,
                on_click=perform,
                args=(partial(send, of=kept.of, passed=kept.passed),),
            )
            st.button("Leave it", type="tertiary", key="payouts.leave", on_click=_forget, args=(FORECAST,))


def show_sent() -> None:
    """What became of each of the last that were sent together, until it is dismissed."""
    lines: tuple[Line, ...] | None = st.session_state.get(SENT)
    if not lines:
        return
    with st.container(border=True, key="payouts.sent_list"):
        done = [line for line in lines if line.done]
        st.markdown(f"**{formats.count(len(done))} of {formats.count(len(lines))} sent again**")
        _table(lines, "What became of each")
        with st.container(horizontal=True):
            st.download_button(
                "Download as CSV",
                result_file(lines),
                file_name="retried-payouts.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
                key="payouts.sent_file",
            )
            st.button("Dismiss", type="tertiary", key="payouts.sent_dismiss", on_click=_forget, args=(SENT,))


def result_file(lines: Sequence[Line]) -> bytes:
    """The results of one command as CSV."""
    rows = [(line.number, line.address, line.amount_paise // 100, "Yes" if line.done else "No", line.sentence) for line in lines]
    return csv_file(("Report", "UPI address", "Amount (INR)", "Sent again", "What became of it"), rows)


def _try(ctx: PageContext, of: str, ids: Sequence[UUID], *, more: bool) -> None:
    results = try_out(ctx.runtime, ctx.caller, ids, ctx.now)
    lines = _lines(ctx, results, "Would be sent again as retry {}")
    passed = tuple(one.report_id for one in results if one.ok)
    st.session_state.pop(SENT, None)
    st.session_state[FORECAST] = Forecast(of, passed, sum(one.amount_paise for one in results if one.ok), lines, more)


def _lines(ctx: PageContext, results: Sequence[Result], sentence: str) -> tuple[Line, ...]:
    """Each result in words, those that are refused first."""
    with ctx.begin() as conn:
        people = ctx.runtime.vault.get(conn, list({one.beneficiary_id for one in results if one.beneficiary_id is not None}), ["vpa"])
    lines = []
    for one in results:
        address = people.get(one.beneficiary_id, {}).get("vpa") if one.beneficiary_id is not None else None
        told = _said(one.error, sentence.format(one.retry_count), address)
        lines.append(Line(one.report_number or formats.ABSENT, mask_vpa(address) or formats.ABSENT, one.amount_paise, one.ok, told))
    return tuple(sorted(lines, key=lambda line: line.done))


def _said(error: AppError | None, sentence: str, address: str | None) -> str:
    if error is not None:
        return f"Refused: {error.message}"
    return f"{sentence}." if address else f"{sentence}, and fails at once: the teacher has given no UPI address."


def _table(lines: Sequence[Line], alt: str) -> None:
    frame = pandas.DataFrame(
        [(line.number, line.sentence, line.address, formats.inr(line.amount_paise)) for line in lines],
        columns=["Report", alt, "UPI address", "Amount"],
    )
    columns = {"Amount": st.column_config.TextColumn("Amount", alignment="right"), alt: st.column_config.TextColumn(alt, width="large")}
    st.dataframe(
        frame,
        hide_index=True,
        column_config=columns,
        height=min(LIST_HEIGHT_PX, 38 + 35 * len(frame)),
        alt=alt,
    )


def _forget(key: str) -> None:
    st.session_state.pop(key, None)
