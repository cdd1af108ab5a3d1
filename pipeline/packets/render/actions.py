"""The packets of a workflow transition that a person or SYSTEM asked for by _update: request with facts, answer with new state."""

from collections.abc import Callable
from typing import Any

from pipeline.packets.render.envelope import request_info, response, transition
from pipeline.packets.render.facts import RecordedFacts, ms, rupees, text
from pipeline.packets.render.report import MAX_RETRIES, approval_status, capture_evidence, point

# The packets' word for the payout after each action
PAYOUT_WORDS = {
    "INITIATE_PAYOUT": "INITIATED",
    "PAYOUT_SUCCESS": "SUCCESS",
    "PAYOUT_FAILED": "FAILED",
    "RETRY_PAYOUT": "RETRY_INITIATED",
    "MANUAL_RESOLVE": "MANUAL_PAYOUT",
    "RESOLVE_NO_PAYOUT": "SKIPPED_CAP_REACHED",
}

Part = dict[str, Any]


def update_exchange(facts: RecordedFacts) -> Part:
    """_update: what was asked of the report, and what it was afterwards."""
    return {"request": update_request(facts), "response": update_response(facts)}


def update_request(facts: RecordedFacts) -> Part:
    """The asking half."""
    action = facts.history.get("action", "")
    workflow: Part = {"action": action, "comment": facts.history.get("comment")}
    if action in {"ASSIGN", "REASSIGN"}:
        officer = text(facts.at_change("assigned_officer_id"))
        workflow["assignee"] = [officer] if officer else []
    asked = {"id": text(facts.report.get("id")), "tenantId": facts.tenant_id, "workflow": workflow}
    asked |= _ASKED.get(action, _nothing)(facts)
    return {"RequestInfo": request_info(facts, "_update"), "DogReports": [asked]}


def update_response(facts: RecordedFacts) -> Part:
    """The answering half: number and state after the change, with what the change set."""
    action = facts.history.get("action", "")
    told: Part = {
        "id": text(facts.report.get("id")),
        "reportNumber": facts.report.get("report_number"),
        "status": facts.history.get("to_state"),
        "version": facts.history.get("version"),
    }
    return response(DogReports=[told | _TOLD.get(action, _nothing)(facts)])


def retry_request(facts: RecordedFacts) -> Part:
    """09/07: the asking half by itself."""
    return update_request(facts)


def retry_response(facts: RecordedFacts) -> Part:
    """09/08: the answering half by itself."""
    return update_response(facts)


def transition_request(facts: RecordedFacts) -> Part:
    """02/10: the action as the workflow gets it."""
    return transition(facts)


def _nothing(_: RecordedFacts) -> Part:
    return {}


def _verified(facts: RecordedFacts) -> Part:
    return {"verificationRemarks": facts.report.get("verification_remarks")}


def _verified_by(facts: RecordedFacts) -> Part:
    return {"verifiedBy": text(facts.history.get("actor_id")), "verifiedAt": ms(facts.history.get("occurred_at")), **_verified(facts)}


def _refused(facts: RecordedFacts) -> Part:
    return {"rejectionReason": facts.at_change("rejection_reason"), "rejectionRemarks": facts.at_change("rejection_remarks")}


def _duplicate(facts: RecordedFacts) -> Part:
    return {**_refused(facts), "additionalDetails": {"duplicateOf": facts.report.get("duplicate_of_number")}}


def _officer(facts: RecordedFacts) -> Part:
    officer = facts.at_change("assigned_officer_id")
    return {"assignedOfficerId": text(officer), "assignedOfficerName": facts.person(officer, "name")}


def _assigned(facts: RecordedFacts) -> Part:
    return {**_officer(facts), "assignedAt": ms(facts.history.get("occurred_at"))}


def _started(facts: RecordedFacts) -> Part:
    place = point(facts.at_change("visit_latitude"), facts.at_change("visit_longitude"))
    return {"fieldVisitStartedAt": ms(facts.at_change("visit_started_at")), "fieldVisitLocation": place}


