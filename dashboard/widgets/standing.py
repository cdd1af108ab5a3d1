"""A teacher's own standing: what blocks new reports, why and until when, and the appeal against it.

The fraud room decides whether an appeal is possible; this page asks the same question to know what to show.
"""

from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import rows, shell
from pipeline.fraud.penalties import commands
from pipeline.masterdata.master import MasterData
from pipeline.reports.standing import BLOCKING

# What each step means for the teacher, before its end is said
MEANS: dict[str, str] = {
    "WARNING": "Further rejections block new reports for a while.",
    "COOLDOWN": "You cannot send new reports",
    "SUSPENSION": "You cannot send new reports, and payouts wait,",
    "BAN": "You are excluded from the programme: new reports and payouts are stopped.",
}


def show(ctx: PageContext, account: RowMapping) -> str | None:
    """Say what is under way against the teacher and offer the appeal; the sentence that blocks new reports, or None.

    `account` has standing, standing_until and standing_reason: the standing alone decides what is blocked.
    """
    ends = account["standing_until"]
    if account["standing"] == "GOOD" or (ends is not None and ends <= ctx.now):
        return None
    if account["standing"] not in BLOCKING:
        shell.message("info", f"Warning: {account['standing_reason']}. {MEANS['WARNING']}")
        return None
    md = ctx.runtime.masterdata.current()
    helpdesk = md.tenant(ctx.caller.tenant_id).helpdesk
    until = f" until {formats.local_time(ends, ctx.zone)}." if ends is not None else ""
    sentence = f"{MEANS[account['standing']]}{until} Reason: {account['standing_reason']}. Helpdesk: {helpdesk}."
    shell.message("warning", sentence)
    with ctx.begin() as conn:
        found = queries.rows(conn, "fraud.own_penalties", account_id=ctx.caller.account_id, now=ctx.now)
    for row in found:
        if row["code"] in BLOCKING:
            _appeal(ctx, md, row)
    return sentence


def _appeal(ctx: PageContext, md: MasterData, row: RowMapping) -> None:
    """The form of an appeal while one is possible, else how it stands."""
    name = next((step.name for step in md.penalties(ctx.caller.tenant_id) if step.code == row["code"]), row["code"])
    if row["appealed_at"] is not None:
        rows.part(f"Your appeal: {name.lower()}", formats.local_time(row["appealed_at"], ctx.zone))
        st.text(row["appeal_text"])
        st.caption(_outcome(row))
        return
    if commands.why_no_appeal(row["appeal_role"], row["appeal_until"], None, ctx.now) is not None:
        return
    by = f"until {formats.local_time(row['appeal_until'], ctx.zone)}" if row["appeal_until"] is not None else "while it lasts"
    with (
        st.expander(f"Appeal: {name.lower()} ({by})", icon=":material/gavel:"),
        st.form(f"my_reports.appeal_form.{row['id']}", border=False),
    ):
        key = f"my_reports.appeal.{row['id']}"
        st.text_area("Why it should be lifted", key=key, max_chars=commands.TEXT_MAX, height=110)
        st.caption("You can appeal once. An admin reads it and answers by SMS.")
        st.form_submit_button("Send the appeal", type="primary", on_click=perform, args=(partial(appeal, row["id"], key),))


def _outcome(row: RowMapping) -> str:
    if row["appeal_decided_at"] is None:
        return "An admin has not decided yet."
    if row["appeal_granted"]:
        return "Granted by one admin; a second one must approve."
    return f"Not granted: {formats.plain_markdown(row['appeal_comment'])}"


def appeal(penalty_id: UUID, key: str, ctx: PageContext) -> str:
    """Send the teacher's appeal."""
    with ctx.begin() as conn:
        commands.appeal(conn, ctx.caller, penalty_id, str(st.session_state.get(key) or ""), ctx.now)
    return "Your appeal is sent. An admin reads it and answers by SMS."
