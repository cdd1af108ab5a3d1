"""The methods and properties that a value has, by its kind: those of Java that only read. What is not in the tables does not exist."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.fraud.spel import regex
from pipeline.fraud.spel.errors import SpelError
from pipeline.fraud.spel.operators import bounded, order, same
from pipeline.fraud.spel.overloads import Form, Methods, form, narrowed
from pipeline.fraud.spel.values import LISTS, Array, Char, Collected, Entry, Float, Frame, described, key, kind, text, unkey

UNKEYED: Final = LISTS | {"map", "entry"}  # cannot be the key of a map
_SPACES: Final = "".join(map(chr, range(33)))  # what Java's trim() takes away


def _given(value: Any) -> Any:
    if value is None:
        raise SpelError("TYPE", "a method was given null")
    return value


def _text_index(subject: str, sought: str | int, begin: int = 0) -> int:
    wanted = _character(sought) if isinstance(sought, int) else sought
    begin = max(begin, 0)
    return len(subject) if wanted == "" and begin > len(subject) else subject.find(wanted, begin)


def _text_last(subject: str, sought: str | int, begin: int | None = None) -> int:
    wanted = _character(sought) if isinstance(sought, int) else sought
    if begin is None:
        return subject.rfind(wanted)
    return -1 if begin < 0 else subject.rfind(wanted, 0, begin + len(wanted))


def _character(number: int) -> str:
    return chr(number) if 0 <= number < 0x110000 else "\U0010ffff\U0010ffff"  # no character: found nowhere


def _substring(subject: str, begin: int, end: int | None = None) -> str:
    last = len(subject) if end is None else end
    if not 0 <= begin <= last <= len(subject):
        raise SpelError("VALUE", f"a text of {len(subject)} characters has no part from {begin} to {last}")
    return subject[begin:last]


def _char_at(subject: str, place: int) -> Char:
    if not 0 <= place < len(subject):
        raise SpelError("VALUE", f"a text of {len(subject)} characters has no character {place}")
    return Char(subject[place])


def _text_order(left: str, right: str) -> int:
    """Java's compareTo: the difference of the first characters that differ, else of the lengths."""
    for one, other in zip(left, right, strict=False):
        if one != other:
            return ord(one) - ord(other)
    return len(left) - len(right)


def _same_letters(left: str, right: str | None) -> bool:
    return right is not None and len(left) == len(right) and (left.upper() == right.upper() or left.lower() == right.lower())


def _starts(subject: str, prefix: str, begin: int = 0) -> bool:
    return 0 <= begin <= len(subject) and subject.startswith(prefix, begin)


def _replaced(subject: str, old: str, new: str) -> str:
    made = max(len(new) - len(old), 0) * subject.count(old)
    if made > 2 * len(subject) + 20_480:  # before it is made
        raise SpelError("LIMIT", "a replacement that grows without bound")
    return bounded(subject.replace(old, new))


def _on_text(run: Callable[..., Any]) -> Callable[..., Any]:
    """A method of texts that needs no frame. A long text is more than one step."""

    def method(frame: Frame, subject: str, *arguments: Any) -> Any:
        if len(subject) > 256:
            frame.charge(len(subject) >> 7)
        for argument in arguments:
            _given(argument)
        return run(subject, *arguments)

    return method


def _plain(run: Callable[..., Any]) -> Callable[..., Any]:
    """A method that needs no frame."""
    return lambda _frame, *arguments: run(*arguments)


_COMMON: Final[Methods] = {
    "equals": (form("Object", lambda frame, one, other: same(one, other, frame), "bool"),),
    "toString": (form("", lambda frame, value: text(value, frame), "text"),),
}


def _compare(one: Any, other: Any) -> int:
    return order(one, _given(other))


def _forms(*entries: tuple[str, str, Callable[..., Any], str]) -> dict[str, tuple[Form, ...]]:
    """Methods from rows of name, parameters, what it does and the kind of its result; a name may have several rows."""
    table: dict[str, tuple[Form, ...]] = {}
    for name, parameters, run, answer in entries:
        table[name] = (*table.get(name, ()), form(parameters, run, answer))
    return table


