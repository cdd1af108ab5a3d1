"""From fired rules to a score, a risk level and a recommendation.

A fired rule scores its own weight, or its category's weight by severity. Of several fired rules of one condition type only
the highest counts, except CUSTOM and EXTERNAL_VALIDATOR. The sum is rounded half up and capped at 100.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple

from pipeline.fraud.conditions.verdict import Verdict
from pipeline.masterdata.fraud_models import FraudRule, RiskConfig

SEVERITY_QUARTERS = {"LOW": 1, "MEDIUM": 2, "HIGH": 3, "CRITICAL": 4}
COUNT_EVERY_RULE = ("CUSTOM", "EXTERNAL_VALIDATOR")
MAX_SCORE = 100
NONE = Decimal(0)

State = Literal["FIRED", "CLEAR", "SKIPPED", "ERROR"]


class RuleOutcome(NamedTuple):
    """One rule's result on one report. `weight` is what it scores when it fires; ERROR: it could not be evaluated."""

    rule: FraudRule
    weight: Decimal
    state: State
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class FraudScore:
    """The sum of what fired, and what to do about it."""

    score: int
    risk_level: str
    recommendation: str  # APPROVE, MANUAL_REVIEW or AUTO_REJECT
    counted: Mapping[str, Decimal]  # by id of the fired rules whose weight is in the sum; the others stand behind one of their type
    reason: str = ""  # in words, what made it more than an approval

    def points(self, outcome: RuleOutcome) -> Decimal:
        """What the rule added to the sum."""
        return self.counted.get(outcome.rule.id, NONE)


def rule_weight(rule: FraudRule, config: RiskConfig) -> Decimal:
    """What the rule scores when it fires; NOTIFY rules score nothing."""
    if rule.action.type == "NOTIFY":
        return NONE
    if rule.weight is not None:
        return Decimal(rule.weight)
    return Decimal(config.weights[rule.category]) * SEVERITY_QUARTERS[rule.severity] / 4


def score(outcomes: Sequence[RuleOutcome], config: RiskConfig) -> FraudScore:
    """Add up the outcomes. A rule that could not be evaluated never approves."""
    counted: dict[str, Decimal] = {}
    highest: dict[str, RuleOutcome] = {}
    for outcome in outcomes:
        if outcome.state != "FIRED":
            continue
        kind = outcome.rule.condition.type
        if kind in COUNT_EVERY_RULE:
            counted[outcome.rule.id] = outcome.weight
        elif kind not in highest or outcome.weight > highest[kind].weight:
            highest[kind] = outcome
    counted.update((outcome.rule.id, outcome.weight) for outcome in highest.values())
    points = min(int(sum(counted.values(), NONE).quantize(Decimal(1), ROUND_HALF_UP)), MAX_SCORE)
    level = config.level(points)
    rejecting = next((o for o in outcomes if o.state == "FIRED" and o.rule.action.rejects), None)
    if points > config.auto_reject_threshold:
        reason = f"{level} risk level (score {points}) is over the threshold of {config.auto_reject_threshold}"
        return FraudScore(points, level, "AUTO_REJECT", counted, reason)
    if rejecting is not None:
        return FraudScore(points, level, "AUTO_REJECT", counted, f"{rejecting.rule.code} rejects by itself")
    failed = sum(outcome.state == "ERROR" for outcome in outcomes)
    if points <= config.approve_threshold and not failed:
        return FraudScore(points, level, "APPROVE", counted)
    reason = (
        f"{failed} rules could not be evaluated"
        if points <= config.approve_threshold
        else f"score {points} is over {config.approve_threshold}"
    )
    return FraudScore(points, level, "MANUAL_REVIEW", counted, reason)
