"""The flow as a whole: how far registrations come, where they are now and how old the oldest is against its budget, how many an hour,
and what does not succeed.

A fragment of its own, asked for again by itself: charts stand on no page on which somebody works.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, context, show_messages
from dashboard.widgets import figures, rows
from dashboard.widgets import identity_words as words
from dashboard.widgets.figures import Column
from dashboard.widgets.identity_words import Budget
from dashboard.widgets.payout_part import cards
from dashboard.widgets.rows import escape
from dashboard.widgets.work import Area
from pipeline.access import policy
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData

PERIODS: Mapping[str, timedelta] = {"24 hours": timedelta(hours=24), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
CURVE_PX = 260
HOURS_SHOWN = 48  # an hour a point; a longer period is told in days
# Places besides the stages, which have theirs in the master data: jobs run every second or so, so that minutes are already late.
# The client's upload follows its announcement when the centre has a line: within the day.
PLACE_BUDGETS: Mapping[str, int] = {
    "UPLOAD": 24 * 3600,
    "REQUEST": 300,
    "ISSUE": 300,
    "DELIVERY": 300,
    "STORE": 600,
    "ACKNOWLEDGE": 300,
    "ANSWER": 300,
}
FUNNEL: Mapping[str, str] = {
    "announced": "Announced",
    "uploaded": "Uploaded",
    "processed": "Processed",
    "requested": "Credentials requested",
    "issued": "Credentials issued",
    "cached": "Stored by the authentication side",
    "stored": "Acknowledged",
}
EVERY_S = 30  # a glance at how it goes on; the lists beside it are asked at each click


@st.fragment(run_every=EVERY_S)
def show(where: Area) -> None:
    """The whole view. The area is checked again, since a fragment runs without its page."""
    ctx = context()
    policy.check_page(ctx.caller, "identity")
    if not set(where.tenants) <= set(ctx.caller.scope):
        raise AppError("SDCRS_FORBIDDEN", reason="this area is another's.")
    show_messages()
    chosen = st.segmented_control(
        "Period", list(PERIODS), default="24 hours", required=True, key="identity.period", bind="query-params", label_visibility="collapsed"
    )
    from_at = (ctx.now - PERIODS[chosen]).replace(minute=0, second=0, microsecond=0)
    tenants = list(where.tenants)
    with ctx.begin() as conn:
        steps = queries.rows(conn, "identity.steps", tenants=tenants)
        funnel = queries.one(conn, "identity.funnel", tenants=tenants, from_at=from_at)
        hours = queries.rows(conn, "identity.throughput", tenants=tenants, from_at=from_at)
        failures = queries.rows(conn, "identity.failures", tenants=tenants, from_at=from_at)
    _now(ctx, steps, where)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        _funnel(funnel, chosen)
    with right, st.container(border=True, height="stretch"):
        _failures(failures, chosen)
    with st.container(border=True):
        _throughput(ctx, hours, from_at, chosen)


def budgets(md: MasterData, tenant_id: str) -> dict[str, Budget]:
    """How long something may stay at each place: of the stages as the master data says."""
    stages: dict[str, Budget] = {rule.name: Budget(rule.budget_seconds) for rule in md.identity_stages(tenant_id).stages}
    return {**{place: Budget(seconds) for place, seconds in PLACE_BUDGETS.items()}, **stages}


def _now(ctx: PageContext, steps: Sequence[RowMapping], where: Area) -> None:
    """Where everything is at this moment, place by place."""
    rows.part("Where they are now", "the oldest of each place against its budget")
    known = budgets(ctx.runtime.masterdata.current(), where.root)
    waiting = [row for row in steps if row["waiting"]]
    if not waiting:
        st.info("Nothing is on its way.", icon=":material/check_circle:")
        return
    st.html(cards(("Step", "Place", "Waiting", "Oldest", "Budget", "State"), [_place(row, known, ctx.now) for row in waiting], "Places"))


def _place(row: RowMapping, known: Mapping[str, Budget], now: datetime) -> tuple[str, ...]:
    age_s = (now - row["oldest_at"]).total_seconds()
    budget = known.get(row["place"], Budget(None))
    state = rows.mark("Late", "red") if budget.late(age_s) else rows.mark("In time", "green")
    return (
        f"{row['step']} {escape(words.STEPS[row['step']])}",
        escape(words.stage(row["place"])),
        escape(formats.count(row["waiting"])),
        escape(formats.duration(age_s)),
        escape(formats.duration(budget.seconds)),
        state,
    )


def _funnel(funnel: RowMapping | None, period: str) -> None:
    rows.part("How far they came", f"registrations announced in the last {period}")
    if funnel is None or not funnel["announced"]:
        st.caption("Nothing in this period.")
        return
    values = [int(funnel[name]) for name in FUNNEL]
    labels = list(FUNNEL.values())
    figure = figures.bars(labels, [("registrations", figures.BLUE, values)], [formats.count(value) for value in values])
    alt = "Funnel: " + ", ".join(f"{label.lower()} {formats.count(value)}" for label, value in zip(labels, values, strict=True))
    _plot(figure, "funnel", alt)
    st.caption(f"{formats.count(funnel['failed'])} failed, {formats.count(funnel['rejected'])} rejected")
    shares = [formats.percent(value, values[0]) for value in values]
    lines = [(label, formats.count(value), share) for label, value, share in zip(labels, values, shares, strict=True)]
    _table([Column("Step"), Column("Registrations", number=True), Column("Share", number=True)], lines, "How far they came")


def _failures(failures: Sequence[RowMapping], period: str) -> None:
    rows.part("What did not succeed", f"by stage and sub-status, in the last {period}")
    if not failures:
        st.caption("Nothing failed in this period.")
        return
    # the code's words: its sentence stands in the table below, and is longer than a chart has room for
    labels = [f"{words.stage(row['stage'])}: {formats.words(row['sub_status']).lower()}" for row in failures[:10]]
    values = [int(row["found"]) for row in failures[:10]]
    figure = figures.bars(labels, [("times", figures.PALETTE[5], values)], [formats.count(value) for value in values])
    _plot(figure, "failures", f"Failures: most often {labels[0].lower()}, {formats.count(values[0])} times")
    lines = [
        (words.stage(row["stage"]), words.sub_status(row["sub_status"]), formats.count(row["found"]), formats.count(row["registrations"]))
        for row in failures
    ]
    columns = [Column("Stage"), Column("Sub-status"), Column("Times", number=True), Column("Registrations", number=True)]
    _table(columns, lines, "What did not succeed")


def _throughput(ctx: PageContext, hours: Sequence[RowMapping], from_at: datetime, period: str) -> None:
    by_hour = PERIODS[period] <= timedelta(hours=HOURS_SHOWN)
    unit = "hour" if by_hour else "day"
    rows.part(f"How many an {unit}" if by_hour else f"How many a {unit}", f"processed, and credentials stored, in the last {period}")
    if not hours:
        st.caption("Nothing in this period.")
        return
    step = timedelta(hours=1 if by_hour else 24)
    begins = [from_at + step * i for i in range(int((ctx.now - from_at) / step) + 1)]
    processed, stored = [0] * len(begins), [0] * len(begins)
    for row in hours:
        place = int((row["hour"] - from_at) / step)
        if 0 <= place < len(begins):
            processed[place] += int(row["processed"])
            stored[place] += int(row["stored"])
    labels = [_label(at, by_hour, ctx) for at in begins]
    figure = figures.curve(labels, processed, stored, "Processed", "credentials stored", CURVE_PX)
    _plot(figure, "throughput", f"{formats.count(sum(processed))} processed and {formats.count(sum(stored))} credentials stored")
    lines = [(label, formats.count(a), formats.count(b)) for label, a, b in zip(labels, processed, stored, strict=True) if a or b]
    columns = [Column(unit.capitalize()), Column("Processed", number=True), Column("Credentials stored", number=True)]
    _table(columns, lines, "Throughput")


def _label(at: datetime, by_hour: bool, ctx: PageContext) -> str:
    here = at.astimezone(ctx.zone)
    return f"{here.day} {here:%b}, {here:%H:%M}" if by_hour else f"{here.day} {here:%b}"


def _plot(figure: Any, name: str, alt: str) -> None:
    st.plotly_chart(figure, key=f"identity.chart.{name}", config=figures.CONFIG, alt=alt, width="stretch")


def _table(columns: Sequence[Column], lines: Sequence[Sequence[str]], caption: str) -> None:
    with st.expander("As a table"):
        st.html(figures.table(columns, lines, caption))
