"""The verifiers' queue: what a person looks for in it, and the page of it that matches. One predicate for list, count and next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import sla
from pipeline.access.caller import Caller

PAGE_SIZE = 20  # what a person reads before filtering instead
WINDOW = 5000  # reports of a tenant that a queue counts and sorts; beyond it says "more than"
AHEAD = 200  # how far the next report is looked for

SHOW = {"all": "All", "mine": "Mine", "unclaimed": "Unclaimed"}
STATES = ("PENDING_VERIFICATION", "AUTO_REJECTED", "VERIFIED", "REJECTED", "DUPLICATE")
QUEUES = {"both": "Both queues", "STANDARD": "Standard queue", "SENIOR": "Senior queue"}
SORTS = {"due": "Due first", "oldest": "Oldest first", "newest": "Newest first", "risk": "Highest risk first"}
ANY = "any"


@dataclass(frozen=True)
class Filter:
    """What to look for in the queue; ANY filters nothing."""

    status: str = "PENDING_VERIFICATION"
    show: str = "all"
    queue: str = "both"
    band: str = ANY
    service_type: str = ANY
    sort: str = "due"
    number: str = ""


@dataclass(frozen=True)
class Page:
    """One page of the queue and how many match in all."""

    rows: list[RowMapping]
    total: int
    capped: bool  # more match than were counted


def home_queue(caller: Caller) -> str:
    """The queue in which the person decides; both for whom decides in both or in none."""
    if caller.has("VERIFIER") == caller.has("SENIOR_VERIFIER"):
        return "both"
    return "STANDARD" if caller.has("VERIFIER") else "SENIOR"


def current(caller: Caller) -> Filter:
    """What the person looked for last in this tab."""
    chosen: Filter | None = st.session_state.get("inbox.filter")
    return chosen or Filter(queue=home_queue(caller))


def choose(ctx: PageContext) -> Filter:
    """The controls above the queue; the address of the page keeps what is chosen."""
    types = ctx.runtime.masterdata.current().report_types(ctx.caller.tenant_id, retired=True)
    bands = {ANY: "Any time left", "waits": "Waits for the teacher", **{band.key: band.label for band in sla.BANDS}}
    kinds = {ANY: "All types", **{code: kind.name for code, kind in types.items()}}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="inbox.controls"):
        show = _segments("Show", "inbox.show", SHOW)
        status = _select("State", "inbox.status", {state: formats.status_label(state) for state in STATES})
        sort = _select("Sort", "inbox.sort", SORTS)
        with st.popover("More filters", icon=":material/filter_list:"):
            queue = _select("Queue", "inbox.queue", QUEUES, index=list(QUEUES).index(home_queue(ctx.caller)), width="stretch")
            band = _select("Time left", "inbox.due", bands, width="stretch")
            kind = _select("Type of report", "inbox.type", kinds, width="stretch")
        number = st.text_input(
            "Number or tracking id",
            key="inbox.number",
            icon=":material/search:",
            width=188,
            persist_state="session",
            bind="query-params",
            max_chars=40,
        )
    chosen = Filter(status, show, queue, band, kind, sort, number.strip().upper())
    if chosen.number:  # whoever looks for one report wants it in whatever state it is
        chosen = replace(chosen, show="all", queue="both", band=ANY, service_type=ANY)
    if chosen != st.session_state.get("inbox.filter"):
        st.session_state.pop("inbox.page", None)  # another list begins on its first page
    st.session_state["inbox.filter"] = chosen
    return chosen


def _select(label: str, key: str, options: Mapping[str, str], index: int = 0, width: Any = 158) -> str:
    chosen = st.selectbox(
        label,
        list(options),
        index=index,
        key=key,
        format_func=lambda option: options[option],
        width=width,
        bind="query-params",
        persist_state="session",
    )
    return str(chosen)


def _segments(label: str, key: str, options: Mapping[str, str]) -> str:
    chosen = st.segmented_control(
        label,
        list(options),
        default=next(iter(options)),
        required=True,
        key=key,
        format_func=lambda option: options[option],
        bind="query-params",
        persist_state="session",
    )
    return str(chosen)


def read(ctx: PageContext, conn: Connection, wanted: Filter, offset: int = 0, limit: int = PAGE_SIZE) -> Page:
    """The page of the queue from `offset` on."""
    md = ctx.runtime.masterdata.current()
    band = sla.BY_KEY.get(wanted.band)
    rows = queries.rows(
        conn,
        "inbox.page",
        slas=json.dumps(sla.seconds(md, ctx.caller.scope)),
        now=ctx.now,
        tenants=list(ctx.caller.scope),
        status=None if wanted.number else wanted.status,
        queue=None if wanted.queue == "both" else wanted.queue,
        service_type=None if wanted.service_type == ANY else wanted.service_type,
        number=wanted.number or None,
        claimed_by=ctx.caller.account_id if wanted.show == "mine" else None,
        unclaimed=wanted.show == "unclaimed",
        awaiting=True if wanted.band == "waits" else False if band is not None else None,
        due_from=None if band is None else band.since,
        due_to=None if band is None else band.until,
        sort=wanted.sort,
        window=WINDOW,
        offset=offset,
        limit=limit,
    )
    total = int(rows[0]["total"])
    return Page([row for row in rows if row["id"] is not None], total, total >= WINDOW)


def neighbours(ctx: PageContext, conn: Connection, number: str) -> tuple[str | None, str | None]:
    """The reports before and after this one in the queue as it is filtered, both free for this person to work on.

    From outside the queue the next is its first.
    """
    rows = read(ctx, conn, current(ctx.caller), limit=AHEAD).rows
    here = next((index for index, row in enumerate(rows) if row["report_number"] == number), None)
    free = [row["report_number"] if is_free(row, ctx) else None for row in rows]
    before = [] if here is None else free[:here]
    after = free if here is None else free[here + 1 :]
    previous = next((found for found in reversed(before) if found), None)
    following = next((found for found in after if found and found != number), None)
    return previous, following


def is_free(row: RowMapping, ctx: PageContext) -> bool:
    """Whether nobody else works on the report now."""
    return row["claimed_by"] in {None, ctx.caller.account_id} or row["claimed_until"] <= ctx.now
