"""Writing the audit. One row per deed, in the transaction of the deed."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.ids import uuid7

_INSERT = text("""
    INSERT INTO audit.event (id, tenant_id, actor_id, actor_role, action, subject_kind, subject_id, purpose, details, occurred_at)
    VALUES (:id, :tenant_id, :actor_id, :actor_role, :action, :subject_kind, :subject_id, :purpose, CAST(:details AS jsonb), :now)
""")


def record(
    conn: Connection,
    tenant_id: str,
    actor_id: UUID | None,
    actor_role: str | None,
    action: str,
    subject_kind: str,
    subject_id: str | None,
    now: datetime,
    purpose: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Record a deed; `details` must hold no personal value. Does not commit."""
    conn.execute(
        _INSERT,
        {
            "id": uuid7(now),
            "tenant_id": tenant_id,
            "actor_id": actor_id,
            "actor_role": actor_role,
            "action": action,
            "subject_kind": subject_kind,
            "subject_id": subject_id,
            "purpose": purpose,
            "details": json.dumps(details or {}),
            "now": now,
        },
    )
