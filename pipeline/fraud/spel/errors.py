"""The one error of the expression language, and the limits that every expression lives in.

Whatever goes wrong, in the text or in the values, is a SpelError; nothing else comes out of this room.
"""

from collections.abc import Mapping
from typing import Final

MAX_CHARACTERS: Final = 2_000  # the longest of the programme's rules has 150
MAX_DEPTH: Final = 32  # nesting; each level costs about ten Python frames of the thousand there are
MAX_STEPS: Final = 10_000  # about 5 ms of loops; outside loops the length of the text bounds the work
MAX_TEXT: Final = 10_240  # characters of one text made by an expression
MAX_INTEGER: Final = 10**18  # of a result; within Java's long, so nothing wraps round
INT_MIN: Final = -(2**31)  # Java's int, the type of a whole number without L
INT_MAX: Final = 2**31 - 1

# What can go wrong, for those who must tell one from another
CODES: Final[Mapping[str, str]] = {
    "SYNTAX": "the text is no expression",
    "REFUSED": "Spring would allow it, the programme does not",
    "MISSING": "a field, method or function that is not there, or something of nothing",
    "TYPE": "values of a kind that the operation does not take",
    "VALUE": "a value outside what the operation takes: an index, a divisor, a number out of bounds",
    "LIMIT": "too long, too deep or too much work",
}


class SpelError(Exception):
    """An expression that cannot be read or evaluated. `code` is one of CODES; `at` the place in the text from 0, or None.

    `name`: the field that a map does not have, for the rule that a validator's missing answer skips; else None.
    """

    def __init__(self, code: str, message: str, at: int | None = None, name: str | None = None) -> None:
        super().__init__(message if at is None else f"{message} (at character {at + 1})")
        self.code, self.message, self.at, self.name = code, message, at, name
