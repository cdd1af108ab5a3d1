"""Identity: registrations from their announcement to the stored credential; where each stands, what is stuck, what a person decides.

District and state admins act; the auditor looks. Nobody sees a number of the person here, and demographics only masked, where
two records are compared.
"""

import streamlit as st

from dashboard import formats
from dashboard.console import PageContext, told
from dashboard.widgets import browser, identity_flow, identity_lists, identity_panel, identity_search, rows
from dashboard.widgets.identity_words import QUEUES
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import area, styles

LISTS, FLOW = "Registrations", "Flow"


def render(ctx: PageContext) -> None:
    """The registration that the address names, else the queues, the flow, what is stuck, what is to be decided, or the upload."""
    rows.styles()
    styles()
    identity_search.field()
    wanted = identity_search.wanted()
    if wanted:
        _one(ctx, wanted)
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Show",
            [LISTS, FLOW],
            default=LISTS,
            required=True,
            key="identity.view",
            bind="query-params",
            label_visibility="collapsed",
        )
        where = area(ctx, "identity")
    if view == FLOW:
        identity_flow.show(where)
        return
    browser.from_the_top(f"identity {told()}")
    counts = identity_lists.counts(ctx, where)
    tiles(
        [
            Tile(
                QUEUES[code],
                identity_lists.number(counts[code]["found"] if code in counts else 0),
                f"oldest {formats.ago(counts[code]['oldest_at'], ctx.now)}" if code in counts else "",
            )
            for code in QUEUES
        ]
    )
    chosen = identity_lists.show(ctx, identity_lists.choose(ctx, where, counts))
    if len(chosen) == 1:
        identity_lists.open_button(chosen[0])


def _one(ctx: PageContext, wanted: str) -> None:
    st.button("All registrations", icon=":material/arrow_back:", type="tertiary", key="identity.close", on_click=identity_search.close)
    found = identity_search.find(ctx, wanted)
    if found is None:
        st.warning(f"There is no registration {formats.plain_markdown(wanted)} that you may see.", icon=":material/search_off:")
        return
    browser.from_the_top(f"identity {wanted} {told()}")
    identity_panel.show(ctx, found)
