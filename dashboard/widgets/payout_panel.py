"""The chosen payouts: one with its story and what an admin may do about it, or several to be retried together.

Money is sent only after a second click that names the amount. Who may not act sees the story alone.
"""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import (
    outcomes,
    payout_bulk,
    payout_hand,
    payout_part,
    payout_payee,
    payout_retry,
    payout_story,
    people,
    picking,
    reveal,
)
from dashboard.widgets import payout_acts as acts
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_acts import Subject, key
from pipeline.access.policy import can
from pipeline.payouts.commands import COMMENT_MAX
from pipeline.vault.persons import mask_vpa

PAGE = "payouts"


def show(ctx: PageContext, chosen: Sequence[RowMapping]) -> None:
    """What was chosen in the list, under it."""
    outcomes.show(PAGE)
    if not chosen:
        st.caption(
            "Choose a payout to see its attempts" + (", and several to retry them together." if can(ctx.caller, "retry_payout") else ".")
        )
    elif len(chosen) == 1:
        _one(ctx, chosen[0])
    else:
        _many(ctx, chosen)


def subject_of(row: RowMapping) -> Subject:
    """A row of the list as a button carries it."""
    return Subject(row["report_id"], row["report_number"], row["amount_paise"])


def _one(ctx: PageContext, row: RowMapping) -> None:
    zone = ctx.runtime.masterdata.current().tenant(row["tenant_id"]).timezone
    view = people.view_for(ctx, own=False)
    with ctx.begin() as conn:
        attempts = queries.rows(conn, "payouts.attempts", payout_id=row["id"])
        known = people.load(ctx, conn, view, [row["beneficiary_id"], row["manual_requested_by"]])
    with st.container(border=True, key="payouts.panel"):
        title, link = st.columns([4, 1], vertical_alignment="center")
        who = known.name(row["beneficiary_id"]) or "Teacher"
        title.markdown(
            f"**{formats.plain_markdown(row['report_number'])}** · {formats.plain_markdown(who)} · {formats.inr(row['amount_paise'])} "
            + formats.payout_badge(row["status"])
        )
        link.link_button("Trace", f"/trace?report={row['report_number']}", icon=":material/timeline:", width="stretch")
        if row["status"] != "COMPLETED":
            step, owner = words.next_step(row)
            st.markdown(f"{formats.plain_markdown(words.reason(row))}  \n**{owner}:** {formats.plain_markdown(step)}")
        payout_payee.show(ctx, subject_of(row), row)
        reveal.phone(ctx, row["beneficiary_id"], who, row["report_number"])
        if can(ctx.caller, "retry_payout"):
            _acts(ctx, row, attempts, known)
        payout_part.show(view, row, row, attempts, known, zone)
        payout_story.show(ctx, row, attempts)


def _acts(ctx: PageContext, row: RowMapping, attempts: Sequence[RowMapping], known: people.People) -> None:
    """What may be done in this state; the payout room has the last word."""
    subject = subject_of(row)
    doubtful = any(attempt["phase"] == "REVIEW" and attempt["number"] == row["retry_count"] for attempt in attempts)
    unpaid = row["status"] in ("FAILED", "REVERSED")
    if row["queue"] == "APPROVAL":
        payout_hand.approval(ctx, subject, row, known)
    elif doubtful and not unpaid and row["status"] != "COMPLETED":
        _decision(subject)
    elif unpaid:
        with st.container(horizontal=True):
            payout_retry.show(ctx, subject, row, known, doubtful=doubtful)
            payout_hand.settle(ctx, subject, row)


def _decision(subject: Subject) -> None:
    with st.popover("Decide", icon=":material/gavel:"):
        st.markdown("Only what the provider's support or the bank statement has told counts here.")
        paid = st.radio("What became of it", [acts.PAID, acts.NOT_PAID], index=None, key=key(subject, "paid"))
        if paid == acts.PAID:
            st.text_input("Bank reference (UTR)", key=key(subject, "utr"), max_chars=64)
        st.text_area("Who told, and what", key=key(subject, "decision"), max_chars=COMMENT_MAX, height=80)
        acts.button("Decide", key(subject, "decide"), partial(acts.decide, subject=subject), primary=True, disabled=paid is None)


def _many(ctx: PageContext, chosen: Sequence[RowMapping]) -> None:
    """Several chosen payouts: their sum, and for an admin the trial of sending those again that are unpaid."""
    subjects = [subject_of(row) for row in chosen if row["status"] in ("FAILED", "REVERSED")]
    with st.container(border=True, key="payouts.panel"):
        st.markdown(f"**{formats.count(len(chosen))} payouts chosen**, {acts.money([subject_of(row) for row in chosen])} together")
        with st.container(horizontal=True):
            if subjects and can(ctx.caller, "retry_payout"):
                payout_bulk.button_for_chosen(subjects)
            st.button("Clear", type="tertiary", key="payouts.clear", on_click=picking.choose, args=(PAGE, ()))
        if subjects:
            payout_bulk.show(payout_bulk.of_chosen(subjects))


def masked(vpa: str | None) -> str:
    """A UPI address as lists show it."""
    return mask_vpa(vpa) or formats.ABSENT
