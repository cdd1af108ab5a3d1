"""The numbers of a dashboard: a count, a rate, a time or money, against the period before, and the way to the list behind it."""

from typing import Any

import streamlit as st

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import chart_parts as parts
from dashboard.widgets.asking import Asked, Measure, ask, measures, total
from pipeline.masterdata.dashboard_models import Chart


def reports(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How many came."""
    _counted(ctx, question, chart, "all", "normal")


def resolved(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How many came to their end with the dog captured."""
    _counted(ctx, question, chart, "resolved", "normal")


def overdue(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """How many are open past their hours."""
    _counted(ctx, question, chart, "overdue", "off")


def _counted(ctx: PageContext, question: Asked, chart: Chart, key: str, colour: Any) -> None:
    kind = measures(ctx.runtime.masterdata.current(), question.area.root)[key]
    now = total(ctx, question, kind)
    delta = None
    if question.period.before is not None and not kind.ever:
        before = total(ctx, question, kind, before=True)
        delta = parts.change(now, before)
    _metric(question, chart, formats.count(now), delta, colour, "now, whatever the period" if kind.ever else None)
    _list_button(chart, key, now)


def capture_rate(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """Captured dogs as a share of what officers were given."""
    _rate(ctx, question, chart, "captured", "given")


def compliance(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """The share that was closed within its hours."""
    _rate(ctx, question, chart, "in_time", "closed")


def _rate(ctx: PageContext, question: Asked, chart: Chart, part: str, whole: str) -> None:
    known = measures(ctx.runtime.masterdata.current(), question.area.root)
    some, every = total(ctx, question, known[part]), total(ctx, question, known[whole])
    delta = None
    if question.period.before is not None:
        before = total(ctx, question, known[whole], before=True)
        if before and every:
            points = 100 * some / every - 100 * total(ctx, question, known[part], before=True) / before
            delta = f"{points:+.1f} points"
    _metric(question, chart, formats.percent(some, every), delta, "normal", f"{formats.count(some)} of {formats.count(every)}")
    _list_button(chart, part, some)


def resolution_time(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """The mean time to resolution, with median and the slowest tenth."""
    resolved = measures(ctx.runtime.masterdata.current(), question.area.root)["resolved"]
    (row,) = ask(ctx, "analytics.resolution_time", question.params(resolved))
    delta = None
    if question.period.before is not None and row["reports"]:
        (before,) = ask(ctx, "analytics.resolution_time", question.params(resolved, before=True))
        delta = parts.change(float(row["mean_h"]), float(before["mean_h"])) if before["reports"] else None
    note = f"half within {parts.hours(row['median_h'])}, nine of ten within {parts.hours(row['p90_h'])}" if row["reports"] else None
    _metric(question, chart, parts.hours(row["mean_h"]), delta, "inverse", note)
    _list_button(chart, "resolved", total(ctx, question, resolved))


def paid(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What reached teachers."""
    _money(ctx, question, chart, "paid_paise", "paid")


def pending(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What is on its way to them."""
    _money(ctx, question, chart, "pending_paise", "pending")


def _money(ctx: PageContext, question: Asked, chart: Chart, sum_of: str, count_of: str) -> None:
    (row,) = ask(ctx, "analytics.paid", question.params(Measure(chart.title)))
    delta = None
    if question.period.before is not None and sum_of == "paid_paise":
        (before,) = ask(ctx, "analytics.paid", question.params(Measure(chart.title), before=True))
        delta = parts.change(row[sum_of], before[sum_of])
    _metric(question, chart, formats.inr_short(row[sum_of]), delta, "normal", f"{formats.count(row[count_of])} payouts")


def _metric(question: Asked, chart: Chart, value: str, delta: str | None, colour: Any, note: str | None) -> None:
    st.metric(
        chart.title,
        value,
        delta=delta,
        delta_color=colour if delta is not None else "off",
        delta_description=f"against {question.period.before_label}" if delta is not None else None,
        help=chart.description + (f" ({note})" if note else ""),
    )
    st.caption(note[:1].upper() + note[1:] if note else chart.description)


def _list_button(chart: Chart, key: str, number: int) -> None:
    """Opens the list of exactly these reports."""
    label = "No reports to show" if number == 0 else "Show the report" if number == 1 else f"Show the {formats.count(number)} reports"
    if st.button(label, key=f"analytics.show.{chart.id}", type="tertiary", icon=":material/list:", disabled=number == 0):
        st.query_params["list"] = key
        st.rerun()
