"""What the charts of a dashboard share: headings, the words for nothing, tables, and numbers in words."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from dashboard import formats
from dashboard.widgets import figures, rows
from dashboard.widgets.figures import Column
from pipeline.masterdata.dashboard_models import Chart

KEPT_FILTERS = tuple(f"analytics.{name}" for name in ("area", "period", "from", "to", "district", "ward", "dashboard"))


def list_href(key: str) -> str:
    """The address of the list behind a number, with the filters as they are."""
    kept = {name: st.session_state[name] for name in KEPT_FILTERS if st.session_state.get(name) is not None}
    return "/analytics?" + urlencode({**kept, "list": key})


def heading(title: str, description: str) -> None:
    """The chart's name with what it shows."""
    rows.part(title, description)


def nothing() -> None:
    """Said instead of an empty chart."""
    st.caption("Nothing in this period.")


def table(columns: Sequence[Column], lines: Sequence[Sequence[str]], caption: str, hrefs: Sequence[str | None] = ()) -> None:
    """The same as a table, folded away; `hrefs` lead to the lists behind its lines."""
    with st.expander("As a table"):
        st.html(figures.table(columns, lines, caption, hrefs))


def change(now: float, before: float) -> str | None:
    """By how much it changed; against nothing there is no share."""
    return f"{100 * (now - before) / before:+.0f} %" if before else None


def hours(length: Any) -> str:
    """A length of time that is known in hours."""
    if length is None:
        return formats.ABSENT
    size = float(length)
    return f"{size * 60:.0f} min" if size < 1 else f"{size:.1f} h" if size < 48 else f"{size / 24:.1f} days"


def plot(chart: Chart, figure: Any, alt: str) -> None:
    """The figure, with its sentence for who cannot see it."""
    st.plotly_chart(figure, key=f"analytics.chart.{chart.id}", config=figures.CONFIG, alt=alt, width="stretch")
