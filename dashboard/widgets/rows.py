"""Lists of things that open: one row a thing, readable on a phone, reached with the keyboard, and the small marks in them.

Rows are our own HTML, so every text that comes from anywhere is escaped here; a row's button lies over it and opens it.
"""

import html
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import formats
from dashboard.routes.static import read_asset

ALL_COLOURS = ("gray", "green", "orange", "red", "blue", "violet")


def styles() -> None:
    """The rules for rows, photos, checks and timelines; each page that shows any calls this once."""
    st.html(f"<style>{read_asset('reports.css')}</style>")


def escape(text: Any) -> str:
    """A text as harmless HTML."""
    return html.escape(str(text))


def mark(label: str, colour: str) -> str:
    """A small label as HTML. The colour only repeats what the words say."""
    return f'<span class="mark mark-{colour if colour in ALL_COLOURS else "gray"}">{escape(label)}</span>'


def part(title: str, note: str = "") -> None:
    """The heading of a part of a page."""
    st.html(f'<h3 class="part">{escape(title)}<small>{escape(note)}</small></h3>')


def head(kind: str, titles: tuple[str, ...]) -> None:
    """The titles above a list's columns; a phone shows none, since there the cells stand below each other."""
    st.html(f'<div class="row row-head row-{kind}" aria-hidden="true">{"".join(f"<div>{escape(t)}</div>" for t in titles)}</div>')


def row(key: str, kind: str, cells: dict[str, str], label: str, on_click: Callable[..., None], args: tuple[Any, ...]) -> None:
    """One row: `cells` are HTML by class name, `label` is what the button that opens it is called."""
    with st.container(key=f"row-{key}"):
        inner = "".join(f'<div class="c-{name}">{cell}</div>' for name, cell in cells.items())
        st.html(f'<div class="row row-{kind}" aria-hidden="true">{inner}</div>')
        st.button(label, key=f"open-{key}", on_click=on_click, args=args, width="stretch")


def facts(pairs: list[tuple[str, str]]) -> None:
    """Names and values below each other; values are plain text."""
    body = "".join(f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs)
    st.html(f'<table class="facts"><tbody>{body}</tbody></table>')


def said_of(first: int, shown: int, total: int, capped: bool = False) -> str:
    """Where in the whole a page of a list stands: 1–20 of 57."""
    if not shown:
        return "0 reports"
    return f"{first}–{first + shown - 1} of {'more than ' if capped else ''}{formats.count(total)}"


def place_words(*parts: str | None) -> str:
    """An address in one line; a part that an earlier one names already is not said twice."""
    told: list[str] = []
    for part in parts:
        if part and not any(part in earlier for earlier in told):
            told.append(part)
    return ", ".join(told)
