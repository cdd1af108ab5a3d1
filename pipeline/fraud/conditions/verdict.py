"""What a condition says of a case."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """Whether the condition holds, in words with the measured value, and the numbers behind it."""

    fired: bool
    message: str
    details: dict[str, Any] = field(default_factory=dict)
