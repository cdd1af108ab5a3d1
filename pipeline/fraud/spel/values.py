"""The values of an expression: their kinds, how Java writes them as text, when they are equal and which comes first.

Values are None, bool, int, float, Decimal, str, date, time, datetime, list and dict. What Java tells apart and Python does not
has a class of its own here (Long, Float, Char, Array, Entry, Key); plain() takes them away again from a result.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pipeline.fraud.spel.errors import INT_MAX, INT_MIN, MAX_STEPS, MAX_TEXT, SpelError

MAX_NESTING: Final = 64  # of data: JSON deeper than this is nobody's report
MAX_DECIMAL_EXPONENT: Final = 40  # a Decimal beyond 10^40 is no measured value, and slow
_LONG_BOUND: Final = 2**63


class Long(int):
    """A whole number that Java would hold as long although it would fit an int."""


class Float(float):
    """A number of Java's single precision, already rounded to it."""

    def __new__(cls, value: float) -> "Float":
        try:
            return super().__new__(cls, struct.unpack("f", struct.pack("f", value))[0])
        except OverflowError:
            return super().__new__(cls, float("inf") if value > 0 else float("-inf"))


class Char(str):
    """One character, which Java does not hold equal to a text of one character."""

    __slots__ = ()


class Array(list[Any]):
    """Java's array: like a list, with `length` and without methods."""

    __slots__ = ()


class Collected(list[Any]):
    """The keys or values of a map: a collection that is no list, without places."""

    __slots__ = ()


