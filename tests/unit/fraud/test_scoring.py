"""From outcomes to a score: which weights are in the sum, how it is rounded, and what follows from it."""

from decimal import Decimal
from typing import Any

import pytest

from pipeline.fraud.conditions.verdict import Verdict
from pipeline.fraud.scoring import FraudScore, RuleOutcome, rule_weight, score
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.fraud_models import RiskConfig
from pipeline.masterdata.master import MasterData
from tests.unit.fraud.cases import rule

SPEED = {"type": "VELOCITY", "field": "applicantId", "threshold": 5, "windowHours": 1}
PAUSE = {"type": "INTERVAL", "field": "applicantId", "minIntervalMinutes": 5}
OWN = {"type": "CUSTOM", "expression": "true"}
OUTSIDE = {"type": "EXTERNAL_VALIDATOR", "validatorId": "V", "checkExpression": "predictions.x == 1"}


@pytest.fixture(scope="module")
def config() -> RiskConfig:
    return MasterData(read_folder()).risk_config("dj.djibouti-ville")


def outcome(code: str, condition: dict[str, Any], weight: float, state: str = "FIRED", **changes: Any) -> RuleOutcome:
    return RuleOutcome(rule(condition, code, **changes), Decimal(str(weight)), state, Verdict(state == "FIRED", "in words"))  # type: ignore[arg-type]


def told(result: FraudScore) -> tuple[int, str, str]:
    return result.score, result.risk_level, result.recommendation


def test_of_one_condition_type_only_the_highest_counts(config: RiskConfig) -> None:
    outcomes = [outcome("A", SPEED, 10), outcome("B", SPEED, 15), outcome("C", SPEED, 15), outcome("D", PAUSE, 4)]
    result = score(outcomes, config)
    assert result.score == 19
    assert [float(result.points(one)) for one in outcomes] == [0, 15, 0, 4]


@pytest.mark.parametrize("condition", [OWN, OUTSIDE])
def test_custom_and_external_rules_all_count(condition: dict[str, Any], config: RiskConfig) -> None:
    assert score([outcome("A", condition, 10), outcome("B", condition, 15)], config).score == 25


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([], (0, "LOW", "APPROVE")),
        ([20], (20, "LOW", "APPROVE")),
        ([20.25], (20, "LOW", "APPROVE")),
        ([20.5], (21, "LOW", "MANUAL_REVIEW")),  # half up
        ([22.5, 2], (25, "LOW", "MANUAL_REVIEW")),
        ([26], (26, "MEDIUM", "MANUAL_REVIEW")),
        ([50, 1], (51, "HIGH", "MANUAL_REVIEW")),
        ([76], (76, "CRITICAL", "MANUAL_REVIEW")),
        ([80], (80, "CRITICAL", "MANUAL_REVIEW")),
        ([80.5], (81, "CRITICAL", "AUTO_REJECT")),
        ([60, 60], (100, "CRITICAL", "AUTO_REJECT")),
    ],
)
def test_the_sum_is_rounded_half_up_capped_and_judged(weights: list[float], expected: tuple[int, str, str], config: RiskConfig) -> None:
    assert told(score([outcome(f"R{n}", OWN, weight) for n, weight in enumerate(weights)], config)) == expected


@pytest.mark.parametrize(
    ("state", "changes", "expected"),
    [
        ("FIRED", {"action": {"type": "AUTO_REJECT"}}, "AUTO_REJECT"),
        ("FIRED", {"action": {"type": "FLAG", "autoReject": True}}, "AUTO_REJECT"),
        ("CLEAR", {"action": {"type": "AUTO_REJECT"}}, "APPROVE"),
        ("SKIPPED", {"action": {"type": "AUTO_REJECT"}}, "APPROVE"),
        ("ERROR", {"action": {"type": "FLAG"}}, "MANUAL_REVIEW"),
    ],
)
def test_a_rule_alone_leads_to(state: str, changes: dict[str, Any], expected: str, config: RiskConfig) -> None:
    result = score([outcome("A", SPEED, 5, state, **changes)], config)
    assert result.recommendation == expected
    assert bool(result.reason) == (expected != "APPROVE")


def test_a_rule_that_fails_never_hides_a_rejection(config: RiskConfig) -> None:
    outcomes = [outcome("A", SPEED, 5, "ERROR"), outcome("B", PAUSE, 1, action={"type": "AUTO_REJECT"})]
    assert score(outcomes, config).recommendation == "AUTO_REJECT"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 10),  # VEL 20 times two quarters
        ({"severity": "CRITICAL", "category": "COL"}, 60),
        ({"severity": "LOW", "category": "EVD"}, 8.75),
        ({"weight": 7}, 7),
        ({"weight": 0}, 0),
        ({"weight": 7, "action": {"type": "NOTIFY"}}, 0),
    ],
)
def test_a_rule_weighs(changes: dict[str, Any], expected: float, config: RiskConfig) -> None:
    assert float(rule_weight(rule(SPEED, **changes), config)) == expected
