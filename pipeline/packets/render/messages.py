"""What the report room tells others when a report is made or changes: persister, indexer, validator, notification, phone."""

from typing import Any

from pipeline.packets.render.actions import PAYOUT_WORDS
from pipeline.packets.render.facts import RecordedFacts, fields, hash_text, ms, rupees, text

VALIDATION_CHECKS = ("GPS_LOCATION", "TIMESTAMP_FRESHNESS", "BOUNDARY_CHECK", "DUPLICATE_IMAGE", "FRAUD_SCORE")

_PLACE = {
    "latitude": "latitude",
    "longitude": "longitude",
    "address": "address",
    "landmark": "landmark",
    "locality": "locality",
    "localityCode": "locality_code",
    "wardCode": "ward_code",
    "districtCode": "district_code",
    "city": "city",
    "pincode": "pincode",
    "gpsLatitude": "gps_latitude",
    "gpsLongitude": "gps_longitude",
    "gpsAccuracy": "gps_accuracy_m",
}

Part = dict[str, Any]


def persister_message(facts: RecordedFacts) -> Part:
    """02/09: report, place and photos of a new report."""
    report = facts.report
    reporter = None if facts.hides_reporter else report.get("reporter_id")
    created = ms(report.get("created_at"))
    photos = [row for row in facts.evidence if row.get("evidence_type") in _submitted(facts)]
    return {
        "DogReport": {
            **_identity(facts),
            "description": report.get("description"),
            "reporterId": text(reporter),
            "reporterName": facts.person(reporter, "name"),
            "reporterPhone": facts.person(reporter, "phone"),
            "reporterSchool": facts.person(reporter, "school_name"),
            "imageHash": next((hash_text(row) for row in photos if row.get("evidence_type") == "DOG_PHOTO"), None),
            "createdBy": text(reporter),
            "createdTime": created,
            "lastModifiedBy": text(reporter),
            "lastModifiedTime": created,
        },
        "Location": {
            "id": text(report.get("id")),
            "reportId": text(report.get("id")),
            **fields(report, _PLACE),
            "gpsTimestamp": ms(report.get("gps_at")),
        },
        "Evidence": [
            {
                "id": text(row.get("id")),
                "reportId": text(report.get("id")),
                "fileStoreId": text(row.get("file_id")),
                "evidenceType": row.get("evidence_type"),
                "fileName": row.get("file_name"),
                "imageHash": hash_text(row),
                "captureTime": ms(row.get("captured_at")),
                "latitude": row.get("latitude"),
                "longitude": row.get("longitude"),
            }
            for row in photos
        ],
    }


def update_message(facts: RecordedFacts) -> Part:
    """02/14: what may change in a report after it was made."""
    return {"DogReport": {**_identity(facts), **_progress(facts), **_audit(facts)}}


def indexer_message(facts: RecordedFacts) -> Part:
    """02/12: the report as analytics keeps it."""
    report = facts.report
    reporter = None if facts.hides_reporter else report.get("reporter_id")
    place = {"latitude": "latitude", "longitude": "longitude", "localityCode": "locality_code", "wardCode": "ward_code"}
    return {
        "DogReport": {
            **_identity(facts),
            "reportType": report.get("service_type"),
            "reporter": {"id": text(reporter), "name": facts.person(reporter, "name")},
            "location": {
                **fields(report, place),
                "wardName": report.get("ward"),
                "districtCode": report.get("district_code"),
                "districtName": report.get("district"),
            },
            "dogDetails": {"count": report.get("dog_count"), "isAggressive": report.get("is_aggressive")},
            **_progress(facts),
            "slaBreached": report.get("sla_breached"),
            **_audit(facts),
        }
    }


def notification_trigger(facts: RecordedFacts) -> Part:
    """02/13: something happened of which somebody is to be told; who and how is the receiver's to know."""
    return {
        **_identity(facts),
        "reportId": text(facts.report.get("id")),
        "action": facts.history.get("action"),
        "category": "TRANSACTION",
    }


def sms_message(facts: RecordedFacts) -> Part:
    """A text message to a person."""
    notification = facts.notification
    message = {
        "mobileNumber": facts.person(notification.get("recipient_id"), "phone"),
        "message": notification.get("message"),
        "tenantId": notification.get("tenant_id") or facts.tenant_id,
        "templateId": notification.get("template_id"),
        "category": "TRANSACTION",
    }
    number = notification.get("gateway_number")
    return message | ({"smsGatewayRequest": {"to": number, "message": notification.get("message")}} if number else {})


