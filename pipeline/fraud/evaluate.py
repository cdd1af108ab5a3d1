"""Running the tenant's rules over a case: those whose condition looks at the report alone."""

from collections.abc import Callable, Mapping, Sequence
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

# The condition types that look at the report alone
CONDITIONS: dict[str, Callable[[Mapping[str, Any], Case], Verdict]] = {
    "NULL_CHECK": null_check.evaluate,
    "GEO_BOUNDARY": geo_boundary.evaluate,
    "TIMESTAMP_AGE": timestamp_age.evaluate,
    "TIMESTAMP_DIFF": timestamp_diff.evaluate,
    "GEO_DISTANCE": geo_distance.evaluate,
    "METADATA_CHECK": metadata_check.evaluate,
    "TIME_WINDOW": time_window.evaluate,
}


def evaluate(rules: Sequence[Mapping[str, Any]], category_weights: Mapping[str, Any], case: Case) -> list[RuleOutcome]:
    """The outcome of every enabled rule whose condition type is known here, in the order of the rules."""
    return [
        _run(rule, category_weights, case)
        for rule in rules
        if rule.get("enabled", True) and rule["condition"]["type"] in CONDITIONS
    ]


def _run(rule: Mapping[str, Any], category_weights: Mapping[str, Any], case: Case) -> RuleOutcome:
    condition = rule["condition"]
    failed = False
    try:
        verdict = CONDITIONS[condition["type"]](condition, case)
    except (KeyError, ValueError, TypeError) as error:  # a rule that names what does not exist: a person must look
        verdict, failed = Verdict(False, f"could not be evaluated: {type(error).__name__} {error}"), True
    action = rule["action"]
    return RuleOutcome(
        rule_id=rule["id"],
        rule_code=rule["code"],
        category=rule["category"],
        condition_type=condition["type"],
        weight=rule_weight(rule, category_weights),
        fired=verdict.fired,
        failed=failed,
        auto_reject=action["type"] == "AUTO_REJECT" or bool(action.get("autoReject", False)),
        message=verdict.message,
        details=verdict.details,
    )
