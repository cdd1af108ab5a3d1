"""A registration on the trace page: the flow's sequence diagram with its times on it, and the way to all the rest."""

import streamlit as st

from dashboard.console import PageContext
from dashboard.widgets import identity_diagram, identity_panel, identity_search, identity_story
from pipeline.access.policy import can_open


def names_one(ctx: PageContext, text: str) -> bool:
    """Whether a text is a registration's id that somebody asks for who may see registrations."""
    return can_open(ctx.caller, "identity") and identity_story.REG_ID.fullmatch("".join(text.split())) is not None


def show(ctx: PageContext, text: str) -> None:
    """The registration of these 29 digits, or that there is none in the caller's area."""
    found = identity_search.find(ctx, text)
    story = identity_story.load(ctx, found) if found is not None else None
    if story is None:
        st.warning("There is no registration with this id that you may see.", icon=":material/search_off:")
        return
    zone = ctx.runtime.masterdata.current().tenant(story.head["tenant_id"]).timezone
    identity_panel.head(ctx, story, zone)
    reg_id = story.head["reg_id"]
    st.link_button("Everything about it", f"/identity?{identity_search.ADDRESS}={reg_id}", icon=":material/fingerprint:")
    identity_diagram.show(story, zone)
