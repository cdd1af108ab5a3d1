"""Stage 08 as it goes over the border to RazorpayX and back, in the provider's own shapes: snake_case, paise, seconds.

These are drawn for readers. What was really sent is the exact bytes beside the packet, never rebuilt from here.
"""

from typing import Any

from pipeline.packets.render.facts import RecordedFacts, rupees, seconds, text
from pipeline.packets.render.payout import reference

NARRATION = "SDCRS Teacher Payout"
_EVENTS = {
    "08/06": ("payout.initiated", "processing"),
    "08/07": ("payout.processed", "processed"),
    "08/08": ("payout.failed", "failed"),
    "11/08": ("payout.queued", "queued"),
}

Part = dict[str, Any]


def contact_exchange(facts: RecordedFacts) -> Part:
    """08/01: the teacher as a contact."""
    beneficiary = _beneficiary(facts)
    asked = {
        "name": facts.person(beneficiary, "name"),
        "email": None,
        "contact": facts.person(beneficiary, "phone"),
        "type": "employee",
        "reference_id": text(beneficiary),
        "notes": {"tenant_id": facts.tenant_id, "user_type": "TEACHER", "created_by": "SDCRS"},
    }
    made = {**asked, "id": facts.attempt.get("contact_id"), "entity": "contact", "active": True, "created_at": _made_at(facts)}
    return {"request": asked, "response": made}


def fund_account_exchange(facts: RecordedFacts) -> Part:
    """08/02: the UPI address as a fund account."""
    address = facts.person(_beneficiary(facts), "vpa")
    asked = {"contact_id": facts.attempt.get("contact_id"), "account_type": "vpa", "vpa": {"address": address}}
    made = {**asked, "id": facts.attempt.get("fund_account"), "entity": "fund_account", "active": True, "created_at": _made_at(facts)}
    return {"request": asked, "response": made}


def payout_request(facts: RecordedFacts) -> Part:
    """08/03: the order; the idempotency key travels in a header."""
    return {
        "fund_account_id": facts.attempt.get("fund_account"),
        "amount": facts.payout.get("amount_paise"),
        "currency": facts.payout.get("currency", "INR"),
        "mode": "UPI",
        "purpose": "payout",
        "queue_if_low_balance": True,
        "reference_id": reference(facts),
        "narration": NARRATION,
        "notes": _notes(facts),
    }


def payout_response(facts: RecordedFacts) -> Part:
    """08/04: the order as taken."""
    return _entity(facts, facts.attempt.get("provider_status"))


def payout_webhook(facts: RecordedFacts) -> Part:
    """08/06 to 08/08: the provider's event."""
    event, status = _EVENTS[facts.packet_id]
    return {
        "entity": "event",
        "event": event,
        "contains": ["payout"],
        "payload": {"payout": {"entity": _entity(facts, status)}},
        "created_at": seconds(facts.attempt.get("modified_at")),
    }


def low_balance(facts: RecordedFacts) -> Part:
    """11/08: the provider holds the payout back; admins are told balance and shortfall in rupees."""
    alert = facts.options.get("alert", {})
    return payout_webhook(facts) | {
        "alert": {"balance": rupees(alert.get("balance_paise")), "shortfall": rupees(alert.get("shortfall_paise"))}
    }


def _entity(facts: RecordedFacts, status: str | None) -> Part:
    failed = status == "failed"
    return {
        "id": facts.attempt.get("provider_payout_id"),
        "entity": "payout",
        "fund_account_id": facts.attempt.get("fund_account"),
        "amount": facts.payout.get("amount_paise"),
        "currency": facts.payout.get("currency", "INR"),
        "notes": _notes(facts),
        "fees": facts.attempt.get("fees_paise", 0),
        "tax": facts.attempt.get("tax_paise", 0),
        "status": status,
        "utr": facts.attempt.get("utr") if status == "processed" else None,
        "mode": "UPI",
        "purpose": "payout",
        "reference_id": reference(facts),
        "narration": NARRATION,
        "failure_reason": facts.attempt.get("reason") if failed else None,
        "created_at": _made_at(facts),
    }


def _notes(facts: RecordedFacts) -> Part:
    return {
        "report_id": text(facts.payout.get("report_id") or facts.report.get("id")),
        "report_number": facts.payout.get("report_number") or facts.report.get("report_number"),
        "tenant_id": facts.tenant_id,
        "service_type": facts.report.get("service_type"),
    }


def _made_at(facts: RecordedFacts) -> int | None:
    return seconds(facts.attempt.get("first_sent_at") or facts.attempt.get("created_at"))


def _beneficiary(facts: RecordedFacts) -> Any:
    beneficiary = facts.payout.get("beneficiary_id") or facts.report.get("reporter_id")
    return None if facts.hides_reporter else beneficiary
