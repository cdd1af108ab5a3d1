"""From a validator's bytes to the outputs that rules name: bounded in depth and size, and nothing believed that is not JSON."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from pipeline.fraud.validators.paths import MISSING, read

MAX_DEPTH = 32  # deeper than any answer that a person could describe; far from where a parser gives up
MAX_OUTPUT_BYTES = 16 * 1024  # of all outputs of one answer as they are stored
# strings, also one that never ends: each byte is looked at once
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


class UnreadableError(ValueError):
    """The answer cannot be used; the message says why and holds nothing of it."""


def read_json(body: bytes) -> dict[str, Any]:
    """The object that the answer is. Raises UnreadableError."""
    depth = 0
    for match in _BRACKETS.finditer(body):
        token = match[0]
        if token in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise UnreadableError(f"the answer is nested deeper than {MAX_DEPTH}")
        elif token in (b"]", b"}"):
            depth -= 1
    try:
        # a second encoding could hide brackets from the look above
        answer = json.loads(body.decode("utf-8"), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise UnreadableError("the answer is not a JSON object")
    return answer


def outputs_of(mapping: Mapping[str, str], answer: Mapping[str, Any]) -> dict[str, Any]:
    """What the answer says, by the names that rules use: a trailing `Field` is cut. What it does not say is left out.

    Raises UnreadableError when it is too much, or no text that a database can keep.
    """
    found: dict[str, Any] = {}
    for name, path in mapping.items():
        value = read(path, answer)
        if value is not MISSING:
            found[output_name(name)] = value
    text = json.dumps(found, ensure_ascii=False)
    if "\\u0000" in text:
        raise UnreadableError("the answer holds characters that no text has")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise UnreadableError("the answer holds half characters") from error
    if size > MAX_OUTPUT_BYTES:
        raise UnreadableError(f"its outputs are larger than {MAX_OUTPUT_BYTES} bytes")
    return found


def output_name(name: str) -> str:
    """`dogCount` of `dogCountField`."""
    return name.removesuffix("Field") or name


def _no_number(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(written: str) -> float:
    value = float(written)
    if value in (float("inf"), float("-inf")):
        raise ValueError(written)
    return value
