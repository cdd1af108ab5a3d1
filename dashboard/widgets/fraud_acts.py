"""What people do on the fraud page, each in one transaction. The rooms of the pipeline check role, area and state again.

Texts are read from their fields when a button is pressed; a key names what it is about, so that nothing typed for one thing is sent for
another. What is open is in the address: one of flag, rule, draft and teacher.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from dashboard.console import PageContext, perform
from dashboard.widgets import fraud_fields
from dashboard.widgets import fraud_words as words
from dashboard.widgets.fraud_fields import Field
from pipeline.errors import AppError
from pipeline.fraud.editing import drafts
from pipeline.fraud.editing.activation import activate
from pipeline.fraud.editing.drafts import Draft
from pipeline.fraud.flags import commands as flags
from pipeline.fraud.flags.commands import Deed
from pipeline.fraud.penalties import commands as penalties
from pipeline.ids import uuid7
from pipeline.validation.trial import try_draft

OPENED = ("flag", "rule", "draft", "teacher")
NEW = "new"  # what stands for the number of a rule that is begun
WAITS = {"DONE": "", "WAITS_FOR_SECOND_ADMIN": " A second admin must approve."}

Command = Callable[[PageContext], str | None]


def show(what: str | None, name: str | None = None) -> None:
    """Open a flag, rule, draft or teacher; None closes what is open."""
    for one in OPENED:
        st.query_params.pop(one, None)
    if what is not None and name is not None:
        st.query_params[what] = name


def opened(what: str) -> UUID | None:
    """The id that the address names. Raises SDCRS_NOT_FOUND when it is none."""
    found = st.query_params.get(what)
    try:
        return None if found is None else UUID(found)
    except ValueError:
        raise AppError("SDCRS_NOT_FOUND", kind=what.capitalize(), id=found) from None


def button(label: str, key: str, command: Command, *, primary: bool = False, disabled: bool = False, icon: str | None = None) -> None:
    """A button that runs a command with the rights of the moment."""
    st.button(label, key=key, type="primary" if primary else "secondary", disabled=disabled, icon=icon, on_click=perform, args=(command,))


def typed(key: str) -> str:
    """What stands in a text field now."""
    return str(st.session_state.get(key) or "").strip()


# rules


def save(state_id: str, content: Mapping[str, Any], fields: Sequence[Field], prefix: str, draft: Draft | None, ctx: PageContext) -> str:
    """Keep what the editor's fields say as a draft of the person's own, and try it on the last 30 days."""
    new = fraud_fields.read(fields, content, prefix)
    if f"{prefix}.code" in st.session_state:  # a rule that is begun
        new |= {"code": typed(f"{prefix}.code").upper()}
    return _keep(ctx, state_id, new, typed(f"{prefix}.reason"), draft, _token(prefix, ctx))


def switch(state_id: str, rule_id: str, on: bool, ctx: PageContext) -> str:
    """Begin a draft that turns a rule on or off, and try it."""
    prefix = f"fraud.switch.{rule_id}"
    content = drafts.switched(ctx.runtime.masterdata.current(), state_id, rule_id, on)
    return _keep(ctx, state_id, content, typed(f"{prefix}.reason"), None, _token(prefix, ctx))


def _keep(ctx: PageContext, state_id: str, content: Mapping[str, Any], reason: str, draft: Draft | None, token: UUID) -> str:
    md = ctx.runtime.masterdata.current()
    draft_id, version = (draft.id, draft.version) if draft else (token, None)
    try:
        with ctx.begin() as conn:
            kept = drafts.save(conn, md, ctx.caller, state_id, draft_id, content, reason, ctx.now, version)
    except AppError as error:
        raise _in_words(error, str(content["condition"]["type"])) from error
    show("draft", str(kept.id))
    forget_tokens()
    if kept.trial is None:  # apart, so that a draft that takes too long to try is kept
        with ctx.begin() as conn, ctx.runtime.database.worker() as past:
            kept = try_draft(conn, past, md, ctx.caller, kept.id, kept.version, ctx.now)
    return f"The draft of {kept.rule_id} is kept and was tried. The rule itself stays as it is until a second admin activates the draft."


def _in_words(error: AppError, kind: str) -> AppError:
    """An invalid rule's error with the field as the editor calls it; another error as it is."""
    if error.code != "SDCRS_INVALID_RULE":
        return error
    return AppError(error.code, field=words.field(str(error.params["field"]), kind), detail=error.params["detail"])


def submit(draft: Draft, ctx: PageContext) -> str:
    """Hand a draft to the other admins."""
    with ctx.begin() as conn:
        drafts.submit(conn, ctx.runtime.masterdata.current(), ctx.caller, draft.id, draft.version, ctx.now)
    return f"The draft of {draft.rule_id} is submitted: a second admin decides."


