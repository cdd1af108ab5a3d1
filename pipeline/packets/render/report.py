"""The DogReport as our answers and messages show it, and the public tracking answer. The one place that cuts it by view."""

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.packets.render.facts import RecordedFacts, Row, View, fields, hash_text, iso, local_date_time, ms, rupees, text

MAX_RETRIES = 3  # contract: a payout is tried again at most three times

_PLACE = {
    "latitude": "latitude",
    "longitude": "longitude",
    "address": "address",
    "landmark": "landmark",
    "locality": "locality",
    "localityCode": "locality_code",
    "ward": "ward",
    "wardCode": "ward_code",
    "district": "district",
    "districtCode": "district_code",
    "city": "city",
    "pincode": "pincode",
    "gpsLatitude": "gps_latitude",
    "gpsLongitude": "gps_longitude",
    "gpsAccuracy": "gps_accuracy_m",
    "accuracy": "gps_accuracy_m",  # the same, as officers' packets call it
}

# What the public sees of a state; a payout is nobody's business
PUBLIC_STATES = {"PAYOUT_PENDING": "CAPTURED", "PAYOUT_FAILED": "CAPTURED", "CLOSED": "RESOLVED"}
LABELS = {
    "PENDING_VALIDATION": "Report Submitted",
    "PENDING_VERIFICATION": "Under Review",
    "VERIFIED": "Verified",
    "ASSIGNED": "Team Assigned",
    "IN_PROGRESS": "Field Visit Started",
    "CAPTURED": "Dog Captured",
    "RESOLVED": "Resolved",
    "REJECTED": "Not Accepted",
    "AUTO_REJECTED": "Not Accepted",
    "DUPLICATE": "Already Reported",
    "UNABLE_TO_LOCATE": "Dog Not Found",
}
RESOLVED_LABEL = "Resolved - Dog Captured"


def dog_report_answer(facts: RecordedFacts, view: View | None = None) -> dict[str, Any]:
    """The DogReport that a reader of this view gets; without a view, that of the facts. PUBLIC gets the tracking answer."""
    view = view or facts.view
    facts = facts if facts.view is view else replace(facts, view=view)
    if view is View.PUBLIC:
        return track_answer(facts)
    report = facts.report
    answer = {
        "id": text(report.get("id")),
        "tenantId": report.get("tenant_id"),
        "reportNumber": report.get("report_number"),
        "trackingId": report.get("tracking_id"),
        "trackingUrl": tracking_url(facts),
        "serviceType": report.get("service_type"),
        "reportType": report.get("service_type"),
        "description": report.get("description"),
        "status": report.get("status"),
        "version": report.get("version"),
        "location": location(report),
        "evidence": [evidence(row, view) for row in facts.evidence if shows(row, view)],
        "dogDetails": {"count": report.get("dog_count"), "isAggressive": report.get("is_aggressive")},
        "workflow": {"state": report.get("status")},
        "payoutEligible": report.get("payout_eligible"),
        **_decisions(facts, view),
        **_visit(facts),
        "auditDetails": audit_details(report, view),
    }
    if view is not View.FIELD:
        answer |= _reporter(facts, view) | _payout(facts)
    if view is View.REVIEW:
        answer |= {
            "fraudScore": report.get("fraud_score"),
            "riskLevel": report.get("risk_level"),
            "recommendation": report.get("recommendation"),
        }
    if "sla_breached" in report:
        answer["slaBreached"] = report["sla_breached"]
    return answer


