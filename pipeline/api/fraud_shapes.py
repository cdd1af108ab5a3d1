"""The answer of /fraud/v1/_evaluateSync as its readers may rely on it."""

from typing import Any, Literal

from pydantic import Field

from pipeline.api.shapes import Answer, Shape


class RuleResultShape(Shape):
    """One rule. `score` is what of its `weight` is in the sum: of several rules of one condition type only the highest counts."""

    rule_id: str
    rule_code: str
    category: str
    triggered: bool
    outcome: Literal["FIRED", "CLEAR", "SKIPPED", "ERROR"]
    score: float
    weight: float
    details: dict[str, Any] = Field(description="message, threshold and actual value")


class InternalResultShape(RuleResultShape):
    """A rule over what the report and its history tell."""

    condition_type: str
    spel_expression: str | None = None


class ExternalResultShape(RuleResultShape):
    """A rule over what a validator outside says. This call asks none, so it is SKIPPED, and `details.message` says why."""

    validator_id: str
    check_expression: str
    predictions: dict[str, Any]


class EvaluationSummaryShape(Shape):
    """How many rules there were, and what became of them."""

    total_rules_evaluated: int
    internal_rules_triggered: int
    external_rules_triggered: int
    external_rules_skipped: int
    custom_spel_rules_evaluated: int
    custom_spel_rules_triggered: int


class EvaluationShape(Shape):
    """The judgement."""

    reference_id: str
    module_code: str
    total_score: int
    risk_level: Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]
    recommendation: Literal["APPROVE", "MANUAL_REVIEW", "AUTO_REJECT"]
    evaluated_at: int
    rules_version: int
    rule_results: list[InternalResultShape]
    external_results: list[ExternalResultShape]
    summary: EvaluationSummaryShape
    auto_reject_reason: str | None = None


class EvaluateAnswer(Answer):
    """_evaluateSync: every rule of the tenant with its outcome, and the score."""

    response: EvaluationShape
