"""From fired rules to a score, a risk level and a recommendation.

A fired rule scores its own weight, or its category's weight by severity. Of several fired rules of one condition type only
the highest counts, except CUSTOM and EXTERNAL_VALIDATOR. The sum is rounded half up and capped at 100.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pipeline.masterdata.fraud_models import FraudRule, RiskConfig

SEVERITY_QUARTERS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
COUNT_EVERY_RULE = ("CUSTOM", "EXTERNAL_VALIDATOR")
MAX_SCORE = 100


@dataclass(frozen=True)
class RuleOutcome:
    """One rule's result on one report. `weight` is what it scores when it fires; `failed`: it could not be evaluated."""

    rule_id: str
    rule_code: str
    category: str
    condition_type: str
    weight: Decimal
    fired: bool
    failed: bool
    auto_reject: bool
    message: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class FraudScore:
    """The sum of what fired, and what to do about it."""

    score: int
    risk_level: str
    recommendation: str  # APPROVE, MANUAL_REVIEW or AUTO_REJECT


def rule_weight(rule: FraudRule, config: RiskConfig) -> Decimal:
    """What the rule scores when it fires; NOTIFY rules score nothing."""
    if rule.action.type == "NOTIFY":
        return Decimal(0)
    if rule.weight is not None:
        return Decimal(rule.weight)
    return Decimal(config.weights[rule.category]) * SEVERITY_QUARTERS[rule.severity] / 4


def score(outcomes: Sequence[RuleOutcome], config: RiskConfig) -> FraudScore:
    """Add up the outcomes. A rule that could not be evaluated never approves."""
    total = Decimal(0)
    highest: dict[str, Decimal] = {}
    for outcome in outcomes:
        if not outcome.fired:
            continue
        if outcome.condition_type in COUNT_EVERY_RULE:
            total += outcome.weight
        else:
            highest[outcome.condition_type] = max(outcome.weight, highest.get(outcome.condition_type, Decimal(0)))
    total += sum(highest.values(), Decimal(0))
    points = min(int(total.quantize(Decimal(1), ROUND_HALF_UP)), MAX_SCORE)
    level = config.level(points)
    if points > config.auto_reject_threshold or any(o.fired and o.auto_reject for o in outcomes):
        return FraudScore(points, level, "AUTO_REJECT")
    if points <= config.approve_threshold and not any(o.failed for o in outcomes):
        return FraudScore(points, level, "APPROVE")
    return FraudScore(points, level, "MANUAL_REVIEW")