def track_answer(facts: RecordedFacts) -> dict[str, Any]:
    """What the public may know: state, ward-level place and the timeline in the tenant's zone; never a person, address or payout."""
    report = facts.report
    status = public_state(report.get("status"))
    zone = ZoneInfo(facts.tenant.get("timezone") or "UTC")
    timeline: list[dict[str, str]] = []
    resolved_at = None
    for row in facts.timeline:
        state = row.get("to_state") or row.get("state")
        at = row.get("occurred_at")
        if state not in LABELS or at is None:  # payouts are skipped, so that a reversal does not show either
            continue
        if state == "RESOLVED" and resolved_at is None:
            resolved_at = at
        if not timeline or timeline[-1]["status"] != LABELS[state]:
            date, time = local_date_time(at, zone)
            timeline.append({"status": LABELS[state], "date": date, "time": time})
    resolved = status == "RESOLVED"
    return {
        "reportNumber": report.get("report_number"),
        "trackingId": report.get("tracking_id"),
        "status": status,
        "statusLabel": RESOLVED_LABEL if resolved else LABELS.get(status or ""),
        "location": {"locality": report.get("locality"), "wardCode": report.get("ward_code")},
        "timeline": timeline,
        "createdAt": iso(report.get("created_at")),
        "resolvedAt": iso(report.get("resolved_at") or resolved_at) if resolved else None,
    }


def public_state(status: str | None) -> str | None:
    """The state that the public is told."""
    return None if status is None else PUBLIC_STATES.get(status, status)


def tracking_url(facts: RecordedFacts) -> str | None:
    """The public page of the report, under the address that people reach us by; None when that is not known."""
    base, tracking_id = facts.options.get("public_url"), facts.report.get("tracking_id")
    return f"{str(base).rstrip('/')}/track/{tracking_id}" if base and tracking_id else None


def location(report: Row) -> dict[str, Any]:
    """The place with what validation said of it; `gpsValidated` is null before validation."""
    result = report.get("gps_result")
    return {
        "id": text(report.get("id")),
        **fields(report, _PLACE),
        "gpsTimestamp": ms(report.get("gps_at")),
        "gpsValidated": None if result is None else result != "NOT_AVAILABLE",
        "gpsValidationResult": result,
    }


def shows(row: Row, view: View) -> bool:
    """Whether a view includes this photo."""
    return view is not View.FIELD or row.get("evidence_type") != "REPORTER_SELFIE"


def evidence(row: Row, view: View) -> dict[str, Any]:
    """A photo; the hash is ours. Officers and supervisors do not learn whose phone took it."""
    shown = {
        "id": text(row.get("id")),
        "fileStoreId": text(row.get("file_id")),
        "evidenceType": row.get("evidence_type"),
        "fileName": row.get("file_name"),
        "mimeType": row.get("mime_type"),
        "fileSize": row.get("file_size"),
        "imageHash": hash_text(row),
        "captureTime": ms(row.get("captured_at")),
        "latitude": row.get("latitude"),
        "longitude": row.get("longitude"),
        "uploadedAt": ms(row.get("uploaded_at")),
        "url": row.get("url"),
    }
    if view is not View.FIELD or row.get("evidence_type") == "CAPTURE_PHOTO":
        shown |= {"deviceInfo": row.get("device_info"), "uploadedBy": text(row.get("uploaded_by"))}
    return shown


def audit_details(report: Row, view: View) -> dict[str, Any]:
    """Who made and who last changed the report; for officers and supervisors the maker is nobody."""
    maker = report.get("reporter_id")
    hidden = view is View.FIELD
    return {
        "createdBy": None if hidden else text(maker),
        "createdTime": ms(report.get("created_at")),
        "lastModifiedBy": None if hidden and report.get("modified_by") == maker else text(report.get("modified_by")),
        "lastModifiedTime": ms(report.get("modified_at")),
    }


