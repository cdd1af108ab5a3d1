"""What a condition says of a case."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Verdict(NamedTuple):
    """Whether the condition holds, in words with the measured value, and the numbers behind it.

    `skipped`: nothing was looked at, for the reason in `message`; the rule is without effect.
    """

    fired: bool
    message: str
    threshold: float | int | str | bool | None = None
    value: float | int | str | bool | None = None
    details: Mapping[str, Any] = NOTHING
    skipped: bool = False


CLEAR = Verdict(False, "")  # for cases that want no words for what did not fire


class UnevaluableError(ValueError):
    """The condition cannot be evaluated on this case; the message says why. A person has to look."""


def plural(count: int, word: str) -> str:
    """`1 report`, `2 reports`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def metres(value: float) -> str:
    """A distance as people write it."""
    return f"{value / 1000:.1f} km" if value >= 1000 else f"{value:.0f} m"
