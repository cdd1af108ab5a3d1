"""Choosing the earlier report of the same dog: those whose photos are alike and those sent nearby the day before, compared."""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import evidence as photos
from dashboard.widgets.case import Case
from pipeline.validation.duplicates import MAX_DISTANCE, Probe, find_duplicates
from pipeline.validation.pairs import NEAR_HOURS, NEAR_M

ALIKE_FROM = 0.75  # below, two photos share no more than chance gives
SHOWN = 8  # the likest; more cannot be compared by eye
COMPARED_PX = 640  # two pictures that the eye takes in together
OTHER = "another"


def choose(ctx: PageContext, shown: Case) -> str | None:
    """The number of the chosen earlier report; None while none is chosen."""
    found = candidates(ctx, shown)
    by_number = {str(row["report_number"]): row for row in found}
    picked = st.radio(
        "Earlier report",
        [*by_number, OTHER],
        index=None,
        key=f"inbox.original.{shown.number}",
        format_func=lambda number: _label(by_number[number]) if number in by_number else "Another report, by its number",
    )
    if picked == OTHER:
        typed = st.text_input("Number of the earlier report", key=f"inbox.typed.{shown.number}", max_chars=40, placeholder="DR-…")
        return typed.strip().upper() or None
    if picked is not None:
        _compare(ctx, shown, by_number[picked])
    if not found:
        st.caption(f"No photo of the last 30 days is alike, and nothing was reported within {NEAR_M} m in the {NEAR_HOURS} h before.")
    return picked


def candidates(ctx: PageContext, shown: Case) -> Sequence[RowMapping]:
    """Earlier reports with a photo that is alike, then those nearby, the likest first."""
    report = shown.report
    dog = photos.of_kind(shown.evidence, "DOG_PHOTO")
    limits = ctx.runtime.masterdata.current().validation_limits(report["tenant_id"])
    with ctx.begin() as conn:
        alike = []
        if dog is not None:
            since = report["created_at"] - timedelta(days=limits.duplicate_lookback_days)
            probe = Probe(report["id"], report["tenant_id"], dog["phash"], bytes(dog["sha256"]), since, report["created_at"])
            alike = [found.report_id for found in find_duplicates(conn, [probe], MAX_DISTANCE, judging=False).get(report["id"], [])]
        return queries.rows(
            conn,
            "inbox.candidates",
            report_id=report["id"],
            hours=NEAR_HOURS,
            radius_m=NEAR_M,
            ids=alike,
            alike_from=ALIKE_FROM,
            limit=SHOWN,
        )


def _label(row: RowMapping) -> str:
    similarity = row["similarity"] or 0.0
    alike = f"photo {similarity:.0%} alike" if similarity >= ALIKE_FROM else "another photo"
    words = f"{alike}, {formats.distance(row['distance_m'])} away, {formats.duration(row['earlier_s'])} earlier"
    return f"**{row['report_number']}** {formats.plain_markdown(words)} :gray-badge[{formats.status_label(row['status'])}]"


def _compare(ctx: PageContext, shown: Case, other: RowMapping) -> None:
    """The two dog photos side by side."""
    mine = photos.of_kind(shown.evidence, "DOG_PHOTO")
    sent = f"sent {formats.local_time(other['created_at'], shown.zone)}"
    pair = [(shown.number, "this report", mine["file_id"] if mine else None), (other["report_number"], sent, other["file_id"])]
    for column, (number, note, file_id) in zip(st.columns(2, width=COMPARED_PX), pair, strict=True):
        with column, st.container(key=f"photo-small-{number}"):
            if file_id is not None:
                st.image(photos.link(ctx, file_id), caption=f"{number}, {note}", alt=f"Dog photo of {number}", width="stretch")
