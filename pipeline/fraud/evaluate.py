"""Running the tenant's rules over a case: those whose condition looks at the report alone."""

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.fraud.case import Case
from pipeline.fraud.conditions import (
    geo_boundary,
    geo_distance,
    metadata_check,
    null_check,
    time_window,
    timestamp_age,
    timestamp_diff,
)
from pipeline.fraud.conditions.verdict import Verdict
from pipeline.fraud.scoring import RuleOutcome, rule_weight
from pipeline.masterdata.fraud_models import FraudRule, RiskConfig

# By condition type; each takes the condition class of its own name in masterdata/fraud_models.py
CONDITIONS: dict[str, Callable[[Any, Case], Verdict]] = {
    "NULL_CHECK": null_check.evaluate,
    "GEO_BOUNDARY": geo_boundary.evaluate,
    "TIMESTAMP_AGE": timestamp_age.evaluate,
    "TIMESTAMP_DIFF": timestamp_diff.evaluate,
    "GEO_DISTANCE": geo_distance.evaluate,
    "METADATA_CHECK": metadata_check.evaluate,
    "TIME_WINDOW": time_window.evaluate,
}


def evaluate(rules: Sequence[FraudRule], config: RiskConfig, case: Case) -> list[RuleOutcome]:
    """The outcome of every enabled rule whose condition type is in CONDITIONS, in the order of the rules."""
    return [_run(rule, config, case) for rule in rules if rule.enabled and rule.condition.type in CONDITIONS]


def _run(rule: FraudRule, config: RiskConfig, case: Case) -> RuleOutcome:
    failed = False
    try:
        verdict = CONDITIONS[rule.condition.type](rule.condition, case)
    except (KeyError, ValueError, TypeError) as error:  # a rule that names what does not exist: a person must look
        verdict, failed = Verdict(False, f"could not be evaluated: {type(error).__name__} {error}"), True
    return RuleOutcome(
        rule_id=rule.id,
        rule_code=rule.code,
        category=rule.category,
        condition_type=rule.condition.type,
        weight=rule_weight(rule, config),
        fired=verdict.fired,
        failed=failed,
        auto_reject=rule.action.rejects,
        message=verdict.message,
        details=verdict.details,
    )
