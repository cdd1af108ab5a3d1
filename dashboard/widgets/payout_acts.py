"""What a state admin does about payouts, with a result for each: retry, settle by hand, approve or refuse that, decide a doubt.

Every button carries the reports that were shown; amounts and addresses are read from their fields when it is pressed. The payout
room checks the role and the state again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection

from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import outcomes, picking
from dashboard.widgets import payout_words as words
from dashboard.widgets.outcomes import Result
from pipeline.errors import AppError
from pipeline.filestore.upload import RECEIPTS, upload
from pipeline.payouts import commands
from pipeline.payouts.address_check import check_address
from pipeline.payouts.decide import decide as decide_payout
from pipeline.payouts.retry_many import try_out

PAGE = "payouts"
Command = Callable[[PageContext], str | None]


@dataclass(frozen=True)
class Subject:
    """A payout as it was shown."""

    report_id: UUID
    number: str
    amount_paise: int


def key(subject: Subject, name: str) -> str:
    """The session's key of a field of the panel; each payout has its own, so that nothing typed for one is sent for another."""
    return f"payouts.{name}.{subject.number}"


def button(label: str, name: str, command: Command, *, primary: bool = False, disabled: bool = False) -> None:
    """A button that carries a command out with the rights that the person has when it is pressed."""
    st.button(label, key=name, type="primary" if primary else "secondary", disabled=disabled, on_click=perform, args=(command,))


def retry(ctx: PageContext, subject: Subject) -> None:
    """Send one again, to the corrected address where one was typed."""
    vpa = _text(subject, "vpa")
    where = f" to {vpa}" if vpa else ""

    def act(conn: Connection) -> str:
        md, vault = ctx.runtime.masterdata.current(), ctx.runtime.vault
        (answer,) = commands.retry(conn, md, vault, ctx.caller, [subject.report_id], ctx.now, beneficiary_vpa=vpa)
        if answer.error is not None:
            raise answer.error
        return f"sent again{where} as retry {answer.retry_count}."

    _carry_out(ctx, subject, act)


def try_one(ctx: PageContext, subject: Subject) -> None:
    """Say what sending it again would do now, and change nothing."""
    vpa = _text(subject, "vpa")
    try:
        (answer,) = try_out(ctx.runtime, ctx.caller, [subject.report_id], ctx.now, vpa)
        if answer.error is not None:
            raise answer.error
    except AppError as error:
        outcomes.keep(PAGE, "tried out", [Result(subject.number, False, f"would be refused: {error.message}")])
        return
    where = vpa or "the present address"
    said = f"would be sent again to {where} as retry {answer.retry_count}. Nothing was changed."
    outcomes.keep(PAGE, "tried out", [Result(subject.number, True, said)])


def ask_the_bank(ctx: PageContext, subject: Subject) -> None:
    """Ask whether the typed address can be paid and in whose name it is; nothing is paid and nothing is corrected."""
    vpa = _text(subject, "vpa") or ""
    try:
        found = check_address(ctx.runtime, ctx.caller, subject.report_id, vpa, ctx.now)
    except AppError as error:
        outcomes.keep(PAGE, "asked", [Result(subject.number, False, error.message)])
        return
    sentence = words.address(vpa, found)
    st.session_state[key(subject, "answer")] = (vpa, sentence)  # shown beside the address too, as long as it stays typed
    outcomes.keep(PAGE, "asked", [Result(subject.number, found.verdict != "INVALID", sentence)])


def settle(ctx: PageContext, subject: Subject, tenant_id: str) -> None:
    """Settle by hand with the proof in the panel's fields; the receipt's photo is stored first."""
    rupees = st.session_state.get(key(subject, "amount"))
    outside = bool(st.session_state.get(key(subject, "outside")))
    receipt = st.session_state.get(key(subject, "receipt"))
    try:
        if outside and not _text(subject, "exception"):
            raise AppError("SDCRS_FACT_MISSING", action="A settlement outside the rules", field="reason")
        stored = upload(ctx.runtime, ctx.caller, tenant_id, RECEIPTS, "receipt", [(receipt.name, receipt.getvalue())]) if receipt else []
    except AppError as error:
        outcomes.keep(PAGE, "done", [Result(subject.number, False, error.message)])
        return
    proof = commands.Proof(
        reference=_text(subject, "reference") or "",
        method=str(st.session_state.get(key(subject, "method")) or ""),
        amount_paise=None if rupees is None else int(rupees) * 100,
        comment=_text(subject, "comment"),
        file_id=stored[0].id if stored else None,
        exception=_text(subject, "exception") if outside else None,
    )

    def act(conn: Connection) -> str:
        done = commands.manual_resolve(conn, ctx.runtime.masterdata.current(), ctx.caller, subject.report_id, proof, ctx.now)
        return "waits for the approval of a second admin." if done.approval_pending else "is settled by hand; the report is resolved."

    _carry_out(ctx, subject, act)


def approve(ctx: PageContext, subject: Subject) -> None:
    """Approve what another admin asked for."""

    def act(conn: Connection) -> str:
        commands.approve_manual(conn, ctx.runtime.masterdata.current(), ctx.caller, subject.report_id, ctx.now)
        return "is approved and settled by hand; the report is resolved."

    _carry_out(ctx, subject, act)


def refuse(ctx: PageContext, subject: Subject) -> None:
    """Refuse a settlement that was asked for, or withdraw one's own."""

    def act(conn: Connection) -> str:
        commands.reject_manual(conn, ctx.caller, subject.report_id, _text(subject, "refusal") or "", ctx.now)
        return "is refused; the payout stays unpaid."

    _carry_out(ctx, subject, act)


def decide(ctx: PageContext, subject: Subject) -> None:
    """Close a doubtful attempt as paid or as not paid, as the provider or the bank has told."""
    paid = st.session_state.get(key(subject, "paid")) == PAID

    def act(conn: Connection) -> str:
        comment, utr = _text(subject, "decision") or "", _text(subject, "utr")
        decide_payout(conn, ctx.runtime.masterdata.current(), ctx.caller, subject.report_id, paid, comment, ctx.now, utr)
        return "is closed as paid." if paid else "is closed as not paid: it may be retried."

    _carry_out(ctx, subject, act)


PAID, NOT_PAID = "It was paid", "It was not paid"


def _carry_out(ctx: PageContext, subject: Subject, act: Callable[[Connection], str]) -> None:
    """One act in one transaction; what stops it undoes all of it and is told like a success."""
    try:
        with ctx.begin() as conn:
            sentence, done = act(conn), True
    except AppError as error:
        sentence, done = error.message, False
    outcomes.keep(PAGE, "done", [Result(subject.number, done, sentence)])
    if done:
        picking.choose(PAGE, ())


def _text(subject: Subject, name: str) -> str | None:
    value: Any = st.session_state.get(key(subject, name))
    return str(value or "").strip() or None


def money(subjects: Sequence[Subject]) -> str:
    """What several payouts are together."""
    return formats.inr(sum(subject.amount_paise for subject in subjects))
