"""What an answer of the provider means, as one of four types. Pure: status and bytes in, a judgement out.

The danger is to take an unclear answer for a refusal: then money is given back that may be on its way, and the teacher is
paid twice. So a refusal must be certain (an error object that the provider itself wrote, about this request), and all
else is unknown.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

Why = Literal[
    "UNREACHABLE",  # no connection came about: nothing was sent
    "NOT_SENT",  # our own time was up before the call
    "THROTTLED",
    "UNAUTHORISED",
    "IP_REFUSED",
    "NOT_ENABLED",  # wrong path, or RazorpayX is not switched on for the key
    "WRONG_ACCOUNT",
    "TIMEOUT",
    "BROKEN_CONNECTION",
    "SERVER_ERROR",
    "UNREADABLE_ANSWER",
    "KEY_REUSED",  # the key was used with another body: a payout may exist
    "IN_PROGRESS",
]
THROTTLE_MAX_S = 600  # a longer Retry-After is not believed; the queue looks again by then

# The provider's sentences that speak of us and not of the payout; compared without case and final dot
_ABOUT_US: dict[str, Why] = {
    "authentication failed": "UNAUTHORISED",
    "transactions from this ip are not allowed": "IP_REFUSED",
    "the requested url was not found on the server": "NOT_ENABLED",
    "the razorpayx account number is invalid": "WRONG_ACCOUNT",
    "the account number field is required": "WRONG_ACCOUNT",
    "idempotency key is missing": "NOT_ENABLED",
}
_KEY_REUSED = "different request body sent for the same idempotency header"


@dataclass(frozen=True)
class Reply:
    """An HTTP answer as it came."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Accepted:
    """The provider did it, or had done it before."""

    entity: dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """Certainly not done, because of the request itself."""

    description: str
    reason: str | None  # the provider's code where it gives one
    field: str | None
    status: int


@dataclass(frozen=True)
class Unknown:
    """Done or not done: nobody knows. The same bytes may be sent again under the same key, nothing else."""

    why: Why
    status: int | None = None


@dataclass(frozen=True)
class Paused:
    """Certainly not done, and not the payout's fault: the whole queue waits."""

    why: Why
    wait_s: float | None = None  # None: as long as the queue thinks right
    status: int | None = None


Answer = Accepted | Refused | Unknown | Paused


def judge(reply: Reply) -> Answer:
    """The meaning of an answer."""
    if 200 <= reply.status < 300:
        entity = _json_object(reply.body)
        return Unknown("UNREADABLE_ANSWER", reply.status) if entity is None else Accepted(entity)
    if reply.status == 429:
        return Paused("THROTTLED", _retry_after(reply), 429)
    if reply.status == 401:
        return Paused("UNAUTHORISED", status=401)
    if reply.status in (408, 409):
        return Unknown("IN_PROGRESS", reply.status)
    if not 400 <= reply.status < 500:
        return Unknown("SERVER_ERROR", reply.status)
    return _judge_refusal(reply)


def _judge_refusal(reply: Reply) -> Answer:
    error = (_json_object(reply.body) or {}).get("error")
    if not isinstance(error, dict) or error.get("code") != "BAD_REQUEST_ERROR" or not isinstance(error.get("description"), str):
        return Unknown("UNREADABLE_ANSWER", reply.status)
    said = error["description"].strip()
    plain = said.casefold()
    if plain.startswith(_KEY_REUSED):
        return Unknown("KEY_REUSED", reply.status)
    for sentence, why in _ABOUT_US.items():
        if plain.startswith(sentence):
            return Paused(why, status=reply.status)
    return Refused(said[:500], _word(error.get("reason")), _word(error.get("field")), reply.status)


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _word(value: Any) -> str | None:
    """A code of the provider; it also writes the text "null" and NA where it has none."""
    return value if isinstance(value, str) and value not in ("", "null", "NA") and len(value) <= 64 else None


def _retry_after(reply: Reply) -> float | None:
    value = reply.headers.get("retry-after", "")
    return min(float(value), THROTTLE_MAX_S) if value.isascii() and value.isdecimal() else None
