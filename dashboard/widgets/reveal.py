"""A phone number in full, for an admin who says what for. It is shown once, under the button, and the look is kept in the audit."""

from functools import partial
from uuid import UUID

import streamlit as st

from dashboard import formats
from dashboard.console import PageContext, perform
from pipeline.access.policy import can
from pipeline.access.reveal import PURPOSE_MAX, PURPOSE_MIN, reveal

SHOWN = "reveal.shown"


def phone(ctx: PageContext, person_id: UUID, name: str, place: str) -> None:
    """The button; nothing for who may not. `place` keeps two buttons of one page apart."""
    if not can(ctx.caller, "reveal_person"):
        return
    found = st.session_state.pop(SHOWN, None)  # for the run after the click alone
    with st.popover("Phone number", icon=":material/call:"):
        st.markdown(f"{formats.plain_markdown(name)} can read who looked, when and what for.")
        st.text_input(f"What for (at least {PURPOSE_MIN} characters)", key=_key(place, "purpose"), max_chars=PURPOSE_MAX)
        st.button("Show it", key=_key(place, "show"), on_click=perform, args=(partial(_look, person_id=person_id, place=place),))
    if found is not None and found[0] == person_id:
        st.info(f"{formats.plain_markdown(name)}: {found[1] or 'no phone number is known'}", icon=":material/call:")


def _look(ctx: PageContext, person_id: UUID, place: str) -> None:
    purpose = str(st.session_state.get(_key(place, "purpose")) or "")
    with ctx.begin() as conn:
        st.session_state[SHOWN] = (person_id, reveal(conn, ctx.runtime.vault, ctx.caller, person_id, "phone", purpose, ctx.now))


def _key(place: str, name: str) -> str:
    return f"reveal.{name}.{place}"
