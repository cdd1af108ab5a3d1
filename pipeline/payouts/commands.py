"""What state admins do about payouts: retry, correct an address, settle by hand, approve another's settlement.

A settlement by hand may be asked for outside the rules, with the reason: over the monthly cap, or to a teacher who is not
paid for the time being. It then always needs a second admin. Each command takes the caller's connection and answers per
report; the API and the console call these and nothing else. District admins read only. No call to the provider is made
here: a retry is sent by the job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.filestore.upload import check_may_read, load_file
from pipeline.masterdata.master import MasterData
from pipeline.payouts.books import Books, Payout
from pipeline.payouts.cap import reserve, reserve_beyond
from pipeline.payouts.ledger import Entry, enter
from pipeline.payouts.orders import check_vpa
from pipeline.payouts.retry import Retried, begin_retries, cap_error, check_unpaid, claim_now
from pipeline.payouts.standing import Rule, holds
from pipeline.payouts.states import DEAD
from pipeline.reports.workflow import Actor, Item, Outcome, transition
from pipeline.vault.persons import Vault

ROLE = "STATE_ADMIN"
MAX_RETRIED = 100  # one page of a list, which is what an admin can select
METHODS = ("UPI", "CASH", "BANK_TRANSFER", "CHEQUE", "OTHER")
REFERENCE_MAX = 64  # characters; bank references have up to 35
COMMENT_MAX = 1000
EXCEPTION_MIN = 10  # characters: a reason that the second admin can judge

_HOME = text("SELECT tenant_id FROM access.account WHERE id = :id")


@dataclass(frozen=True)
class Proof:
    """How somebody was paid by hand. `amount_paise` None: the whole obligation.

    `file_id` is an uploaded photo of the receipt or the bank statement. `exception`: why it was paid outside the rules.
    """

    reference: str
    method: str
    amount_paise: int | None = None
    comment: str | None = None
    file_id: UUID | None = None
    exception: str | None = None


@dataclass(frozen=True)
class Manual:
    """A settlement by hand: done (`outcome` has the report's new state), or waiting for a second admin."""

    report_id: UUID
    approval_pending: bool
    outcome: Outcome | None = None


def retry(
    conn: Connection,
    md: MasterData,
    vault: Vault,
    caller: Caller,
    report_ids: Sequence[UUID],
    now: datetime,
    beneficiary_vpa: str | None = None,
    body: Mapping[str, Any] | None = None,
) -> list[Retried]:
    """Try again to pay for these reports, each with a result of its own. A corrected address is for one report's teacher.

    `body` is the request without personal values, kept with its packet. Does not commit. Raises SDCRS_FORBIDDEN,
    SDCRS_INVALID_REQUEST, SDCRS_INVALID_VPA; errors per report as `begin_retries` says.
    """
    _check_role(caller)
    if not 1 <= len(report_ids) <= MAX_RETRIED:
        raise AppError("SDCRS_INVALID_REQUEST", field="reportIds", detail=f"1 to {MAX_RETRIED} at once")
    if beneficiary_vpa is not None and len(set(report_ids)) != 1:
        raise AppError("SDCRS_INVALID_REQUEST", field="beneficiaryVpa", detail="goes with one report only")
    vpa = check_vpa(beneficiary_vpa) if beneficiary_vpa is not None else None
    books = Books.of_reports(conn, report_ids)
    results = begin_retries(conn, md, books, report_ids, Actor(caller.account_id, caller.roles), now, body=body)
    if vpa is not None and results[0].ok:
        _correct_vpa(conn, vault, caller, books.by_report[results[0].report_id], vpa, now)
    return results


def manual_resolve(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    report_id: UUID,
    proof: Proof,
    now: datetime,
    body: Mapping[str, Any] | None = None,
) -> Manual:
    """Settle an unpaid obligation by hand, at once or, where the tenant wants it or the rules forbid it, once a second admin approves.

    Does not commit. Money that the provider shows as out is not paid again: such a payment can only be entered as what it is, with its UTR.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_NOT_FOUND, SDCRS_ACTION_NOT_ALLOWED, SDCRS_PAYOUT_UNRESOLVED,
    SDCRS_APPROVAL_PENDING, SDCRS_PAYOUT_FROZEN, SDCRS_PAYEE_NOT_VERIFIED, SDCRS_MONTHLY_CAP_REACHED, and those of the door.
    """
    _check_role(caller)
    books, payout = _lock(conn, report_id)
    _check_manual(books, payout)
    payout.manual_reference, payout.method = _checked(proof)
    payout.manual_exception = _exception(proof)
    _broken(conn, md, payout, now)
    payout.manual_amount_paise = _amount(proof, payout)
    _check_not_out(books, payout)
    payout.manual_comment, payout.manual_file_id = proof.comment, _attachment(conn, caller, proof)
    payout.manual_requested_at, payout.manual_requested_by = now, caller.account_id
    payout.next_retry_at = None
    books.change(payout)
    if payout.manual_exception is not None or md.tenant(payout.tenant_id).manual_resolve_approval:
        books.write(conn, now)
        details = {
            "reference": proof.reference,
            "method": proof.method,
            "amountPaise": payout.manual_amount_paise,
            "fileStoreId": str(proof.file_id) if proof.file_id else None,
            "exception": payout.manual_exception,
        }
        record(conn, payout.tenant_id, caller.account_id, ROLE, "MANUAL_RESOLVE_REQUESTED", "PAYOUT", str(payout.id), now, details=details)
        return Manual(report_id, approval_pending=True)
    return Manual(report_id, False, _settle_by_hand(conn, md, caller, books, payout, now, body))


def approve_manual(
    conn: Connection, md: MasterData, caller: Caller, report_id: UUID, now: datetime, body: Mapping[str, Any] | None = None
) -> Manual:
    """Approve what another admin has asked for; the obligation is settled. Does not commit.

    Raises SDCRS_SELF_APPROVAL, SDCRS_NOTHING_TO_APPROVE and what `manual_resolve` raises.
    """
    _check_role(caller)
    books, payout = _lock(conn, report_id)
    _check_pending(payout)
    if payout.manual_requested_by == caller.account_id:
        raise AppError("SDCRS_SELF_APPROVAL")
    _check_not_out(books, payout)  # it may have changed since it was asked for
    return Manual(report_id, False, _settle_by_hand(conn, md, caller, books, payout, now, body))


def reject_manual(conn: Connection, caller: Caller, report_id: UUID, comment: str, now: datetime) -> None:
    """Refuse a requested settlement, or withdraw one's own; the obligation stays unpaid. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING, SDCRS_NOT_FOUND, SDCRS_NOTHING_TO_APPROVE.
    """
    _check_role(caller)
    if not comment.strip():
        raise AppError("SDCRS_FACT_MISSING", action="The rejection of a settlement by hand", field="comment")
    books, payout = _lock(conn, report_id)
    _check_pending(payout)
    details = {"reference": payout.manual_reference, "requestedBy": str(payout.manual_requested_by), "comment": comment[:COMMENT_MAX]}
    payout.method = payout.manual_reference = payout.manual_amount_paise = payout.manual_comment = None
    payout.manual_file_id = payout.manual_exception = None
    payout.manual_requested_at = payout.manual_requested_by = None
    books.change(payout)
    books.write(conn, now)
    record(conn, payout.tenant_id, caller.account_id, ROLE, "MANUAL_RESOLVE_REJECTED", "PAYOUT", str(payout.id), now, details=details)


def _settle_by_hand(
    conn: Connection, md: MasterData, caller: Caller, books: Books, payout: Payout, now: datetime, body: Mapping[str, Any] | None
) -> Outcome:
    """Reserve the month, enter the payment, resolve the report; both names go into the history."""
    broken = _broken(conn, md, payout, now)
    amount = payout.manual_amount_paise or payout.amount_paise
    claim = claim_now(md, payout, now, amount)
    if payout.manual_exception is None:
        if not reserve(conn, [claim])[0]:
            raise cap_error(md, payout.tenant_id, claim.cap_paise, now)
    elif reserve_beyond(conn, claim):
        broken.append("MONTHLY_CAP")
    maker = payout.manual_requested_by
    noted: dict[str, Any] = {
        "manualPaymentReference": payout.manual_reference,
        "manualPaymentMethod": payout.method,
        "requestedBy": maker,
        "approvedBy": caller.account_id,
    }
    if payout.manual_exception is not None:
        noted |= {"outsideTheRules": payout.manual_exception, "rulesBroken": broken}
    facts = {"payout_status": "MANUAL_PAYOUT", "payout_amount_paise": amount, "payout_completed_at": now, "resolved_at": now}
    item = Item(payout.report_id, facts | {"payout_failure_reason": None}, noted, payout.manual_comment)
    (outcome,) = transition(conn, md, "MANUAL_RESOLVE", [item], Actor(caller.account_id, caller.roles), now, body=body)
    if outcome.error is not None:
        raise outcome.error
    payout.status, payout.completed_at, payout.cap_month = "COMPLETED", now, claim.month
    payout.manual_approved_at, payout.manual_approved_by = now, caller.account_id
    payout.next_retry_at = payout.needs_person = None
    books.change(payout)
    books.write(conn, now)
    for kind in ("RESERVE", "SETTLE"):
        enter(conn, [Entry(kind, payout.tenant_id, payout.id, payout.beneficiary_id, claim.month, amount, None, now)])
    return outcome


def _check_role(caller: Caller) -> None:
    if not caller.has(ROLE):
        raise AppError("SDCRS_FORBIDDEN", reason="only state admins settle payouts")


def _lock(conn: Connection, report_id: UUID) -> tuple[Books, Payout]:
    books = Books.of_reports(conn, [report_id])
    payout = books.by_report.get(report_id)
    if payout is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Payout of report", id=str(report_id))
    return books, payout


def _broken(conn: Connection, md: MasterData, payout: Payout, now: datetime) -> list[Rule]:
    """The rules of standing that forbid paying this teacher now. Raises the first one's error unless it is asked for outside the rules."""
    held = holds(conn, md, [payout.beneficiary_id], now).get(payout.beneficiary_id)
    if held is None:
        return []
    rule, error = held
    if payout.manual_exception is None:
        raise error
    return [rule]


def _check_manual(books: Books, payout: Payout) -> None:
    """A doubtful attempt of an unpaid obligation may be what was paid: only that does not stand in the way of saying so."""
    doubts = [attempt for attempt in books.attempts_of(payout.id) if attempt.phase == "REVIEW"]
    others = Books([payout], [attempt for attempt in books.attempts_of(payout.id) if attempt not in doubts])
    check_unpaid(payout, others, "MANUAL_RESOLVE")


def _check_not_out(books: Books, payout: Payout) -> None:
    """Raise when an attempt's money is out, unless just that payment is what is entered: as UPI, in full, under its UTR or id."""
    for attempt in books.attempts_of(payout.id):
        if attempt.provider_status is None or attempt.provider_status in DEAD:
            continue
        itself = payout.method == "UPI" and payout.manual_reference in (attempt.utr, attempt.provider_payout_id)
        if attempt.provider_status != "processed" or not itself or payout.manual_amount_paise != payout.amount_paise:
            raise AppError("SDCRS_PAYOUT_UNRESOLVED")


def _check_pending(payout: Payout) -> None:
    if payout.manual_requested_at is None or payout.manual_approved_at is not None:
        raise AppError("SDCRS_NOTHING_TO_APPROVE")


def _checked(proof: Proof) -> tuple[str, str]:
    reference = proof.reference.strip()
    if not 1 <= len(reference) <= REFERENCE_MAX or not reference.isprintable():
        raise AppError("SDCRS_INVALID_REQUEST", field="manualPaymentReference", detail=f"needs 1 to {REFERENCE_MAX} characters")
    if proof.method not in METHODS:
        raise AppError("SDCRS_INVALID_REQUEST", field="manualPaymentMethod", detail=f"must be one of {', '.join(METHODS)}")
    if proof.comment is not None and len(proof.comment) > COMMENT_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="comment", detail=f"has at most {COMMENT_MAX} characters")
    return reference, proof.method


