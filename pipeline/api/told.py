"""What can be said of an operation in /openapi.json besides its path."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

READ_ERRORS = (400, 401, 403, 404, 413, 429, 503)
WRITE_ERRORS = (*READ_ERRORS, 409)


@dataclass(frozen=True)
class Told:
    """What is said of an operation besides its path."""

    request: type[BaseModel] | None = None
    example: Any = None
    content: str = "application/json"
    answer: type[BaseModel] | None = None
    status: int = 200
    errors: tuple[int, ...] = READ_ERRORS
    parameters: tuple[Mapping[str, Any], ...] = field(default=())
    also: tuple[int, ...] = field(default=())  # other statuses with the answer's own shape
    media: str | None = None  # what is answered where it is no JSON
    pages: tuple[int, ...] = field(default=())  # refusals that are answered as such a page too


def query(name: str, about: str, **kind: Any) -> Mapping[str, Any]:
    """A parameter of the query, not required."""
    return {"name": name, "in": "query", "required": False, "description": about, "schema": {"type": "string", **kind}}


REPEATABLE: tuple[Mapping[str, Any], ...] = (
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Under which a repetition is known; another body with the same key is refused (409).",
        "schema": {"type": "string", "maxLength": 200},
    },
)
