"""CUSTOM: fires when its expression is true of the report's variables."""

import re
from functools import lru_cache
from typing import Any

from pipeline.fraud import spel
from pipeline.fraud.case import Case
from pipeline.fraud.conditions.verdict import CLEAR, UnevaluableError, Verdict
from pipeline.masterdata.fraud_models import Custom

# `#name` and `#name['key']`, for telling what was looked at
_NAMED = re.compile(r"#(\w+)(?:\['([^']{1,64})'\])?")
UNSAID = frozenset({"applicantId", "applicantName", "mobileNumber", "evidences"})  # persons, and what is no single value
KEPT = 256
MAX_SHOWN = 120  # characters of one value


def evaluate(condition: Custom, case: Case) -> Verdict:
    """What the rule's author wrote holds of the report. Anything but true or false is an error, as is a name that leads nowhere."""
    try:
        result = spel.compile(condition.expression).evaluate(case.variables, None)
    except spel.SpelError as error:
        raise UnevaluableError(str(error)) from error
    if not isinstance(result, bool):
        raise UnevaluableError(f"the expression gave {type(result).__name__}, not true or false")
    if not result and not case.explain:
        return CLEAR
    seen = [(name, key, _value(case, name, key)) for name, key in _looked_at(condition.expression)]
    evaluated = ", ".join(f"#{name}{f'[{key!r}]' if key else ''} = {_shown(value)}" for name, key, value in seen)
    words = ", ".join(f"{key or name} is {_shown(value)}" for name, key, value in seen) or "The expression holds"
    single = seen[0][2] if len(seen) == 1 and isinstance(seen[0][2], str | int | float | bool) else None
    return Verdict(result, words, value=single, details={"evaluated": evaluated})


@lru_cache(maxsize=KEPT)
def _looked_at(expression: str) -> tuple[tuple[str, str], ...]:
    """The variables that the expression names, each once; a map that is only asked for its keys is not named by itself."""
    found = dict.fromkeys((name, key) for name, key in _NAMED.findall(expression) if name not in UNSAID)
    keyed = {name for name, key in found if key}
    return tuple((name, key) for name, key in found if key or name not in keyed)


def _value(case: Case, name: str, key: str) -> Any:
    value = case.variables.get(name)
    return value.get(key) if key and isinstance(value, dict) else value


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