def _exception(proof: Proof) -> str | None:
    reason = (proof.exception or "").strip()
    if reason and not EXCEPTION_MIN <= len(reason) <= COMMENT_MAX:
        detail = f"needs {EXCEPTION_MIN} to {COMMENT_MAX} characters that say why it is paid outside the rules"
        raise AppError("SDCRS_INVALID_REQUEST", field="exceptionReason", detail=detail)
    return reason or None


def _attachment(conn: Connection, caller: Caller, proof: Proof) -> UUID | None:
    if proof.file_id is not None:
        check_may_read(conn, caller, load_file(conn, proof.file_id))
    return proof.file_id


def _amount(proof: Proof, payout: Payout) -> int:
    amount = payout.amount_paise if proof.amount_paise is None else proof.amount_paise
    if not 0 < amount <= payout.amount_paise:
        raise AppError(
            "SDCRS_INVALID_REQUEST", field="payoutAmount", detail=f"must be more than 0 and at most Rs.{payout.amount_paise // 100}"
        )
    return amount


def _correct_vpa(conn: Connection, vault: Vault, caller: Caller, payout: Payout, vpa: str, now: datetime) -> None:
    home = conn.execute(_HOME, {"id": payout.beneficiary_id}).scalar_one_or_none()
    if home is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Teacher", id=str(payout.beneficiary_id))
    vault.put(conn, [(payout.beneficiary_id, str(home), {"vpa": vpa})], now)
    record(conn, payout.tenant_id, caller.account_id, ROLE, "VPA_CORRECTED", "ACCOUNT", str(payout.beneficiary_id), now)
