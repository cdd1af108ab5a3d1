"""What binds in a packet, compared: every field present, of the same type, and equal where its value is a word of the contract.

Not binding, so compared for presence and type alone: ids, times, hosts, names, phones, VPAs, free text, counts, distances,
scores and hashes. Keys that begin with `_` are remarks. Ours may have more fields.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Fields whose values are words of the contract
BINDING = frozenset(
    {
        "action", "allowedRoles", "businessService", "category", "check", "code", "contains", "contentType", "currency", "currentState",
        "districtCode", "entity", "event", "evidenceType", "fundAccountType", "account_type", "gpsValidationResult", "isRetry",
        "isTerminal", "isWithinBoundary", "localityCode", "maxRetries", "method", "mimeType", "mode", "moduleName", "nearestTenant",
        "nextState", "overallResult", "payoutAmount", "payoutEligible", "payoutStatus", "primaryRejectionReason", "purpose",
        "rejectionReason", "resolutionType", "result", "serviceType", "status", "templateId", "tenantId", "token_type", "topic",
        "unableToLocateReason", "validationChecks", "wardCode",
    }
)  # fmt: skip
# Prose that happens to stand under a binding name, and numbers that only look like it
OPAQUE = frozenset({"id"})  # ids are opaque text, whatever made them up; ours are UUIDs
NOT_BINDING_BELOW = frozenset({"details", "message", "comment", "calculation"})


@dataclass(frozen=True)
class Difference:
    """Where ours differs from the packet: the path, what the packet has and what we have, as short texts."""

    path: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.path}: {self.expected} / {self.got}"


def compare(expected: Any, got: Any, path: str = "", key: str = "") -> Iterator[Difference]:
    """Every binding difference. A null in the packet says nothing of the type; a list binds by its first items."""
    if expected is None:
        return
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            yield Difference(path or "$", "an object", _short(got))
            return
        for name, value in expected.items():
            if name.startswith("_"):
                continue
            below = f"{path}.{name}" if path else name
            if name not in got:
                yield Difference(below, _short(value), "absent")
            else:
                yield from compare(value, got[name], below, "" if key in NOT_BINDING_BELOW else name)
    elif isinstance(expected, list):
        yield from _lists(expected, got, path, key)
    elif key in BINDING:
        if expected != got:
            yield Difference(path, _short(expected), _short(got))
    elif key in OPAQUE:
        if got is None:
            yield Difference(path, _short(expected), "null")
    elif _kind(expected) != _kind(got):
        yield Difference(path, f"{_kind(expected)} {_short(expected)}", f"{_kind(got)} {_short(got)}")


def _lists(expected: list[Any], got: Any, path: str, key: str) -> Iterator[Difference]:
    if not isinstance(got, list):
        yield Difference(path, "a list", _short(got))
    elif key in BINDING:
        if expected != got:
            yield Difference(path, _short(expected), _short(got))
    elif len(got) < len(expected):
        yield Difference(path, f"{len(expected)} items", f"{len(got)} items")
    else:
        for number, value in enumerate(expected):
            yield from compare(value, got[number], f"{path}[{number}]", key)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {"str": "text", "NoneType": "null"}.get(type(value).__name__, type(value).__name__)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
