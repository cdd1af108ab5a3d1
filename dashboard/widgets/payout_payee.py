"""Whether the one who is paid is a verified payee: how that is known, and where an admin enters a UIN by which the credential is found."""

from functools import partial
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_acts import Subject, key
from pipeline.access.policy import can, can_open
from pipeline.payouts.payee import enter_uin, verify_payees

UIN_MAX = 14  # ten digits, and the blanks that people write into them
NAMED_BY = {"BANK": "the bank", "STAFF_REGISTER": "the staff register"}
FOUND_BY = {"HANDLE": "the user name", "UIN": "a UIN that an admin has entered"}


def show(ctx: PageContext, subject: Subject, row: RowMapping) -> None:
    """The line about the payee, with the way to the credential's registration and, for admins, the field for a UIN."""
    policy = ctx.runtime.masterdata.current().tenant(row["tenant_id"]).payee_verification
    line = words.payee(row, policy)
    if line is None:
        return
    with ctx.begin() as conn:
        known = queries.one(conn, "identity.payee", account_id=row["beneficiary_id"])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(formats.plain_markdown(" · ".join([line, *(told(known, ctx.zone) if known is not None else [])])), width="stretch")
        if known is not None and known["reg_id"] is not None and can_open(ctx.caller, "identity"):
            st.link_button("Credential", f"/identity?registration={known['reg_id']}", icon=":material/fingerprint:")
        if policy != "off" and can(ctx.caller, "enter_payee_number") and (known is None or known["status"] != "VERIFIED"):
            _field(subject, row)


def told(known: RowMapping, zone: ZoneInfo) -> list[str]:
    """How it was found out, as parts of a sentence."""
    entered = f"a UIN was entered {formats.local_time(known['entered_at'], zone)}" if known["entered_at"] is not None else None
    if known["status"] is None or known["score"] is None:
        return [entered] if entered else ["no credential is found by the user name"]
    return [
        f"credential and account agree by {known['score']} of 100",
        f"found by {FOUND_BY.get(known['source'], known['source'])}",
        f"account named by {NAMED_BY.get(known['account_name'], 'nobody')}",
        f"checked {formats.local_time(known['checked_at'], zone)}",
    ]


def _field(subject: Subject, row: RowMapping) -> None:
    with st.popover("Enter a UIN", icon=":material/badge:"):
        st.markdown("The credential of this number is compared with the account's name. The number is kept sealed and not shown again.")
        name = key(subject, "uin")
        st.text_input("UIN", key=name, max_chars=UIN_MAX, type="password", autocomplete="off")
        command = partial(_enter, name=name, row=row)
        st.button("Compare", type="primary", key=key(subject, "enter_uin"), on_click=perform, args=(command,))


def _enter(ctx: PageContext, name: str, row: RowMapping) -> str:
    uin, st.session_state[name] = str(st.session_state.get(name) or ""), ""
    with ctx.begin() as conn:
        enter_uin(ctx.runtime, conn, ctx.caller, row["beneficiary_id"], uin, ctx.now)
    verify_payees(ctx.runtime, ctx.now, only=row["beneficiary_id"])
    return "The number is kept. What the comparison says stands beside the payee."