def validation_trigger(facts: RecordedFacts) -> Part:
    """03/01: a report waits for its checks."""
    report = facts.report
    place = {
        "latitude": "latitude",
        "longitude": "longitude",
        "gpsLatitude": "gps_latitude",
        "gpsLongitude": "gps_longitude",
        "districtCode": "district_code",
    }
    photo = {"evidenceType": "evidence_type", "latitude": "latitude", "longitude": "longitude"}
    return {
        "reportId": text(report.get("id")),
        "reportNumber": report.get("report_number"),
        "tenantId": facts.tenant_id,
        "reporterId": None if facts.hides_reporter else text(report.get("reporter_id")),
        "validationChecks": list(VALIDATION_CHECKS),
        "evidence": [
            {"id": text(row.get("id")), **fields(row, photo), "imageHash": hash_text(row), "captureTime": ms(row.get("captured_at"))}
            for row in facts.evidence
            if row.get("evidence_type") == "DOG_PHOTO"
        ],
        "location": {**fields(report, place), "gpsTimestamp": ms(report.get("gps_at"))},
    }


def _submitted(facts: RecordedFacts) -> frozenset[str]:
    """The photos that came with the report, as far as the reader may know of them."""
    return frozenset({"DOG_PHOTO"} if facts.hides_reporter else {"DOG_PHOTO", "REPORTER_SELFIE"})


def _identity(facts: RecordedFacts) -> Part:
    report = facts.report
    return {
        "id": text(report.get("id")),
        "tenantId": facts.tenant_id,
        "reportNumber": report.get("report_number"),
        "trackingId": report.get("tracking_id"),
        "serviceType": report.get("service_type"),
        "status": facts.history.get("to_state") or report.get("status"),
    }


def _progress(facts: RecordedFacts) -> Part:
    """What had been decided and done by the time of the change; what came later is not in an earlier message."""
    report = facts.report

    def by_then(moment: str, value: Any) -> Any:
        at, then = report.get(moment), facts.history.get("occurred_at")
        return value if at is not None and (then is None or at <= then) else None

    officer = by_then("assigned_at", facts.at_change("assigned_officer_id"))
    return {
        "verification": {
            "verifierId": by_then("verified_at", text(report.get("verified_by"))),
            "verifierName": by_then("verified_at", facts.person(report.get("verified_by"), "name")),
            "verifiedTime": by_then("verified_at", ms(report.get("verified_at"))),
        },
        "assignment": {
            "mcOfficerId": text(officer),
            "mcOfficerName": facts.person(officer, "name"),
            "assignedTime": by_then("assigned_at", ms(report.get("assigned_at"))),
            "fieldVisitStartTime": by_then("visit_started_at", ms(report.get("visit_started_at"))),
        },
        "resolution": {
            "type": by_then("visit_completed_at", report.get("resolution_type")),
            "notes": by_then("visit_completed_at", report.get("resolution_remarks")),
            "time": by_then("resolved_at", ms(report.get("resolved_at"))),
        },
        "payout": {
            "status": PAYOUT_WORDS.get(facts.history.get("action", "")) or by_then("payout_initiated_at", facts.at_change("payout_status")),
            "amount": by_then("payout_initiated_at", rupees(facts.at_change("payout_amount_paise"))),
            "time": by_then("payout_completed_at", ms(report.get("payout_completed_at"))),
        },
        "rejectionReason": by_then("rejected_at", report.get("rejection_reason")),
        "rejectionNotes": by_then("rejected_at", report.get("rejection_remarks")),
    }


def _audit(facts: RecordedFacts) -> Part:
    changed_by = facts.history.get("actor_id") or facts.report.get("modified_by")
    hidden = facts.hides_reporter and text(changed_by) == text(facts.report.get("reporter_id"))
    return {
        "auditDetails": {
            "createdTime": ms(facts.report.get("created_at")),
            "lastModifiedBy": None if hidden else text(changed_by),
            "lastModifiedTime": ms(facts.history.get("occurred_at") or facts.report.get("modified_at")),
        }
    }
