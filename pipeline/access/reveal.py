"""Showing one person's phone number or e-mail address in full, to an admin with a purpose. Everything else shows them masked.

UPI addresses and bank data are never shown in full: nobody needs to read them to correct or to pay them.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.vault.persons import Vault

Field = Literal["phone", "email"]
FIELDS: tuple[Field, ...] = ("phone", "email")
PURPOSE_MIN, PURPOSE_MAX = 5, 200  # characters: a reason that somebody can judge later

_HOME = text("SELECT tenant_id FROM access.account WHERE id = :id")


def reveal(conn: Connection, vault: Vault, caller: Caller, person_id: UUID, field: Field, purpose: str, now: datetime) -> str | None:
    """One field of one person, in full; None where there is none. Who looked, at what and why goes into the audit. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, and SDCRS_NOT_FOUND outside the caller's area.
    """
    check(caller, "reveal_person")
    why = " ".join(purpose.split())
    if field not in FIELDS:
        raise AppError("SDCRS_INVALID_REQUEST", field="field", detail=f"must be one of {', '.join(FIELDS)}")
    if not PURPOSE_MIN <= len(why) <= PURPOSE_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="purpose", detail=f"needs {PURPOSE_MIN} to {PURPOSE_MAX} characters")
    home = conn.execute(_HOME, {"id": person_id}).scalar_one_or_none()
    if home is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Person", id=str(person_id))
    role = next(iter(sorted(caller.roles)))
    record(conn, home, caller.account_id, role, "REVEAL", "ACCOUNT", str(person_id), now, purpose=why, details={"field": field})
    return vault.get(conn, [person_id], [field]).get(person_id, {}).get(field)