def withdraw(draft: Draft, ctx: PageContext) -> str:
    """Take an own draft back."""
    with ctx.begin() as conn:
        drafts.withdraw(conn, ctx.caller, draft.id, draft.version, ctx.now)
    show("rule", draft.rule_id)
    return f"The draft of {draft.rule_id} is withdrawn."


def turn_on(draft: Draft, ctx: PageContext) -> str:
    """Make another admin's draft the rule. Publishing is the worker's right alone; the command checks the person's."""
    with ctx.runtime.database.worker() as conn:
        done = activate(conn, ctx.caller, draft.id, draft.version, ctx.now)
    return f"{draft.rule_id} is changed: version {done.published_version} of the rules counts from now on."


def refuse(draft: Draft, ctx: PageContext) -> str:
    """Reject another admin's draft with a comment."""
    with ctx.begin() as conn:
        drafts.reject(conn, ctx.caller, draft.id, draft.version, typed(f"fraud.refusal.{draft.id}"), ctx.now)
    return f"The draft of {draft.rule_id} is rejected."


def _token(prefix: str, ctx: PageContext) -> UUID:
    """The id of the draft that a form would begin: the same for two clicks on one button."""
    tokens: dict[str, UUID] = st.session_state.setdefault("fraud.tokens", {})
    return tokens.setdefault(prefix, uuid7(ctx.now))


def forget_tokens() -> None:
    """The next form begins a draft of its own."""
    st.session_state.pop("fraud.tokens", None)


# flags


def work(flag_ids: Sequence[UUID], deed: Callable[[], Deed], done: str, ctx: PageContext) -> str:
    """Do something with one flag or several; what could not be done is said."""
    with ctx.begin() as conn:
        results = flags.work(conn, ctx.caller, flag_ids, deed(), ctx.now)
    failed = [one.error.message for one in results if one.error is not None]
    if len(results) == 1 and results[0].error is not None:
        raise results[0].error
    if failed:
        return f"{len(results) - len(failed)} of {len(results)} {done}. {failed[0]}"
    return f"The flag is {done}." if len(results) == 1 else f"{len(results)} flags are {done}."


# teachers


def confirm_fraud(report_id: UUID, ctx: PageContext) -> str:
    """Say that a report is a fraud; a second admin must approve."""
    with ctx.begin() as conn:
        penalties.confirm_fraud(conn, ctx.caller, report_id, typed(f"fraud.confirm.{report_id}"), ctx.now)
    return "The fraud is confirmed. A second admin must approve before it has an effect."


def decide_fraud(confirmation_id: UUID, approved: bool, ctx: PageContext) -> str:
    """Approve or refuse what another admin confirmed."""
    comment = typed(f"fraud.confirmation.{confirmation_id}")
    with ctx.begin() as conn:
        if approved:
            penalties.approve_fraud(conn, ctx.runtime.masterdata.current(), ctx.caller, confirmation_id, ctx.now, comment)
        else:
            penalties.refuse_fraud(conn, ctx.caller, confirmation_id, comment, ctx.now)
    return "The fraud is approved; the penalty counts from now on." if approved else "The confirmation is refused; nothing follows."


def lift(penalty_id: UUID, ctx: PageContext) -> str:
    """End a penalty with a reason."""
    forgives = bool(st.session_state.get(f"fraud.forgive.{penalty_id}"))
    reason = typed(f"fraud.lift.{penalty_id}")
    with ctx.begin() as conn:
        done = penalties.lift(conn, ctx.runtime.masterdata.current(), ctx.caller, penalty_id, reason, ctx.now, forgive_cause=forgives)
    return "The penalty is lifted." if done == "DONE" else "Asked for." + WAITS[done]


def decide_lift(penalty_id: UUID, approved: bool, ctx: PageContext) -> str:
    """Approve or refuse that a ban is lifted."""
    with ctx.begin() as conn:
        if approved:
            penalties.approve_lift(conn, ctx.runtime.masterdata.current(), ctx.caller, penalty_id, ctx.now)
        else:
            penalties.refuse_lift(conn, ctx.caller, penalty_id, typed(f"fraud.lift_refusal.{penalty_id}"), ctx.now)
    return "The ban is lifted." if approved else "The ban stays."


def decide_appeal(penalty_id: UUID, granted: bool, ctx: PageContext) -> str:
    """Grant or refuse a teacher's appeal."""
    comment = typed(f"fraud.appeal.{penalty_id}")
    with ctx.begin() as conn:
        done = penalties.decide_appeal(conn, ctx.runtime.masterdata.current(), ctx.caller, penalty_id, granted, comment, ctx.now)
    return ("The appeal is granted." if granted else "The appeal is refused.") + WAITS[done]


def bound(command: Callable[..., str], *args: Any) -> Command:
    """A command with what it is about, to be given to a button."""
    return partial(command, *args)
