"""Where we mean to differ from Spring, each with its reason: the only ones that the comparison lets pass."""

import re

from pipeline.fraud.spel import SpelError, evaluate
from tests.unit.spel.judged import ROOT, VARIABLES

OVERFLOW = "a whole number that wraps round or is cut off there is an error here"
REFUSED = "refused here: it changes a value, repeats a text, shows Java's insides or names another type"
DIGITS = "Java before 19 writes more digits of some numbers than are needed"


def difference(expression: str, theirs: str) -> str | None:
    """The reason why our answer may be another than Spring's, or None when it may not."""
    try:
        found = evaluate(expression, VARIABLES, ROOT)
    except SpelError as error:
        if "does not fit" in error.message or "10^18" in error.message:
            return OVERFLOW
        return REFUSED if error.code == "REFUSED" else None
    same = isinstance(found, str) and _rounded(f"str\t{found}") == _rounded(theirs)
    return DIGITS if same else None


def _rounded(answer: str) -> str:
    """The answer with every fractional number in it cut to six digits."""
    return re.sub(r"\d+\.\d+(E-?\d+)?", lambda number: f"{float(number[0]):.5e}", answer)
