"""Equality, order and arithmetic, with Java's numbers: whole division, remainders of the dividend's sign, promotion to the wider kind."""

import decimal
import math
import operator
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pipeline.fraud.spel.errors import INT_MAX, INT_MIN, MAX_INTEGER, MAX_TEXT, SpelError
from pipeline.fraud.spel.values import (
    LISTS,
    MAX_NESTING,
    NUMBERS,
    ORDERED,
    RANKS,
    Float,
    Frame,
    Long,
    described,
    double_text,
    joined,
    kind,
    single_text,
)

_DECIMALS: Final = decimal.Context(prec=60, rounding=decimal.ROUND_HALF_EVEN)  # digits; more than any input may have
MAX_POWER: Final = 99  # of a decimal; others are computed as doubles
_TEXTS: Final = frozenset({"text"})


def widened(value: Any, name: str, rank: int) -> Any:
    """A number of kind `name` as one of that rank."""
    if rank == 5:
        return value if name == "decimal" else Decimal(single_text(value) if name == "float" else text_of(value, name))
    if rank == 4:
        return float(value)
    return Float(float(value)) if rank == 3 else value


def text_of(value: Any, name: str) -> str:
    """A number as Java writes it. SpelError for infinities, which no decimal holds."""
    if name != "double":
        return int.__str__(value)
    if not math.isfinite(value):
        raise SpelError("VALUE", "an infinite number cannot become a decimal")
    return double_text(value)


def equal(left: Any, right: Any, frame: Frame) -> bool:
    """`==`: numbers by value whatever their kind, everything else only within its kind."""
    one, other = type(left), type(right)
    if one is other and (one is str or one is int or one is float or one is bool):
        return bool(left == right)
    if left is None or right is None:
        return left is right
    left_kind, right_kind = kind(left), kind(right)
    if left_kind in NUMBERS and right_kind in NUMBERS:
        rank = max(RANKS[left_kind], RANKS[right_kind])
        return bool(widened(left, left_kind, rank) == widened(right, right_kind, rank))
    return same(left, right, frame)


def same(left: Any, right: Any, frame: Frame, depth: int = 0) -> bool:
    """Java's equals(): the same kind and the same value; an int is no long."""
    frame.charge(1)
    if depth > MAX_NESTING:
        raise SpelError("LIMIT", "data nested too deep")
    left_kind, right_kind = kind(left), kind(right)
    if left_kind != right_kind:
        return False
    if left_kind in LISTS:
        return len(left) == len(right) and all(same(a, b, frame, depth + 1) for a, b in zip(left, right, strict=True))
    if left_kind == "map":
        return len(left) == len(right) and all(
            stored in right and same(item, right[stored], frame, depth + 1) for stored, item in left.items()
        )
    if left_kind in {"double", "float"}:
        return bool(left == right and math.copysign(1, left) == math.copysign(1, right)) or (left != left and right != right)  # noqa: PLR0124
    return bool(left == right)


def order(left: Any, right: Any) -> int:
    """Below, at or above zero as left comes before, with or after right. Nothing (null) comes before everything."""
    if left is None or right is None:
        return (left is not None) - (right is not None)
    left_kind, right_kind = kind(left), kind(right)
    if left_kind in NUMBERS and right_kind in NUMBERS:
        rank = max(RANKS[left_kind], RANKS[right_kind])
        one, other = widened(left, left_kind, rank), widened(right, right_kind, rank)
        return _number_order(one, other)
    if left_kind != right_kind or left_kind not in ORDERED or not _comparable(left, right):
        raise SpelError("TYPE", f"{described(left)} and {described(right)} have no order")
    if left_kind == "text":
        left, right = left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass")  # as Java orders them
    return (left > right) - (left < right)


def _number_order(one: Any, other: Any) -> int:
    """Java's compare(): NaN after every number, and -0.0 before 0.0."""
    if one != other:
        return -1 if one < other else 1 if one > other else (one != one) - (other != other)  # noqa: PLR0124
    if isinstance(one, float) and one == 0:
        return int(math.copysign(1, one) > 0) - int(math.copysign(1, other) > 0)
    return 0


def _comparable(left: Any, right: Any) -> bool:
    """Whether both know their time zone or neither does."""
    return not isinstance(left, datetime) or (left.tzinfo is None) == (right.tzinfo is None)


