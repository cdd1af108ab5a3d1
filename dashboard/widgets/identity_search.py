"""Finding one registration: by its 29 digits, by a number of the person or its hash, or by a request's id.

What stands in the page's address is the registration's id. A number is hashed here, in the process, and forgotten: it stays
neither in the address nor in the field nor in the session.
"""

from typing import TypedDict
from uuid import UUID

import streamlit as st

import queries
from dashboard.console import PageContext, notify, perform
from dashboard.widgets import identity_story
from pipeline.access import policy
from pipeline.identity.numbers import Numbers, kind_of

TYPED_MAX = 64  # a hash is the longest
FIELD_PX = 330  # beside the views on a desktop
KEY = "identity.find"
ADDRESS = "registration"


class Named(TypedDict, total=False):
    """By what something is looked for: exactly one of them."""

    reg_id: str
    id_hash: str
    row_id: UUID


def field() -> None:
    """The field; what is found in it opens by the address."""
    st.text_input(
        "Registration id, UIN or its hash, or request id",
        key=KEY,
        icon=":material/search:",
        width=FIELD_PX,
        max_chars=TYPED_MAX,
        on_change=perform,
        args=(_searched,),
        help="A registration id has 29 digits, a hash 64 characters. A UIN, VID or handle is hashed here and forgotten.",
    )


def wanted() -> str:
    """What the address names."""
    return str(st.query_params.get(ADDRESS) or "").strip()


def open_(reg_id: str) -> None:
    """Show the registration of these 29 digits."""
    st.query_params[ADDRESS] = reg_id


def close() -> None:
    """Back to the lists."""
    st.query_params.pop(ADDRESS, None)
    st.session_state[KEY] = ""


def find(ctx: PageContext, text: str) -> UUID | None:
    """The registration that a text names in the caller's area. Raises SDCRS_FORBIDDEN for whom the page is not."""
    policy.check_page(ctx.caller, "identity")
    named = _named(ctx, text)
    with ctx.begin() as conn:
        return identity_story.find(conn, ctx.caller.state_id, **named)


def _searched(ctx: PageContext) -> None:
    """Open what was found. The text leaves the session before anything is drawn, whatever it was."""
    text = str(st.session_state.get(KEY) or "").strip()
    st.session_state[KEY] = ""
    if not text:
        return
    found = find(ctx, text)
    with ctx.begin() as conn:
        head = queries.one(conn, "identity.announcement", id=found) if found is not None else None
    if head is None:
        notify("warning", "Nothing that you may see has this id, number or hash.")
        return
    open_(head["reg_id"])


def _named(ctx: PageContext, text: str) -> Named:
    """The one way to look for it. Whatever is none of the others is a number of the person."""
    plain = "".join(text.split())
    if identity_story.REG_ID.fullmatch(plain):
        return {"reg_id": plain}
    if identity_story.HASH.fullmatch(plain):
        return {"id_hash": plain.upper()}
    try:
        return {"row_id": UUID(plain)}
    except ValueError:
        return {"id_hash": Numbers(ctx.runtime).hash(ctx.caller.state_id, kind_of(plain), plain)}
