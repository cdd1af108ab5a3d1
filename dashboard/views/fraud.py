"""Fraud: flags that wait for a person, the rules and their changes, teachers with a high risk, and who is connected with whom.

Admins work the flags; rules are changed by state admins, two for each change; the auditor only looks.
"""

import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext, told
from dashboard.widgets import browser, fraud_acts, fraud_editor, fraud_flags, fraud_rules, fraud_teachers, rows
from dashboard.widgets import fraud_words as words
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import Area, area, styles

FLAGS, RULES, CHANGES, TEACHERS, NETWORK = "Flags", "Rules", "Rule changes", "Teachers", "Connections"
HOMES = {"flag": FLAGS, "rule": RULES, "draft": CHANGES, "teacher": TEACHERS}


def render(ctx: PageContext) -> None:
    """The part that is chosen; what the address names is opened in its own part."""
    rows.styles()
    styles()
    state_id = fraud_rules.state_of(ctx)
    views = [FLAGS, RULES, *([CHANGES] if state_id in ctx.caller.scope else []), TEACHERS, NETWORK]
    opened = next((what for what in fraud_acts.OPENED if what in st.query_params), None)
    if opened is not None and HOMES[opened] in views:
        st.session_state["fraud.view"] = HOMES[opened]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Show", views, default=FLAGS, required=True, key="fraud.view", bind="query-params", label_visibility="collapsed",
            on_change=fraud_acts.show, args=(None,),
        )  # fmt: skip
        where = area(ctx, "fraud") if view in (FLAGS, TEACHERS, NETWORK) and opened is None else _whole(ctx)
    if view == FLAGS:
        if opened is None:
            _head(ctx, where)
        fraud_flags.show(ctx, where)
    elif view == RULES:
        fraud_rules.show(ctx, where)
    elif view == CHANGES:
        fraud_editor.show(ctx, state_id)
        if opened is None:
            fraud_rules.story(ctx, state_id, None)
    elif view == TEACHERS:
        fraud_teachers.show(ctx, where)
    else:
        from dashboard.widgets import fraud_network  # noqa: PLC0415 - Plotly is for who looks at the graph

        fraud_network.show(ctx, where)
    browser.from_the_top(f"{view} {st.query_params.get(opened) if opened else ''} {told()}")  # what came of a click stands at the top


def _whole(ctx: PageContext) -> Area:
    return Area(ctx.caller.tenant_id, ctx.runtime.masterdata.current().leaves(ctx.caller.tenant_id))


def _head(ctx: PageContext, where: Area) -> None:
    """How many flags are in each state."""
    with ctx.begin() as conn:
        found = queries.rows(conn, "fraud.flags_by_state", tenants=list(where.tenants), raised_since=ctx.now - fraud_rules.PERIOD)
    counts = {row["status"]: row["flags"] for row in found}
    notes = {"RESOLVED": "of the last 30 days"}
    tiles([Tile(label, formats.count(counts.get(code, 0)), notes.get(code, "")) for code, (label, _) in words.FLAG_STATES.items()])