def comparison(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    """One of `<`, `<=`, `>`, `>=`, with a short way for two numbers of one kind."""

    def compare(left: Any, right: Any) -> bool:
        one, other = type(left), type(right)
        if one is other and (one is int or one is float):
            return test(left, right)
        if left is not None and right is not None:
            left_kind, right_kind = kind(left), kind(right)
            if left_kind in NUMBERS and right_kind in NUMBERS:
                rank = max(RANKS[left_kind], RANKS[right_kind])
                return test(widened(left, left_kind, rank), widened(right, right_kind, rank))
        return test(order(left, right), 0)

    return compare


less, at_most, greater, at_least = (comparison(test) for test in (operator.lt, operator.le, operator.gt, operator.ge))


def between(value: Any, bounds: Any) -> bool:
    """`between`: bounds included, given as a list of two."""
    if kind(bounds) != "list" or len(bounds) != 2:
        raise SpelError("TYPE", "between takes a list of two: value between {low, high}")
    return order(value, bounds[0]) >= 0 and order(value, bounds[1]) <= 0


def whole(value: int, long: bool) -> int:
    """A result in its kind. SpelError where Java would wrap round, and beyond the bound of the language."""
    if INT_MIN <= value <= INT_MAX:
        return Long(value) if long else value
    if not long:
        raise SpelError("VALUE", f"{value} does not fit an int; write one of the numbers with L behind it")
    if abs(value) > MAX_INTEGER:
        raise SpelError("VALUE", "a whole number beyond 10^18")
    return value


def bounded(value: str) -> str:
    """A made text. SpelError when it is too long."""
    if len(value) > MAX_TEXT:
        raise SpelError("LIMIT", f"a text of more than {MAX_TEXT} characters")
    return value


def plus(left: Any, right: Any, frame: Frame) -> Any:
    """`+`: numbers are added; with a text on either side both become text."""
    one, other = type(left), type(right)
    if one is float and other is float:
        return left + right
    if one is int and other is int and INT_MIN <= left <= INT_MAX and INT_MIN <= right <= INT_MAX:
        return whole(left + right, False)
    left_kind, right_kind = kind(left), kind(right)
    if left_kind in _TEXTS or right_kind in _TEXTS:
        return bounded(joined(left, frame) + joined(right, frame))
    return _numeric("+", left, left_kind, right, right_kind)


def minus(left: Any, right: Any, _frame: Frame) -> Any:
    """`-` of numbers; of a text of one character and an int the character that many before it, as Spring has it."""
    left_kind, right_kind = kind(left), kind(right)
    if left_kind == "text" and right_kind == "int" and len(left) == 1:
        return _shifted(left, -right)
    return _numeric("-", left, left_kind, right, right_kind)


def _shifted(character: str, by: int) -> str:
    number = (ord(character) + by) & 0xFFFF  # Java's char has 16 bits
    if 0xD800 <= number <= 0xDFFF:
        raise SpelError("VALUE", "half a character")
    return chr(number)


def calculate(symbol: str, left: Any, right: Any) -> Any:
    """`*`, `/`, `%` or `^` of two numbers."""
    return _numeric(symbol, left, kind(left), right, kind(right))


def negative(value: Any) -> Any:
    """`-` before a number: zero less it, as Spring computes it."""
    name = kind(value)
    if name not in NUMBERS:
        raise SpelError("TYPE", f"- takes a number, this is {described(value)}")
    return _numeric("-", 0, "int", value, name)


def positive(value: Any) -> Any:
    """`+` before a number."""
    if kind(value) not in NUMBERS:
        raise SpelError("TYPE", f"+ takes a number, this is {described(value)}")
    return value


def _numeric(symbol: str, left: Any, left_kind: str, right: Any, right_kind: str) -> Any:
    if left_kind not in NUMBERS or right_kind not in NUMBERS:
        if symbol == "*" and left_kind == "text" and right_kind == "int":
            raise SpelError("REFUSED", "a text is not repeated with *")
        raise SpelError("TYPE", f"{symbol} does not take {described(left)} and {described(right)}")
    rank = max(RANKS[left_kind], RANKS[right_kind])
    left, right = widened(left, left_kind, rank), widened(right, right_kind, rank)
    if rank == 5:
        return _decimal(symbol, left, right)
    if symbol == "^" and rank >= 3:
        return power(left, right)
    if rank >= 3:
        result = _DOUBLE[symbol](left, right)
        return Float(result) if rank == 3 else result
    return _integer(symbol, int(left), int(right), rank == 2)


def _integer(symbol: str, left: int, right: int, long: bool) -> int:
    if symbol in "/%":
        if right == 0:
            raise SpelError("VALUE", "division of a whole number by zero")
        quotient = abs(left) // abs(right)
        quotient = -quotient if (left < 0) != (right < 0) else quotient
        return whole(quotient if symbol == "/" else left - right * quotient, long)
    if symbol == "^":
        found = power(float(left), float(right))
        if math.isnan(found):
            return whole(0, long)
        if abs(found) > MAX_INTEGER:
            raise SpelError("VALUE", "a whole number beyond 10^18")
        return whole(int(found), long or abs(found) > INT_MAX)
    return whole({"+": operator.add, "-": operator.sub, "*": operator.mul}[symbol](left, right), long)


def _divide(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or left != left:  # noqa: PLR0124 - NaN
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def _remainder(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def power(base: float, exponent: float) -> float:
    """Java's Math.pow: what has no value is NaN, what is too large infinite."""
    if math.isnan(exponent) or (math.isinf(exponent) and abs(base) == 1):
        return math.nan
    odd = exponent % 2 == 1 if math.isfinite(exponent) else False
    if base == 0 and exponent < 0:
        return math.copysign(math.inf, base) if odd else math.inf
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        return math.nan


_DOUBLE: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
    "%": _remainder,
}


def _decimal(symbol: str, left: Decimal, right: Decimal) -> Decimal:
    try:
        if symbol == "/":
            scale = max(_scale(left), _scale(right))
            return _DECIMALS.quantize(_DECIMALS.divide(left, right), Decimal(1).scaleb(-scale))
        if symbol == "%":
            return _DECIMALS.remainder(left, right)
        if symbol == "^":
            if not 0 <= right <= MAX_POWER:
                raise SpelError("VALUE", f"a decimal is raised to the power of 0 to {MAX_POWER}")
            return _DECIMALS.power(left, int(right))
        return {"+": _DECIMALS.add, "-": _DECIMALS.subtract, "*": _DECIMALS.multiply}[symbol](left, right)
    except decimal.DecimalException as error:
        raise SpelError("VALUE", "division by zero, or a decimal number out of bounds") from error


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0
