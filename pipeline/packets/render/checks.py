"""Stage 03 and the automatic rejections of stage 11: what was measured, against which limit, and what followed."""

from collections.abc import Sequence
from typing import Any

from pipeline.packets.render.envelope import transition
from pipeline.packets.render.facts import RecordedFacts, Row, fields, hash_text, ms, text
from pipeline.packets.render.report import point

HOUR_S = 3600
SPAN_DAYS = 30  # contract: photos of the last 30 days are compared
SIMILARITY = 0.9  # contract: from here on two photos are the same

Part = dict[str, Any]


def gps_check(facts: RecordedFacts) -> Part:
    """03/02: place in the photo against place of the phone, in metres."""
    check, report = _check(facts, "GPS_LOCATION"), facts.report
    photo = _dog_photo(facts)
    device = point(report.get("gps_latitude"), report.get("gps_longitude"))
    return {
        "gpsValidation": {
            "photoExifGps": point(photo.get("exif_latitude"), photo.get("exif_longitude")),
            "deviceGps": device and {**device, "accuracy": report.get("gps_accuracy_m")},
            "calculation": {
                "distanceMeters": check.get("measured"),
                "formula": "Haversine distance",
                "toleranceMeters": check.get("limit_value"),
            },
            "result": {
                "gpsValidated": report.get("gps_result") in {"MATCH", "MISMATCH"},
                "gpsValidationResult": report.get("gps_result"),
                **_verdict(check),
            },
        }
    }


def _seconds_between(earlier: Any, later: Any) -> int | None:
    return None if earlier is None or later is None else round((later - earlier).total_seconds())


def timestamp_check(facts: RecordedFacts) -> Part:
    """03/03: age of the photo when the report came."""
    check = _check(facts, "TIMESTAMP_FRESHNESS")
    measured, limit = check.get("measured"), check.get("limit_value")
    photo = _dog_photo(facts)
    return {
        "timestampValidation": {
            "photoCaptureTime": ms(photo.get("captured_at")),
            "submissionTime": ms(facts.report.get("created_at")),
            "currentTime": ms(check.get("checked_at")),
            "calculation": {
                "captureToSubmitSeconds": None if measured is None else round(measured * HOUR_S),
                "captureToNowSeconds": _seconds_between(photo.get("captured_at"), check.get("checked_at")),
                "maxAllowedSeconds": None if limit is None else round(limit * HOUR_S),
                "maxAllowedHours": limit,
            },
            "result": _verdict(check),
        }
    }


def boundary_check(facts: RecordedFacts) -> Part:
    """03/04: is the pin inside the tenant."""
    check, report = _check(facts, "BOUNDARY_CHECK"), facts.report
    details = check.get("details") or {}
    place = {"latitude": report.get("latitude"), "longitude": report.get("longitude")}
    row = {
        "tenant_id": facts.tenant_id,
        "name": facts.tenant.get("name"),
        "inside": check.get("passed"),
        "locality_code": report.get("locality_code"),
        "locality": report.get("locality"),
        "ward_code": report.get("ward_code"),
        "ward": report.get("ward"),
        "nearest_tenant": details.get("nearestTenant"),
        "distance_km": check.get("measured"),
    }
    return {"request": {"tenantId": facts.tenant_id, **place}, "response": {"boundary": boundary_answer(row)}, "result": _verdict(check)}


def boundary_answer(row: Row) -> Part:
    """A boundary look-up as it is answered; the nearest tenant and the distance only for a point outside."""
    answer = {
        "tenantId": row.get("tenant_id"),
        "name": row.get("name"),
        "isWithinBoundary": row.get("inside"),
        "locality": {"code": row.get("locality_code"), "name": row.get("locality")},
        "ward": {"code": row.get("ward_code"), "name": row.get("ward")},
    }
    if row.get("inside"):
        return answer
    return answer | {"nearestTenant": row.get("nearest_tenant"), "distanceFromBoundaryKm": row.get("distance_km")}


