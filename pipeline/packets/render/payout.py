"""Stages 07 to 09 as our own rooms tell them: the order, the record, the callbacks. Amounts are whole rupees here."""

from typing import Any

from pipeline.packets.render.facts import RecordedFacts, ms, rupees, text
from pipeline.packets.render.report import MAX_RETRIES, approval_status

PURPOSE = "SDCRS_TEACHER_PAYOUT"

Part = dict[str, Any]


def payout_trigger(facts: RecordedFacts) -> Part:
    """07/01: pay this teacher for this report; a retry says which one it is and what it follows."""
    report, payout, attempt = facts.report, facts.payout, facts.attempt
    beneficiary = _beneficiary(facts)
    order: Part = {
        "reportId": text(report.get("id")),
        "reportNumber": report.get("report_number"),
        "tenantId": facts.tenant_id,
        "beneficiary": {
            "userId": text(beneficiary),
            "name": facts.person(beneficiary, "name"),
            "phone": facts.person(beneficiary, "phone"),
            "upiVpa": facts.person(beneficiary, "vpa"),
        },
        "amount": rupees(payout.get("amount_paise") or report.get("payout_amount_paise")),
        "currency": payout.get("currency", "INR"),
        "purpose": PURPOSE,
        "referenceId": reference(facts),
        "notes": {
            "reportNumber": report.get("report_number"),
            "serviceType": report.get("service_type"),
            "capturedAt": ms(report.get("captured_at")),
        },
    }
    number = _retry_number(facts)
    if number:
        order |= {"isRetry": True, "retryCount": number, "originalPayoutId": text(attempt.get("payout_id") or payout.get("id"))}
    return order


def reference(facts: RecordedFacts) -> str | None:
    """The reference of the attempt: SDCRS-<reportNumber>, with -R<n> for retry n."""
    known = facts.attempt.get("reference_id")
    number = facts.report.get("report_number") or facts.payout.get("report_number")
    if known or number is None:
        return known
    retry = _retry_number(facts)
    return f"SDCRS-{number}-R{retry}" if retry else f"SDCRS-{number}"


def payout_record(facts: RecordedFacts) -> Part:
    """08/05: the payout for the persister, with the provider's word for its state in upper case."""
    answer = payout_answer(facts)
    said = facts.attempt.get("provider_status")
    return {"Payout": {key: answer[key] for key in _RECORDED} | {"status": said.upper() if said else answer["status"]}}


def payout_answer(facts: RecordedFacts) -> Part:
    """A payout as /payout/v1/_search answers it: 08/05's Payout with our word for its state, and what a person must know besides."""
    payout, attempt = facts.payout, facts.attempt
    beneficiary = _beneficiary(facts)
    return {
        "id": text(payout.get("id")),
        "razorpayPayoutId": attempt.get("provider_payout_id"),
        "razorpayContactId": attempt.get("contact_id"),
        "razorpayFundAccountId": attempt.get("fund_account"),
        "referenceId": reference(facts),
        "reportId": text(payout.get("report_id") or facts.report.get("id")),
        "reportNumber": payout.get("report_number") or facts.report.get("report_number"),
        "tenantId": facts.tenant_id,
        "beneficiaryId": text(beneficiary),
        "beneficiaryName": facts.person(beneficiary, "name"),
        "beneficiaryVpa": facts.person(beneficiary, "vpa"),
        "amount": rupees(payout.get("amount_paise")),
        "currency": payout.get("currency", "INR"),
        "status": payout.get("status"),
        "mode": payout.get("method") or "UPI",
        "purpose": PURPOSE,
        "utr": payout.get("utr"),
        "failureReason": payout.get("failure_text") or payout.get("failure_reason"),
        "retryCount": payout.get("retry_count", 0),
        "maxRetries": MAX_RETRIES,
        "nextRetryAt": ms(payout.get("next_retry_at")),
        "manualPaymentReference": payout.get("manual_reference"),
        "approvalStatus": approval_status(payout),
        "needsPerson": payout.get("needs_person"),
        "auditDetails": {
            "createdBy": "SYSTEM",
            "createdTime": ms(payout.get("created_at")),
            "lastModifiedBy": "SYSTEM",
            "lastModifiedTime": ms(payout.get("modified_at")),
        },
    }


def payout_status(facts: RecordedFacts) -> Part:
    """08/09: the provider's status has changed."""
    return {
        "payoutId": text(facts.payout.get("id")),
        "razorpayPayoutId": facts.attempt.get("provider_payout_id"),
        "referenceId": reference(facts),
        "tenantId": facts.tenant_id,
        "status": facts.payout.get("status"),
        "providerStatus": facts.attempt.get("provider_status"),
        "reason": facts.attempt.get("reason"),
        "utr": facts.attempt.get("utr"),
    }


def payout_error(facts: RecordedFacts) -> Part:
    """08/10: a call to the provider was refused, or nobody knows whether it was taken."""
    return {
        "payoutId": text(facts.payout.get("id")),
        "referenceId": reference(facts),
        "tenantId": facts.tenant_id,
        "phase": facts.attempt.get("phase"),
        "sends": facts.attempt.get("sends"),
        "reason": facts.attempt.get("reason"),
    }


def payout_callback(facts: RecordedFacts) -> Part:
    """09/01 and 09/04: how a payout ended, for the report room."""
    payout, attempt = facts.payout, facts.attempt
    paid = facts.packet_id != "09/04"
    retries = attempt.get("number") or 0
    told: Part = {
        "reportId": text(payout.get("report_id") or facts.report.get("id")),
        "reportNumber": payout.get("report_number") or facts.report.get("report_number"),
        "tenantId": facts.tenant_id,
        "payoutId": text(payout.get("id")),
        "razorpayPayoutId": attempt.get("provider_payout_id"),
        "status": "SUCCESS" if paid else "FAILED",
        "utr": (attempt.get("utr") or payout.get("utr")) if paid else None,
        "amount": rupees(payout.get("amount_paise")),
        "beneficiaryVpa": facts.person(_beneficiary(facts), "vpa"),
        "processedAt": ms(payout.get("completed_at") if paid else attempt.get("modified_at")),
        "failureReason": None if paid else attempt.get("reason") or payout.get("failure_text") or payout.get("failure_reason"),
    }
    if not paid:
        told |= {"retryCount": retries, "canRetry": retries < MAX_RETRIES}
    return told


_RECORDED = (
    "id", "razorpayPayoutId", "razorpayContactId", "razorpayFundAccountId", "referenceId", "reportId", "tenantId", "beneficiaryId",
    "beneficiaryName", "beneficiaryVpa", "amount", "currency", "status", "mode", "purpose", "utr", "failureReason", "retryCount",
    "maxRetries", "auditDetails",
)  # fmt: skip


def _retry_number(facts: RecordedFacts) -> int:
    """Which retry this is: the attempt's own number, else what the change recorded; 0 is the first attempt."""
    if facts.attempt.get("number") is not None:
        return int(facts.attempt["number"])
    return int(facts.at_change("retry_count") or 0) if facts.history.get("action") == "RETRY_PAYOUT" else 0


def _beneficiary(facts: RecordedFacts) -> Any:
    """Who is paid; None for readers who may not know the reporter."""
    beneficiary = facts.payout.get("beneficiary_id") or facts.report.get("reporter_id")
    return None if facts.hides_reporter else beneficiary
