"""/fraud/v1: the fraud rules for another service of ours, which asks before it acts. Judges, and stores nothing."""

from typing import Any

from fastapi import APIRouter, Request, Response

import queries
from pipeline.access.policy import check_tenant
from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.clock import epoch_ms
from pipeline.fraud.scoring import FraudScore, RuleOutcome
from pipeline.masterdata.fraud_models import Custom, ExternalCondition
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.fraud import EvaluateRequest
from pipeline.validation.asked import Asked, evaluate_asked

router = APIRouter(prefix="/fraud/v1", tags=["Fraud"])


@router.post("/_evaluateSync")
async def evaluate_sync(request: Request) -> Response:
    """Judge a report by the tenant's rules."""
    return await serve(request, judge)


def judge(call: Call) -> Response:
    """The answer of packet 03/07, with every rule of the tenant."""
    caller = call.allowed("evaluate_fraud")
    sent = call.parse(EvaluateRequest).request
    check_tenant(caller, sent.tenant_id)
    wanted = as_uuid(sent.applicant_info.applicant_id)
    with call.rt.database.begin(caller.scope) as conn:  # what the rules say of a teacher tells of that teacher's past
        known = wanted is not None and queries.one(conn, "accounts.here", id=wanted) is not None
    with call.rt.database.worker() as conn:  # the rules count over cells and phones, which only jobs may ask; the tenant is checked above
        asked = evaluate_asked(conn, call.md, sent, call.now, wanted if known else None)
    answer = {
        "referenceId": sent.reference_id,
        "moduleCode": sent.module_code,
        "totalScore": asked.fraud.score,
        "riskLevel": asked.fraud.risk_level,
        "recommendation": asked.fraud.recommendation,
        "evaluatedAt": epoch_ms(call.now),
        "rulesVersion": call.md.version_of("FRAUD-DETECTION", "FraudRules", sent.tenant_id),
        "ruleResults": [_internal(one, asked.fraud) for one in asked.outcomes if one.rule.rule_type == "INTERNAL"],
        "externalResults": [_external(one, asked.fraud) for one in asked.outcomes if one.rule.rule_type == "EXTERNAL"],
        "summary": _summary(asked),
    }
    if asked.fraud.recommendation == "AUTO_REJECT":
        answer["autoRejectReason"] = asked.fraud.reason
    return ok(call, {"response": answer})


def _internal(outcome: RuleOutcome, fraud: FraudScore) -> dict[str, Any]:
    condition = outcome.rule.condition
    told: dict[str, Any] = {"category": outcome.rule.category, "conditionType": condition.type}
    if isinstance(condition, Custom):
        told["spelExpression"] = condition.expression
    return _result(outcome, fraud) | told | {"details": _details(outcome)}


def _external(outcome: RuleOutcome, fraud: FraudScore) -> dict[str, Any]:
    condition, details = outcome.rule.condition, _details(outcome)
    predictions = details.pop("predictions", {})
    told: dict[str, Any] = {"category": outcome.rule.category, "predictions": predictions, "details": details}
    if isinstance(condition, ExternalCondition):
        told |= {"validatorId": condition.validator_id, "checkExpression": condition.check_expression}
    return _result(outcome, fraud) | told


def _result(outcome: RuleOutcome, fraud: FraudScore) -> dict[str, Any]:
    """What every rule says: its weight, and what of it is in the sum."""
    return {
        "ruleId": outcome.rule.id,
        "ruleCode": outcome.rule.code,
        "triggered": outcome.state == "FIRED",
        "outcome": outcome.state,
        "score": float(fraud.points(outcome)),
        "weight": float(outcome.weight),
    }


def _details(outcome: RuleOutcome) -> dict[str, Any]:
    verdict = outcome.verdict
    told: dict[str, Any] = {"message": verdict.message, **verdict.details}
    if verdict.threshold is not None:
        told["threshold"] = verdict.threshold
    if verdict.value is not None:
        told["actual"] = verdict.value
    if outcome.state in ("FIRED", "CLEAR") and isinstance(outcome.rule.condition, Custom | ExternalCondition):
        told["expressionResult"] = verdict.fired
    return told


def _summary(asked: Asked) -> dict[str, int]:
    fired = [one for one in asked.outcomes if one.state == "FIRED"]
    custom = [one for one in asked.outcomes if one.rule.condition.type == "CUSTOM"]
    return {
        "totalRulesEvaluated": len(asked.outcomes),
        "internalRulesTriggered": sum(one.rule.rule_type == "INTERNAL" for one in fired),
        "externalRulesTriggered": sum(one.rule.rule_type == "EXTERNAL" for one in fired),
        "externalRulesSkipped": sum(one.state == "SKIPPED" for one in asked.outcomes),
        "customSpelRulesEvaluated": len(custom),
        "customSpelRulesTriggered": sum(one.state == "FIRED" for one in custom),
    }
