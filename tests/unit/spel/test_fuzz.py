"""Whatever a person or a program writes into a rule: a value or a SpelError, at once, and no memory kept."""

import gc
import itertools
import resource
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.fraud.spel import SpelError, check, evaluate
from tests.unit.spel.fuzzing import HOSTILE, fuzzed, nested
from tests.unit.spel.judged import ADDITIONAL, ROOT, VARIABLES

LIMIT_S = 0.050
GROWTH_KB = 20 * 1024
WARM_UP = 1500  # expressions until caches are full, before memory is looked at
FUZZ_VARIABLES = {**VARIABLES, "wide": [str(number) for number in range(500)], "long": "a" * 10_240, "deep": nested(500)}
SCHEMA = dict.fromkeys(FUZZ_VARIABLES, "any") | {"additionalData": dict.fromkeys(ADDITIONAL, "any"), "deviceId": "text"}


def run(count: int, seed: int) -> tuple[float, str, int]:
    """Evaluate that many; the longest time in processor seconds, of which expression, and the growth of memory in KB."""
    longest, slowest, began_kb = 0.0, "", 0
    gc.collect()
    gc.freeze()  # what the other tests left is not looked through while we measure
    for number, expression in enumerate(itertools.islice(fuzzed(seed), count)):
        if number == min(WARM_UP, count // 2):
            began_kb = resident_kb()
        began = time.process_time()
        with suppress(SpelError):
            evaluate(expression, FUZZ_VARIABLES, ROOT)
        took = time.process_time() - began
        if took > longest:
            longest, slowest = took, expression
    gc.unfreeze()
    return longest, slowest, resident_kb() - began_kb


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 1024


def test_three_thousand_fuzzed_expressions_give_a_value_or_the_one_error_at_once():
    longest, slowest, grown_kb = run(3000, seed=20261122)
    assert longest < LIMIT_S, slowest
    assert grown_kb < GROWTH_KB


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_a_hundred_thousand_fuzzed_expressions_give_a_value_or_the_one_error_at_once(seed):
    longest, slowest, grown_kb = run(100_000, seed)
    assert longest < LIMIT_S, slowest
    assert grown_kb < GROWTH_KB


@pytest.mark.parametrize("expression", HOSTILE, ids=lambda text: text[:40])
def test_a_hostile_expression_ends_in_time(expression):
    began = time.process_time()
    with suppress(SpelError):
        evaluate(expression, FUZZ_VARIABLES, ROOT)
    assert time.process_time() - began < LIMIT_S


def test_the_check_of_a_saved_rule_survives_the_same_expressions():
    for expression in itertools.islice(fuzzed(7), 3000):
        for problem in check(expression, SCHEMA, dict.fromkeys(ROOT, "any")):
            assert problem.message
            assert 0 <= problem.at <= len(expression)


def test_a_caller_deep_in_the_stack_gets_the_error_too():
    def deeper(depth: int) -> object:
        return deeper(depth - 1) if depth else evaluate("(" * 31 + "1" + ")" * 31, {})

    with pytest.raises(SpelError, match="RecursionError"):
        deeper(850)
