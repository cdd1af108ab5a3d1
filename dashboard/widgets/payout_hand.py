"""A payment that was made outside the system: what the one who enters it says and shows, and what the second admin sees of it."""

from functools import partial

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import evidence, payout_part, people
from dashboard.widgets import payout_acts as acts
from dashboard.widgets.payout_acts import Subject, key
from dashboard.widgets.rows import escape
from pipeline.filestore.measure import MAX_MEGABYTES
from pipeline.filestore.upload import SEES_RECEIPTS
from pipeline.payouts.commands import COMMENT_MAX, EXCEPTION_MIN, METHODS, REFERENCE_MAX

OUTSIDE = "Outside the rules"
OUTSIDE_HELP = "Over the monthly limit, or to a teacher who is not paid for the time being. A second admin must approve it."


def settle(ctx: PageContext, subject: Subject, row: RowMapping) -> None:
    """The proof, and the button that enters it or asks for approval."""
    second = ctx.runtime.masterdata.current().tenant(row["tenant_id"]).manual_resolve_approval
    with st.popover("Settle by hand", icon=":material/handshake:"):
        outside = bool(st.session_state.get(key(subject, "outside")))
        st.markdown(
            "For a payment that was made outside this system. "
            + ("A second admin approves it before the report is resolved." if second or outside else "The report is resolved at once.")
        )
        st.text_input("Reference of the payment", key=key(subject, "reference"), max_chars=REFERENCE_MAX)
        how, much = st.columns(2)
        how.selectbox(
            "How it was paid",
            METHODS,
            index=METHODS.index("BANK_TRANSFER"),
            format_func=lambda code: payout_part.METHODS[code],
            key=key(subject, "method"),
        )
        rupees = row["amount_paise"] // 100
        much.number_input("Amount in rupees", min_value=1, max_value=rupees, value=rupees, step=1, key=key(subject, "amount"))
        st.text_area("Comment", key=key(subject, "comment"), max_chars=COMMENT_MAX, height=80)
        st.file_uploader(
            "Photo of the receipt (optional)", type=["jpg", "jpeg", "png"], max_upload_size=MAX_MEGABYTES, key=key(subject, "receipt")
        )
        st.checkbox(OUTSIDE, key=key(subject, "outside"), help=OUTSIDE_HELP)
        if outside:
            st.text_area(
                f"Why it is paid outside the rules (at least {EXCEPTION_MIN} characters)",
                key=key(subject, "exception"),
                max_chars=COMMENT_MAX,
                height=80,
            )
        label = "Ask for approval" if second or outside else "Settle by hand"
        acts.button(label, key(subject, "settle"), partial(acts.settle, subject=subject, tenant_id=row["tenant_id"]), primary=True)


def approval(ctx: PageContext, subject: Subject, row: RowMapping, known: people.People) -> None:
    """What was asked for, by whom and why, and the decision of somebody else."""
    own = row["manual_requested_by"] == ctx.caller.account_id
    asked = "You asked" if own else f"{known.name(row['manual_requested_by']) or 'An admin'} asked"
    method = payout_part.METHODS.get(row["method"], formats.words(row["method"]))
    st.markdown(
        f"{formats.plain_markdown(asked)} {formats.local_time(row['manual_requested_at'], ctx.zone)} to settle "
        f"**{formats.inr(row['manual_amount_paise'])}** by hand: {method}, reference **{formats.plain_markdown(row['manual_reference'])}**."
    )
    if row["manual_exception"]:
        st.warning(f"{OUTSIDE}: {formats.plain_markdown(row['manual_exception'])}", icon=":material/gavel:")
    if row["manual_comment"]:
        st.text(row["manual_comment"])
    receipt(ctx, row)
    with st.container(horizontal=True):
        if own:
            st.button("Approve", disabled=True, help="A second admin must approve what you asked for.", key=key(subject, "own"))
        else:
            with st.popover("Approve", icon=":material/check:"):
                st.markdown(f"The payment of {formats.inr(row['manual_amount_paise'])} stands on the bank statement.")
                acts.button("Approve and resolve", key(subject, "approve"), partial(acts.approve, subject=subject), primary=True)
        with st.popover("Withdraw" if own else "Refuse", icon=":material/close:"):
            st.text_input("Why", key=key(subject, "refusal"), max_chars=COMMENT_MAX)
            acts.button("Withdraw" if own else "Refuse", key(subject, "refuse"), partial(acts.refuse, subject=subject))


def receipt(ctx: PageContext, row: RowMapping) -> None:
    """The photo of the receipt as a small picture that leads to the whole one; nothing where there is none or it is for others."""
    if row["manual_file_id"] is None or ctx.caller.roles.isdisjoint(SEES_RECEIPTS):
        return
    small, whole = (escape(evidence.link(ctx, row["manual_file_id"], variant)) for variant in ("thumbnail", "photo"))
    st.html(f'<a href="{whole}" target="_blank" rel="noopener"><img src="{small}" alt="Photo of the receipt" style="max-height:160px"></a>')
