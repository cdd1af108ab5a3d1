"""The curves, rings and bars of a dashboard. Each says the same in a table, and each part leads to the list of its reports."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import streamlit as st

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import chart_parts as parts
from dashboard.widgets import figures, period
from dashboard.widgets.asking import AGES, Asked, Measure, ask, open_states, statuses_like
from dashboard.widgets.figures import Column, Slice
from pipeline.masterdata.dashboard_models import Chart

DONUT_PX = 220
CURVE_PX = 280
SHOWN_WARDS = 30  # a district has fewer; more bars nobody reads


def by_status(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """Where the reports stand."""
    counted = {row["key"]: int(row["reports"]) for row in ask(ctx, "analytics.by_status", question.params(Measure("")))}
    slices = []
    for state, colour in figures.STATUS_COLOURS.items():
        number = sum(counted.pop(code, 0) for code in statuses_like(state))
        if number:
            slices.append(Slice(formats.status_label(state), number, colour, parts.list_href(f"status:{state}")))
    slices += [Slice(formats.status_label(code), number, figures.GRAY) for code, number in counted.items()]
    _donut(chart, slices)


def by_type(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What was reported."""
    types = ctx.runtime.masterdata.current().report_types(question.area.root, retired=True)
    counted = {row["key"]: int(row["reports"]) for row in ask(ctx, "analytics.by_type", question.params(Measure("")))}
    colours = dict(zip(types, figures.PALETTE, strict=False))  # a type keeps its colour whatever is counted
    slices = [
        Slice(kind.name, counted[code], colours.get(code, figures.GRAY), parts.list_href(f"type:{code}"))
        for code, kind in types.items()
        if counted.get(code)
    ]
    _donut(chart, slices)


