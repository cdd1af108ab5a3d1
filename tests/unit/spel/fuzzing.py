"""Random token streams, mutated rules and hostile shapes, from a seed: what an expression must survive."""

import random
import re
from collections.abc import Iterator

from tests.unit.spel.generator import Generator

RULES = [
    "#additionalData['isAggressive'] == true && (#additionalData['imageQuality'] == null || #additionalData['imageQuality'] < 0.5)",
    "#additionalData != null && #additionalData['dogCount'] != null && #additionalData['dogCount'] > 10",
    "#evidences == null || #evidenceCount < 2",
    "#latitude != null && #longitude != null && (#latitude > 28.55 && #latitude < 28.57 && #longitude > 77.08 && #longitude < 77.12)",
    "#deviceId != null && (#deviceId.contains('emulator') || #deviceId.contains('sdk') || #deviceId.contains('generic'))",
    "abs(predictions.dogCount - additionalData.dogCount) > 1",
    "predictions.isSpoofed == true && predictions.spoofingConfidence > 0.6 && predictions.spoofingConfidence <= 0.9",
    "predictions.exposureScore < 0.3 && (metadata.timestamp.hour >= 18 || metadata.timestamp.hour <= 6)",
    "#evidences.?[metadata.exifPresent == false].size() > 0 and #mobileNumber matches '[6-9]\\d{9}'",
    "T(java.time.LocalTime).now().isAfter(T(java.time.LocalTime).of(18, 0)) ? #additionalData.tags.![toUpperCase()] : {a: 1}",
]
TOKENS = [
    "+", "-", "*", "/", "%", "^", "!", "not", "and", "or", "&&", "||", "==", "!=", "<", "<=", ">", ">=", "lt", "EQ", "div", "mod",
    "between", "matches", "instanceof", "(", ")", "[", "]", "{", "}", "{:}", ",", ".", "?.", "?", ":", "?:", "?[", "^[", "$[", "![", "#",
    "#this", "#root", "@", "=", "++", "--", "'a'", "\"b\"", "''", "'", "1", "2L", "0x1", "1.5", "1e308", "99999999999999999999", "1e999",
    "true", "null", "a", "_", "$", "T", "T(java.lang.Math)", "T(java.lang.Runtime)", "T(java.time.LocalTime).now()", "size()", "length()",
    "hashCode()", "getClass()", "__class__", "#__builtins__", "dogCount", "abs", " ", "\t", "\n", "\\", "\x00", "é", "\ud800", "𝒳",
    "#evidences", "#additionalData", "#additionalData['tags']", "replaceAll('.*','$0$0')", "split('')", "matches('(a*)*b')", "toString()",
    "concat('aaaaaaaa')", "replace('','aaaa')", "2147483647", "9223372036854775807L",
]  # fmt: skip
HOSTILE = [
    "(" * 400 + "1" + ")" * 400,
    "-" * 1999,
    "!" * 1999,
    "{" * 1000 + "}" * 1000,
    "1" + "+1" * 999,
    "true" + "?true" * 300 + ":1" * 300,
    "a" + ".a" * 999,
    "#x" + "[0]" * 600,
    "'" + "a" * 1990 + "'" + " matches '(a+)+b'",
    "'" + "a" * 900 + "' matches '" + "a?" * 120 + "a" * 120 + "'",
    "{1,2,3,4,5,6,7,8,9,10}" + ".![{1,2,3,4,5,6,7,8,9,10}" * 6 + "]" * 6,
    "{1,2,3,4,5,6,7,8,9,10}" + ".![#root.deep" * 30 + "]" * 30,
    "{'aaaaaaaaaa'}" + ".![#this+#this+#this+#this]" * 60,
    "'a'" + ".replace('a','aaaaaaaaaa')" * 40,
    "'a'" + ".replaceAll('a?','$0$0$0$0')" * 40,
    "'ab'" + ".concat('ab').toUpperCase().replace('A','BBBB')" * 30,
    "{1}" + ".![{#this,#this,#this,#this,#this,#this,#this,#this}]" * 30 + " + ''",
    "{1,2,3,4,5,6,7,8,9}.![{1,2,3,4,5,6,7,8,9}.![{'a','b'}.?[#this matches '(' + #this + '|b){1,90}{1,9}x*']]]",
    "9^9^9^9",
    "(9^9)^(9^9)",
    "10L^18*10L^18",
    "1e308*1e308-1e308*1e308",
    "2147483647*2147483647",
    "T(java.lang.Math).pow(1e308, 1e308).longValue()",
    "'" + "(" * 250 + "' matches '" + "(" * 240 + "'",
    "'a' matches '" + "(a{1,9}){1,9}" * 15 + "'",
    "#root == #root",
    "{" + "1," * 950 + "1}.![#this].?[#this > 0].![{#this}] == {}",
    "#wide.![#wide.contains(#this)]",
    "#wide.![#wide == #wide]",
    "#wide.![#root + '']",
    "#long.replace('a', #long)",
    "#wide.![#long.toUpperCase().contains('xyz' + #this)]",
    "#wide.![#long matches '.*' + #this]",
    "#wide.![#long.split('').length]",
    "#wide.![#long.replaceAll('a', 'b').length()]",
    "#wide.![#long + #this]",
    "#wide.?[#wide.?[#wide.?[true].size() > 1].size() > 1]",
    "#deep + ''",
    "#deep == #deep",
    "#deep.![#this]",
]  # fmt: skip
_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)


def fuzzed(seed: int) -> Iterator[str]:
    """Endless expressions: the hostile ones first, then a third each of random tokens, mutated rules and mutated generated ones."""
    chance, generator = random.Random(seed), Generator(seed)
    yield from HOSTILE
    while True:
        yield "".join(chance.choice(TOKENS) for _ in range(chance.randint(1, 30)))
        yield mutated(chance.choice(RULES), chance)
        yield mutated(generator.expression(), chance)


def mutated(expression: str, chance: random.Random) -> str:
    """The expression with some tokens gone, doubled, swapped or replaced."""
    tokens = _TOKEN.findall(expression)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        place, what = chance.randrange(len(tokens) + 1), chance.random()
        at = min(place, len(tokens) - 1)
        if what < 0.25 and len(tokens) > 1:
            del tokens[at]
        elif what < 0.6:
            tokens.insert(place, chance.choice(TOKENS))
        elif what < 0.8:
            tokens[at] = chance.choice(TOKENS)
        elif what < 0.9:
            tokens[place:place] = tokens[max(at - 5, 0) : at + 1]
        else:
            other = chance.randrange(len(tokens))
            tokens[at], tokens[other] = tokens[other], tokens[at]
    return "".join(tokens)


def nested(depth: int) -> object:
    """Data as deep as nobody sends it."""
    made: object = []
    for _ in range(depth):
        made = [made]
    return made
