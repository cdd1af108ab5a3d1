"""Payouts: what failed, what is on its way, what waits for a person, what is settled; limits, and the comparison with the provider.

State admins act; district admins and the auditor look. Amounts are in rupees, UPI addresses are masked.
"""

from datetime import timedelta

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import payout_checks, payout_limits, payout_lists, rows
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_words import TABS
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import Area, area, styles
from pipeline.payouts.standing import frozen_codes

LIMITS, CHECKS = "Not paid", "Reconciliation"
STUCK_AFTER = timedelta(days=5)  # three working days and a weekend: the network's own deadline for a doubtful credit


def render(ctx: PageContext) -> None:
    """The payout that the address names, else the tabs."""
    rows.styles()
    styles()
    if ctx.runtime.settings.sandboxed:
        st.info("Sandbox: payments go to a stand-in for the provider. No money moves.", icon=":material/science:")
    number = st.query_params.get("report")
    if number:
        payout_lists.one(ctx, number.strip().upper())
        return
    counts = _head(ctx)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tab = st.segmented_control(
            "Show",
            [*TABS, LIMITS, CHECKS],
            default="Failed",
            required=True,
            key="payouts.view",
            bind="query-params",
            label_visibility="collapsed",
        )
        where = area(ctx, "payouts") if tab != CHECKS else Area(ctx.caller.tenant_id, ctx.caller.scope)
    if tab == CHECKS:
        payout_checks.show(ctx)
    elif tab == LIMITS:
        payout_limits.show(ctx, where)
    else:
        payout_lists.show(ctx, where, str(tab), counts)


def _head(ctx: PageContext) -> dict[str, int]:
    """How things stand, and what stands in the way; returns how many payouts each queue has."""
    with ctx.begin() as conn:
        queues = queries.rows(conn, "payouts.queues")
        summary = queries.one(
            conn,
            "payouts.summary",
            stuck_before=ctx.now - STUCK_AFTER,
            frozen=frozen_codes(ctx.runtime.masterdata.current()),
            now=ctx.now,
        )
    counts = {row["queue"]: int(row["payouts"]) for row in queues}
    paise = {row["queue"]: int(row["amount_paise"]) for row in queues}
    shown = [_tile(tab, counts, paise) for tab in TABS if tab != "Settled"]
    if summary is not None:
        if summary["balance_paise"] is not None:
            read = f"read {formats.local_time(summary['balance_read_at'], ctx.zone)}"
            shown.append(Tile("Payout account", formats.inr_short(summary["balance_paise"]), read))
        _alerts(summary)
    tiles(shown)
    return counts


def _tile(tab: str, counts: dict[str, int], paise: dict[str, int]) -> Tile:
    number = sum(counts.get(queue, 0) for queue in TABS[tab])
    return Tile(tab, formats.count(number), formats.inr(sum(paise.get(queue, 0) for queue in TABS[tab])) if number else "")


def _alerts(summary: RowMapping) -> None:
    """What keeps payouts from going on."""
    if summary["low_balance_payouts"]:
        held, missing = summary["balance_paise"], summary["shortfall_paise"]
        account = f" The payout account held {formats.inr(held)} when it was last asked." if held is not None else ""
        rest = f" {formats.inr(missing)} are missing." if missing else ""
        st.error(
            f"{formats.count(summary['low_balance_payouts'])} payouts, {formats.inr(summary['low_balance_paise'])} in all, wait for money."
            f"{account}{rest} Add money; they go on by themselves.",
            icon=":material/account_balance_wallet:",
        )
    if summary["paused_until"] is not None:
        why = words.WAITS.get(summary["pause_reason"], formats.words(summary["pause_reason"]))
        st.warning(f"Payouts wait for the provider: {why}. They go on by themselves.", icon=":material/pause_circle:")
    if summary["stuck"]:
        st.warning(
            f"{formats.count(summary['stuck'])} payouts have been with the provider for too long. Ask its support.",
            icon=":material/hourglass_bottom:",
        )
