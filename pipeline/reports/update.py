"""The shape of what a person asks to be done to a report, and the tenant whose rules it is judged by."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.engine import dicts
from pipeline.errors import AppError

_TENANT = text("SELECT tenant_id FROM sdcrs.report WHERE id = :id")


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


def tenant_of(conn: Connection, report_id: UUID) -> str:
    """The tenant of a report in the caller's scope. Raises SDCRS_NOT_FOUND."""
    found = dicts(conn, _TENANT, {"id": report_id}, 1)
    if not found:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    return str(found[0]["tenant_id"])
