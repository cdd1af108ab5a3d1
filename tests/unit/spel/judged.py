"""The context in which Spring judged the recorded expressions (SpringJudge.java makes the same), and how answers are compared."""

import math
import re
from collections.abc import Mapping
from datetime import time
from typing import Any

from pipeline.fraud.spel import SpelError, evaluate

ADDITIONAL = {
    "dogCount": 12,
    "isAggressive": True,
    "lifetimeReportCount": 45,
    "imageQualityScore": 0.42,
    "reportType": "STRAY_SIGHTING",
    "note": "Pack near school gate",
    "nothing": None,
    "tags": ["injured", "pack"],
}
PREDICTIONS = {"dogCount": 0, "confidence": 0.92, "match": False, "similarity": 0.65, "isSpoofed": True, "spoofingConfidence": 0.7}
VARIABLES: dict[str, Any] = {
    "applicantId": "teacher-7",
    "applicantName": "Amina Hassan",
    "deviceId": "emulator-5554",
    "mobileNumber": "9876543210",
    "latitude": 28.56,
    "longitude": 77.10,
    "locality": "DJC001",
    "evidences": [
        {
            "type": "PHOTO",
            "purpose": "DOG_PHOTO",
            "size": 2456789,
            "metadata": {"exifPresent": True, "deviceId": "android-abc123"},
        },
        {
            "type": "PHOTO",
            "purpose": "SELFIE",
            "size": 1234567,
            "metadata": {"exifPresent": False, "deviceId": "android-abc123"},
        },
    ],
    "evidenceCount": 2,
    "additionalData": ADDITIONAL,
    "predictions": PREDICTIONS,
    "now": 1734176205000,
}
ROOT: dict[str, Any] = {
    "predictions": PREDICTIONS,
    "additionalData": ADDITIONAL,
    "metadata": {"timestamp": {"hour": 19}, "camera": None},
    **PREDICTIONS,
}
NUMBERS = {"int", "long", "float", "double", "decimal"}


def show(value: Any) -> str:
    """A value of ours as the judge shows it; whole and fractional numbers are `whole` and `real`."""
    if value is None:
        return "null\tnull"
    if isinstance(value, bool):
        return f"bool\t{str(value).lower()}"
    if isinstance(value, int):
        return f"whole\t{value}"
    if isinstance(value, float):
        return f"real\t{_real(value)}"
    if isinstance(value, str):
        return "str\t" + value.replace("\t", "\\t").replace("\n", "\\n")
    if isinstance(value, list):
        return "list\t" + "".join(show(item).replace("\t", ":") + "|" for item in value)
    if isinstance(value, Mapping):
        return "map\t" + "".join(f"{_shown(k)}={_shown(v)}|" for k, v in value.items())
    if isinstance(value, time):
        return f"time\t{value.isoformat('minutes' if not value.second else 'auto')}"
    return f"other\t{type(value).__name__}"


def ours(expression: str) -> str:
    """Our answer, shown; `ERROR` for every SpelError."""
    try:
        return show(evaluate(expression, VARIABLES, ROOT))
    except SpelError:
        return "ERROR"


def agrees(expression: str, theirs: str) -> bool:
    """Whether our answer is Spring's: the same kind and value; of an error only that it is one; of numbers in text to 13 digits."""
    answer, other = ours(expression), springs(theirs)
    if answer == other:
        return True
    return answer.startswith("real\t") and other.startswith("real\t") and _near(answer[5:], other[5:])


def springs(answer: str) -> str:
    """The judge's line with Java's kinds of numbers as ours: whole or real, wherever in it they stand."""
    name, _, value = answer.partition("\t")
    if name == "ERROR":
        return "ERROR"
    if name in {"int", "long"}:
        return f"whole\t{value}"
    if name in {"float", "double"}:
        return f"real\t{_real(_single(value) if name == 'float' else float(value))}"
    if name in {"list", "map"}:
        for kind in ("int", "long"):
            value = value.replace(f"{kind}:", "whole:")
        value = re.sub(r"float:([^|=]*)", lambda found: f"real:{_real(_single(found[1]))}", value).replace("double:", "real:")
    return f"{name}\t{value}"


def _shown(value: Any) -> str:
    return show(value).replace("\t", ":")


def _real(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    from pipeline.fraud.spel.values import double_text

    return double_text(value)


def _single(text: str) -> float:
    from pipeline.fraud.spel.values import Float

    return float(Float(float(text)))


def _near(one: str, other: str) -> bool:
    return math.isclose(float(one), float(other), rel_tol=1e-13)
