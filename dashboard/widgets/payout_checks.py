"""Reconciliation: compare a window with the provider, or with an account statement from a file, and choose the run to read."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import payout_findings
from dashboard.widgets.shell import Tile, tiles
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.payouts.reconcile import Run, reconcile, reconcile_file

RUNS = 20  # months of weekly runs
DAYS = 7
STATEMENT = "payouts.statement"
STATEMENT_MB = 200  # as the payout room takes it


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
    labels = [_called(ctx, run) for run in runs]
    # the browser knows choices by their words alone: two runs of one minute need different ones
    called = {
        one: label + f" ({labels[:at].count(label) + 1})" * (label in labels[:at])
        for at, (one, label) in enumerate(zip(ids, labels, strict=True))
    }
    if st.session_state.get("payouts.run") not in ids:
        st.session_state.pop("payouts.run", None)
    run_id = st.selectbox("Run", ids, format_func=lambda one: called[one], key="payouts.run")
    _run(ctx, next(run for run in runs if run["id"] == run_id))


def compare(ctx: PageContext) -> str:
    """Compare the chosen days with the provider; the run is shown at once."""
    since, until = _chosen(ctx)
    run = reconcile(ctx.runtime, ctx.caller, since, until, ctx.now)
    return f"Compared {formats.count(run.ours)} of our payouts with {formats.count(run.theirs)} of the provider's: {_chosen_now(run)}."


def compare_file(ctx: PageContext) -> str:
    """Compare our payouts with the chosen statement, for the time that it covers; the run is shown at once."""
    file = st.session_state.get(STATEMENT)
    if file is None:
        raise AppError("SDCRS_FACT_MISSING", action="The comparison", field="a statement file")
    run = reconcile_file(ctx.runtime, ctx.caller, file.name, file.getvalue(), ctx.now)
    return f"Compared {formats.count(run.ours)} of our payouts with the statement {file.name}: {_chosen_now(run)}."


def _chosen_now(run: Run) -> str:
    """Show the run from its first finding on; says what it found."""
    st.session_state["payouts.run"] = run.id
    st.session_state["payouts.items"] = 0
    return f"{formats.count(run.exceptions)} to look at" if run.exceptions else "all sides agree"


def _window(ctx: PageContext) -> None:
    today = ctx.now.astimezone(ctx.zone).date()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.date_input("From", today - timedelta(days=DAYS - 1), max_value=today, format="DD/MM/YYYY", key="payouts.from", width=160)
        st.date_input("To", today, max_value=today, format="DD/MM/YYYY", key="payouts.to", width=160)
        st.button("Reconcile", icon=":material/compare_arrows:", type="primary", key="payouts.reconcile", on_click=perform, args=(compare,))
    with st.expander("Compare with an account statement from a file", icon=":material/upload_file:"):
        st.caption("CSV or XLSX, with the columns created_at, credit, debit, balance, payout_id and utr. The provider is not asked.")
        st.file_uploader("Account statement", type=["csv", "xlsx"], max_upload_size=STATEMENT_MB, key=STATEMENT)
        st.button(
            "Compare with this file",
            key="payouts.reconcile_file",
            disabled=st.session_state.get(STATEMENT) is None,
            on_click=perform,
            args=(compare_file,),
        )


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
    source = f" · {run['file_name']}" if run["file_name"] else ""
    return f"{formats.local_time(run['run_at'], ctx.zone)} · {area} · {window}{source} · {found}"


def _run(ctx: PageContext, run: RowMapping) -> None:
    shown = [Tile("Our payouts", formats.count(run["ours"]))]
    if run["source"] == "PROVIDER":
        shown.append(Tile("The provider's", formats.count(run["theirs"])))
    if run["lines"] is not None:
        shown.append(Tile("Statement lines", formats.count(run["lines"])))
    shown += [
        Tile("All agree", formats.count(run["matched"])),
        Tile("On their way", formats.count(run["in_flight"])),
        Tile("To look at", formats.count(run["exceptions"])),
    ]
    tiles(shown)
    if run["opening_paise"] is not None:
        st.caption(
            f"The account held {formats.inr(run['opening_paise'])}, {formats.inr(run['credited_paise'])} came in, "
            f"{formats.inr(run['debited_paise'])} went out, and it holds {formats.inr(run['closing_paise'])}."
        )
    payout_findings.show(ctx, run["id"])
