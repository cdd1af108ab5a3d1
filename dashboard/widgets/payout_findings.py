"""What one reconciliation run found: each exception with field, both values, age, next step and history, and what is done about it.

State admins act, on one or on all that are ticked; the others read. What a button does depends on the kind: the provider is
asked, or everything that would go on by itself is stopped, or a person gives a reason. The payout room checks all of it again.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import outcomes
from dashboard.widgets import payout_words as words
from dashboard.widgets.outcomes import Result
from dashboard.widgets.rows import escape, mark
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.payouts.remedies import REMEDIES, Done, acknowledge, fix

PAGE = "payouts.checks"
ITEMS = 20  # each has a tick and a button of its own; more make the page slow on a phone
STEPS = 200  # of history for a page: ten an exception
BUTTONS = {"ASK": ("Ask the provider", ":material/sync:"), "HOLD": ("Stop it", ":material/front_hand:")}
_SPECIAL = re.compile(r"[^A-Za-z0-9.-]+")
DONE = {"FIXED": "Put right", "RESUMED": "Sent again", "HELD": "Stopped", "UNCHANGED": "Unchanged", "ACKNOWLEDGED": "Set aside"}


def show(ctx: PageContext, run_id: UUID) -> None:
    """The exceptions of a run, page by page."""
    outcomes.show(PAGE)
    offset = int(st.session_state.get("payouts.items", 0)) if st.session_state.get("payouts.items_of") == run_id else 0
    st.session_state["payouts.items_of"] = run_id
    with ctx.begin() as conn:
        kinds = queries.rows(conn, "payouts.run_kinds", run_id=run_id)
        kind = _kind(kinds, run_id)
        found = queries.rows(conn, "payouts.run_items", run_id=run_id, kind=kind, limit=ITEMS + 1, offset=offset)
        items = found[:ITEMS]
        steps = queries.rows(conn, "payouts.item_steps", item_ids=[item["id"] for item in items], limit=STEPS)
    if not items:
        st.success("All sides agree on every payout of this window.", icon=":material/check_circle:")
        return
    acts = can(ctx.caller, "resolve_payout")
    for item in items:
        _card(ctx, item, [step for step in steps if step["item_id"] == item["id"]], acts=acts)
    _turn(offset, len(items), more=len(found) > ITEMS)
    if acts:
        _together(run_id, [item for item in items if _is_open(item)])


def put_right(ctx: PageContext, items: Sequence[tuple[UUID, str]]) -> None:
    """Do what the kinds of these exceptions allow."""
    _carry_out(items, "put right", lambda ids: fix(ctx.runtime, ctx.caller, ids, ctx.now))


def set_aside(ctx: PageContext, items: Sequence[tuple[UUID, str]], field: str) -> None:
    """Acknowledge these exceptions with the reason in the field; it is emptied when that is done."""
    reason = str(st.session_state.get(field) or "")

    def act(ids: Sequence[UUID]) -> list[Done]:
        with ctx.begin() as conn:
            return acknowledge(conn, ctx.caller, ids, reason, ctx.now)

    _carry_out(items, "set aside", act)
    if reason.strip():
        st.session_state[field] = ""


def _carry_out(items: Sequence[tuple[UUID, str]], word: str, act: Callable[[Sequence[UUID]], list[Done]]) -> None:
    names = dict(items)
    try:
        results = [Result(names[done.item_id], done.outcome != "UNCHANGED", done.said) for done in act(list(names))]
    except AppError as error:
        results = [Result(name, False, error.message) for name in names.values()]
    outcomes.keep(PAGE, word, results)
    for item_id in names:
        st.session_state.pop(_tick(item_id), None)


def _kind(kinds: Sequence[RowMapping], run_id: UUID) -> str | None:
    if len(kinds) < 2:
        return None
    counts = {row["kind"]: row for row in kinds}
    return st.pills(
        "What was found",
        list(counts),
        format_func=lambda kind: f"{_label(kind)[0]} ({formats.count(int(counts[kind]['found']))})",
        key=f"payouts.kind.{run_id}",
    )


def _card(ctx: PageContext, item: RowMapping, steps: Sequence[RowMapping], *, acts: bool) -> None:
    name = _name(item)
    with st.container(border=True, key=f"finding-{item['id']}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            if acts and _is_open(item):
                label = f"Choose {_label(item['kind'])[0].lower()}, {_SPECIAL.sub(' ', name)}"  # read aloud as it stands, escapes too
                st.checkbox(label, key=_tick(item["id"]), label_visibility="collapsed", width=30)
            st.html(_head(item, name))
            remedy = BUTTONS.get(REMEDIES.get(item["kind"], "PERSON"))
            if acts and remedy is not None and _is_open(item):
                command = partial(put_right, items=[(item["id"], name)])
                st.button(remedy[0], icon=remedy[1], key=f"payouts.fix.{item['id']}", on_click=perform, args=(command,))
        st.html(_body(ctx, item, steps))


def _head(item: RowMapping, name: str) -> str:
    label, colour = _label(item["kind"])
    shown = escape(name)
    if item["report_number"]:
        shown = f'<a href="/payouts?report={escape(item["report_number"])}" target="_self">{shown}</a>'
    state = {"FIXED": mark("Put right", "green"), "ACKNOWLEDGED": mark("Set aside", "gray")}.get(item["status"], "")
    other = item["provider_payout_id"] if item["provider_payout_id"] != name else item["line_id"]
    return f"<div>{mark(label, colour)} {state} <strong>{shown}</strong> <small>{escape(other or '')}</small></div>"


def _body(ctx: PageContext, item: RowMapping, steps: Sequence[RowMapping]) -> str:
    """What differs in a sentence, the next step, and what was done."""
    lines = [f"<div>{escape(differs(item))}</div>"]
    if item["status"] == "OPEN":
        lines.append(f"<div>{escape(item['next_step'])}</div>")
    for step in steps:
        when, who = formats.local_time(step["done_at"], ctx.zone), step["done_by_name"] or "somebody"
        said = f"{DONE.get(step['outcome'], formats.words(step['outcome']))}: {step['comment']}"
        lines.append(f"<div><small>{escape(when)}, {escape(who)}. {escape(said)}</small></div>")
    return "".join(lines)


def differs(item: RowMapping) -> str:
    """Field, both values and age of an exception in one sentence."""
    field, age = item["field"], formats.duration(item["age_s"])
    if not field:
        return f"Sent {age} ago."
    what = words.FIELDS.get(field, formats.words(field))
    ours, theirs = ("nothing" if item[side] is None else words.value(field, item[side]) for side in ("ours", "theirs"))
    if field == "balance":
        return f"{what}: {ours} by the lines before it, {theirs} as the line says; {age} ago."
    if item["kind"] in ("DUPLICATE_AT_PROVIDER", "UTR_REUSED"):
        return f"{what}: {ours} and {theirs}; {age} ago."
    where = "in the statement" if field in ("statement", "debit") else "at the provider"
    return f"{what}: {ours} in our books, {theirs} {where}; {age} ago."


def _together(run_id: UUID, items: Sequence[RowMapping]) -> None:
    """The buttons for all that are ticked."""
    if not items:
        return
    chosen = [(item["id"], _name(item)) for item in items if st.session_state.get(_tick(item["id"]))]
    field = f"payouts.reason.{run_id}"
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{formats.count(len(chosen))} of {formats.count(len(items))} chosen**", width="content")
            ids = [item["id"] for item in items]
            st.button("Choose all shown", type="tertiary", key="payouts.tick_all", on_click=_tick_all, args=(ids,))
            command = partial(put_right, items=chosen)
            st.button("Put right", icon=":material/sync:", key="payouts.fix", disabled=not chosen, on_click=perform, args=(command,))
        st.text_input("Reason for setting aside", key=field, max_chars=1000, placeholder="What you found out, and from whom")
        aside = partial(set_aside, items=chosen, field=field)
        st.button("Set aside", icon=":material/done:", key="payouts.aside", disabled=not chosen, on_click=perform, args=(aside,))


def _turn(offset: int, shown: int, *, more: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.count(offset + 1)}–{formats.count(offset + shown)}", width="content")
        if offset or more:
            st.button("Previous", type="tertiary", disabled=not offset, on_click=_move, args=(offset - ITEMS,), key="payouts.items_back")
            st.button("Next", type="tertiary", disabled=not more, on_click=_move, args=(offset + ITEMS,), key="payouts.items_on")


def _label(kind: str) -> tuple[str, str]:
    return words.KINDS.get(kind, (formats.words(kind), "gray"))


def _name(item: RowMapping) -> str:
    return str(item["report_number"] or item["reference_id"] or item["provider_payout_id"] or item["line_id"] or formats.ABSENT)


def _is_open(item: RowMapping) -> bool:
    return bool(item["status"] == "OPEN" and item["kind"] != "IN_FLIGHT")


def _tick(item_id: UUID) -> str:
    return f"payouts.tick.{item_id}"


def _tick_all(ids: Sequence[UUID]) -> None:
    for item_id in ids:
        st.session_state[_tick(item_id)] = True


def _move(offset: int) -> None:
    st.session_state["payouts.items"] = max(offset, 0)