def _captured(facts: RecordedFacts) -> Part:
    return {
        "resolutionType": facts.report.get("resolution_type"),
        "resolutionRemarks": facts.report.get("resolution_remarks"),
        "captureEvidence": capture_evidence(facts),
        "fieldVisitCompletedAt": ms(facts.report.get("visit_completed_at")),
    }


def _not_found(facts: RecordedFacts) -> Part:
    return {
        "resolutionType": facts.report.get("resolution_type"),
        "resolutionRemarks": facts.report.get("resolution_remarks"),
        "unableToLocateReason": facts.report.get("unable_reason"),
        "fieldVisitCompletedAt": ms(facts.report.get("visit_completed_at")),
        "fieldVisitLocation": point(facts.report.get("completed_latitude"), facts.report.get("completed_longitude")),
    }


def _payout(facts: RecordedFacts) -> Part:
    """What this change said of the payout, at its time: later attempts do not show in an earlier packet."""
    action = facts.history.get("action", "")
    report, payout, at = facts.report, facts.payout, ms(facts.history.get("occurred_at"))
    amount = 0 if action == "RESOLVE_NO_PAYOUT" else rupees(facts.at_change("payout_amount_paise") or payout.get("amount_paise"))
    details: Part = {"payoutId": text(payout.get("id")), "payoutStatus": PAYOUT_WORDS[action], "payoutAmount": amount}
    retries = facts.at_change("retry_count") or 0
    if action == "INITIATE_PAYOUT":
        details["payoutInitiatedAt"] = at
    elif action == "PAYOUT_SUCCESS":
        details |= {
            "razorpayPayoutId": facts.attempt.get("provider_payout_id"),
            "utr": facts.at_change("utr"),
            "payoutCompletedAt": ms(facts.at_change("payout_completed_at")),
        }
    elif action == "PAYOUT_FAILED":
        details |= {
            "razorpayPayoutId": facts.attempt.get("provider_payout_id"),
            "failureReason": facts.at_change("payout_failure_reason"),
            "retryCount": retries,
            "maxRetries": MAX_RETRIES,
            "canRetry": retries < MAX_RETRIES,
        }
    elif action == "RETRY_PAYOUT":
        vpa = facts.person(report.get("reporter_id"), "vpa")
        details |= {"beneficiaryVpa": vpa, "retryCount": retries, "maxRetries": MAX_RETRIES, "lastRetryAt": at}
    elif action == "MANUAL_RESOLVE":
        details |= {
            "manualPaymentReference": facts.at_change("manualPaymentReference") or payout.get("manual_reference"),
            "manualPaymentMethod": facts.at_change("manualPaymentMethod") or payout.get("method"),
            "approvalStatus": approval_status(payout),
        }
    else:
        details["reason"] = facts.history.get("comment")
    return {"payoutDetails": details}


_ASKED: dict[str, Callable[[RecordedFacts], Part]] = {
    "VERIFY": _verified,
    "REJECT": _refused,
    "MARK_DUPLICATE": _duplicate,
    "ASSIGN": _officer,
    "REASSIGN": _officer,
    "START_FIELD_VISIT": _started,
    "MARK_CAPTURED": _captured,
    "MARK_UNABLE_TO_LOCATE": _not_found,
    **dict.fromkeys(PAYOUT_WORDS, _payout),
}

_TOLD: dict[str, Callable[[RecordedFacts], Part]] = {
    "VERIFY": _verified_by,
    "REJECT": lambda facts: {**_refused(facts), "payoutEligible": False},
    "MARK_DUPLICATE": lambda facts: {**_duplicate(facts), "payoutEligible": False},
    "ASSIGN": _assigned,
    "REASSIGN": _assigned,
    "START_FIELD_VISIT": _started,
    "MARK_CAPTURED": lambda facts: {**_captured(facts), "payoutEligible": True},
    "MARK_UNABLE_TO_LOCATE": lambda facts: {**_not_found(facts), "payoutEligible": False},
    **dict.fromkeys(PAYOUT_WORDS, _payout),
}
