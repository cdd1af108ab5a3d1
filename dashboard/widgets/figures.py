"""Plotly figures from plain numbers, and the tables that say the same. No SQL, no Streamlit: what is drawn is decided elsewhere.

Colours are told apart by any colour vision; each is named in the table beside the figure.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from dashboard import formats

INK, SOFT, GRID = "#1b2733", "#51606e", "#dde4ea"
BLUE, GREEN, GRAY = "#0072b2", "#009e73", "#b4bec8"
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#6b7785", "#b8a200")
STATUS_COLOURS: dict[str, str] = {
    "PENDING_VALIDATION": "#b4bec8",
    "AUTO_REJECTED": "#c2574f",
    "PENDING_VERIFICATION": "#e69f00",
    "REJECTED": "#8c2f2a",
    "DUPLICATE": "#8d99a5",
    "VERIFIED": "#56b4e9",
    "ASSIGNED": "#0072b2",
    "IN_PROGRESS": "#8a62b0",
    "CAPTURED": "#7fcdb1",
    "UNABLE_TO_LOCATE": "#5a6672",
    "PAYOUT_PENDING": "#c9b458",
    "PAYOUT_FAILED": "#d55e00",
    "RESOLVED": "#009e73",
}
BAR_PX = 34  # a bar with its gap: thin enough for thirty, high enough to click on
TICKS = 4
CURVE_LABELS = 8  # under a curve: what fits beside each other on a phone
CONFIG = {"displayModeBar": False, "scrollZoom": False, "locale": "en"}


@dataclass(frozen=True)
class Slice:
    """One part of a whole, and the address of its list."""

    label: str
    value: int
    colour: str
    href: str | None = None


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right."""

    title: str
    number: bool = False


def donut(slices: Sequence[Slice], height: int) -> go.Figure:
    """Parts of a whole around their sum."""
    figure = go.Figure(
        go.Pie(
            labels=[one.label for one in slices],
            values=[one.value for one in slices],
            marker={"colors": [one.colour for one in slices], "line": {"color": "#ffffff", "width": 1.5}},
            text=[formats.count(one.value) for one in slices],
            hole=0.62,
            sort=False,
            direction="clockwise",
            textinfo="none",
            hovertemplate="%{label}: %{text} (%{percent})<extra></extra>",
        )
    )
    total = formats.count(sum(one.value for one in slices))
    figure.update_layout(
        showlegend=False, annotations=[{"text": f"<b>{total}</b>", "showarrow": False, "font": {"size": 22, "color": INK}}]
    )
    return _finished(figure, height)


