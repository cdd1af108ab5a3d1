"""RETRY_PAYOUT and MANUAL_RESOLVE as they come with _update: to the payout room's commands, and nothing decided here.

A second admin approves a settlement by hand by sending MANUAL_RESOLVE for it, with the same reference or with none.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

import queries
from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.api.bodies import stored_body
from pipeline.api.call import Call
from pipeline.errors import AppError
from pipeline.masterdata.models import PAISE_PER_RUPEE
from pipeline.payouts.commands import Manual, Proof, approve_manual, manual_resolve, retry
from pipeline.reports.stale import stale_version
from pipeline.reports.update import Update
from pipeline.reports.workflow import Outcome

RETRY, RESOLVE = "RETRY_PAYOUT", "MANUAL_RESOLVE"
PAYOUT_ACTIONS = frozenset({RETRY, RESOLVE})
_VPA_PATH = "$.DogReports[*].payoutDetails.beneficiaryVpa"


def act_on_payout(conn: Connection, call: Call, caller: Caller, update: Update, body: dict[str, Any]) -> None:
    """Carry out the action for one report, or raise its error. Does not commit."""
    check(caller, "retry_payout" if update.action == RETRY else "resolve_payout")
    payout = queries.one(conn, "payout_search.of_report", report_id=update.report_id)
    if payout is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Payout of report", id=str(update.report_id))
    if update.action == RETRY:
        _check_version(conn, update, _retry(conn, call, caller, update, body, payout["beneficiary_id"]))
        return
    kept = stored_body("09/09", call, body, {})
    if payout["manual_requested_at"] is not None and payout["manual_approved_at"] is None and _confirms(update, payout):
        _check_version(conn, update, approve_manual(conn, call.md, caller, update.report_id, call.now, kept).outcome)
        return
    _check_version(conn, update, _resolve(conn, call, caller, update, kept).outcome)


def _retry(conn: Connection, call: Call, caller: Caller, update: Update, body: dict[str, Any], beneficiary: UUID) -> Outcome | None:
    kept = stored_body("09/07", call, body, {_VPA_PATH: beneficiary})
    vpa = update.fields.get("beneficiary_vpa")
    (result,) = retry(conn, call.md, call.rt.vault, caller, [update.report_id], call.now, vpa, kept)
    if result.error is not None:
        raise result.error
    return result.outcome


def _resolve(conn: Connection, call: Call, caller: Caller, update: Update, kept: dict[str, Any]) -> Manual:
    rupees = update.fields.get("manual_amount_rupees")
    proof = Proof(
        reference=_need(update, "manual_reference", "payoutDetails.manualPaymentReference"),
        method=_need(update, "manual_method", "payoutDetails.manualPaymentMethod"),
        amount_paise=None if rupees is None else rupees * PAISE_PER_RUPEE,
        comment=update.comment,
        file_id=update.fields.get("manual_attachment"),
        exception=update.fields.get("manual_exception"),
    )
    return manual_resolve(conn, call.md, caller, update.report_id, proof, call.now, kept)


def _confirms(update: Update, payout: Any) -> bool:
    """Whether what is sent repeats the settlement that waits, or says nothing of it."""
    sent = (update.fields.get("manual_reference"), update.fields.get("manual_method"))
    return all(value in (None, waiting) for value, waiting in zip(sent, (payout["manual_reference"], payout["method"]), strict=True))


def _need(update: Update, field: str, name: str) -> str:
    value = update.fields.get(field)
    if not value:
        raise AppError("SDCRS_FACT_MISSING", action=update.action, field=name)
    return str(value)


def _check_version(conn: Connection, update: Update, outcome: Outcome | None) -> None:
    """Payouts are locked before reports, so a stale version is seen only afterwards; the error takes everything back."""
    if outcome is not None and update.version is not None and outcome.version != update.version + 1:
        raise stale_version(conn, outcome.report_id, sent=update.version, current=(outcome.version or 1) - 1, state=str(outcome.from_state))