def duplicate_check(facts: RecordedFacts) -> Part:
    """03/05: the photo against the tenant's photos of the last 30 days."""
    check = _check(facts, "DUPLICATE_IMAGE")
    details = check.get("details") or {}
    found = details.get("duplicateFound")
    compared = []
    if found:
        original = {"reportId": details.get("duplicateReportId"), "reportNumber": details.get("duplicateReportNumber")}
        compared = [{**original, "similarity": check.get("measured"), "isDuplicate": True}]
    photo = _dog_photo(facts)
    return {
        "request": {"tenantId": facts.tenant_id, "evidenceType": "DOG_PHOTO", "days": SPAN_DAYS},
        "response": {
            "currentImageHash": hash_text(photo),
            "algorithm": "pHash",
            "similarityThreshold": check.get("limit_value", SIMILARITY),
            "comparedHashes": compared,
        },
        "result": {
            **_verdict(check),
            "duplicateFound": found,
            "highestSimilarity": check.get("measured"),
            "duplicateReportNumber": details.get("duplicateReportNumber"),
        },
    }


def fraud_request(facts: RecordedFacts) -> Part:
    """03/06: the report as the rules see it. Rules know an applicant by id; name and phone are only for who may see them."""
    report = facts.report
    reporter = None if facts.hides_reporter else report.get("reporter_id")
    return {
        "request": {
            "moduleCode": "SDCRS",
            "tenantId": facts.tenant_id,
            "referenceId": text(report.get("id")),
            "applicantInfo": {
                "applicantId": text(reporter),
                "userUuid": text(reporter),
                "name": facts.person(reporter, "name"),
                "mobileNumber": facts.person(reporter, "phone"),
                "deviceId": None if facts.hides_reporter else report.get("device_id"),
            },
            "locationData": {
                **fields(report, {"latitude": "latitude", "longitude": "longitude", "locality": "locality_code", "ward": "ward_code"}),
                "district": report.get("district_code"),
            },
            "evidences": [_fraud_evidence(row) for row in facts.evidence if row.get("evidence_type") in _seen(facts)],
            "additionalData": {
                "dogCount": report.get("dog_count"),
                "isAggressive": report.get("is_aggressive"),
                "reportType": report.get("service_type"),
                "gpsValidationResult": report.get("gps_result"),
                **_findings(facts),
            },
        }
    }


def fraud_response(facts: RecordedFacts) -> Part:
    """03/07: score, level and the rules that fired, failed or were skipped; every other rule was evaluated and did not fire.

    Only reviewers see what the rules found, or the rules could be played.
    """
    report, fraud = facts.report, facts.fraud
    rules: Sequence[Row] = fraud.get("rules", ()) if facts.reviews else ()
    inner = [_rule(row) for row in rules if row.get("condition_type") != "EXTERNAL_VALIDATOR"]
    outer = [_rule(row) for row in rules if row.get("condition_type") == "EXTERNAL_VALIDATOR"]
    custom = [row for row in inner if row["conditionType"] == "CUSTOM"]
    return {
        "response": {
            "referenceId": text(report.get("id")),
            "moduleCode": "SDCRS",
            "totalScore": report.get("fraud_score") if facts.reviews else None,
            "riskLevel": report.get("risk_level") if facts.reviews else None,
            "recommendation": report.get("recommendation") if facts.reviews else None,
            "evaluatedAt": ms(fraud.get("evaluated_at") or report.get("validated_at")),
            "ruleResults": inner,
            "externalResults": outer,
            "summary": {
                "totalRulesEvaluated": _looked_at(fraud, rules) if facts.reviews else None,
                "internalRulesTriggered": sum(row["triggered"] for row in inner),
                "externalRulesTriggered": sum(row["triggered"] for row in outer),
                "customSpelRulesEvaluated": len(custom),
                "customSpelRulesTriggered": sum(row["triggered"] for row in custom),
            },
        }
    }


def validation_result(facts: RecordedFacts) -> Part:
    """03/08 and 03/09: the checks in one table, and the transition that they led to."""
    report, history = facts.report, facts.history
    passed = history.get("to_state") != "AUTO_REJECTED"
    summary: Part = {
        "reportId": text(report.get("id")),
        "reportNumber": report.get("report_number"),
        "overallResult": "PASS" if passed else "FAIL",
        "checks": [
            {
                "check": row.get("name"),
                "result": "PASS" if row.get("passed") else "FAIL",
                "details": row.get("reason") if facts.reviews or row.get("name") != "FRAUD_SCORE" else None,
            }
            for row in sorted(facts.checks, key=lambda row: row.get("position", 0))
        ],
        "fraudScore": report.get("fraud_score") if facts.reviews else None,
        "fraudRiskLevel": report.get("risk_level") if facts.reviews else None,
    }
    states = {"currentState": history.get("from_state"), "action": history.get("action"), "nextState": history.get("to_state")}
    result: Part = {"validationSummary": summary, "workflowTransition": {"body": transition(facts)}, "resultingState": states}
    if not passed:
        reason, remarks = facts.at_change("rejection_reason"), facts.at_change("rejection_remarks")
        summary["primaryRejectionReason"] = reason
        result["reportUpdate"] = {"rejectionReason": reason, "rejectionRemarks": remarks, "payoutEligible": False}
    return result