class Key(NamedTuple):
    """A key of a map that is no text, so that 1, 1.0 and true stay three keys."""

    kind: str
    value: Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a map with its value, while a selection or projection goes through the map."""

    key: Any
    value: Any


class Frame:
    """One evaluation: the variables, the root, what bare names belong to, and the work still allowed."""

    __slots__ = ("root", "scope", "steps", "variables")

    def __init__(self, variables: Mapping[str, Any], root: Any) -> None:
        self.variables, self.root, self.scope, self.steps = variables, root, root, MAX_STEPS

    def charge(self, steps: int) -> None:
        """Take work off what is still allowed. SpelError when none is left."""
        self.steps -= steps
        if self.steps < 0:
            raise SpelError("LIMIT", f"more than {MAX_STEPS} steps")


_KINDS: Final[dict[type, str]] = {
    type(None): "null", bool: "bool", int: "int", Long: "long", Float: "float", float: "double", Decimal: "decimal", str: "text",
    Char: "char", list: "list", tuple: "list", Array: "array", Collected: "collection",
    dict: "map", Entry: "entry", time: "time", datetime: "datetime", date: "date",
}  # fmt: skip
# For subclasses; bool before int and datetime before date, of which they are subclasses themselves
_FAMILIES: Final[tuple[tuple[type, str], ...]] = (
    (bool, "bool"), (int, "int"), (float, "double"), (Decimal, "decimal"), (str, "text"), (list, "list"), (tuple, "list"),
    (Mapping, "map"), (time, "time"), (datetime, "datetime"), (date, "date"),
)  # fmt: skip
RANKS: Final = {"int": 1, "long": 2, "float": 3, "double": 4, "decimal": 5}  # arithmetic is done in the higher of two
NUMBERS: Final = frozenset(RANKS)
LISTS: Final = frozenset({"list", "array", "collection"})
UNWRITTEN: Final = frozenset({"map", "entry", "time", "date", "datetime"})  # Spring has no conversion to text for them
ORDERED: Final = frozenset({"bool", "text", "char", "time", "date", "datetime"})


def kind(value: Any) -> str:
    """What the value is. SpelError for anything that is no value of the language, and for numbers beyond every bound."""
    found = _KINDS.get(type(value)) or next((name for family, name in _FAMILIES if isinstance(value, family)), None)
    if found is None:
        raise SpelError("TYPE", f"{type(value).__name__} is no value of an expression")
    if found == "int" and not INT_MIN <= value <= INT_MAX:
        if not -_LONG_BOUND <= value < _LONG_BOUND:
            raise SpelError("VALUE", "a whole number beyond 64 bits")
        return "long"
    if found == "decimal" and not (value.is_finite() and abs(value.adjusted()) <= MAX_DECIMAL_EXPONENT and _digits(value) <= 60):
        raise SpelError("VALUE", "a decimal number out of bounds")
    return found


def _digits(value: Decimal) -> int:
    return len(value.as_tuple().digits)


def key(value: Any) -> Any:
    """The value as a key of a map. SpelError for lists and maps."""
    if type(value) is str:
        return value
    name = kind(value)
    if name == "text":
        return str(value)
    if name in LISTS or name in {"map", "entry"}:
        raise SpelError("TYPE", f"a {name} cannot be the key of a map")
    return Key(name, value)


def unkey(stored: Any) -> Any:
    """The value that key() made a key of."""
    return stored.value if type(stored) is Key else stored


def double_text(value: float) -> str:
    """A double as Java writes it: 1.0, 1.5E10, Infinity."""
    return _java_digits(repr(float(value)))


def single_text(value: float) -> str:
    """A float as Java writes it: the fewest digits that mean this number in single precision."""
    for digits in range(1, 10):
        shown = f"{value:.{digits}g}"
        if Float(float(shown)) == value:
            return _java_digits(shown)
    return _java_digits(repr(float(value)))


def _java_digits(shown: str) -> str:
    if shown in {"inf", "-inf", "nan"}:
        return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}[shown]
    sign, digits, exponent = Decimal(shown).as_tuple()
    if not isinstance(exponent, int) or not any(digits):
        return "-0.0" if sign else "0.0"
    figures = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + exponent  # digits before the decimal point
    if -3 < point <= 7:  # Java writes 0.001 up to below 10^7 without an exponent
        padded = figures.ljust(point, "0") if point > 0 else "0" * (1 - point) + figures
        cut = max(point, 1)
        number = f"{padded[:cut]}.{padded[cut:] or '0'}"
    else:
        number = f"{figures[0]}.{figures[1:] or '0'}E{point - 1}"
    return "-" + number if sign else number


def time_text(value: time) -> str:
    """A time of day as Java writes it: seconds only where there are some."""
    return value.strftime("%H:%M") if not (value.second or value.microsecond) else value.isoformat()


def text(value: Any, frame: Frame) -> str:
    """The value as its toString() in Java. SpelError beyond the longest text."""
    return str(value) if type(value) is str else "".join(_pieces(value, _Room(frame)))


def joined(value: Any, frame: Frame) -> str:
    """The value as Spring puts it into a text: a list as its items with commas, everything else as text()."""
    return "".join(_joined(value, _Room(frame))) if kind(value) in LISTS else text(value, frame)


class _Room:
    """How much text may still be made. Every piece of it is a step."""

    __slots__ = ("frame", "left")

    def __init__(self, frame: Frame) -> None:
        self.frame, self.left = frame, MAX_TEXT

    def take(self, piece: str) -> str:
        self.frame.charge(1)
        self.left -= len(piece)
        if self.left < 0:
            raise SpelError("LIMIT", f"a text of more than {MAX_TEXT} characters")
        return piece


def _joined(value: Any, room: _Room, depth: int = 0) -> Iterable[str]:
    if depth > MAX_NESTING:
        raise SpelError("LIMIT", "data nested too deep")
    for number, item in enumerate(value):
        if number:
            yield room.take(",")
        if kind(item) in LISTS:
            yield from _joined(item, room, depth + 1)
        elif kind(item) in UNWRITTEN:
            raise SpelError("TYPE", f"a list with a {kind(item)} in it cannot become text")
        else:
            yield from _pieces(item, room, depth + 1)


def _pieces(value: Any, room: _Room, depth: int = 0) -> Iterable[str]:
    if depth > MAX_NESTING:
        raise SpelError("LIMIT", "data nested too deep")
    name = kind(value)
    if name == "array":
        raise SpelError("REFUSED", "an array as text is the name of a Java object; '' + array joins its items")
    if name in LISTS:
        yield room.take("[")
        for number, item in enumerate(value):
            if number:
                yield room.take(", ")
            yield from _pieces(item, room, depth + 1)
        yield room.take("]")
    elif name == "map":
        yield room.take("{")
        for number, (stored, item) in enumerate(value.items()):
            yield from (
                _pieces(unkey(stored), room, depth + 1) if not number else (room.take(", "), *_pieces(unkey(stored), room, depth + 1))
            )
            yield room.take("=")
            yield from _pieces(item, room, depth + 1)
        yield room.take("}")
    elif name == "entry":
        yield from _pieces(value.key, room, depth + 1)
        yield room.take("=")
        yield from _pieces(value.value, room, depth + 1)
    else:
        yield room.take(_simple(name, value))


def _simple(name: str, value: Any) -> str:
    if name in {"text", "char"}:
        return str(value)
    if name == "double":
        return double_text(value)
    if name == "float":
        return single_text(value)
    if name in {"int", "long"}:
        return int.__str__(value)
    if name == "time":
        return time_text(value)
    if name in {"date", "datetime"}:
        return str(value.isoformat())
    return {"null": "null", "bool": "true" if value else "false"}.get(name) or str(value)


def truth(value: Any) -> bool:
    """The value where yes or no is asked: also the texts that Spring takes for it, and a list by its first item."""
    if value is True or value is False:
        return bool(value)
    name = kind(value)
    if name == "bool":
        return bool(value)
    if name == "text":
        word = value.strip().lower()
        if word in {"true", "on", "yes", "1"}:
            return True
        if word in {"false", "off", "no", "0"}:
            return False
    if name in LISTS and value and kind(value[0]) not in LISTS:
        return truth(value[0])
    raise SpelError("TYPE", f"yes or no was asked for, this is {described(value)}")


def described(value: Any) -> str:
    """A value in a message: its kind, and what it is where that is short."""
    name = kind(value)
    return name if name in LISTS | {"null", "map", "entry"} or len(str(value)) > 40 else f"{name} {_simple(name, value)}"


def plain(value: Any) -> Any:
    """A result without this room's own classes: what was given comes back as it was, what an expression made as plain Python."""
    return _plain(value, {}, 0)


def _plain(value: Any, seen: dict[int, Any], depth: int) -> Any:
    made = type(value)
    if made in {bool, int, float, str, type(None)}:
        return value
    simple = {Long: int, Float: float, Char: str}.get(made)
    if simple is not None:
        return simple(value)
    if made not in {list, tuple, dict, Array, Collected, Entry, Key}:
        return value
    if depth > MAX_NESTING:
        raise SpelError("LIMIT", "data nested too deep")
    if id(value) not in seen:  # shared parts stay shared: a small expression can say the same list many times
        seen[id(value)] = _plain_parts(value, seen, depth + 1)
    return seen[id(value)]


def _plain_parts(value: Any, seen: dict[int, Any], depth: int) -> Any:
    if isinstance(value, Key):
        return _plain(value.value, seen, depth)
    if isinstance(value, Entry):
        return {"key": _plain(value.key, seen, depth), "value": _plain(value.value, seen, depth)}
    if isinstance(value, dict):
        return {_plain(stored, seen, depth): _plain(item, seen, depth) for stored, item in value.items()}
    return [_plain(item, seen, depth) for item in value]