_T = _on_text
TEXT: Final[Methods] = _COMMON | _forms(
    ("charAt", "int", _T(_char_at), "text"),
    ("compareTo", "String", _T(_text_order), "number"),
    ("compareToIgnoreCase", "String", _T(lambda s, o: _text_order(s.upper().lower(), o.upper().lower())), "number"),
    ("concat", "String", _T(lambda s, o: bounded(s + o)), "text"),
    ("contains", "CharSequence", _T(lambda s, o: o in s), "bool"),
    ("contentEquals", "CharSequence", _T(lambda s, o: s == o), "bool"),
    ("endsWith", "String", _T(lambda s, o: s.endswith(o)), "bool"),
    ("equalsIgnoreCase", "String", _plain(_same_letters), "bool"),
    ("indexOf", "int", _T(_text_index), "number"),
    ("indexOf", "String", _T(_text_index), "number"),
    ("indexOf", "int int", _T(_text_index), "number"),
    ("indexOf", "String int", _T(_text_index), "number"),
    ("isBlank", "", _T(lambda s: not s.strip()), "bool"),
    ("isEmpty", "", _T(lambda s: not s), "bool"),
    ("lastIndexOf", "int", _T(_text_last), "number"),
    ("lastIndexOf", "String", _T(_text_last), "number"),
    ("lastIndexOf", "int int", _T(_text_last), "number"),
    ("lastIndexOf", "String int", _T(_text_last), "number"),
    ("length", "", _T(len), "number"),
    ("matches", "String", lambda frame, s, o: regex.matches(s, _given(o), frame), "bool"),
    ("replace", "char char", _T(_replaced), "text"),
    ("replace", "CharSequence CharSequence", _T(_replaced), "text"),
    ("replaceAll", "String String", lambda f, s, o, n: regex.replace(s, _given(o), _given(n), False, f), "text"),
    ("replaceFirst", "String String", lambda f, s, o, n: regex.replace(s, _given(o), _given(n), True, f), "text"),
    ("split", "String", lambda f, s, o: Array(regex.split(s, _given(o), 0, f)), "list"),
    ("split", "String int", lambda f, s, o, n: Array(regex.split(s, _given(o), n, f)), "list"),
    ("startsWith", "String", _T(_starts), "bool"),
    ("startsWith", "String int", _T(_starts), "bool"),
    ("strip", "", _T(str.strip), "text"),
    ("subSequence", "int int", _T(_substring), "text"),
    ("substring", "int", _T(_substring), "text"),
    ("substring", "int int", _T(_substring), "text"),
    ("toLowerCase", "", _T(lambda s: bounded(s.lower())), "text"),
    ("toUpperCase", "", _T(lambda s: bounded(s.upper())), "text"),
    ("trim", "", _T(lambda s: s.strip(_SPACES)), "text"),
)


def _place(frame: Frame, items: Any, sought: Any, backwards: bool = False) -> int:
    places = range(len(items) - 1, -1, -1) if backwards else range(len(items))
    return next((place for place in places if same(items[place], sought, frame)), -1)


def item(items: Any, place: int) -> Any:
    """The item at a place from 0. SpelError when there is none."""
    if not 0 <= place < len(items):
        raise SpelError("VALUE", f"a list of {len(items)} has no item {place}")
    return items[place]


def _part(items: Any, begin: int, end: int) -> list[Any]:
    if not 0 <= begin <= end <= len(items):
        raise SpelError("VALUE", f"a list of {len(items)} has no part from {begin} to {end}")
    return list(items[begin:end])


COLLECTION: Final[Methods] = _COMMON | _forms(
    ("contains", "Object", lambda frame, items, sought: _place(frame, items, sought) >= 0, "bool"),
    ("containsAll", "Collection", lambda f, items, all_: all(_place(f, items, one) >= 0 for one in _given(all_)), "bool"),
    ("isEmpty", "", _plain(lambda items: not items), "bool"),
    ("size", "", _plain(len), "number"),
)
LIST: Final[Methods] = COLLECTION | _forms(
    ("get", "int", _plain(item), "any"),
    ("indexOf", "Object", _place, "number"),
    ("lastIndexOf", "Object", lambda frame, items, sought: _place(frame, items, sought, True), "number"),
    ("subList", "int int", _plain(_part), "list"),
)


def _has_value(frame: Frame, entries: Mapping[Any, Any], sought: Any) -> bool:
    return any(same(value, sought, frame) for value in entries.values())


def found(entries: Mapping[Any, Any], wanted: Any, otherwise: Any = None) -> Any:
    """The value of a key, or `otherwise`: a list or map is the key of nothing."""
    return otherwise if kind(wanted) in UNKEYED else entries.get(key(wanted), otherwise)


def _counted(run: Callable[[Mapping[Any, Any]], Any]) -> Callable[[Frame, Mapping[Any, Any]], Any]:
    def method(frame: Frame, entries: Mapping[Any, Any]) -> Any:
        frame.charge(len(entries))
        return run(entries)

    return method


