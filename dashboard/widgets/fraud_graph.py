"""Nodes and links as a Plotly figure: laid out here by a small spring model, the same way each time. No SQL, no Streamlit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy
import plotly.graph_objects as go

from dashboard.widgets.figures import INK
from dashboard.widgets.map import COLOURS

ROUNDS = 150  # until a graph of a hundred nodes stands still
HEIGHT_PX = 380
SPREAD = 0.7  # below 1 draws what is crowded in the middle apart
LABELS_UP_TO = 24  # nodes whose names can stand beside them
LINES = {
    "near": {"color": COLOURS["orange"], "width": 1.4, "dash": "dot"},
    "device": {"color": COLOURS["violet"], "width": 1.6},
    "photo": {"color": COLOURS["red"], "width": 2},
}
LOOK = {"device": (COLOURS["violet"], "square", 16), "teacher": (COLOURS["blue"], "circle", 13)}


@dataclass(frozen=True)
class Node:
    """A thing of the graph."""

    id: str
    label: str
    kind: Literal["device", "teacher"]


@dataclass(frozen=True)
class Link:
    """Two things that belong together, and in how many reports: a teacher and a device, or two teachers by what their reports share."""

    one: str
    other: str
    weight: int
    kind: Literal["device", "photo", "near"] = "device"


def figure(nodes: Sequence[Node], links: Sequence[Link]) -> go.Figure:
    """The graph, labelled where there is room; what a label says is said again on hover."""
    at = positions(nodes, links)
    drawn = go.Figure()
    for kind_of_link, look in LINES.items():
        lines = [(*at[link.one], *at[link.other]) for link in links if link.kind == kind_of_link]
        drawn.add_scatter(
            x=[value for x0, _, x1, _ in lines for value in (x0, x1, None)],
            y=[value for _, y0, _, y1 in lines for value in (y0, y1, None)],
            mode="lines",
            line=look,
            hoverinfo="skip",
        )
    reports: dict[str, int] = {}
    for link in links:
        for end in (link.one, link.other):
            reports[end] = reports.get(end, 0) + link.weight
    for kind, (colour, symbol, size) in LOOK.items():
        some = [node for node in nodes if node.kind == kind]
        drawn.add_scatter(
            x=[at[node.id][0] for node in some],
            y=[at[node.id][1] for node in some],
            mode="markers+text" if len(nodes) <= LABELS_UP_TO else "markers",
            text=[node.label for node in some],
            textposition="top center",
            textfont={"size": 11, "color": INK},
            marker={"color": colour, "symbol": symbol, "size": size, "line": {"color": "#ffffff", "width": 1.5}},
            hovertext=[f"{node.label}: {reports.get(node.id, 0)} reports" for node in some],
            hoverinfo="text",
        )
    drawn.update_layout(
        height=HEIGHT_PX, margin={"l": 10, "r": 10, "t": 20, "b": 10}, showlegend=False, plot_bgcolor="#ffffff", dragmode=False
    )
    drawn.update_xaxes(visible=False, fixedrange=True, range=[-1.25, 1.25])
    drawn.update_yaxes(visible=False, fixedrange=True, range=[-1.2, 1.25])
    return drawn


def positions(nodes: Sequence[Node], links: Sequence[Link]) -> dict[str, tuple[float, float]]:
    """A place in the square from -1 to 1 for every node: all push each other away, links pull together (Fruchterman and Reingold)."""
    count = len(nodes)
    if count == 0:
        return {}
    index = {node.id: n for n, node in enumerate(nodes)}
    turn = math.pi * (3 - math.sqrt(5))  # golden angle: a start without two nodes in one place
    radius = numpy.sqrt((numpy.arange(count) + 0.5) / count)
    place = numpy.stack([radius * numpy.cos(turn * numpy.arange(count)), radius * numpy.sin(turn * numpy.arange(count))], axis=1)
    ends = numpy.array([(index[link.one], index[link.other]) for link in links], dtype=int).reshape(-1, 2)
    ideal = math.sqrt(4 / count) * 0.8
    for step in range(ROUNDS):
        apart = place[:, None, :] - place[None, :, :]
        distance = numpy.maximum(numpy.linalg.norm(apart, axis=2), 1e-3)
        move = (apart / distance[..., None] * (ideal**2 / distance)[..., None]).sum(axis=1)
        pull = place[ends[:, 0]] - place[ends[:, 1]]
        length = numpy.maximum(numpy.linalg.norm(pull, axis=1, keepdims=True), 1e-3)
        force = pull * length / ideal
        numpy.subtract.at(move, ends[:, 0], force)
        numpy.add.at(move, ends[:, 1], force)
        move -= place * ideal * 0.5  # towards the middle, so that parts without a link stay in the picture
        size = numpy.maximum(numpy.linalg.norm(move, axis=1, keepdims=True), 1e-6)
        place += move / size * numpy.minimum(size, 0.25 * (1 - step / ROUNDS))
    place -= (place.max(axis=0) + place.min(axis=0)) / 2
    place /= numpy.maximum(numpy.abs(place).max(axis=0), 1e-6)  # each way by itself: the picture is wider than high
    place = numpy.sign(place) * numpy.abs(place) ** SPREAD
    return {node.id: (float(place[n, 0]), float(place[n, 1])) for n, node in enumerate(nodes)}
