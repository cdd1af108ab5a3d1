"""Paths such as `detections[class=dog].count`: how master data names a place in an answer, or a fact of a report.

A step is a name, with at most one selection behind it: `[*]` all items, `[2]` one of them, `[class=dog]` those with this
value. Behind a list `count` says how many there are and `exists` whether there is one.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

MISSING: Final = object()  # nothing stands there; null in an answer counts as the same
KEPT = 512  # paths; the shipped validators have about forty
_DOT = re.compile(r"\.(?![^\[\]]*\])")  # one between brackets belongs to a value
_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_-]*)(?:\[(?:(\*)|([0-9]{1,4})|([A-Za-z_][A-Za-z0-9_-]*)=([^\[\]=]+))\])?")


class Step(NamedTuple):
    """A name, and what is taken of the list behind it."""

    name: str
    every: bool = False
    place: int | None = None
    key: str | None = None
    value: str | None = None

    @property
    def selects(self) -> bool:
        return self.every or self.place is not None or self.key is not None


@lru_cache(maxsize=KEPT)
def parse(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises ValueError for what is none."""
    steps = []
    for part in _DOT.split(path):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ValueError(f"{path!r} is not a path")
        name, every, place, key, value = match.groups()
        steps.append(Step(name, every is not None, None if place is None else int(place), key, value))
    return tuple(steps)


def read(path: str, root: Any) -> Any:
    """What stands at the path, or MISSING. A step behind several items gives a list of what they have there."""
    found: Any = root
    for step in parse(path):
        found = _take(found, step)
        if found is MISSING or found is None:
            return MISSING
    return found


def _take(found: Any, step: Step) -> Any:
    if isinstance(found, Mapping):
        return _select(found.get(step.name, MISSING), step)
    if not _is_list(found):
        return MISSING
    if step.name == "count" and not step.selects:
        return len(found)
    if step.name == "exists" and not step.selects:
        return bool(found)
    several = [item[step.name] for item in found if isinstance(item, Mapping) and step.name in item]
    return MISSING if step.selects else several


def _select(found: Any, step: Step) -> Any:
    if not step.selects:
        return found
    if not _is_list(found):
        return MISSING
    if step.every:
        return list(found)
    if step.place is not None:
        return found[step.place] if step.place < len(found) else MISSING
    return [item for item in found if isinstance(item, Mapping) and step.key in item and _text(item[step.key]) == step.value]


def _is_list(found: Any) -> bool:
    return isinstance(found, Sequence) and not isinstance(found, str | bytes)


def _text(value: Any) -> str:
    """A value as a path writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
