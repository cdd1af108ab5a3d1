"""Nodes and links as a Plotly figure: laid out here by a small spring model, the same way each time. No SQL, no Streamlit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy
import plotly.graph_objects as go

from dashboard.widgets.figures import INK
from dashboard.widgets.map import COLOURS

ROUNDS = 150  # until a graph of a hundred nodes stands still
SPREAD = 0.7  # below 1 draws what is crowded in the middle apart
LEAST_SHARE = 0.25  # of the width, for all parts but the largest
GAP = 0.12  # between parts
HEIGHT_PX = 380
EDGE = 1.25  # of the picture, each way: nodes lie within 1
PX_PER_UNIT = (130, 150)  # across and down, on a phone: names that are apart there are apart everywhere
LETTER_PX, LINE_PX = 6, 15  # of a name as it is written
LINES = {
    "near": {"color": COLOURS["orange"], "width": 1.4, "dash": "dot"},
    "device": {"color": COLOURS["violet"], "width": 1.6},
    "photo": {"color": COLOURS["red"], "width": 2},
}
LOOK = {"device": (COLOURS["violet"], "square", 16), "teacher": (COLOURS["blue"], "circle", 13)}

Box = tuple[float, float, float, float]  # left, bottom, right, top


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
    """The graph. Names stand where a phone has room, devices and those with most reports first; hover and touch name every node."""
    at = positions(nodes, links)
    drawn = go.Figure()
    for joined, line in LINES.items():
        lines = [(*at[link.one], *at[link.other]) for link in links if link.kind == joined]
        drawn.add_scatter(
            x=[value for x0, _, x1, _ in lines for value in (x0, x1, None)],
            y=[value for _, y0, _, y1 in lines for value in (y0, y1, None)],
            mode="lines",
            line=line,
            hoverinfo="skip",
        )
    reports: dict[str, int] = {}
    for link in links:
        for end in (link.one, link.other):
            reports[end] = reports.get(end, 0) + link.weight
    named = with_room(sorted(nodes, key=lambda node: (node.kind, -reports.get(node.id, 0))), at)
    for kind, (colour, symbol, size) in LOOK.items():
        some = [node for node in nodes if node.kind == kind]
        drawn.add_scatter(
            x=[at[node.id][0] for node in some],
            y=[at[node.id][1] for node in some],
            mode="markers+text",
            text=[node.label if node.id in named else "" for node in some],
            textposition="top center",
            textfont={"size": 11, "color": INK},
            marker={"color": colour, "symbol": symbol, "size": size, "line": {"color": "#ffffff", "width": 1.5}},
            hovertext=[f"{node.label}: {reports.get(node.id, 0)} reports" for node in some],
            hoverinfo="text",
        )
    drawn.update_layout(
        height=HEIGHT_PX, margin={"l": 10, "r": 10, "t": 20, "b": 10}, showlegend=False, plot_bgcolor="#ffffff", dragmode=False
    )
    drawn.update_xaxes(visible=False, fixedrange=True, range=[-EDGE, EDGE])
    drawn.update_yaxes(visible=False, fixedrange=True, range=[-EDGE, EDGE])
    return drawn


def with_room(nodes: Sequence[Node], at: Mapping[str, tuple[float, float]]) -> set[str]:
    """The nodes whose names overlap no earlier node's and are not cut off at the edge."""
    taken: list[tuple[float, float, float]] = []
    found = set()
    for node in nodes:
        x, y = at[node.id][0] * PX_PER_UNIT[0], at[node.id][1] * PX_PER_UNIT[1]
        half = len(node.label) * LETTER_PX / 2
        inside = abs(x) + half <= EDGE * PX_PER_UNIT[0]
        if inside and all(abs(x - other) >= half + its or abs(y - line) >= LINE_PX for other, line, its in taken):
            taken.append((x, y, half))
            found.add(node.id)
    return found


