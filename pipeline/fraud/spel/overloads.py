"""Which of a method's forms a call means, and what becomes of its arguments: Spring's way of choosing and converting.

A form that takes the arguments as they are wins; else the only one that takes them converted; two such are an error, as in Spring.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.fraud.spel.errors import INT_MAX, INT_MIN, SpelError
from pipeline.fraud.spel.values import LISTS, NUMBERS, Char, Float, Frame, Long, described, joined, kind

PRIMITIVES: Final = frozenset({"int", "long", "float", "double", "char"})
_NATIVE: Final = {
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "char": "char",
    "Integer": "int",
    "Long": "long",
    "Character": "char",
    "Float": "float",
    "Double": "double",
    "String": "text",
    "CharSequence": "text",
    "Collection": "collection",
    "LocalTime": "time",
}
_CONVERTIBLE: Final = NUMBERS | {"text", "char"}
_WHOLE: Final = re.compile(r"[+-]?(0[xX][0-9a-fA-F]{1,8}|\d{1,19})")
_REAL: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?[fFdD]?")


@dataclass(frozen=True, slots=True)
class Form:
    """One form of a method: the types of its parameters, and what it does with the frame, its target and the arguments."""

    parameters: tuple[str, ...]
    run: Callable[..., Any]
    answer: str = "any"  # the kind of its result, for the check when a rule is saved


Methods = dict[str, tuple[Form, ...]]


def form(parameters: str, run: Callable[..., Any], answer: str = "any") -> Form:
    """A form, with its parameter types in one text."""
    return Form(tuple(parameters.split()), run, answer)


def call(name: str, forms: Sequence[Form], frame: Frame, target: Any, arguments: Sequence[Any]) -> Any:
    """Run the form that these arguments mean. SpelError when none does, or several do."""
    chosen = choose(name, forms, [kind(argument) for argument in arguments])
    values = [
        argument if parameter == "Object" else convert(argument, parameter, frame)
        for argument, parameter in zip(arguments, chosen.parameters, strict=True)
    ]
    return chosen.run(frame, target, *values)


def choose(name: str, forms: Sequence[Form], kinds: Sequence[str]) -> Form:
    """The form for arguments of these kinds."""
    converting = []
    for candidate in forms:
        if len(candidate.parameters) != len(kinds):
            continue
        fits = [_fit(parameter, given) for parameter, given in zip(candidate.parameters, kinds, strict=True)]
        if all(fit == 2 for fit in fits):
            return candidate
        if all(fits):
            converting.append(candidate)
    if not converting:
        raise SpelError("MISSING", f"{name}({', '.join(kinds)}) does not exist")
    if len(converting) > 1:
        raise SpelError("TYPE", f"{name}({', '.join(kinds)}) is ambiguous; give all arguments the same kind")
    return converting[0]


def _fit(parameter: str, given: str) -> int:
    """2: taken as it is, 1: after conversion, 0: not at all."""
    if given == "null":
        return 0 if parameter in PRIMITIVES else 2
    if parameter == "Object" or _NATIVE[parameter] == given or (parameter == "Collection" and given == "list"):
        return 2
    if given in LISTS:
        return 1
    if parameter in {"CharSequence", "LocalTime"}:
        return 0
    if parameter == "Collection":
        return 1
    if parameter == "String":
        return int(given in _CONVERTIBLE or given == "bool")
    return int(given in _CONVERTIBLE)


def convert(value: Any, parameter: str, frame: Frame) -> Any:
    """The value as a parameter of this type takes it. SpelError when its content does not allow it."""
    name = kind(value)
    if name == "null" or _NATIVE[parameter] == name:
        return value
    if parameter == "Collection":
        return value if name in LISTS else [value]
    if parameter == "String":
        return joined(value, frame)
    if name in LISTS:
        if not value:
            raise SpelError("TYPE", f"an empty list is no {parameter}")
        if kind(value[0]) in LISTS:
            raise SpelError("TYPE", f"a list of lists is no {parameter}")
        return convert(value[0], parameter, frame)
    if parameter in {"CharSequence", "LocalTime"}:
        raise SpelError("TYPE", f"{described(value)} is no {parameter}")
    return _number(value, name, parameter)


def to_int(value: Any, frame: Frame) -> int:
    """The value as a place in a list or text. SpelError for what is no number."""
    if type(value) is int and INT_MIN <= value <= INT_MAX:
        return value
    converted = None if value is None else convert(value, "Integer", frame)
    if converted is None or not isinstance(converted, int):
        raise SpelError("TYPE", f"{described(value)} is no place in a list")
    return converted


def to_text(value: Any, frame: Frame) -> str | None:
    """The value where Spring asks for a text: numbers and yes or no as Java writes them. None stays None."""
    name = kind(value)
    if name == "null":
        return None
    if name == "text":
        return str(value)
    if name in LISTS or name in _CONVERTIBLE or name == "bool":
        return joined(value, frame)
    raise SpelError("TYPE", f"{described(value)} is no text")


def _number(value: Any, name: str, parameter: str) -> Any:
    wanted = _NATIVE[parameter]
    if wanted == "char":
        return _character(value, name)
    if name == "char":
        value, name = ord(value), "int"
    if name not in _CONVERTIBLE:
        raise SpelError("TYPE", f"{described(value)} is no {parameter}")
    if name == "text":
        value = _parsed(value.strip(), wanted in {"int", "long"})
    if wanted == "double":
        return float(value)
    if wanted == "float":
        return Float(float(value))
    return narrowed(value, wanted)


def _parsed(written: str, whole: bool) -> int | float:
    if whole and _WHOLE.fullmatch(written):
        return int(written, 16 if "x" in written.lower() else 10)
    if not whole and _REAL.fullmatch(written):
        return float(written.rstrip("fFdD"))
    raise SpelError("TYPE", f"the text {written[:40]!r} is no number")


def narrowed(value: Any, wanted: str) -> int:
    """A number without its fraction as int or long. SpelError when it does not fit."""
    if value != value:  # noqa: PLR0124 - NaN
        return 0
    if value in (float("inf"), float("-inf")):
        raise SpelError("VALUE", "an infinite number is beyond 10^18")
    number = int(value)
    if not (INT_MIN <= number <= INT_MAX if wanted == "int" else -(2**63) <= number < 2**63):
        raise SpelError("VALUE", f"the number does not fit {wanted}")
    return Long(number) if wanted == "long" and INT_MIN <= number <= INT_MAX else number


def _character(value: Any, name: str) -> Char:
    if name == "text":
        if len(value) != 1:
            raise SpelError("TYPE", f"{described(value)} is not one character")
        return Char(value)
    number = narrowed(value, "int") & 0xFFFF
    if 0xD800 <= number <= 0xDFFF:
        raise SpelError("VALUE", "half a character")
    return Char(chr(number))
