"""Identity: registrations from their announcement to the stored credential; where each stands, what is stuck, what a person decides.

District and state admins act; the auditor looks. Nobody sees a number of the person here, and demographics only masked, where
two records are compared.
"""

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, told
from dashboard.widgets import (
    browser,
    identity_bulk,
    identity_decide,
    identity_flow,
    identity_lists,
    identity_panel,
    identity_search,
    identity_stuck,
    identity_upload,
    rows,
)
from dashboard.widgets.identity_acts import OF_QUEUE
from dashboard.widgets.identity_bulk import Subject
from dashboard.widgets.identity_lists import Wanted
from dashboard.widgets.identity_words import QUEUES
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import Area, area, styles
from pipeline.access.policy import can
from pipeline.identity.checks import MOST

LISTS, STUCK, DECIDE, FLOW, UPLOAD = "Registrations", "Stuck", "To decide", "Flow", "Upload"


def render(ctx: PageContext) -> None:
    """The registration that the address names, else the queues, the flow, what is stuck, what is to be decided, or the upload."""
    rows.styles()
    styles()
    wanted = identity_search.wanted()
    if wanted:
        identity_search.field()
        _one(ctx, wanted)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        identity_search.field()
        view = st.segmented_control(
            "Show",
            [LISTS, STUCK, DECIDE, FLOW, *([UPLOAD] if can(ctx.caller, "sync_registrations") else [])],
            default=LISTS,
            required=True,
            key="identity.view",
            bind="query-params",
            label_visibility="collapsed",
        )
        where = area(ctx, "identity") if view in (LISTS, DECIDE, FLOW) else Area(ctx.caller.tenant_id, ctx.caller.scope)
    if view == FLOW:
        identity_flow.show(where)
        return
    browser.from_the_top(f"identity {told()}")  # what came of a click stands at the top
    if view == STUCK:
        identity_stuck.show(ctx)
    elif view == DECIDE:
        identity_decide.show(ctx, where)
    elif view == UPLOAD:
        identity_upload.show(ctx)
    else:
        _lists(ctx, where)


def _lists(ctx: PageContext, where: Area) -> None:
    """How many are in each queue, the list of one of them, and what may be done to those that are chosen, or to all of it."""
    counts = identity_lists.counts(ctx, where)
    tiles([_tile(ctx, code, counts.get(code)) for code in QUEUES])
    identity_bulk.show_done()
    wanted = identity_lists.choose(ctx, where, counts)
    chosen = identity_lists.show(ctx, wanted)
    if len(chosen) == 1:
        identity_lists.open_button(chosen[0])
    deeds = OF_QUEUE.get(wanted.queue, ())
    if chosen:
        subjects = [Subject(row["id"], row["reg_id"]) for row in chosen]
        identity_bulk.show(ctx, f"chosen {sorted(str(one.id) for one in subjects)}", deeds, subjects, len(subjects))
    elif deeds and can(ctx.caller, "act_on_registration"):
        _all(ctx, wanted, deeds)


def _all(ctx: PageContext, wanted: Wanted, deeds: tuple[str, ...]) -> None:
    """All that the list has, as many as one command takes, the longest waiting first."""
    with ctx.begin() as conn:
        found = queries.rows(conn, "identity.ids", limit=MOST + 1, **wanted.params)
    identity_bulk.show(ctx, str(wanted), deeds, [Subject(row["id"], row["reg_id"]) for row in found], len(found))


def _tile(ctx: PageContext, code: str, found: RowMapping | None) -> Tile:
    if found is None:
        return Tile(QUEUES[code], formats.count(0))
    return Tile(QUEUES[code], identity_lists.number(found["found"]), f"oldest {formats.ago(found['oldest_at'], ctx.now)}")


def _one(ctx: PageContext, wanted: str) -> None:
    st.button("All registrations", icon=":material/arrow_back:", type="tertiary", key="identity.close", on_click=identity_search.close)
    found = identity_search.find(ctx, wanted)
    if found is None:
        st.warning(f"There is no registration {formats.plain_markdown(wanted)} that you may see.", icon=":material/search_off:")
        return
    browser.from_the_top(f"identity {wanted} {told()}")
    identity_panel.show(ctx, found)
