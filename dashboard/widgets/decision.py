"""What a verifier or an admin does with the open report: the docked tray with its actions, each with what it needs and leads to.

Which actions there are is the workflow's to say; this module knows their words. Every decision goes through `actions.act` with
the version that was on the screen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboard.console import PageContext, context, notify, perform
from dashboard.widgets import case, duplicates, queue
from dashboard.widgets.case import Case
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.reports import claims
from pipeline.reports.actions import act
from pipeline.reports.update import Update

MAX_REMARKS = 500  # what a text message to the teacher can still carry; the history takes 1,000
TEXT_PX = 640  # a line that the eye can follow; narrower screens narrow it

Fields = dict[str, Any]

# What is said when a decision came too late; the page then shows how the report stands
OVERTAKEN: dict[str, str] = {
    "SDCRS_STALE_VERSION": "was changed by somebody while you looked. This is how it stands now; decide again.",
    "SDCRS_CLAIMED_BY_OTHER": "was taken over by somebody while you looked. Nothing was changed.",
    "SDCRS_ACTION_NOT_ALLOWED": "was decided by somebody while you looked. This is how it stands now.",
}


@dataclass(frozen=True)
class Words:
    """How an action is offered: its button, its key, what it leads to, and the sentence when it is done."""

    label: str
    confirm: str
    key: str  # C and R belong to the browser
    icon: str
    leads_to: str
    done: str


WORDS: dict[str, Words] = {
    "VERIFY": Words(
        "Verify", "Verify it", "V", "check", "It goes to the supervisor for assignment. This cannot be taken back.", "is verified"
    ),
    "REJECT": Words(
        "Reject", "Reject it", "X", "close", "It ends here and the teacher is told why. This cannot be taken back.", "is rejected"
    ),
    "MARK_DUPLICATE": Words(
        "Duplicate",
        "Mark it as a duplicate",
        "D",
        "content_copy",
        "It ends here without payout. This cannot be taken back.",
        "is marked as a duplicate",
    ),
    "SEND_BACK": Words(
        "Ask teacher",
        "Send the question",
        "A",
        "contact_support",
        "The clock stands still until the teacher answers.",
        "waits for the teacher's answer",
    ),
    "ESCALATE": Words(
        "Escalate",
        "Hand it over",
        "E",
        "arrow_upward",
        "A senior verifier decides; it leaves the standard queue.",
        "is handed to the senior verifiers",
    ),
    "REOPEN": Words(
        "Reopen", "Reopen it", "O", "undo", "The rejection is taken back and a verifier decides.", "is reopened and waits for a verifier"
    ),
}


@dataclass(frozen=True)
class Answer:
    """What a form holds: the action's fields, and what still keeps it from being sent."""

    comment: str | None = None
    fields: Fields = field(default_factory=dict)
    missing: str | None = None


@st.fragment
def tray(shown: Case) -> None:
    """The docked tray. A fragment: choosing an action redraws it alone and not the photos and the map above it."""
    ctx = context()
    with st.container(key="inbox.tray"):
        chosen = st.session_state.get("inbox.action")
        offered = [row.action for row in shown.actions if row.action in WORDS and not shown.held_by_other]
        if chosen in offered:
            _form(ctx, shown, str(chosen))
            return
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            for action in offered:
                words = WORDS[action]
                st.button(
                    words.label,
                    key=f"inbox.choose.{action}",
                    icon=f":material/{words.icon}:",
                    shortcut=words.key,
                    type="primary" if action in {"VERIFY", "REOPEN"} else "secondary",
                    on_click=_choose,
                    args=(action,),
                )
            if shown.held_by_other and shown.actions and st.button("Take over", icon=":material/pan_tool:", key="inbox.take_over"):
                perform(partial(take_over, shown.report["id"], shown.number))
                st.rerun()


def _choose(action: str | None) -> None:
    st.session_state["inbox.action"] = action


def _form(ctx: PageContext, shown: Case, action: str) -> None:
    words = WORDS[action]
    with st.container(key="inbox.form"):
        st.html(f'<div class="tray-says"><b>{words.label} {shown.number}.</b> {words.leads_to}</div>')
        answer = FORMS[action](ctx, shown)
    with st.container(horizontal=True, gap="small"):
        sure = st.button(
            words.confirm, type="primary", key=f"inbox.confirm.{action}", icon=f":material/{words.icon}:", shortcut="Ctrl+Enter"
        )
        st.button("Cancel", key="inbox.cancel", shortcut="Esc", on_click=_choose, args=(None,))
    if not sure:
        return
    if answer.missing:
        st.warning(answer.missing, icon=":material/warning:")
        return
    perform(partial(decide, shown.report["id"], shown.number, shown.report["version"], action, answer))
    st.rerun()


