"""Packets as a sequence diagram that can be read and clicked: one row a packet, one lane a participant, drawn with HTML and CSS."""

from collections.abc import Sequence

import streamlit as st

from dashboard.widgets.rows import escape
from pipeline.packets.catalogue import catalogue


def lanes(parties: Sequence[tuple[str, str]]) -> list[str]:
    """The participants that occur, those outside our house first, in the catalogue's order; unknown ones last."""
    order = list(catalogue().participants)
    seen = dict.fromkeys(name for pair in parties for name in pair)
    return sorted(seen, key=lambda name: order.index(name) if name in order else len(order))


def names(shown: Sequence[str]) -> str:
    """The head of the diagram: a slanted name over each lane."""
    texts = "".join(f'<span style="left:{_at(index, len(shown))}%">{escape(name)}</span>' for index, name in enumerate(shown))
    return f'<div class="lane-names" style="--lanes:{len(shown)}">{texts}</div>'


def arrow(shown: Sequence[str], sender: str, receiver: str, kind: str) -> str:
    """One packet: from lane to lane; dashed for an answer, blue where it crosses our border."""
    known = catalogue().participants
    crosses = sender in known and receiver in known and known[sender].ours != known[receiver].ours
    start, end = shown.index(sender), shown.index(receiver)
    way = "self" if start == end else "right" if end > start else "left"
    classes = ["hop", way, "border" if crosses else "ours", *(["answer"] if kind == "response" else [])]
    left, width = _at(min(start, end), len(shown)), abs(end - start) * 100 / len(shown)
    size = "" if way == "self" else f";width:{width:.3f}%"
    return f'<div class="lanes" style="--lanes:{len(shown)}"><i class="{" ".join(classes)}" style="left:{left}%{size}"></i></div>'


def legend() -> None:
    """What the lines mean."""
    st.html(
        '<ul class="map-legend" aria-label="Legend of the diagram"><li><i style="background:#0b4f8a"></i>crosses our border</li>'
        '<li><i style="background:#6b7785"></i>between our own rooms</li><li>dashed: an answer</li></ul>'
    )


def _at(index: int, of: int) -> str:
    """The middle of a lane in percent of the diagram's width."""
    return f"{(index + 0.5) * 100 / of:.3f}"
