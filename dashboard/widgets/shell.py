"""The parts around a page: header, banners, messages, and what is shown when there is no page to show."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import streamlit as st

from dashboard import formats
from dashboard.backend import Health
from dashboard.routes.static import read_asset
from pipeline.errors import AppError

# What people notice when a part does not run
EFFECTS = {"API": "photos and tracking pages do not load", "worker": "reports and payouts wait where they are"}

Kind = Literal["success", "info", "warning", "error"]


@dataclass(frozen=True)
class Who:
    """The signed-in person, for the header."""

    name: str
    username: str
    roles: frozenset[str]


def styles() -> None:
    """The few rules that the theme cannot say."""
    st.html(f"<style>{read_asset('console.css')}</style>")


def header(title: str, who: Who, tenant: str, demo: bool) -> None:
    """One slim line: the page, who is signed in as what and where, and the way out. On a phone the names fold away."""
    label = '<span class="shell-demo" title="Names, reports and payments here are invented">Demo data</span>' if demo else ""
    name = "" if who.name == who.username else f'<span class="shell-name">{html.escape(who.name)}</span>'
    st.html(
        f'<div class="shell-bar"><h1>{html.escape(title)}</h1>{label}<div class="shell-who">'
        f'<div class="shell-id">{name}<span class="shell-role">{html.escape(formats.roles_label(who.roles))}</span>'
        f'<span class="shell-place">{html.escape(who.username)} · {html.escape(tenant)}</span></div>'
        '<form method="post" action="/auth/logout"><button type="submit">Sign out</button></form></div></div>'
    )


def health(found: Health) -> None:
    """Say which other part of the system is not running, and what that means for the person."""
    missing = [name for name, lives in (("API", found.api), ("worker", found.worker)) if lives is False]
    if not missing:
        return
    effects = ", ".join(effect for name, effect in EFFECTS.items() if name in missing)
    which = f"{' and '.join(missing)} {'does' if len(missing) == 1 else 'do'} not run"
    st.warning(f"{which}: {effects}. `python -m pipeline up` starts all parts.", icon=":material/power_off:")


def message(kind: Kind, sentence: str) -> None:
    """One sentence in the colour and with the icon of its kind."""
    text = formats.plain_markdown(sentence)
    match kind:
        case "success":
            st.success(text, icon=":material/check_circle:")
        case "info":
            st.info(text, icon=":material/info:")
        case "warning":
            st.warning(text, icon=":material/warning:")
        case "error":
            st.error(text, icon=":material/error:")
        case _:
            assert_never(kind)


@dataclass(frozen=True)
class Tile:
    """A number that a page opens with. `note` says of when it is, or what it is compared with."""

    label: str
    value: str
    note: str = ""


def tiles(shown: Sequence[Tile]) -> None:
    """Numbers side by side, two in a row on a phone; a screen reader hears label and value together."""
    cells = "".join(
        f"<div><dt>{html.escape(tile.label)}</dt><dd>{html.escape(tile.value)}<small>{html.escape(tile.note)}</small></dd></div>"
        for tile in shown
    )
    st.html(f'<dl class="tiles">{cells}</dl>')


def signed_out() -> None:
    """The session ended while the tab was open."""
    st.html(
        '<div class="shell-alone"><h1>You are signed out</h1><p>The session ended, or it was ended elsewhere.</p>'
        '<a class="shell-link" href="/auth/login">Sign in</a></div>'
    )


def waiting(error: AppError, look_again: Callable[[], None]) -> None:
    """The database is not there yet; `look_again` is the fragment that goes on by itself."""
    st.html(f'<div class="shell-alone"><h1>{"Starting" if error.code == "SDCRS_STARTING" else "Not available"}</h1></div>')
    look_again()