def decide(report_id: UUID, number: str, version: int, action: str, answer: Answer, ctx: PageContext) -> str | None:
    """Carry out a decision with the version that was on the screen, and open the next report of the queue.

    A report that somebody changed or took over meanwhile stays open as it is now, and a sentence says so.
    """
    _choose(None)
    with ctx.begin() as conn:
        _, following = queue.neighbours(ctx, conn, number)
        update = Update(report_id, action, comment=answer.comment, version=version, fields=answer.fields)
        (outcome,) = act(conn, ctx.runtime.masterdata.current(), ctx.caller, [update], ctx.now)
    if outcome.error is not None:
        if outcome.error.code not in OVERTAKEN:
            raise outcome.error
        notify("warning", f"{number} {OVERTAKEN[outcome.error.code]}")
        return None
    open_report(following)
    return f"{number} {WORDS[action].done}. {f'Next: {following}.' if following else 'Nothing else waits in this queue.'}"


def take_over(report_id: UUID, number: str, ctx: PageContext) -> str:
    """Take another's claim, which is written to the audit. Raises SDCRS_FORBIDDEN when the person may not decide on it."""
    with ctx.begin() as conn:
        report = case.row(ctx, conn, report_id)
        if not case.open_to(ctx, report):
            raise AppError("SDCRS_FORBIDDEN", reason="this report is not yours to decide.")
        claims.claim(conn, ctx.caller, report_id, ctx.now, take_over=True)
        details = {"from": str(report["claimed_by"])} if report["claimed_by"] else {}
        role = min(ctx.caller.roles)
        record(conn, report["tenant_id"], ctx.caller.account_id, role, "TAKE_OVER", "REPORT", str(report_id), ctx.now, details=details)
    return f"{number} is yours now."


def release(report_id: UUID, ctx: PageContext) -> None:
    """Give the person's own claim back when they leave a report undecided."""
    with ctx.begin() as conn:
        claims.release(conn, ctx.caller, report_id)


def open_report(number: str | None) -> None:
    """Make a report the open one of this page; None: the queue."""
    _choose(None)
    if number is None:
        st.query_params.pop("report", None)
    else:
        st.query_params["report"] = number


def _verify(_ctx: PageContext, shown: Case) -> Answer:
    remarks = _text("Remarks (optional)", shown)
    return Answer(fields={"verification_remarks": remarks})


def _reject(ctx: PageContext, shown: Case) -> Answer:
    reasons = ctx.runtime.masterdata.current().rejection_reasons(shown.report["tenant_id"])
    usable = {code: reason for code, reason in reasons.items() if "REJECT" in reason.actions}
    reason = st.pills("Reason", list(usable), format_func=lambda code: usable[code].name, key=f"inbox.reason.{shown.number}")
    if reason:
        st.caption(f"{usable[reason].description} The teacher is told: “{usable[reason].message.text('en_IN')}”.")
    remarks = _text("Remarks (optional)", shown)
    missing = None if reason else "Choose a reason first."
    return Answer(fields={"rejection_reason": reason, "rejection_remarks": remarks}, missing=missing)


def _mark_duplicate(ctx: PageContext, shown: Case) -> Answer:
    original = duplicates.choose(ctx, shown)
    remarks = _text("Remarks (optional)", shown)
    missing = None if original else "Choose the earlier report first, or type its number."
    return Answer(fields={"duplicate_of": original, "rejection_remarks": remarks}, missing=missing)


def _send_back(_ctx: PageContext, shown: Case) -> Answer:
    question = _text("Question to the teacher", shown)
    return Answer(comment=question, missing=None if question else "Write the question first.")


def _escalate(_ctx: PageContext, shown: Case) -> Answer:
    return Answer(comment=_text("What should the senior verifier look at? (optional)", shown))


def _reopen(_ctx: PageContext, shown: Case) -> Answer:
    reason = _text("Why is the rejection wrong?", shown)
    return Answer(comment=reason, missing=None if reason else "Write the reason first.")


def _text(label: str, shown: Case) -> str | None:
    """A line of text of this report's form; a fresh one for each report."""
    return st.text_input(label, key=f"inbox.text.{shown.number}", max_chars=MAX_REMARKS, width=TEXT_PX).strip() or None


FORMS: dict[str, Callable[[PageContext, Case], Answer]] = {
    "VERIFY": _verify,
    "REJECT": _reject,
    "MARK_DUPLICATE": _mark_duplicate,
    "SEND_BACK": _send_back,
    "ESCALATE": _escalate,
    "REOPEN": _reopen,
}