def rejection_detail(facts: RecordedFacts) -> Part:
    """11/03, 11/05 and 11/07: an automatic rejection with the measurement behind it."""
    report = facts.report
    reason = facts.at_change("rejection_reason")
    told: Part = {
        "id": text(report.get("id")),
        "tenantId": facts.tenant_id,
        "reportNumber": report.get("report_number"),
        "status": facts.history.get("to_state") or report.get("status"),
        "rejectionReason": reason,
        "rejectionRemarks": facts.at_change("rejection_remarks"),
        "payoutEligible": False,
    }
    if reason == "FRAUD_DETECTED" and facts.reviews:
        told["fraudDetails"] = {"score": report.get("fraud_score"), "riskLevel": report.get("risk_level"), "autoRejected": True}
    elif reason == "OUTSIDE_BOUNDARY":
        check = _check(facts, "BOUNDARY_CHECK")
        told["validationDetails"] = {"boundaryCheck": {"passed": check.get("passed"), "distanceFromBoundaryKm": check.get("measured")}}
    elif reason == "STALE_TIMESTAMP":
        check = _check(facts, "TIMESTAMP_FRESHNESS")
        age = {"photoAge": _hours(check.get("measured"), 1), "maxAllowed": _hours(check.get("limit_value"), 0)}
        told["validationDetails"] = {"timestampCheck": {"passed": check.get("passed"), **age}}
    return {"DogReport": told}


def _check(facts: RecordedFacts, name: str) -> Row:
    return next((row for row in facts.checks if row.get("name") == name), {})


def _dog_photo(facts: RecordedFacts) -> Row:
    return next((row for row in facts.evidence if row.get("evidence_type") == "DOG_PHOTO"), {})


def _verdict(check: Row) -> Part:
    return {"passed": check.get("passed"), "reason": check.get("reason")}


def _hours(value: float | None, digits: int) -> str | None:
    return None if value is None else f"{value:.{digits}f} hours"


def _findings(facts: RecordedFacts) -> Part:
    """The words that the packet has for the other checks' verdicts."""
    words = {
        "timestampFreshness": ("TIMESTAMP_FRESHNESS", "FRESH", "STALE"),
        "boundaryCheck": ("BOUNDARY_CHECK", "WITHIN", "OUTSIDE"),
        "duplicateCheck": ("DUPLICATE_IMAGE", "NO_DUPLICATE", "DUPLICATE"),
    }
    found: Part = {}
    for wire, (name, good, bad) in words.items():
        passed = _check(facts, name).get("passed")
        found[wire] = None if passed is None else good if passed else bad
    return found


def _seen(facts: RecordedFacts) -> frozenset[str]:
    return frozenset({"DOG_PHOTO"} if facts.hides_reporter else {"DOG_PHOTO", "REPORTER_SELFIE"})


def _fraud_evidence(row: Row) -> Part:
    content = row.get("sha256")
    return {
        "type": "PHOTO",
        "fileStoreId": text(row.get("file_id")),
        "purpose": "SELFIE" if row.get("evidence_type") == "REPORTER_SELFIE" else row.get("evidence_type"),
        "metadata": {
            "gpsLatitude": row.get("latitude"),
            "gpsLongitude": row.get("longitude"),
            "timestamp": ms(row.get("captured_at")),
            "contentHash": None if content is None else f"sha256:{bytes(content).hex()}",
        },
    }


def _looked_at(fraud: Row, rules: Sequence[Row]) -> int:
    """Every rule of the set: those that were evaluated, failed or were skipped. Those that did not fire have no row."""
    return int(fraud.get("rules_looked_at") or 0) + sum(row.get("outcome") in ("ERROR", "SKIPPED") for row in rules)


def _rule(row: Row) -> Part:
    details = row.get("details") or {}
    return {
        "ruleId": row.get("rule_id"),
        "ruleCode": row.get("rule_code"),
        "category": row.get("category"),
        "conditionType": row.get("condition_type"),
        "triggered": row.get("outcome") == "FIRED",
        "outcome": row.get("outcome"),
        "score": row.get("score"),
        "weight": row.get("weight"),
        "details": {"message": row.get("message"), **details},
    }
