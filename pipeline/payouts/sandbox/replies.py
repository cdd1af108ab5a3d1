"""What a handler gives back: status and JSON, before the wire or a fault touches it."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.payouts.sandbox import shapes


@dataclass(frozen=True)
class Request:
    """A request as the handlers see it: nothing of HTTP but what the provider's rules speak of."""

    raw: bytes
    query: dict[str, str]
    expand: tuple[str, ...] = ()
    path: dict[str, str] = field(default_factory=dict)
    key: str | None = None  # X-Payout-Idempotency


@dataclass(frozen=True)
class Reply:
    """An answer; `raw` is what goes over the wire."""

    raw: bytes
    status: int = 200


def ok(entity: Any) -> Reply:
    return Reply(shapes.encode(entity))
