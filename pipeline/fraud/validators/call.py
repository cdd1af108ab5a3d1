"""One question to one validator and what is learnt from it. No database here.

A validator only looks, so an unknown outcome is a failure like any other, and asking again is harmless.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from pipeline.errors import AppError
from pipeline.fraud.validators.credentials import TokenError, Tokens
from pipeline.fraud.validators.questions import Question, written
from pipeline.fraud.validators.reading import UnreadableError, outputs_of, read_json
from pipeline.fraud.validators.setup import Asked
from pipeline.outbound.wire import Line, Reply, WireError

LONGEST_WISH_S = 60.0  # of a Retry-After: a report does not wait longer for one validator's sake
WORDS = {
    "REFUSED": "its address may not be called",
    "UNREACHABLE": "it cannot be reached",
    "TLS": "its certificate is not trusted",
    "TIMEOUT": "it did not answer in time",
    "BROKEN": "the connection broke",
    "TOO_LARGE": "its answer is too large",
    "ENCODED": "its answer is compressed",
}
TRANSIENT = frozenset({"UNREACHABLE", "TIMEOUT", "BROKEN"})

# Of the service: WELL it answered, ILL it did not or not usably, UNASKED it was not called
Health = Literal["WELL", "ILL", "UNASKED"]


@dataclass(frozen=True)
class Answered:
    """The outputs, by the names that rules use."""

    outputs: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """No usable answer. `again`: another try may help, after at least `wait_s`. `detail` is for the operator's log alone."""

    reason: str
    health: Health
    again: bool = False
    wait_s: float = 0.0
    detail: str = ""


def ask(line: Line, tokens: Tokens, asked: Asked, question: Question, photo: Callable[[UUID], str]) -> Answered | Failed:
    """Put the question; `photo` gives what stands for an image in the body."""
    if asked.problem is not None:
        return Failed(asked.problem, "UNASKED")
    try:
        body = written(question.body, photo)
    except AppError as error:
        return Failed("a photo cannot be read", "UNASKED", detail=error.code)
    try:
        reply = _send(line, tokens, asked, body)
        if reply.status == 401 and asked.validator.endpoint.auth_type == "OAUTH2" and tokens.forget(asked):
            reply = _send(line, tokens, asked, body)  # the token may have been withdrawn before its time
    except TokenError as error:
        failed = _judge(error.reply)
        return failed if failed is not None and failed.again else Failed("it gives no token", "ILL", detail=str(error))
    except WireError as error:
        return Failed(WORDS[error.why], "ILL", again=error.why in TRANSIENT, detail=error.detail)
    failed = _judge(reply)
    if failed is not None:
        return failed
    try:
        return Answered(outputs_of(asked.validator.output_mapping, read_json(reply.body)))
    except UnreadableError as error:
        return Failed(str(error), "ILL")


def _send(line: Line, tokens: Tokens, asked: Asked, body: bytes) -> Reply:
    headers = [*tokens.headers(line, asked), ("Content-Type", "application/json")]
    return line.post(asked.url, headers, body, asked.connect_s, asked.read_s)


def _judge(reply: Reply) -> Failed | None:
    """What a status means; None: the body may be read."""
    status = reply.status
    if 200 <= status < 300:
        return None
    reason = f"it answered with HTTP {status}"
    if status == 429 or status >= 500:
        return Failed(reason, "ILL", again=True, wait_s=_wish_s(reply))
    if 300 <= status < 400:
        return Failed(f"{reason}: it wants to send us elsewhere", "ILL")
    # refused to us altogether, or only this question
    return Failed(reason, "ILL" if status in (401, 403, 404, 405) else "WELL")


def _wish_s(reply: Reply) -> float:
    """How long the service wants to be left alone; a date counts as no wish."""
    told = reply.headers.get("retry-after", "").strip()
    return min(float(told), LONGEST_WISH_S) if told.isascii() and told.isdecimal() and len(told) < 7 else 0.0
