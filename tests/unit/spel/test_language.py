"""What the programme adds to Spring's language, takes away from it, and bounds."""

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest

from pipeline.bench.rules import ROOT as RULE_ROOT
from pipeline.bench.rules import VARIABLES as RULE_VARIABLES
from pipeline.bench.rules import programme_expressions
from pipeline.fraud import spel
from pipeline.fraud.spel import SpelError, evaluate

MAP = {"map": {"a": 1, "none": None}, "list": [1, 2, 3], "text": "abc", "at": datetime(2026, 3, 10, 18, 30, tzinfo=UTC)}

# Expression over MAP, then its value: where Spring has no answer, or another
OURS = [
    ("abs(-5)", 5),
    ("abs(2 - 4.5)", 2.5),
    ("#map.a", 1),
    ("#list?.[0]", 1),
    ("#nothing?.[0]", None),
    ("#nothing?.[0]?.x", None),
    ("#at.hour >= 18 and #at.minute == 30", True),
    ("#at.monthValue", 3),
    ("#money * 3", Decimal("3.75")),
    ("#money / 3", Decimal("0.42")),
    ("#money == 1.25", True),
    ("T(Math).abs(-1)", 1),
    ("T(java.time.LocalTime).now()", time(11, 36, 45)),
    ("T(java.time.LocalTime).now().isAfter(T(java.time.LocalTime).of(11, 0))", True),
]


@pytest.mark.parametrize(("expression", "value"), OURS)
def test_what_the_programme_adds(expression, value):
    assert evaluate(expression, {**MAP, "money": Decimal("1.25"), "now": 1734176205000}) == value


def test_the_time_of_day_is_that_of_the_zone():
    variables = {"now": 1734176205000, "timeZone": "Asia/Kolkata"}
    assert evaluate("T(java.time.LocalTime).now()", variables) == time(17, 6, 45)


# Refused or wrong: expression, then the code of the error
ERRORS = [
    ("", "SYNTAX"),
    ("1 +", "SYNTAX"),
    ("'open", "SYNTAX"),
    ("1 2", "SYNTAX"),
    ("99999999999", "SYNTAX"),
    ("a b", "SYNTAX"),
    ("#x = 1", "REFUSED"),
    ("#list[0]++", "REFUSED"),
    ("--1", "REFUSED"),
    ("@bean", "REFUSED"),
    ("&bean", "REFUSED"),
    ("new java.util.Date()", "REFUSED"),
    ("T(java.lang.Runtime).getRuntime()", "REFUSED"),
    ("T(java.lang.System).exit(1)", "REFUSED"),
    ("T(String).format('%s', 1)", "REFUSED"),
    ("T(java.lang.Math).random()", "REFUSED"),
    ("T(java.lang.Math)", "REFUSED"),
    ("#text.class", "REFUSED"),
    ("#text.getClass()", "REFUSED"),
    ("#text.hashCode()", "REFUSED"),
    ("#text.repeat(5)", "REFUSED"),
    ("#text * 3", "REFUSED"),
    ("#list.add(4)", "REFUSED"),
    ("#map.put('x', 1)", "REFUSED"),
    ("#map.remove('a')", "REFUSED"),
    ("#text instanceof T(String)", "REFUSED"),
    ("#abs(5)", "REFUSED"),
    ("1 ?:", "REFUSED"),
    ("#text matches '[a-z&&[^b]]'", "REFUSED"),
    ("#map.__class__", "MISSING"),
    ("#text.__class__", "MISSING"),
    ("#text.upper()", "MISSING"),
    ("#list.append(1)", "MISSING"),
    ("#map.b", "MISSING"),
    ("#nothing.b", "MISSING"),
    ("bare", "MISSING"),
    ("os.system('x')", "MISSING"),
    ("#list[7]", "VALUE"),
    ("1 / 0", "VALUE"),
    ("2147483647 + 1", "VALUE"),
    ("1000000000L * 1000000001L", "VALUE"),
    ("#text matches '('", "VALUE"),
    ("'a' < 1", "TYPE"),
    ("1 and true", "TYPE"),
    ("#list.?[#this]", "TYPE"),
    ("#object == 1", "TYPE"),
    ("(" * 33 + "1" + ")" * 33, "LIMIT"),
    ("1" + " " * 2000, "LIMIT"),
    ("#text matches '" + "a?" * 130 + "'", "LIMIT"),
    ("#long + #long", "LIMIT"),
]


@pytest.mark.parametrize(("expression", "code"), ERRORS, ids=[expression[:40] for expression, _ in ERRORS])
def test_what_is_refused_and_what_is_wrong(expression, code):
    with pytest.raises(SpelError) as raised:
        evaluate(expression, {**MAP, "object": object(), "long": "a" * 6000})
    assert raised.value.code == code


def test_an_absent_field_is_named_so_that_its_rule_can_be_skipped():
    with pytest.raises(SpelError) as raised:
        evaluate("predictions.overallQuality < 0.4", {}, {"predictions": {}})
    assert raised.value.name == "overallQuality"


def test_an_error_tells_its_place():
    with pytest.raises(SpelError, match=r"at character 5\)") as raised:
        spel.compile("1 + T(java.io.File).x()")
    assert raised.value.at == 4


def test_compiling_tells_the_names_that_are_used():
    compiled = spel.compile("#a > 1 and b.c == #d['e'] and #list.?[inner == f].size() > 0")
    assert compiled.names == {"a", "d", "list"}
    assert compiled.root_names == {"b"}


def test_an_expression_is_compiled_once():
    assert spel.compile("#a == 1 and #b == 2") is spel.compile("#a == 1 and #b == 2")


def test_nothing_given_is_changed_and_results_are_plain_python():
    given = {"items": [{"a": 1}, {"a": 2}], "map": {"k": [1]}}
    found = evaluate("{#items.?[a > 1], #map, 5L, 1.5f, 'abc'.charAt(0), 'a,b'.split(','), #map.keySet()}", given)
    assert found == [[{"a": 2}], {"k": [1]}, 5, 1.5, "a", ["a", "b"], ["k"]]
    assert {type(part) for part in found} == {list, dict, int, float, str}
    found[1]["k"].append(2)
    assert given == {"items": [{"a": 1}, {"a": 2}], "map": {"k": [1]}}


@pytest.mark.parametrize("expression", programme_expressions())
def test_the_programmes_own_expressions_answer_yes_or_no(expression):
    assert isinstance(evaluate(expression, RULE_VARIABLES, RULE_ROOT), bool)


def test_a_rule_of_the_programme_with_its_data_missing_says_no():
    expression = "#additionalData != null && #additionalData['dogCount'] != null && #additionalData['dogCount'] > 10"
    for additional in (None, {}, {"dogCount": None}, {"dogCount": 10}):
        assert evaluate(expression, {"additionalData": additional}) is False
    assert evaluate(expression, {"additionalData": {"dogCount": 11}}) is True
