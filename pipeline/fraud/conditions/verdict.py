"""What a condition says of a case."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

PHOTOS = {"DOG_PHOTO": "dog photo", "SELFIE": "selfie"}
NAMES = {"gpsLatitude": "the position", "timestamp": "the time", "deviceId": "the device", "dogCount": "the number of dogs"}
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


def named(path: str) -> str:
    """What the end of a field's path is called in a sentence: `the position`; the field itself where it has no other name."""
    name = path.rpartition(".")[2]
    return NAMES.get(name, name)


def photos(purposes: Iterable[str]) -> str:
    """The photos of these purposes, as in a sentence; one that has no word is named by its code."""
    return " and ".join(f"the {PHOTOS[one]}" if one in PHOTOS else one for one in purposes)


def span(minutes: float) -> str:
    """A time as people write it: minutes up to two hours, then hours, from two days on days."""
    if minutes < 2 * 60:
        return f"{minutes:.1f} min"
    return f"{minutes / 60:.1f} h" if minutes < 2 * 24 * 60 else f"{minutes / (24 * 60):.1f} days"


def metres(value: float) -> str:
    """A distance as people write it."""
    return f"{value / 1000:.1f} km" if value >= 1000 else f"{value:.0f} m"