def positions(nodes: Sequence[Node], links: Sequence[Link]) -> dict[str, tuple[float, float]]:
    """A place in the square from -1 to 1 for every node. Parts that are not connected have boxes of their own, the largest the left one."""
    parts = _parts([node.id for node in nodes], links)
    at: dict[str, tuple[float, float]] = {}
    for part, (left, bottom, right, top) in zip(parts, _boxes([len(part) for part in parts]), strict=True):
        for name, (x, y) in zip(part, _spring(part, links), strict=True):
            at[name] = (left + (x + 1) / 2 * (right - left), bottom + (y + 1) / 2 * (top - bottom))
    return at


def _parts(names: Sequence[str], links: Sequence[Link]) -> list[list[str]]:
    """What is connected, the largest part first."""
    beside: dict[str, list[str]] = {name: [] for name in names}
    for link in links:
        beside[link.one].append(link.other)
        beside[link.other].append(link.one)
    parts: list[list[str]] = []
    seen: set[str] = set()
    for name in names:
        if name in seen:
            continue
        part, waiting = [], [name]
        seen.add(name)
        while waiting:
            part.append(waiting.pop())
            new = [other for other in dict.fromkeys(beside[part[-1]]) if other not in seen]
            seen.update(new)
            waiting += new
        parts.append(part)
    return sorted(parts, key=len, reverse=True)


def _boxes(sizes: Sequence[int]) -> list[Box]:
    """The first part is as wide as its share of the nodes, at least half; the others stand in a grid beside it."""
    if len(sizes) <= 1:
        return [(-1.0, -1.0, 1.0, 1.0)] * len(sizes)
    border = -1 + 2 * min(max(sizes[0] / sum(sizes), 0.5), 1 - LEAST_SHARE)
    rows = math.ceil(math.sqrt(len(sizes) - 1))
    wide, high = (1 - border) / math.ceil((len(sizes) - 1) / rows), 2 / rows
    boxes: list[Box] = [(-1.0, -1.0, border - GAP, 1.0)]
    for n in range(len(sizes) - 1):
        left, top = border + (n // rows) * wide, 1 - (n % rows) * high
        boxes.append((left + GAP * wide, top - (1 - GAP) * high, left + (1 - GAP) * wide, top - GAP * high))
    return boxes


def _spring(names: Sequence[str], links: Sequence[Link]) -> list[tuple[float, float]]:
    """Places from -1 to 1 of one part: all push each other away, links pull together (Fruchterman and Reingold)."""
    count = len(names)
    if count == 1:
        return [(0.0, 0.0)]
    index = {name: n for n, name in enumerate(names)}
    turn = math.pi * (3 - math.sqrt(5))  # golden angle: a start without two nodes in one place
    radius = numpy.sqrt((numpy.arange(count) + 0.5) / count)
    place = numpy.stack([radius * numpy.cos(turn * numpy.arange(count)), radius * numpy.sin(turn * numpy.arange(count))], axis=1)
    ends = numpy.array([(index[link.one], index[link.other]) for link in links if link.one in index], dtype=int).reshape(-1, 2)
    ideal = math.sqrt(4 / count) * 0.8
    for step in range(ROUNDS):
        apart = place[:, None, :] - place[None, :, :]
        distance = numpy.maximum(numpy.linalg.norm(apart, axis=2), 1e-3)
        move = (apart / distance[..., None] * (ideal**2 / distance)[..., None]).sum(axis=1)
        pull = place[ends[:, 0]] - place[ends[:, 1]]
        force = pull * numpy.maximum(numpy.linalg.norm(pull, axis=1, keepdims=True), 1e-3) / ideal
        numpy.subtract.at(move, ends[:, 0], force)
        numpy.add.at(move, ends[:, 1], force)
        size = numpy.maximum(numpy.linalg.norm(move, axis=1, keepdims=True), 1e-6)
        place += move / size * numpy.minimum(size, 0.25 * (1 - step / ROUNDS))
    place -= (place.max(axis=0) + place.min(axis=0)) / 2
    place /= numpy.maximum(numpy.abs(place).max(axis=0), 1e-6)  # each way by itself: the picture is wider than high
    place = numpy.sign(place) * numpy.abs(place) ** SPREAD
    return [(float(x), float(y)) for x, y in place]