def payout_details(facts: RecordedFacts) -> dict[str, Any] | None:
    """What an answer says of the payout; None before there is one."""
    report, payout = facts.report, facts.payout
    status = report.get("payout_status")
    if status is None:
        return None
    retries = report.get("retry_count") or 0
    return {
        "payoutId": text(payout.get("id")),
        "payoutStatus": status,
        "payoutAmount": rupees(report.get("payout_amount_paise")),
        "payoutInitiatedAt": ms(report.get("payout_initiated_at")),
        "payoutCompletedAt": ms(report.get("payout_completed_at")),
        "utr": report.get("utr"),
        "failureReason": report.get("payout_failure_reason"),
        "retryCount": retries,
        "maxRetries": MAX_RETRIES,
        "canRetry": status == "FAILED" and retries < MAX_RETRIES,
        "lastRetryAt": ms(facts.attempt.get("created_at")) if facts.attempt.get("number") else None,
        "beneficiaryVpa": facts.person(report.get("reporter_id"), "vpa"),
        "manualPaymentReference": payout.get("manual_reference"),
        "manualPaymentMethod": payout.get("method"),
        "approvalStatus": approval_status(payout),
    }


def approval_status(payout: Row) -> str | None:
    """Where a manual settlement stands between the two admins; None when none was asked for."""
    if payout.get("manual_requested_at") is None:
        return None
    return "APPROVED" if payout.get("manual_approved_at") is not None else "PENDING_APPROVAL"


def _reporter(facts: RecordedFacts, view: View) -> dict[str, Any]:
    reporter = facts.report.get("reporter_id")
    person = facts.persons.get(str(reporter), {}) if view in {View.TEACHER, View.REVIEW} else {}
    return {
        "reporterId": text(reporter),
        "reporterName": person.get("name"),
        "reporterPhone": person.get("phone"),
        "reporterSchool": person.get("school_name"),
    }


def _payout(facts: RecordedFacts) -> dict[str, Any]:
    return {
        "payoutAmount": rupees(facts.report.get("payout_amount_paise")),
        "payoutStatus": facts.report.get("payout_status"),
        "payoutDetails": payout_details(facts),
    }


def _decisions(facts: RecordedFacts, view: View) -> dict[str, Any]:
    report = facts.report
    decided: dict[str, Any] = {
        "verifiedBy": text(report.get("verified_by")),
        "verifiedAt": ms(report.get("verified_at")),
        "verificationRemarks": report.get("verification_remarks"),
        "rejectionReason": report.get("rejection_reason"),
        "rejectionRemarks": report.get("rejection_remarks"),
        "rejectedAt": ms(report.get("rejected_at")),
    }
    if view is View.REVIEW:  # another teacher's report is not this teacher's to know
        decided["additionalDetails"] = {"duplicateOf": report.get("duplicate_of_number")}
    return decided


def _visit(facts: RecordedFacts) -> dict[str, Any]:
    report = facts.report
    officer = report.get("assigned_officer_id")
    return {
        "assignedOfficerId": text(officer),
        "assignedOfficerName": facts.person(officer, "name"),
        "assignedAt": ms(report.get("assigned_at")),
        "fieldVisitStartedAt": ms(report.get("visit_started_at")),
        "fieldVisitLocation": point(report.get("visit_latitude"), report.get("visit_longitude")),
        "fieldVisitCompletedAt": ms(report.get("visit_completed_at")),
        "captureEvidence": capture_evidence(facts),
        "resolutionType": report.get("resolution_type"),
        "resolutionRemarks": report.get("resolution_remarks"),
        "unableToLocateReason": report.get("unable_reason"),
        "resolvedAt": ms(report.get("resolved_at")),
        "rating": report.get("rating"),
    }


def point(latitude: float | None, longitude: float | None) -> dict[str, float] | None:
    """A place, or None where either half is missing."""
    return None if latitude is None or longitude is None else {"latitude": latitude, "longitude": longitude}


def capture_evidence(facts: RecordedFacts) -> dict[str, Any] | None:
    """The officer's photo of the captured dog."""
    row = next((row for row in facts.evidence if row.get("evidence_type") == "CAPTURE_PHOTO"), None)
    if row is None:
        return None
    place = point(row.get("latitude"), row.get("longitude"))
    done = point(facts.report.get("completed_latitude"), facts.report.get("completed_longitude"))
    return {"photoFileStoreId": text(row.get("file_id")), "capturedAt": ms(row.get("captured_at")), "captureLocation": place or done}
