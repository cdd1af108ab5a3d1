"""Payouts: what failed, what is on its way, what waits for a person, what is settled; limits, and the comparison with the provider.

State admins act; district admins and the auditor look. Amounts are in rupees, UPI addresses are masked.
"""

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, told
from dashboard.widgets import browser, payout_checks, payout_filter, payout_limits, payout_lists, rows
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_filter import Filter, Wanted
from dashboard.widgets.payout_words import QUEUES
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import Area, area, styles
from pipeline.payouts.polling import stuck_before

PAYOUTS, LIMITS, CHECKS = "Payouts", "Limits", "Reconciliation"
TOLD = ("FAILED", "REVERSED", "STUCK", "UNKNOWN", "PERSON", "APPROVAL")  # the queues in which somebody is waited for


def render(ctx: PageContext) -> None:
    """The payout that the address names, else the queues, the limits, or the comparison with the provider."""
    rows.styles()
    styles()
    if ctx.runtime.settings.sandboxed:
        st.info("Sandbox: payments go to a stand-in for the provider. No money moves.", icon=":material/science:")
    number = st.query_params.get("report")
    if number:
        payout_lists.one(ctx, number.strip().upper())
        return
    head = st.container()  # drawn first, filled once the area is known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        view = st.segmented_control(
            "Show",
            [PAYOUTS, LIMITS, CHECKS],
            default=PAYOUTS,
            required=True,
            key="payouts.view",
            bind="query-params",
            label_visibility="collapsed",
        )
        where = area(ctx, "payouts") if view != CHECKS else Area(ctx.caller.tenant_id, ctx.caller.scope)
        filter_ = payout_filter.choose(ctx) if view == PAYOUTS else Filter()
    with head:
        counts = _head(ctx, where)
    if view == CHECKS:
        payout_checks.show(ctx)
    elif view == LIMITS:
        payout_limits.show(ctx, where)
    else:
        browser.from_the_top(f"payouts {told()}")  # what came of a click stands at the top
        payout_lists.show(ctx, where, filter_, counts)


def _head(ctx: PageContext, where: Area) -> dict[str, int]:
    """How things stand in the area, and what stands in the way; returns how many payouts each queue has."""
    counts, paise = payout_lists.tally(ctx, Wanted(where, Filter(), None))
    with ctx.begin() as conn:
        summary = queries.one(
            conn,
            "payouts.summary",
            stuck_before=stuck_before(ctx.now),
            now=ctx.now,
        )
    shown = [_tile(queue, counts, paise) for queue in TOLD]
    if summary is not None:
        if summary["balance_paise"] is not None:
            read = f"read {formats.local_time(summary['balance_read_at'], ctx.zone)}"
            shown.append(Tile("Payout account", formats.inr_short(summary["balance_paise"]), read))
        _alerts(summary, counts.get("STUCK", 0))
    tiles(shown)
    return counts


def _tile(queue: str, counts: dict[str, int], paise: dict[str, int]) -> Tile:
    number = counts.get(queue, 0)
    return Tile(QUEUES[queue], formats.count(number), formats.inr(paise.get(queue, 0)) if number else "")


def _alerts(summary: RowMapping, stuck: int) -> None:
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
    if stuck:
        st.warning(
            f"{formats.count(stuck)} {'payout has' if stuck == 1 else 'payouts have'} been with the provider for more than three "
            "working days. Ask its support.",
            icon=":material/hourglass_bottom:",
        )
