"""RequestInfo, ResponseInfo and ProcessInstances of rendered packets, from the history row that they belong to."""

from typing import Any

from pipeline.packets.render.facts import RecordedFacts, Row, ms, text

SUCCESS = {"status": "successful"}
BUSINESS_SERVICE = "SDCRS"
MODULE_NAME = "sdcrs-services"


def request_info(facts: RecordedFacts, action: str) -> dict[str, Any]:
    """The RequestInfo of the one who acted; a reporter whom the reader may not know is a teacher and no more."""
    history = facts.history
    return {
        "apiId": "Rainmaker",
        "ver": ".01",
        "ts": ms(history.get("occurred_at")),
        "action": action,
        "msgId": text(history.get("correlation_id")),
        "userInfo": user_info(facts, history.get("actor_id"), history.get("actor_role")),
    }


def user_info(facts: RecordedFacts, account_id: Any, role: str | None) -> dict[str, Any]:
    """Who acted, in which role."""
    roles = [{"code": role}] if role else []
    if role == "SYSTEM":
        return {"userName": "SYSTEM", "tenantId": facts.tenant_id, "roles": roles}
    hidden = facts.hides_reporter and text(account_id) == text(facts.report.get("reporter_id"))
    return {
        "uuid": None if hidden else text(account_id),
        "userName": facts.person(account_id, "username"),
        "name": facts.person(account_id, "name"),
        "tenantId": facts.tenant_id,
        "roles": roles,
    }


def response(**content: Any) -> dict[str, Any]:
    """A successful answer with its content."""
    return {"ResponseInfo": dict(SUCCESS), **content}


def transition(facts: RecordedFacts) -> dict[str, Any]:
    """The action as it is put to the workflow; the validator's comment names the fraud score, which only reviewers see."""
    automatic = facts.history.get("action") in {"AUTO_VALIDATE_PASS", "AUTO_VALIDATE_FAIL"}
    return {
        "RequestInfo": request_info(facts, "_transition"),
        "ProcessInstances": [
            {
                "tenantId": facts.tenant_id,
                "businessService": BUSINESS_SERVICE,
                "businessId": facts.report.get("report_number"),
                "moduleName": MODULE_NAME,
                "action": facts.history.get("action"),
                "comment": facts.history.get("comment") if facts.reviews or not automatic else None,
            }
        ],
    }


def process_instance(report: Row, history: Row) -> dict[str, Any]:
    """One row of history as process/_search answers it."""
    return {
        "id": text(history.get("id")),
        "tenantId": report.get("tenant_id"),
        "businessService": BUSINESS_SERVICE,
        "businessId": report.get("report_number"),
        "moduleName": MODULE_NAME,
        "action": history.get("action"),
        "comment": history.get("comment"),
        "previousStatus": history.get("from_state"),
        "state": {"state": history.get("to_state"), "applicationStatus": history.get("to_state")},
        "version": history.get("version"),
        "auditDetails": {"createdBy": text(history.get("actor_id")), "createdTime": ms(history.get("occurred_at"))},
    }
