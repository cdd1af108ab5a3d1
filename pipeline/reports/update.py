"""The shape of what a person asks to be done to a report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from pipeline.errors import AppError


@dataclass(frozen=True)
class Update:
    """One report, one action, and what the person sent with it. `fields` are the action's own, in snake case."""

    report_id: UUID
    action: str
    comment: str | None = None
    version: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    def need(self, name: str) -> Any:
        """A field that this action cannot do without. Raises SDCRS_FACT_MISSING."""
        value = self.fields.get(name)
        if value is None or value == "":
            raise AppError("SDCRS_FACT_MISSING", action=self.action, field=name)
        return value