def curve(
    labels: Sequence[str], values: Sequence[int], before: Sequence[int] | None, name: str, before_name: str, height: int
) -> go.Figure:
    """A line over time, the period before as a dashed one under it."""
    figure = go.Figure()
    every = max(1, -(-len(labels) // CURVE_LABELS))
    shown = list(labels)[::every]
    if before is not None:
        figure.add_scatter(
            x=list(labels),
            y=list(before),
            name=before_name[:1].upper() + before_name[1:],
            mode="lines",
            line={"color": GRAY, "width": 2, "dash": "dot"},
            hovertemplate="%{y} before<extra></extra>",
        )
    figure.add_scatter(
        x=list(labels),
        y=list(values),
        name=name,
        mode="lines+markers" if len(labels) <= 62 else "lines",  # two months of points can still be told apart
        line={"color": BLUE, "width": 2.5},
        marker={"size": 5},
        cliponaxis=False,  # a day without reports lies on the axis and is drawn whole
        hovertemplate="%{y}<extra></extra>",
    )
    top = max([*values, *(before or []), 1])
    figure.update_layout(
        hovermode="x unified", showlegend=before is not None, legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    )
    figure.update_yaxes(**_axis(top))
    figure.update_xaxes(
        showgrid=False, linecolor=GRID, tickfont={"color": SOFT}, fixedrange=True, type="category", tickvals=shown, ticktext=shown
    )
    return _finished(figure, height)


def bars(labels: Sequence[str], parts: Sequence[tuple[str, str, Sequence[float]]], texts: Sequence[str]) -> go.Figure:
    """Bars from left to right, one a label, of one or several parts given as (name, colour, values); `texts` stand at their ends."""
    figure = go.Figure()
    for name, colour, values in parts:
        figure.add_bar(
            y=list(labels),
            x=list(values),
            name=name,
            orientation="h",
            marker={"color": colour},
            customdata=list(labels),
            hovertemplate="%{customdata}: %{x} " + html.escape(name.lower()) + "<extra></extra>",
        )
    totals = [sum(values[i] for _, _, values in parts) for i in range(len(labels))]
    top = max([*totals, 1])
    for label, total, text in zip(labels, totals, texts, strict=True):
        figure.add_annotation(x=total, y=label, text=text, showarrow=False, xanchor="left", xshift=6, font={"color": INK, "size": 13})
    figure.update_layout(
        barmode="stack",
        bargap=0.35,
        showlegend=len(parts) > 1,
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )
    figure.update_xaxes(**(_axis(top) | {"range": [0, top * 1.18], "showticklabels": False, "showgrid": False}))
    figure.update_yaxes(autorange="reversed", tickfont={"color": INK, "size": 13}, fixedrange=True, automargin=True, ticklabelstandoff=6)
    return _finished(figure, BAR_PX * len(labels) + (70 if len(parts) > 1 else 40))


def table(columns: Sequence[Column], lines: Sequence[Sequence[str]], caption: str, hrefs: Sequence[str | None] = ()) -> str:
    """The same as HTML; every text is escaped. `hrefs` make the first cell of a line a link."""
    head = "".join(f'<th scope="col"{_right(column)}>{html.escape(column.title)}</th>' for column in columns)
    body = ""
    for number, line in enumerate(lines):
        first = html.escape(line[0])
        href = hrefs[number] if number < len(hrefs) else None
        if href is not None:
            first = f'<a href="{html.escape(href)}" target="_self">{first}</a>'
        cells = "".join(f"<td{_right(column)}>{html.escape(cell)}</td>" for column, cell in zip(columns[1:], line[1:], strict=True))
        body += f'<tr><th scope="row">{first}</th>{cells}</tr>'
    name = html.escape(caption)
    inner = f'<table class="data"><caption>{name}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide" role="region" aria-label="{name}" tabindex="0">{inner}</div>'  # scrolls by itself on a phone


def legend(slices: Sequence[Slice], caption: str) -> str:
    """The parts as a table with their colours, numbers and shares; each leads to its list."""
    total = sum(one.value for one in slices)
    body = ""
    for one in slices:
        name = f'<i style="background:{one.colour}"></i>{html.escape(one.label)}'
        name = name if one.href is None else f'<a href="{html.escape(one.href)}" target="_self">{name}</a>'
        body += (
            f'<tr><th scope="row">{name}</th><td class="n">{formats.count(one.value)}</td>'
            f'<td class="n">{formats.percent(one.value, total)}</td></tr>'
        )
    return f'<table class="data legend"><caption>{html.escape(caption)}</caption><tbody>{body}</tbody></table>'


def _right(column: Column) -> str:
    return ' class="n"' if column.number else ""


def _axis(top: float) -> dict[str, object]:
    """From zero up, with ticks at round numbers in the Indian grouping."""
    step = _round_up(top / TICKS)
    ticks = [step * i for i in range(int(top / step) + 2)]
    return {
        "range": [0, max(top * 1.08, step)],
        "tickvals": ticks,
        "ticktext": [formats.count(tick) for tick in ticks],
        "gridcolor": GRID,
        "zeroline": False,
        "tickfont": {"color": SOFT},
        "fixedrange": True,
    }


def _round_up(value: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50 and so on."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if size * factor >= value:
                return size * factor
        size *= 10


def _finished(figure: go.Figure, height: int) -> go.Figure:
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13, "color": INK},
        dragmode=False,
    )
    return figure
