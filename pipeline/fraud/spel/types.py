"""The two Java types that an expression may name, with what it may call on them, and the functions without a type."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.fraud.spel.errors import MAX_INTEGER, SpelError
from pipeline.fraud.spel.operators import power, whole
from pipeline.fraud.spel.overloads import Form, Methods, form
from pipeline.fraud.spel.values import Frame

MS = 1000
_MAX_EPOCH_S: Final = 253_402_300_799  # the end of the year 9999, the last that datetime knows


@dataclass(frozen=True, slots=True)
class StaticType:
    """What `T(name)` offers. The target of its methods is None."""

    methods: Methods
    constants: Mapping[str, Any]


def _absolute(_frame: Frame, _target: None, value: int) -> int:
    return whole(abs(int(value)), False)


def _absolute_long(_frame: Frame, _target: None, value: int) -> int:
    return whole(abs(int(value)), True)


def _absolute_float(_frame: Frame, _target: None, value: float) -> float:
    return type(value)(abs(value))


def _smaller(_frame: Frame, _target: None, left: Any, right: Any) -> Any:
    return left if left != left else right if right != right or right < left else left  # noqa: PLR0124 - NaN wins, as in Java


def _larger(_frame: Frame, _target: None, left: Any, right: Any) -> Any:
    return left if left != left else right if right != right or right > left else left  # noqa: PLR0124


def _round(_frame: Frame, _target: None, value: float) -> int:
    """Halves go up, as Java's Math.round has it."""
    if math.isnan(value):
        return whole(0, True)
    if abs(value) > MAX_INTEGER:
        raise SpelError("VALUE", "a whole number beyond 10^18")
    below = math.floor(value)
    return whole(below + (value - below >= 0.5), True)


def _round_float(frame: Frame, target: None, value: float) -> int:
    return whole(int(_round(frame, target, value)), False)


def _floor(_frame: Frame, _target: None, value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(_frame: Frame, _target: None, value: float) -> float:
    return math.copysign(float(math.ceil(value)), value) if math.isfinite(value) else value


def _root(_frame: Frame, _target: None, value: float) -> float:
    return math.nan if value != value or value < 0 else math.sqrt(value)  # noqa: PLR0124


def _power(_frame: Frame, _target: None, base: float, exponent: float) -> float:
    return power(base, exponent)


def _of_each_kind(run: Any) -> tuple[Form, ...]:
    return tuple(form(f"{name} {name}", run, "number") for name in ("int", "long", "float", "double"))


def _now(frame: Frame, _target: None) -> time:
    """The time of day of `#now` (milliseconds since 1970, or a datetime) in the zone `#timeZone`, without one in UTC."""
    now = frame.variables.get("now")
    zone: Any = UTC
    if (name := frame.variables.get("timeZone")) is not None:
        try:
            zone = ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
            raise SpelError("VALUE", f"{name!r} is no time zone") from error
    if isinstance(now, datetime):
        return (now.astimezone(zone) if now.tzinfo is not None else now).time()
    if not isinstance(now, int) or isinstance(now, bool) or not 0 <= now // MS <= _MAX_EPOCH_S:
        raise SpelError("MISSING", "LocalTime.now() needs #now in milliseconds since 1970")
    return datetime.fromtimestamp(now / MS, zone).time()


def _time_of(_frame: Frame, _target: None, hour: int, minute: int, second: int = 0) -> time:
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        raise SpelError("VALUE", f"{hour}:{minute}:{second} is no time of day")
    return time(hour, minute, second)


MATH: Final = StaticType(
    {
        "abs": (
            form("int", _absolute, "number"),
            form("long", _absolute_long, "number"),
            form("float", _absolute_float, "number"),
            form("double", _absolute_float, "number"),
        ),
        "min": _of_each_kind(_smaller),
        "max": _of_each_kind(_larger),
        "round": (form("float", _round_float, "number"), form("double", _round, "number")),
        "floor": (form("double", _floor, "number"),),
        "ceil": (form("double", _ceil, "number"),),
        "sqrt": (form("double", _root, "number"),),
        "pow": (form("double double", _power, "number"),),
    },
    {"PI": math.pi, "E": math.e},
)
LOCAL_TIME: Final = StaticType(
    {
        "now": (form("", _now, "time"),),
        "of": (form("int int", _time_of, "time"), form("int int int", _time_of, "time")),
    },
    {},
)
TYPES: Final[Mapping[str, StaticType]] = {
    "java.lang.Math": MATH,
    "Math": MATH,  # Spring knows the types of java.lang by their short names too
    "java.time.LocalTime": LOCAL_TIME,
}
# Without a type and without `#`; Spring would need a function registered under the name
FUNCTIONS: Final[Mapping[str, Sequence[Form]]] = {"abs": MATH.methods["abs"]}
