"""What the rule editor is told before a rule is saved."""

import pytest

from pipeline.bench.rules import programme_expressions
from pipeline.fraud.spel import check

VARIABLES = {
    "latitude": "number",
    "longitude": "number",
    "deviceId": "text",
    "evidenceCount": "number",
    "evidences": [{"type": "text", "purpose": "text", "size": "number", "metadata": {"exifPresent": "bool", "deviceId": "text"}}],
    "additionalData": {
        "dogCount": "number",
        "isAggressive": "bool",
        "imageQualityScore": "number",
        "lifetimeReportCount": "number",
        "tags": ["text"],
        "sentAt": "time",
    },
    "now": "number",
}
ROOT = {
    "predictions": {"*": "any"},
    "additionalData": VARIABLES["additionalData"],
    "metadata": {"timestamp": {"hour": "number"}},
}

# Expression, then what the first problem says; an empty text where there is none
CASES = [
    ("#latitude > 28.5", ""),
    ("#latitude > 28.5 && #evidences.?[metadata.exifPresent].size() > 0", ""),
    ("#evidences.![purpose].contains('SELFIE')", ""),
    ("#evidences[0].purpose == 'SELFIE'", ""),
    ("#additionalData['dogCount'] ?: 0 > 3", "this may be a number or yes or no"),
    ("(#additionalData['dogCount'] ?: 0) > 3", ""),
    ("abs(predictions.dogCount - additionalData.dogCount) > 1", ""),
    ("T(java.time.LocalTime).now().isAfter(T(java.time.LocalTime).of(18, 0))", ""),
    ("#deviceId matches '[a-z]+-\\d+'", ""),
    ("#additionalData.sentAt.hour >= 18", ""),
    ("#nothing == null", "there is no variable #nothing"),
    ("#additionalData['dogCuont'] > 3", "there is no field dogCuont"),
    ("#additionalData.dogCuont > 3", "there is no field dogCuont"),
    ("metadata.timestamp.our > 18", "there is no field our"),
    ("#evidences.?[purpos == 'SELFIE'].size() > 0", "there is no field purpos"),
    ("#latitude", "a rule asks yes or no, this is a number"),
    ("#deviceId", "a rule asks yes or no, this is a text"),
    ("null", "a rule asks yes or no, this is nothing (null)"),
    ("#latitude > 'north'", "a number and a text have no order"),
    ("#deviceId == 5", "a text and a number are never equal"),
    ("#latitude and true", "yes or no is asked for here, this is a number"),
    ("!#deviceId", "yes or no is asked for here, this is a text"),
    ("#deviceId - 1 > 0", "- takes numbers, this is a text"),
    ("#latitude + #deviceId == 'x'", ""),
    ("#deviceId.size() > 3", "a text has no method size()"),
    ("#deviceId.contains() ", "contains() does not take 0 values"),
    ("#deviceId.contains(5)", "contains() does not take a number"),
    ("#evidences.purpose == 'x'", "a list has no purpose"),
    ("#latitude[0] == 1", "a number has no items"),
    ("#latitude.?[true] == null", "a number has no items"),
    ("#evidences.?[purpose].size() > 0", "a selection asks yes or no"),
    ("#deviceId matches '['", "is not valid"),
    ("#deviceId matches '(?=x)'", "is not valid"),
    ("#deviceId matches '[a&&b]'", "classes within classes"),
    ("#latitude between 5", "between takes a list of two"),
    ("null.x == 1", "this is always null"),
    ("#latitude >", "a value was expected, not the end"),
    ("#x = 5", "assignment is not allowed"),
    ("T(java.lang.Runtime).getRuntime() == null", "T(java.lang.Runtime) is not allowed"),
    ("T(java.lang.Math).random() > 0.5", "has no random here"),
    ("new java.io.File('x') == null", "new is not allowed"),
    ("@bean == null", "beans is not allowed"),
    ("#deviceId instanceof T(String)", "instanceof is not allowed"),
]


@pytest.mark.parametrize(("expression", "first"), CASES, ids=[expression for expression, _ in CASES])
def test_a_rule_editor_is_told_what_is_wrong(expression, first):
    problems = check(expression, VARIABLES, ROOT)
    if first:
        assert first in problems[0].message
    else:
        assert problems == []


@pytest.mark.parametrize("expression", programme_expressions())
def test_the_programmes_own_expressions_have_no_problem(expression):
    assert check(expression, VARIABLES, ROOT) == []


def test_a_problem_names_its_place_in_the_text():
    [problem] = check("#latitude > 1 and #lattitude > 2", VARIABLES)
    assert problem.at == len("#latitude > 1 and ")


def test_every_problem_is_told_in_the_order_of_the_text():
    problems = check("#a > 1 and #deviceId.size() > 2 and #b == 'x'", VARIABLES)
    assert [problem.at for problem in problems] == sorted(problem.at for problem in problems)
    assert len(problems) == 3


def test_without_a_root_bare_names_are_a_problem():
    assert "variables begin with #" in check("latitude > 1", VARIABLES, None)[0].message
