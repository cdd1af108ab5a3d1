"""Sending one payout again: what is left, a corrected address as it will be sent, a trial, and the button that names the amount."""

from functools import partial

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import payout_acts as acts
from dashboard.widgets import people, rows
from dashboard.widgets.payout_acts import Subject, key
from pipeline.errors import AppError
from pipeline.payouts.address_check import can_check
from pipeline.payouts.orders import VPA_MAX, check_vpa, reference_id
from pipeline.payouts.provider import target_of

NOT_GIVEN = "none is known"


def show(ctx: PageContext, subject: Subject, row: RowMapping, known: people.People, *, doubtful: bool) -> None:
    """The button that opens it; without it where nothing may be sent again, and why."""
    most = ctx.runtime.masterdata.current().payout_config(row["tenant_id"]).max_retries
    left = most - row["retry_count"]
    if doubtful or left <= 0:
        why = "An attempt is in doubt: settle it by hand once you know." if doubtful else f"All {most} retries are used: settle it by hand."
        st.button("Retry", icon=":material/replay:", disabled=True, help=why, key=key(subject, "no_retry"))
        return
    with st.popover("Retry", icon=":material/replay:"):
        masked = known.get(row["beneficiary_id"], "vpa")
        st.markdown(
            f"{formats.inr(row['amount_paise'])} is sent again to {formats.plain_markdown(masked) if masked else 'no address yet'}. "
            f"{left} of {most} retries are left."
        )
        typed = st.text_input("Corrected UPI address (leave empty to keep the present one)", key=key(subject, "vpa"), max_chars=VPA_MAX)
        asked, answer = st.session_state.get(key(subject, "answer"), (None, ""))
        told = [("Bank's answer", answer)] if typed.strip() and asked == typed.strip() else []
        rows.facts([*preview(ctx, row, masked, typed.strip()), *told])
        with st.container(horizontal=True):
            acts.button(
                f"Send {formats.inr(row['amount_paise'])} now", key(subject, "retry"), partial(acts.retry, subject=subject), primary=True
            )
            acts.button("Try it out", key(subject, "try"), partial(acts.try_one, subject=subject))
            if can_check(ctx.runtime):
                acts.button("Ask the bank", key(subject, "ask"), partial(acts.ask_the_bank, subject=subject))


def preview(ctx: PageContext, row: RowMapping, masked: str | None, typed: str) -> list[tuple[str, str]]:
    """What will be sent where: always the same lines, so that the buttons below keep their place while somebody types."""
    told = [("Present address", masked or NOT_GIVEN), ("Sent to", typed or "the present address")]
    told += _judged(ctx, row, typed) if typed else [("Provider's rule", formats.ABSENT), ("Fund account", "the one that this address has")]
    reference = reference_id(row["report_number"], row["retry_count"] + 1)
    return [*told, ("New attempt", f"{reference}, with a key of its own")]


def _judged(ctx: PageContext, row: RowMapping, typed: str) -> list[tuple[str, str]]:
    try:
        address = check_vpa(typed)
    except AppError as error:
        return [("Provider's rule", error.message), ("Fund account", formats.ABSENT)]
    return [("Provider's rule", "passes"), ("Fund account", _account(ctx, row, address))]


def _account(ctx: PageContext, row: RowMapping, address: str) -> str:
    """Whether the address is known for this teacher; the provider's account is looked for by its keyed hash."""
    vault, teacher = ctx.runtime.vault, row["beneficiary_id"]
    provider = target_of(ctx.runtime.settings).mark
    lookup = vault.lookup(row["tenant_id"].split(".")[0], "vpa", address)
    with ctx.begin() as conn:
        found = queries.one(conn, "payouts.known_address", beneficiary_id=teacher, lookup=lookup, provider=provider)
        present = vault.get(conn, [teacher], ["vpa"]).get(teacher, {}).get("vpa", "")
    if present and vault.lookup(row["tenant_id"].split(".")[0], "vpa", present) == lookup:
        return "this is the present address: nothing is corrected"
    if found is None or found["provider_fund_account_id"] is None:
        return "new for this teacher: a new one is made"
    return f"known for this teacher: {found['provider_fund_account_id']} is used"