def trend(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How many came when, against the period before."""
    unit, first = _unit_and_first(ctx, question)
    title, described = (
        (chart.title, chart.description) if unit == "day" else (f"Reports a {unit}", f"Reports received in each local {unit}")
    )
    parts.heading(title, described)
    now = _counts(ctx, question, unit, before=False)
    if not now:
        parts.nothing()
        return
    last = min(question.period.to_at - timedelta(microseconds=1), question.as_of).astimezone(ctx.zone).date()
    days = period.buckets(unit, first, last)
    values = [now.get(day, 0) for day in days]
    earlier: list[int] | None = None
    if question.period.before is not None:
        before = _counts(ctx, question, unit, before=True)
        start, end = (at.astimezone(ctx.zone).date() for at in question.period.before)
        aligned = [before.get(day, 0) for day in period.buckets(unit, start, end)][: len(days)]
        earlier = [*aligned, *([0] * (len(days) - len(aligned)))]
    labels = [f"{day:%b %Y}" if unit == "month" else f"{day.day} {day:%b}" for day in days]
    figure = figures.curve(labels, values, earlier, "This period", question.period.before_label, CURVE_PX)
    parts.plot(chart, figure, f"{title}: {formats.count(sum(values))} in all, at most {formats.count(max(values))}")
    columns = [Column(unit.capitalize() if unit != "week" else "Week from"), Column("Reports", number=True), Column("Before", number=True)]
    olds: Sequence[int | None] = earlier if earlier is not None else [None] * len(days)
    names = [f"{day:%b %Y}" if unit == "month" else f"{day.day} {day:%b %Y}" for day in days]
    lines = [(name, formats.count(value), formats.count(old)) for name, value, old in zip(names, values, olds, strict=True)]
    parts.table(columns, lines, title)


def _unit_and_first(ctx: PageContext, question: Asked) -> tuple[period.Unit, date]:
    """Days, weeks or months, by how long the period is; without a beginning it begins with the first report."""
    if question.period.from_at != period.BEGINNING:
        return question.period.unit, question.period.from_at.astimezone(ctx.zone).date()
    months = _counts(ctx, question, "month", before=False)
    today = question.as_of.astimezone(ctx.zone).date()
    first = min(months, default=today)
    unit = period.unit_for((today - first).days + 1)
    return unit, min(_counts(ctx, question, unit, before=False), default=today)


def by_place(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """Districts; inside the chosen one its wards. A click on a district chooses it."""
    md = ctx.runtime.masterdata.current()
    inside = question.district is not None or len(md.districts(question.area.root)) == 1
    rows = ask(ctx, "analytics.by_ward" if inside else "analytics.by_district", question.params(Measure("")))[:SHOWN_WARDS]
    known = {one.code: one.name for one in (md.wards(question.area.root) if inside else md.districts(question.area.root))}
    title = "By ward" if inside else chart.title
    parts.heading(title, "Reports of each ward" if inside else f"{chart.description}; choose one to see its wards")
    if not rows:
        parts.nothing()
        return
    names = [known.get(row["key"]) or row["name"] or "Outside the area" for row in rows]
    resolved = [int(row["resolved"]) for row in rows]
    rest = [int(row["reports"]) - int(row["resolved"]) for row in rows]
    figure = figures.bars(
        names, [("Resolved", figures.GREEN, resolved), ("Others", figures.BLUE, rest)], [formats.count(int(row["reports"])) for row in rows]
    )
    alt = f"{title}: most in {names[0]} with {formats.count(int(rows[0]['reports']))}"
    if inside:
        parts.plot(chart, figure, alt)
    else:
        _clickable(chart, figure, alt, names)
    columns = [Column("Ward" if inside else "District"), Column("Reports", number=True), Column("Resolved", number=True)]
    columns.append(Column("Share resolved", number=True))
    lines = [
        (name, formats.count(row["reports"]), formats.count(row["resolved"]), formats.percent(row["resolved"], row["reports"]))
        for name, row in zip(names, rows, strict=True)
    ]
    kind = "ward" if inside else "district"
    parts.table(columns, lines, title, [parts.list_href(f"{kind}:{row['key']}") if row["key"] in known else None for row in rows])


def stages(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How long a report takes to each stage."""
    parts.heading(chart.title, chart.description)
    rows = ask(ctx, "analytics.stage_times", question.params(Measure("")))
    if not rows:
        parts.nothing()
        return
    names = {"VERIFIED": "Verified", "ASSIGNED": "Assigned", "IN_PROGRESS": "Visit started", "RESOLVED": "Resolved"}
    labels = [names[row["key"]] for row in rows]
    means = [round(float(row["mean_h"]), 1) for row in rows]
    figure = figures.bars(labels, [("hours", figures.BLUE, means)], [parts.hours(row["mean_h"]) for row in rows])
    parts.plot(chart, figure, f"{chart.title}: " + ", ".join(f"{a} {parts.hours(m)}" for a, m in zip(labels, means, strict=True)))
    columns = [Column("Stage"), *(Column(title, number=True) for title in ("Reports", "Mean", "Half within", "Nine of ten within"))]
    parts.table(
        columns,
        [
            (label, formats.count(row["reports"]), parts.hours(row["mean_h"]), parts.hours(row["median_h"]), parts.hours(row["p90_h"]))
            for label, row in zip(labels, rows, strict=True)
        ],
        chart.title,
    )


def aging(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How old the open reports are."""
    md = ctx.runtime.masterdata.current()
    parts.heading(chart.title, f"{chart.description}; all that are open now, whatever the period")
    kind = Measure("Open", open_states(md, question.area.root), ever=True)
    counted = {int(row["key"]): int(row["reports"]) for row in ask(ctx, "analytics.ages", question.params(kind))}
    labels = [label for label, _, _ in AGES]
    values = [counted.get(i, 0) for i in range(len(AGES))]
    if not any(values):
        parts.nothing()
        return
    figure = figures.bars(labels, [("open reports", figures.BLUE, values)], [formats.count(value) for value in values])
    parts.plot(chart, figure, f"{chart.title}: {formats.count(values[-1])} of {formats.count(sum(values))} are older than 72 hours")
    columns = [Column("Age"), Column("Open reports", number=True)]
    lines = [(label, formats.count(value)) for label, value in zip(labels, values, strict=True)]
    parts.table(columns, lines, chart.title, [parts.list_href(f"age:{i}") for i in range(len(AGES))])


def paid_by_district(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What was paid in each district."""
    parts.heading(chart.title, chart.description)
    rows = ask(ctx, "analytics.paid_by_district", question.params(Measure("")))
    if not rows:
        parts.nothing()
        return
    names = [row["name"] or "Outside the area" for row in rows]
    figure = figures.bars(
        names, [("rupees", figures.GREEN, [row["paise"] / 100 for row in rows])], [formats.inr_short(row["paise"]) for row in rows]
    )
    parts.plot(chart, figure, f"{chart.title}: most in {names[0]} with {formats.inr(rows[0]['paise'])}")
    columns = [Column("District"), Column("Payouts", number=True), Column("Paid", number=True)]
    lines = [(name, formats.count(row["payouts"]), formats.inr(row["paise"])) for name, row in zip(names, rows, strict=True)]
    parts.table(columns, lines, chart.title)


def paid_by_month(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What was paid in each month."""
    parts.heading(chart.title, chart.description)
    rows = ask(ctx, "analytics.paid_by_month", question.params(Measure("")), zone=question.zone)
    if not rows:
        parts.nothing()
        return
    names = [f"{row['day']:%b %Y}" for row in rows]
    figure = figures.bars(
        names, [("rupees", figures.GREEN, [row["paise"] / 100 for row in rows])], [formats.inr_short(row["paise"]) for row in rows]
    )
    parts.plot(chart, figure, f"{chart.title}: {formats.inr(sum(row['paise'] for row in rows))} in {len(rows)} months")
    columns = [Column("Month"), Column("Payouts", number=True), Column("Paid", number=True)]
    lines = [(name, formats.count(row["payouts"]), formats.inr(row["paise"])) for name, row in zip(names, rows, strict=True)]
    parts.table(columns, lines, chart.title)


def _donut(chart: Chart, slices: Sequence[Slice]) -> None:
    parts.heading(chart.title, chart.description)
    if not slices:
        parts.nothing()
        return
    left, right = st.columns([2, 3], vertical_alignment="center")
    with left:
        biggest = max(slices, key=lambda one: one.value)
        parts.plot(chart, figures.donut(slices, DONUT_PX), f"{chart.title}: mostly {biggest.label} with {formats.count(biggest.value)}")
    with right:
        st.html(figures.legend(slices, chart.title))


def _clickable(chart: Chart, figure: Any, alt: str, names: Sequence[str]) -> None:
    """A bar that is clicked on chooses its district, for the whole page."""
    key = f"analytics.chart.{chart.id}"

    def choose() -> None:
        points = st.session_state[key]["selection"]["points"]
        name = points[0].get("customdata") or points[0].get("y") if points else None
        name = name[0] if isinstance(name, list | tuple) else name
        if name in names:
            st.session_state["analytics.district"] = name
            st.session_state["analytics.narrowed"] = True

    st.plotly_chart(figure, key=key, config=figures.CONFIG, alt=alt, width="stretch", on_select=choose, selection_mode="points")
    if st.session_state.pop("analytics.narrowed", False):
        st.rerun()


def _counts(ctx: PageContext, question: Asked, unit: period.Unit, *, before: bool) -> dict[date, int]:
    rows = ask(ctx, "analytics.trend", question.params(Measure(""), before=before), unit=unit, zone=question.zone)
    return {row["day"]: int(row["reports"]) for row in rows}
