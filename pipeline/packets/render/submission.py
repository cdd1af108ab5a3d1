"""Stage 02: what the teacher's app holds, the upload, and the report as it is sent and answered."""

from typing import Any

from pipeline.packets.render.envelope import request_info, response
from pipeline.packets.render.facts import RecordedFacts, Row, fields, hash_text, ms, text
from pipeline.packets.render.report import dog_report_answer, shows

# What an answer to _create can know: later facts of the report do not belong into it
_CREATED = (
    "id", "tenantId", "reportNumber", "trackingId", "trackingUrl", "serviceType", "reportType", "description", "location", "evidence",
    "dogDetails", "reporterId", "reporterName", "reporterPhone", "reporterSchool", "auditDetails",
)  # fmt: skip
_LATER = ("payoutEligible", "payoutAmount", "payoutStatus")

Part = dict[str, Any]


def photo_capture(facts: RecordedFacts) -> Part:
    """02/01: the photo as the app took it."""
    return {"photoCapture": _file(_photo(facts, "DOG_PHOTO")), "deviceGps": _device_gps(facts)}


def photo_extracted(facts: RecordedFacts) -> Part:
    """02/02: what the app read from the photo."""
    return {"extractedEvidence": _claim(_photo(facts, "DOG_PHOTO"), facts.hides_reporter)}


def selfie_capture(facts: RecordedFacts) -> Part:
    """02/03: the selfie, for those who may see it."""
    row = {} if facts.hides_reporter else _photo(facts, "REPORTER_SELFIE")
    return {"selfieCapture": _file(row), "extractedEvidence": _claim(row)}


def form_data(facts: RecordedFacts) -> Part:
    """02/04: the form."""
    names = {"serviceType": "service_type", "description": "description", "address": "address", "landmark": "landmark"}
    return {"formData": fields(facts.report, names)}


def upload_request(facts: RecordedFacts) -> Part:
    """02/05: which files came; the bytes are in the file store."""
    first: Row = facts.files[0] if facts.files else {}
    return {
        "tenantId": first.get("tenant_id") or facts.tenant_id,
        "module": first.get("module"),
        "tag": first.get("tag"),
        "file": [
            {"fieldName": "file", "fileName": row.get("file_name"), "contentType": row.get("content_type"), "size": row.get("size_bytes")}
            for row in facts.files
        ],
    }


def upload_response(facts: RecordedFacts) -> Part:
    """02/06: the stored files."""
    return {"files": [file_answer(row) for row in facts.files]}


def file_answer(row: Row) -> Part:
    """A stored file as the upload answers it; `url` needs the reader's own token or a signature to open."""
    file_id, tenant_id = text(row.get("id")), row.get("tenant_id")
    return {
        "fileStoreId": file_id,
        "tenantId": tenant_id,
        "contentType": row.get("content_type"),
        "fileName": row.get("file_name"),
        "fileSize": row.get("size_bytes"),
        "url": row.get("url") or f"/filestore/v1/files/{file_id}?tenantId={tenant_id}",
    }


def create_request(facts: RecordedFacts) -> Part:
    """02/07: the report as the teacher's app sent it, as far as recorded."""
    answer = dog_report_answer(facts)
    place = {
        key: value for key, value in answer["location"].items() if key not in {"id", "accuracy", "gpsValidated", "gpsValidationResult"}
    }
    photos = [row for row in facts.evidence if row.get("evidence_type") in {"DOG_PHOTO", "REPORTER_SELFIE"}]
    report = {
        "tenantId": facts.tenant_id,
        "serviceType": facts.report.get("service_type"),
        "description": facts.report.get("description"),
        "location": place,
        "evidence": [_claim(row, facts.hides_reporter) for row in photos if shows(row, facts.view)],
    }
    if facts.report.get("dog_count") is not None or facts.report.get("is_aggressive") is not None:
        report["dogDetails"] = answer["dogDetails"]
    return {"RequestInfo": request_info(facts, "_create"), "DogReports": [report]}


def create_response(facts: RecordedFacts) -> Part:
    """02/08: the report as it was accepted."""
    answer = dog_report_answer(facts)
    told = {key: answer[key] for key in _CREATED if key in answer} | {key: None for key in _LATER if key in answer}
    told["status"] = facts.history.get("to_state") or "PENDING_VALIDATION"
    told["version"] = facts.history.get("version") or 1
    told["location"] = answer["location"] | {"gpsValidated": None, "gpsValidationResult": None}
    told["evidence"] = [row for row in answer["evidence"] if row["evidenceType"] != "CAPTURE_PHOTO"]
    made = answer["auditDetails"]
    told["auditDetails"] = made | {"lastModifiedBy": made["createdBy"], "lastModifiedTime": made["createdTime"]}
    return response(DogReports=[told], TotalCount=1)


def refused_create(facts: RecordedFacts) -> Part:
    """11/01 and 11/04: a report that was not taken, with the error; of the report itself nothing is kept."""
    error: Row = facts.options.get("error", {})
    told = {
        "code": error.get("code"),
        "message": error.get("message"),
        "description": error.get("description"),
        "params": dict(error.get("params", {})),
    }
    return {
        "request": {"RequestInfo": request_info(facts, "_create")},
        "response": {"ResponseInfo": {"status": "failed"}, "Errors": [told]},
    }


def _photo(facts: RecordedFacts, kind: str) -> Row:
    return next((row for row in facts.evidence if row.get("evidence_type") == kind), {})


def _file(row: Row) -> Part:
    return fields(row, {"fileName": "file_name", "mimeType": "mime_type", "fileSize": "file_size"})


def _claim(row: Row, hides_reporter: bool = False) -> Part:
    """A photo as the client described it; where no claim is kept, as we found it. The phone it was taken with tells whose it is."""
    return {
        "fileStoreId": text(row.get("file_id")),
        "evidenceType": row.get("evidence_type"),
        **_file(row),
        "imageHash": row.get("claimed_hash") or hash_text(row),
        "captureTime": ms(row.get("claimed_at") or row.get("captured_at")),
        "latitude": row.get("latitude"),
        "longitude": row.get("longitude"),
        "deviceInfo": None if hides_reporter else row.get("device_info"),
    }


def _device_gps(facts: RecordedFacts) -> Part:
    names = {"latitude": "gps_latitude", "longitude": "gps_longitude", "accuracy": "gps_accuracy_m"}
    return {**fields(facts.report, names), "timestamp": ms(facts.report.get("gps_at"))}
