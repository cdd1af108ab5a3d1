"""Selection and projection: what goes through the items of a list, an array or a map. The only loops there are; each item is charged."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipeline.fraud.spel.errors import SpelError
from pipeline.fraud.spel.values import LISTS, Array, Entry, Frame, Key, described, key, kind, unkey

Run = Callable[[Frame], Any]


def project(frame: Frame, value: Any, body: Run, cost: int, safe: bool, at: int) -> Any:
    """`.![body]`: the body's value for every item."""
    if value is None and safe:
        return None
    name = kind(value)
    made = [result for _, result in _each(frame, _items(value, name, "projection", at), body, cost)]
    return Array(made) if name == "array" else made


def select(frame: Frame, value: Any, criterion: Run, which: str, cost: int, safe: bool, at: int) -> Any:
    """`.?[criterion]`: the items for which it is true; `.^[…]` the first of them, `.$[…]` the last, null without one."""
    if value is None and safe:
        return None
    name = kind(value)
    chosen = []
    for item, holds in _each(frame, _items(value, name, "selection", at), criterion, cost):
        if holds is not True and holds is not False:
            raise SpelError("TYPE", f"a selection asks yes or no, this is {described(holds)}", at)
        if holds:
            chosen.append(item)
            if which == "^":
                break
    if name == "map":
        return _entries(frame, chosen, which)
    if which == "?":
        return Array(chosen) if name == "array" else chosen
    return chosen[-1] if chosen else None


def _items(value: Any, name: str, what: str, at: int) -> Iterable[Any]:
    if name == "map":
        return [Entry(unkey(stored), item) for stored, item in value.items()]
    if name in LISTS:
        return list(value)
    raise SpelError("TYPE", f"{described(value)} has no items for a {what}", at)


def _each(frame: Frame, items: Iterable[Any], body: Run, cost: int) -> Iterable[tuple[Any, Any]]:
    scope = frame.scope
    for item in items:
        frame.charge(cost)
        frame.scope = item
        result = body(frame)
        frame.scope = scope
        yield item, result


def _entries(frame: Frame, chosen: list[Entry], which: str) -> dict[Any, Any] | None:
    if which != "?":
        return {key(chosen[-1].key): chosen[-1].value} if chosen else None
    frame.charge(len(chosen))
    return hashed({key(entry.key): entry.value for entry in chosen})


def hashed(entries: Mapping[Any, Any]) -> dict[Any, Any]:
    """The entries in the order of a Java HashMap, which is what Spring selects a map into."""
    size = 16
    while len(entries) > size * 3 // 4:
        size *= 2
    return dict(sorted(entries.items(), key=lambda entry: _bucket(entry[0], size)))


def _bucket(stored: Any, size: int) -> int:
    if isinstance(stored, Key):
        number = int(stored.value) & 0xFFFFFFFF if stored.kind == "int" else 0
    else:
        number = 0
        for character in str(stored)[:256]:
            number = (31 * number + ord(character)) & 0xFFFFFFFF
    return (number ^ number >> 16) & (size - 1)
