"""The tables of people: teachers, verifiers and officers. One that names teachers is drawn only for who may know reporters."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import streamlit as st

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import chart_parts as parts
from dashboard.widgets import figures
from dashboard.widgets.asking import Asked, Measure, ask
from dashboard.widgets.figures import Column
from pipeline.access.policy import sees_reporters
from pipeline.masterdata.dashboard_models import Chart

Row = dict[str, Any]


def top_earners(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """Who received most."""
    columns = [Column("Teacher"), Column("Payouts", number=True), Column("Received", number=True)]
    rows = _of_reporters(ctx, question, chart, "analytics.top_earners")
    if rows:
        names = _names(ctx, rows)
        _lines(chart, columns, [(names[row["key"]], formats.count(row["payouts"]), formats.inr(row["paise"])) for row in rows])


def top_reporters(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """Whose reports were resolved most."""
    columns = [Column("Teacher"), Column("Reports", number=True), Column("Resolved", number=True), Column("Share resolved", number=True)]
    rows = _of_reporters(ctx, question, chart, "analytics.top_reporters")
    if rows:
        names = _names(ctx, rows)
        _lines(
            chart,
            columns,
            [
                (
                    names[row["key"]],
                    formats.count(row["reports"]),
                    formats.count(row["resolved"]),
                    formats.percent(row["resolved"], row["reports"]),
                )
                for row in rows
            ],
        )


def _of_reporters(ctx: PageContext, question: Asked, chart: Chart, name: str) -> list[Row]:
    parts.heading(chart.title, chart.description)
    if not sees_reporters(ctx.caller):
        st.caption("Who reported is known to verifiers, admins and the auditor only.")
        return []
    rows = ask(ctx, name, question.params(Measure("")))
    if not rows:
        parts.nothing()
    return rows


def verifiers(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What verifiers decided and how fast."""
    parts.heading(chart.title, chart.description)
    rows = ask(ctx, "analytics.verifiers", question.params(Measure("")))
    if not rows:
        parts.nothing()
        return
    names = _names(ctx, rows)
    columns = [Column("Verifier"), *(Column(title, number=True) for title in ("Verified", "Rejected", "Mean time", "Half within"))]
    _lines(
        chart,
        columns,
        [
            (
                names[row["key"]],
                formats.count(row["verified"]),
                formats.count(row["rejected"]),
                parts.hours(row["mean_h"]),
                parts.hours(row["median_h"]),
            )
            for row in rows
        ],
    )


def officers(ctx: PageContext, question: Asked, chart: Chart) -> None:
    """What officers made of their visits."""
    parts.heading(chart.title, chart.description)
    rows = ask(ctx, "analytics.officers", question.params(Measure("")))
    if not rows:
        parts.nothing()
        return
    names = _names(ctx, rows)
    titles = ("Assigned", "Captured", "Not found", "Open", "Capture rate", "Half within")
    columns = [Column("Officer"), *(Column(title, number=True) for title in titles)]
    _lines(
        chart,
        columns,
        [
            (
                names[row["key"]],
                formats.count(row["assigned"]),
                formats.count(row["captured"]),
                formats.count(row["not_found"]),
                formats.count(row["open"]),
                formats.percent(row["captured"], row["captured"] + row["not_found"]),
                parts.hours(row["median_h"]),
            )
            for row in rows
        ],
    )


def _lines(chart: Chart, columns: Sequence[Column], lines: Sequence[Sequence[str]]) -> None:
    st.html(figures.table(columns, lines, chart.title))


def _names(ctx: PageContext, rows: Sequence[Row]) -> dict[UUID, str]:
    """The people of a table by name; read each time, since names are kept nowhere but in the vault."""
    ids = [row["key"] for row in rows]
    with ctx.begin() as conn:
        persons = ctx.runtime.vault.get(conn, ids, ["name"])
    usernames = {row["id"]: row["username"] for row in ask(ctx, "analytics.usernames", {"ids": tuple(ids)})}
    return {one: persons.get(one, {}).get("name") or usernames.get(one, formats.ABSENT) for one in ids}
