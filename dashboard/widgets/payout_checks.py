"""Reconciliation: compare a window with the provider, and read what a run found: the field, both values, the age, what to do."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import payout_words as words
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.shell import Tile, tiles
from pipeline.access.policy import can
from pipeline.payouts.reconcile import reconcile

RUNS = 20  # months of weekly runs
ITEMS = 50
DAYS = 7
TITLES = ("Found", "Payout", "Field", "Ours", "Theirs", "Age", "Next step")


def show(ctx: PageContext) -> None:
    """The window and its button for who may, then the runs and what the chosen one found."""
    if can(ctx.caller, "reconcile"):
        _window(ctx)
    with ctx.begin() as conn:
        runs = queries.rows(conn, "payouts.runs", limit=RUNS)
    if not runs:
        st.info("Nothing has been compared with the provider yet. It is done by itself every week.", icon=":material/compare_arrows:")
        return
    ids = [run["id"] for run in runs]
    called = {run["id"]: _called(ctx, run) for run in runs}
    wanted = st.session_state.get("payouts.run")
    run_id = st.selectbox(
        "Run",
        ids,
        index=ids.index(wanted) if wanted in ids else 0,
        format_func=lambda one: called[one],
    )
    _run(ctx, next(run for run in runs if run["id"] == run_id))


def compare(ctx: PageContext) -> str:
    """Compare the chosen days with the provider; the run is shown at once."""
    since, until = _chosen(ctx)
    run = reconcile(ctx.runtime, ctx.caller, since, until, ctx.now)
    st.session_state["payouts.run"] = run.id
    st.session_state["payouts.items"] = 0
    found = f"{formats.count(run.exceptions)} to look at" if run.exceptions else "both sides agree"
    return f"Compared {formats.count(run.ours)} of our payouts with {formats.count(run.theirs)} of the provider's: {found}."


def _window(ctx: PageContext) -> None:
    today = ctx.now.astimezone(ctx.zone).date()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.date_input("From", today - timedelta(days=DAYS - 1), max_value=today, format="DD/MM/YYYY", key="payouts.from", width=160)
        st.date_input("To", today, max_value=today, format="DD/MM/YYYY", key="payouts.to", width=160)
        st.button("Reconcile", icon=":material/compare_arrows:", type="primary", key="payouts.reconcile", on_click=perform, args=(compare,))


def _chosen(ctx: PageContext) -> tuple[datetime, datetime]:
    today = ctx.now.astimezone(ctx.zone).date()
    first, last = (_day(st.session_state.get(f"payouts.{name}"), today) for name in ("from", "to"))
    first, last = min(first, last), max(first, last)
    since = datetime.combine(first, time(), ctx.zone).astimezone(UTC)
    until = datetime.combine(last + timedelta(days=1), time(), ctx.zone).astimezone(UTC)
    return since, min(until, ctx.now)


def _day(value: Any, today: date) -> date:
    return value if isinstance(value, date) else today


def _called(ctx: PageContext, run: RowMapping) -> str:
    window = f"{formats.local_date(run['window_starts_at'], ctx.zone)} to {formats.local_date(run['window_ends_at'], ctx.zone)}"
    found = f"{formats.count(run['exceptions'])} to look at" if run["exceptions"] else "all agree"
    area = ctx.tenants.get(run["tenant_id"], run["tenant_id"])
    return f"{formats.local_time(run['run_at'], ctx.zone)} · {area} · {window} · {found}"


def _run(ctx: PageContext, run: RowMapping) -> None:
    tiles(
        [
            Tile("Our payouts", formats.count(run["ours"])),
            Tile("The provider's", formats.count(run["theirs"])),
            Tile("Both agree", formats.count(run["matched"])),
            Tile("On their way", formats.count(run["in_flight"])),
            Tile("To look at", formats.count(run["exceptions"])),
        ]
    )
    offset = int(st.session_state.get("payouts.items", 0)) if st.session_state.get("payouts.items_of") == run["id"] else 0
    st.session_state["payouts.items_of"] = run["id"]
    with ctx.begin() as conn:
        kinds = queries.rows(conn, "payouts.run_kinds", run_id=run["id"])
        kind = _kind({row["kind"]: int(row["found"]) for row in kinds}, run["id"])
        found = queries.rows(conn, "payouts.run_items", run_id=run["id"], kind=kind, limit=ITEMS + 1, offset=offset)
    if not found:
        st.success("Both sides agree on every payout of this window.", icon=":material/check_circle:")
        return
    st.html(_table(found[:ITEMS]))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.count(offset + 1)}–{formats.count(offset + min(len(found), ITEMS))}", width="content")
        if offset or len(found) > ITEMS:
            st.button("Previous", type="tertiary", disabled=not offset, on_click=_move, args=(offset - ITEMS,), key="payouts.items_back")
            st.button("Next", type="tertiary", disabled=len(found) <= ITEMS, on_click=_move, args=(offset + ITEMS,), key="payouts.items_on")


def _kind(counts: dict[str, int], run_id: UUID) -> str | None:
    if len(counts) < 2:
        return None
    return st.pills(
        "What was found",
        list(counts),
        format_func=lambda kind: f"{words.KINDS.get(kind, (formats.words(kind), ''))[0]} ({formats.count(counts[kind])})",
        key=f"payouts.kind.{run_id}",
    )


def _table(items: list[RowMapping]) -> str:
    lines = "".join(_line(item) for item in items)
    head = "".join(f'<th scope="col">{title}</th>' for title in TITLES)
    return f'<table class="data found"><caption>Findings</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>'


def _line(item: RowMapping) -> str:
    label, colour = words.KINDS.get(item["kind"], (formats.words(item["kind"]), "gray"))
    name = item["report_number"] or item["reference_id"] or item["provider_payout_id"] or formats.ABSENT
    if item["report_number"]:
        href = f"/payouts?report={item['report_number']}"
        name_html = f'<a href="{escape(href)}" target="_self">{escape(name)}</a>'
    else:
        name_html = escape(name)
    theirs = escape(item["provider_payout_id"] or "")
    field = words.FIELDS.get(item["field"], formats.words(item["field"])) if item["field"] else formats.ABSENT
    cells = (
        (0, mark(label, colour)),
        (1, f"{name_html}<small>{theirs}</small>"),
        (2, escape(field)),
        (3, escape(words.value(item["field"], item["ours"]))),
        (4, escape(words.value(item["field"], item["theirs"]))),
        (5, escape(formats.duration(item["age_s"]))),
        (6, escape(item["next_step"])),
    )
    # a phone shows each line as a card; there the cells carry the titles
    return "<tr>" + "".join(f'<td data-title="{TITLES[number]}">{cell}</td>' for number, cell in cells) + "</tr>"


def _move(offset: int) -> None:
    st.session_state["payouts.items"] = max(offset, 0)
