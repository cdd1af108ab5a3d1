"""The monthly cap of each teacher, as one counter row per local month: locked in teacher order, then read, then taken.

The row's CHECK holds the cap whatever this code believes. A month is the tenant's calendar month. Nothing here commits.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

_ENSURE = text("""
    INSERT INTO payout.monthly_cap (beneficiary_id, month, tenant_id, reserved_paise, cap_paise)
    SELECT v.beneficiary_id, v.month, v.tenant_id, 0, v.cap_paise
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(beneficiary_id uuid, month date, tenant_id text, cap_paise bigint)
    ORDER BY v.beneficiary_id, v.month
    ON CONFLICT (beneficiary_id, month) DO NOTHING
""")
_LOCK = text("""
    SELECT c.beneficiary_id, c.month, c.reserved_paise
    FROM payout.monthly_cap c
    JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(beneficiary_id uuid, month date) USING (beneficiary_id, month)
    ORDER BY c.beneficiary_id, c.month FOR NO KEY UPDATE OF c
""")
_TAKE = text("""
    UPDATE payout.monthly_cap c SET reserved_paise = c.reserved_paise + v.paise, cap_paise = coalesce(v.cap_paise, c.cap_paise)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(beneficiary_id uuid, month date, paise bigint, cap_paise bigint)
    WHERE c.beneficiary_id = v.beneficiary_id AND c.month = v.month
""")

Row = tuple[UUID, date]


@dataclass(frozen=True)
class Claim:
    """A wish to reserve, or to give back, part of a teacher's month."""

    beneficiary_id: UUID
    month: date
    tenant_id: str
    amount_paise: int
    cap_paise: int  # what the tenant's rules allow now


def reserve(conn: Connection, claims: Sequence[Claim]) -> list[bool]:
    """Reserve what fits, first come first served within a month; for each claim whether it was granted."""
    if not claims:
        return []
    wanted = {(claim.beneficiary_id, claim.month): claim for claim in claims}
    conn.execute(_ENSURE, {"rows": json.dumps([_named(row) | _ensured(claim) for row, claim in wanted.items()])})
    reserved = _locked(conn, list(wanted))
    taken: dict[Row, int] = {}
    granted = []
    for claim in claims:
        row = (claim.beneficiary_id, claim.month)
        fits = reserved[row] + taken.get(row, 0) + claim.amount_paise <= claim.cap_paise
        if fits:
            taken[row] = taken.get(row, 0) + claim.amount_paise
        granted.append(fits)
    if taken:
        rows = [_named(row) | {"paise": paise, "cap_paise": wanted[row].cap_paise} for row, paise in taken.items()]
        conn.execute(_TAKE, {"rows": json.dumps(rows)})
    return granted


def reserve_beyond(conn: Connection, claim: Claim) -> bool:
    """Reserve although the month may be full; whether it was. Its cap is raised just so far, for this teacher and month alone.

    Only for what two admins settle outside the rules.
    """
    if reserve(conn, [claim])[0]:
        return False
    row = (claim.beneficiary_id, claim.month)
    raised = _locked(conn, [row])[row] + claim.amount_paise
    conn.execute(_TAKE, {"rows": json.dumps([_named(row) | {"paise": claim.amount_paise, "cap_paise": raised}])})
    return True


def release(conn: Connection, parts: Sequence[tuple[UUID, date, int]]) -> None:
    """Give back (teacher, month in which it was reserved, paise). The CHECK refuses to give back what was not reserved."""
    if not parts:
        return
    back: dict[Row, int] = {}
    for beneficiary_id, month, paise in parts:
        back[beneficiary_id, month] = back.get((beneficiary_id, month), 0) + paise
    _locked(conn, list(back))
    conn.execute(_TAKE, {"rows": json.dumps([_named(row) | {"paise": -paise, "cap_paise": None} for row, paise in back.items()])})


def _locked(conn: Connection, rows: Sequence[Row]) -> dict[Row, int]:
    """What is reserved in each month, with the rows locked in teacher order."""
    found = conn.execute(_LOCK, {"rows": json.dumps([_named(row) for row in rows])})
    return {(one.beneficiary_id, one.month): one.reserved_paise for one in found}


def _named(row: Row) -> dict[str, Any]:
    return {"beneficiary_id": str(row[0]), "month": row[1].isoformat()}


def _ensured(claim: Claim) -> dict[str, Any]:
    return {"tenant_id": claim.tenant_id, "cap_paise": claim.cap_paise}
