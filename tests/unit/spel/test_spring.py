"""Two thousand generated expressions agree with Spring itself, or differ for a reason that differences.py names.

Spring's answers are recorded in spring_answers.tsv: expression, kind and value on a line, over the context of judged.py (and
SpringJudge.java). To ask Spring again: `python tests/unit/spel/record_spring.py --classpath …` with Spring's expression and core jars
and commons-logging; with `--compare --seed N --count 20000` it judges others and writes nothing. Needs a JDK; these tests need none.
"""

import pytest

from tests.unit.spel.differences import difference
from tests.unit.spel.judged import agrees, ours
from tests.unit.spel.record_spring import ANSWERS, COUNT, SEED, expressions

MOST_DIFFERENCES = 40  # of the recorded; a new kind of difference would hide behind a reason that is too wide


def recorded() -> list[tuple[str, str]]:
    """Expression and Spring's answer; texts keep their tabs as \\t."""
    lines = ANSWERS.read_text(encoding="utf-8").splitlines()
    return [(line.split("\t", 1)[0], line.split("\t", 1)[1]) for line in lines]


def test_the_generator_still_writes_the_recorded_expressions():
    assert [expression for expression, _ in recorded()] == expressions(SEED, COUNT)


def test_two_thousand_generated_expressions_agree_with_spring():
    differing, unexplained = 0, []
    for expression, theirs in recorded():
        if not agrees(expression, theirs):
            differing += 1
            if difference(expression, theirs) is None:
                unexplained.append(f"{expression}: Spring {theirs!r}, ours {ours(expression)!r}")
    assert unexplained == []
    assert differing <= MOST_DIFFERENCES


# What no generated expression says, asked of Spring by hand once; expected as the judge shows it, last
BY_HAND = [
    ("'it''s'", "str\tit's"),
    ('"say ""hi"""', 'str\tsay "hi"'),
    ("1 < 2 == true", "ERROR"),
    ("2^40", "long\t1099511627776"),
    ("2^-1", "int\t0"),
    ("-2 ^ 2", "int\t4"),
    ("7.0 / 0", "double\tInfinity"),
    ("7 / 0", "ERROR"),
    ("-7 % 3", "int\t-1"),
    ("0xFFFFFFFF", "ERROR"),
    ("1734176205000", "ERROR"),
    ("1.5L", "ERROR"),
    ("'b' - 1", "str\ta"),
    ("'yes' and true", "bool\ttrue"),
    ("null and true", "ERROR"),
    ("'' ?: 'x'", "str\tx"),
    ("'abc'.charAt(0) == 'a'", "bool\tfalse"),
    ("{1,2}.contains(1L)", "bool\tfalse"),
    ("{1:'a'}[1L]", "null\tnull"),
    ("T(java.lang.Math).max(1, 2.0)", "ERROR"),
    ("T(java.lang.Math).round(-2.5)", "long\t-2"),
    ("'x' + {1,2,null,{3}}", "str\tx1,2,null,3"),
    ("'x' + {a:1,'b':'c'}", "str\tx{a=1, b=c}"),
    ("'x' + 1e10", "str\tx1.0E10"),
    ("'x' + 0.00001", "str\tx1.0E-5"),
    ("-0.0 + ''", "str\t0.0"),
    ("#nope?.x", "null\tnull"),
    ("#nope.x", "ERROR"),
    ("#nope['x']", "ERROR"),
    ("#additionalData['nope']", "null\tnull"),
    ("#additionalData.nope", "ERROR"),
    ("#additionalData?.nope", "ERROR"),
    ("null < 1", "bool\ttrue"),
    ("1 > null", "bool\ttrue"),
    ("null >= null", "bool\ttrue"),
    ("'a' < 1", "ERROR"),
    ("'5' == 5", "bool\tfalse"),
    ("5 between {null, 10}", "bool\ttrue"),
    ("5 matches '\\d'", "bool\ttrue"),
    ("null matches 'a'", "ERROR"),
    ("#evidences.?[1]", "ERROR"),
    ("#predictions.^[true]", "map\tstr:dogCount=int:0|"),
    ("{a:1,b:2,c:3,dd:4,ee:5}.?[true]", "map\tstr:dd=int:4|str:ee=int:5|str:a=int:1|str:b=int:2|str:c=int:3|"),
    ("?[key=='match']", "map\tstr:match=bool:false|"),
    ("{'a','bb'}.?[length() > 1]", "list\tstr:bb|"),
    ("'a,b,,'.split(',')", "list\tstr:a|str:b|"),
    ("'a.b'.split('.')", "list\t"),
    ("'a1b2'.replaceAll('([0-9])','<$1>')", "str\ta<1>b<2>"),
    ("'abc'.replace('b', 5)", "str\ta\x05c"),
    ("#locality.replaceAll('.*', 'x')", "str\txx"),
]


@pytest.mark.parametrize(("expression", "theirs"), BY_HAND, ids=[expression for expression, _ in BY_HAND])
def test_an_answer_of_spring_asked_for_by_hand(expression, theirs):
    assert agrees(expression, theirs), ours(expression)
