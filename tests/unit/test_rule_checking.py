"""What a rule must be before it is saved: a table of changes to a good rule, the field that the error names, and words of it."""

import copy
from typing import Any

import pytest

from pipeline.errors import AppError
from pipeline.fraud.case import evidence
from pipeline.fraud.editing.checking import active_rules, check_rule
from pipeline.fraud.editing.drafts import differences
from pipeline.fraud.editing.vocabulary import FIELDS, METADATA, VARIABLES
from pipeline.fraud.fields import parse
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.master import MasterData
from tests.unit.fraud import cases

STATE = "dj"
MD = MasterData(read_folder())
SHIPPED = active_rules(MD, STATE)


def changed(rule_id: str, path: str, value: Any) -> dict[str, Any]:
    """The shipped rule with one field changed, added, or (`...`) left out."""
    rule = copy.deepcopy(SHIPPED[rule_id])
    part, (*way, last) = rule, path.split(".")
    for step in way:
        part = part[step]
    if value is ...:
        del part[last]
    else:
        part[last] = value
    return rule


@pytest.mark.parametrize("rule_id", SHIPPED)
def test_every_rule_of_the_programme_may_be_saved_as_it_is(rule_id):
    assert check_rule(MD, STATE, SHIPPED[rule_id]).id == rule_id


# rule, what is changed, to what, the field that the error names, words of the error
REFUSED = [
    # the shape
    ("STD-003", "condition.treshold", 4, "condition.treshold", "did you mean threshold"),
    ("STD-003", "condition.threshold", ..., "condition.threshold", "is missing"),
    ("STD-003", "condition.threshold", "five", "condition.threshold", "integer"),
    ("STD-003", "condition.threshold", 4.5, "condition.threshold", "integer"),
    ("STD-003", "condition.type", "SPEED", "condition", "SPEED"),
    ("STD-003", "severity", "SEVERE", "severity", "SEVERE"),
    ("STD-003", "category", "XX", "category", "XX"),
    ("STD-003", "colour", "red", "colour", "not a key"),
    ("STD-003", "action.type", "BAN", "action.type", "BAN"),
    ("STD-003", "enabled", "yes", "enabled", "boolean"),
    ("SDCRS-005", "condition.allowedWindows", [], "condition.allowedWindows", "at least 1"),
    # limits
    ("STD-003", "condition.threshold", 0, "condition.threshold", "greater than 0"),
    ("STD-003", "condition.threshold", 10_001, "condition.threshold", "at most 10000"),
    ("STD-003", "condition.windowHours", 2_161, "condition.windowHours", "at most 2160"),
    ("STD-006", "condition.threshold", 1.2, "condition.threshold", "less than or equal to 1"),
    ("STD-006", "condition.threshold", 0.5, "condition", "are not searched"),
    ("STD-008", "condition.minUniqueUsers", 1, "condition.minUniqueUsers", "greater than or equal to 2"),
    ("STD-009", "condition.radiusMeters", 5_000, "condition.radiusMeters", "2000"),
    ("STD-003", "weight", 101, "weight", "less than or equal to 100"),
    ("SDCRS-011", "condition.maxSpeedKmh", 3_000, "condition.maxSpeedKmh", "at most 1200"),
    # what it names
    ("STD-001", "condition.field", "evidences[*].metadata.gpsLatitud", "condition.field", "cannot be read"),
    ("STD-003", "condition.field", "deviceId", "condition.field", "applicantId"),
    ("SDCRS-001", "condition.field2", "createdTim", "condition.field2", "createdTime"),
    ("EXT-001", "condition.validatorId", "CAT_DETECTOR", "condition.validatorId", "OBJECT_DETECTOR"),
    ("EXT-001", "ruleType", "INTERNAL", "ruleType", "EXTERNAL_VALIDATOR"),
    ("SDCRS-007", "action.escalateToRole", "MAYOR", "action.escalateToRole", "MAYOR"),
    ("SDCRS-006", "action.autoReject", True, "action.autoReject", "cannot reject"),
    ("STD-003", "applicableModules", [], "applicableModules", "no module"),
    # names and texts
    ("STD-003", "code", "OTHER", "code", "stays HIGH_VELOCITY"),
    ("STD-003", "name", " ", "name", "is empty"),
    ("STD-003", "name", "x" * 121, "name", "at most 120"),
    ("STD-003", "description", "x" * 501, "description", "at most 500"),
    # expressions
    ("SDCRS-013", "condition.expression", "#dogCount > 3", "condition.expression", "dogCount"),
    ("SDCRS-013", "condition.expression", "#additionalData['dogCoumt'] > 3", "condition.expression", "dogCoumt"),
    ("SDCRS-013", "condition.expression", "#additionalData['dogCount'] +", "condition.expression", ""),
    ("SDCRS-013", "condition.expression", "#evidenceCount + 2", "condition.expression", "yes or no"),
    ("SDCRS-013", "condition.expression", "T(java.lang.Runtime).getRuntime() != null", "condition.expression", "Runtime"),
    ("SDCRS-013", "condition.expression", "#now > 1 " + "and true " * 300, "condition.expression", "at most 2000"),
    ("EXT-001", "condition.checkExpression", "prediction.dogCount == 0", "condition.checkExpression", "prediction"),
]


