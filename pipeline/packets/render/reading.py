"""Packets that only read: lists, one report, tracking, officers, aggregations; and what the officer's app shows on a visit."""

from typing import Any

from pipeline.packets.render.envelope import request_info, response
from pipeline.packets.render.facts import RecordedFacts, Row, text
from pipeline.packets.render.report import dog_report_answer, point, track_answer

NEAR_M = 100  # packet 06/04: how near to the place an officer should be

Part = dict[str, Any]


def search_exchange(facts: RecordedFacts) -> Part:
    """04/01, 05/01, 06/01, 10/01, 10/04: a list, shown here with the one report at hand."""
    criteria = dict(facts.options.get("criteria", {"tenantId": facts.tenant_id}))
    reports = [dog_report_answer(facts)] if facts.report else []
    return {
        "request": {"RequestInfo": request_info(facts, "_search"), "searchCriteria": criteria},
        "response": response(DogReports=reports, TotalCount=facts.options.get("total", len(reports))),
    }


def detail_exchange(facts: RecordedFacts) -> Part:
    """04/02, 06/02, 10/02: one report."""
    return {
        "request": {"RequestInfo": request_info(facts, "_search"), "searchCriteria": {"ids": [text(facts.report.get("id"))]}},
        "response": response(DogReports=[dog_report_answer(facts)], TotalCount=1),
    }


def track_exchange(facts: RecordedFacts) -> Part:
    """10/03: what anybody may know."""
    return {"request": {"trackingId": facts.report.get("tracking_id")}, "response": response(DogReport=track_answer(facts))}


def officers_exchange(facts: RecordedFacts) -> Part:
    """05/02: officers with wards and load."""
    return {
        "request": {
            "RequestInfo": request_info(facts, "_search"),
            "tenantId": facts.tenant_id,
            "roleCodes": ["MC_OFFICER"],
            "active": True,
        },
        "response": response(user=[user_answer(row) for row in facts.options.get("officers", ())]),
    }


def user_answer(row: Row) -> Part:
    """An account as _search answers it; `load` and `max_load` count open assignments, `name` and `phone` are as the caller may see them."""
    roles = [{"code": role, "tenantId": row.get("tenant_id")} for role in row.get("roles", ())]
    details: Part = {}
    if "MC_OFFICER" in row.get("roles", ()):
        details = {
            "assignedWards": list(row.get("wards", ())),
            "currentWorkload": row.get("load", 0),
            "maxWorkload": row.get("max_load"),
            "onDuty": row.get("on_duty"),
        }
    elif row.get("school_code"):
        details = {"schoolCode": row.get("school_code"), "schoolName": row.get("school_name")}
    return {
        "id": text(row.get("id")),
        "uuid": text(row.get("id")),
        "userName": row.get("username"),
        "name": row.get("name"),
        "mobileNumber": row.get("phone"),
        "tenantId": row.get("tenant_id"),
        "type": "EMPLOYEE",
        "active": row.get("active", True),
        "roles": roles,
        "additionalDetails": details,
    }


def index_search(facts: RecordedFacts) -> Part:
    """10/05: a chart's question to the index and its answer."""
    return {"request": dict(facts.options.get("query", {})), "response": dict(facts.options.get("result", {}))}


def visit_app_state(facts: RecordedFacts) -> Part:
    """06/04: the outcomes that the officer's app offers."""
    report = facts.report
    return {
        "currentReport": {"id": text(report.get("id")), "reportNumber": report.get("report_number"), "status": "IN_PROGRESS"},
        "availableActions": [
            {"action": "MARK_CAPTURED", "requiresEvidence": True, "evidenceType": "CAPTURE_PHOTO"},
            {"action": "MARK_UNABLE_TO_LOCATE", "requiresEvidence": False, "requiresReason": True},
        ],
        "locationCheck": {
            "reportedLocation": point(report.get("latitude"), report.get("longitude")),
            "maxAllowedDistanceMeters": NEAR_M,
        },
    }
