"""The reports that this one may repeat, as validation found them: photo, likeness, metres and minutes, and a verifier's word on each."""

from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import evidence as photos
from dashboard.widgets.case import Case
from dashboard.widgets.duplicates import ALIKE_FROM
from dashboard.widgets.rows import mark, part
from pipeline.access import policy
from pipeline.reports.pairs import not_a_duplicate

SHOWN = 20  # as many as validation keeps of photos that are alike
THUMBNAIL_PX = 120  # enough to see that it is another dog; the whole photo opens with a click
KINDS = {
    "PHOTO_EXACT": ("Same file", "red"),
    "PHOTO_SIMILAR": ("Photo alike", "orange"),
    "CLUSTER": ("Near in place and time", "blue"),
}


def show(ctx: PageContext, shown: Case) -> None:
    """The open pairs of a report, photos that are alike first; nothing where there is none."""
    with ctx.begin() as conn:
        found = queries.rows(conn, "inbox.pairs", report_id=shown.report["id"], limit=SHOWN)
    if not found:
        return
    part("May be the same as", f"{formats.count(len(found))} {'report' if len(found) == 1 else 'reports'}, found when it was checked")
    for pair in found:
        _pair(ctx, shown, pair)


def _pair(ctx: PageContext, shown: Case, pair: RowMapping) -> None:
    number = str(pair["report_number"])
    with st.container(border=True, horizontal=True, gap="small", vertical_alignment="center", key=f"pair-{number}"):
        if pair["file_id"] is not None:
            st.image(photos.link(ctx, pair["file_id"], "thumbnail"), alt=f"Dog photo of {number}", width=THUMBNAIL_PX)
        with st.container():
            status, colour = formats.STATUS.get(pair["status"], (pair["status"], "gray"))
            st.html(f"<strong>{number}</strong> {mark(*KINDS[pair['kind']])} {mark(status, colour)}")
            st.caption(words(pair))
            if may_decide(ctx, shown):
                label = "Not a duplicate"
                st.button(
                    label, key=f"inbox.pair.{number}", icon=":material/call_split:", on_click=perform, args=(_decision(pair, number),)
                )


def words(pair: RowMapping) -> str:
    """Photo 94 % alike, 120 m away, 35 min apart; photos that share no more than chance gives are said to be different."""
    apart = formats.duration(pair["minutes"] * 60)
    alike = f"Photo {pair['similarity'] * 100:.0f} % alike" if pair["similarity"] >= ALIKE_FROM else "Another photo"
    return f"{alike}, {formats.distance(pair['metres'])} away, {apart} apart"


def may_decide(ctx: PageContext, shown: Case) -> bool:
    """Whether the viewer may say of a pair now that it is none: a verifier, while the report waits and nobody else holds it."""
    waits = shown.report["status"] == "PENDING_VERIFICATION"
    return waits and not shown.held_by_other and policy.can(ctx.caller, "decide_pair")


def _decision(pair: RowMapping, number: str) -> "partial[str]":
    return partial(_decide, UUID(str(pair["id"])), number)


def _decide(pair_id: UUID, number: str, ctx: PageContext) -> str:
    with ctx.begin() as conn:
        not_a_duplicate(conn, ctx.caller, pair_id, ctx.now)
    return f"Noted: not a duplicate of {number}. It is not raised again."