@pytest.mark.parametrize(("rule_id", "path", "value", "field", "words"), REFUSED, ids=[f"{r[0]}-{r[1]}-{str(r[2])[:20]}" for r in REFUSED])
def test_a_rule_that_is_wrong_is_refused_with_its_field(rule_id, path, value, field, words):
    with pytest.raises(AppError) as caught:
        check_rule(MD, STATE, changed(rule_id, path, value))
    assert caught.value.code == "SDCRS_INVALID_RULE"
    assert caught.value.params["field"] == field
    assert words in str(caught.value.params["detail"])


@pytest.mark.parametrize(
    ("rule_id", "code", "field"),
    [
        ("SDCRS-18", "NEW_ONE", "id"),
        ("sdcrs-018", "NEW_ONE", "id"),
        ("SDCRS-018", "new one", "code"),
        ("SDCRS-018", "HIGH_VELOCITY", "code"),
    ],
)
def test_a_new_rule_needs_a_name_of_its_own(rule_id, code, field):
    with pytest.raises(AppError) as caught:
        check_rule(MD, STATE, SHIPPED["STD-003"] | {"id": rule_id, "code": code})
    assert caught.value.params["field"] == field
    assert check_rule(MD, STATE, SHIPPED["STD-003"] | {"id": "SDCRS-018", "code": "NEW_ONE"}).code == "NEW_ONE"


@pytest.mark.parametrize(("value", "words"), [(float("nan"), "JSON"), ({1, 2}, "JSON"), ("x" * 30_000, "bytes long")])
def test_what_no_document_could_hold_is_refused(value, words):
    with pytest.raises(AppError, match=words):
        check_rule(MD, STATE, changed("STD-003", "description", value))


def test_every_field_that_is_offered_leads_somewhere():
    for keys in FIELDS.values():
        for paths in keys.values():
            for path in paths:
                parse(path)


def test_the_names_that_expressions_may_use_are_those_that_cases_have():
    assert set(METADATA) == set(evidence("DOG_PHOTO", None)["metadata"])
    assert set(VARIABLES) == set(cases.case().variables)


def test_a_difference_names_each_field_once():
    before = {"id": "A", "enabled": True, "condition": {"threshold": 5, "field": "x"}, "_remark": 1}
    after = {"id": "A", "enabled": True, "condition": {"threshold": 4}, "weight": 9}
    assert [(one.field, one.before, one.after) for one in differences(before, after)] == [
        ("condition.threshold", 5, 4),
        ("weight", None, 9),
        ("condition.field", "x", None),
    ]