MAP: Final[Methods] = _COMMON | _forms(
    ("containsKey", "Object", _plain(lambda m, k: kind(k) not in UNKEYED and key(k) in m), "bool"),
    ("containsValue", "Object", _has_value, "bool"),
    ("entrySet", "", _counted(lambda m: Collected(Entry(unkey(k), v) for k, v in m.items())), "list"),
    ("get", "Object", _plain(found), "any"),
    ("getOrDefault", "Object Object", _plain(found), "any"),
    ("isEmpty", "", _plain(lambda m: not m), "bool"),
    ("keySet", "", _counted(lambda m: Collected(unkey(k) for k in m)), "list"),
    ("size", "", _plain(len), "number"),
    ("values", "", _counted(lambda m: Collected(m.values())), "list"),
)
_NUMBER: Final[Methods] = _COMMON | _forms(
    ("doubleValue", "", _plain(float), "number"),
    ("floatValue", "", _plain(lambda n: Float(float(n))), "number"),
    ("intValue", "", _plain(lambda n: narrowed(n, "int")), "number"),
    ("longValue", "", _plain(lambda n: narrowed(n, "long")), "number"),
)
_MOMENT: Final[Methods] = _COMMON | _forms(
    ("isAfter", "Object", _plain(lambda a, b: _compare(a, b) > 0), "bool"),
    ("isBefore", "Object", _plain(lambda a, b: _compare(a, b) < 0), "bool"),
)
_CLOCK: Final[Methods] = _forms(
    ("getHour", "", _plain(lambda t: t.hour), "number"),
    ("getMinute", "", _plain(lambda t: t.minute), "number"),
    ("getSecond", "", _plain(lambda t: t.second), "number"),
)
_CALENDAR: Final[Methods] = _forms(
    ("getYear", "", _plain(lambda d: d.year), "number"),
    ("getMonthValue", "", _plain(lambda d: d.month), "number"),
    ("getDayOfMonth", "", _plain(lambda d: d.day), "number"),
    ("getDayOfYear", "", _plain(lambda d: d.timetuple().tm_yday), "number"),
)


def _comparing(parameter: str) -> dict[str, tuple[Form, ...]]:
    return _forms(("compareTo", parameter, _plain(_compare), "number"))


_FRACTION: Final = _forms(
    ("isNaN", "", _plain(lambda n: n != n), "bool"),  # noqa: PLR0124
    ("isInfinite", "", _plain(lambda n: n in (float("inf"), float("-inf"))), "bool"),
)
METHODS: Final[Mapping[str, Methods]] = {
    "null": {},
    "bool": _COMMON | _forms(("booleanValue", "", _plain(bool), "bool")),
    "int": _NUMBER | _comparing("Integer"),
    "long": _NUMBER | _comparing("Long"),
    "float": _NUMBER | _FRACTION | _comparing("Float"),
    "double": _NUMBER | _FRACTION | _comparing("Double"),
    "decimal": _NUMBER,
    "text": TEXT,
    "char": _COMMON | _forms(("compareTo", "Character", _plain(lambda one, other: ord(one) - ord(_given(other))), "number")),
    "list": LIST,
    "collection": COLLECTION,
    "array": {"equals": _COMMON["equals"]},
    "map": MAP,
    "entry": _COMMON | _forms(("getKey", "", _plain(lambda e: e.key), "any"), ("getValue", "", _plain(lambda e: e.value), "any")),
    "time": _MOMENT | _CLOCK | _comparing("LocalTime"),
    "date": _MOMENT | _CALENDAR,
    "datetime": _MOMENT | _CLOCK | _CALENDAR,
}


# What Java has and an expression may not use, with the kinds of value it belongs to: it changes, shows Java's insides, or grows
REFUSED: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset({"chars", "codePointAt", "format", "formatted", "getBytes", "getChars", "intern", "lines", "repeat", "toCharArray"}),
    "list": frozenset({"add", "addAll", "clear", "iterator", "remove", "removeAll", "removeIf", "set", "sort", "stream"}),
    "collection": frozenset({"add", "clear", "iterator", "remove", "removeAll", "stream"}),
    "map": frozenset({"clear", "compute", "merge", "put", "putAll", "putIfAbsent", "remove", "replace", "replaceAll"}),
    "array": frozenset({"toString"}),
}
REFUSED_OF_ALL: Final = frozenset({"class", "getClass", "hashCode", "notify", "wait"})


def missing(value_kind: str, name: str, value: Any, at: int) -> SpelError:
    """The error for a method or property that a value does not have: whether it is refused, or does not exist."""
    if name in REFUSED_OF_ALL or name in REFUSED.get(value_kind, ()):
        return SpelError("REFUSED", f"{name} of a {value_kind} is not allowed", at)
    return SpelError("MISSING", f"there is no {name} in {described(value)}", at, name if value_kind == "map" else None)


def _getters(kind_name: str) -> dict[str, Form]:
    """The methods without parameters that Java lets be read as properties: getHour as hour, isEmpty as empty."""
    read = {}
    for name, forms in METHODS[kind_name].items():
        for prefix in ("get", "is"):
            rest = name.removeprefix(prefix)
            if rest != name and rest[:1].isupper() and not forms[0].parameters:
                read[rest[0].lower() + rest[1:]] = forms[0]
    return read


PROPERTIES: Final = {kind_name: _getters(kind_name) for kind_name in METHODS} | {"array": {"length": form("", _plain(len), "number")}}


def read_property(frame: Frame, value: Any, name: str, at: int) -> Any:
    """`value.name`: a map's key, or what Java reads by a getter. SpelError MISSING when there is none."""
    if isinstance(value, dict) and name in value:
        return value[name]
    if value is None:
        raise SpelError("MISSING", f"{name} of nothing (null); ?.{name} would be null", at)
    value_kind = kind(value)
    if value_kind == "map" and name in value:
        return value[name]
    getter = PROPERTIES[value_kind].get(name)
    if getter is None:
        raise missing(value_kind, name, value, at)
    return getter.run(frame, value)
