"""The ledger of payouts: each movement of the reserved money is one row, written with the change that it tells of.

RESERVE takes from a teacher's month; SETTLE says that it was paid; RELEASE gives it back unpaid; REVERSE gives back what
had been paid and was returned. The table's unique indexes refuse a second settlement or release of one attempt.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.ids import uuid7

Kind = Literal["RESERVE", "SETTLE", "RELEASE", "REVERSE"]

_INSERT = text("""
    INSERT INTO payout.ledger (id, tenant_id, payout_id, beneficiary_id, month, entry, amount_paise, attempt_id, occurred_at)
    SELECT v.id, v.tenant_id, v.payout_id, v.beneficiary_id, v.month, v.entry, v.amount_paise, v.attempt_id, v.occurred_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, payout_id uuid, beneficiary_id uuid, month date, entry text, amount_paise bigint,
             attempt_id uuid, occurred_at timestamptz)
""")


@dataclass(frozen=True)
class Entry:
    """One movement. `attempt_id` None: settled by hand, through no attempt."""

    kind: Kind
    tenant_id: str
    payout_id: UUID
    beneficiary_id: UUID
    month: date
    amount_paise: int
    attempt_id: UUID | None
    at: datetime


def enter(conn: Connection, entries: Sequence[Entry]) -> None:
    """Write entries in one statement. Does not commit."""
    if not entries:
        return
    rows = [
        {
            "id": str(uuid7(e.at)),
            "tenant_id": e.tenant_id,
            "payout_id": str(e.payout_id),
            "beneficiary_id": str(e.beneficiary_id),
            "month": e.month.isoformat(),
            "entry": e.kind,
            "amount_paise": e.amount_paise,
            "attempt_id": str(e.attempt_id) if e.attempt_id else None,
            "occurred_at": e.at.isoformat(),
        }
        for e in entries
    ]
    conn.execute(_INSERT, {"rows": json.dumps(rows)})
