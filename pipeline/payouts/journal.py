"""What each call for an attempt was answered: one row a call, for the story of a payout and for whoever asks the provider's support.

Nothing is decided by these rows. A send without one: whoever made the call died before it could write.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.ids import uuid7
from pipeline.payouts.answers import Accepted, Answer, Paused, Refused, Unknown
from pipeline.payouts.provider import Ambiguous, NoneFound, Paid

Kind = Literal["ORDER", "LOOK_UP"]
DESCRIPTION_MAX = 500  # characters; the provider's sentences are shorter

_INSERT = text("""
    INSERT INTO payout.call (id, tenant_id, attempt_id, send, call, outcome, why, http_status, reason, field, description,
                             provider_payout_id, provider_status, called_at, took_ms)
    SELECT v.id, a.tenant_id, v.attempt_id, v.send, v.call, v.outcome, v.why, v.http_status, v.reason, v.field, v.description,
           v.provider_payout_id, v.provider_status, v.called_at, v.took_ms
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, attempt_id uuid, send int, call text, outcome text, why text, http_status int, reason text, field text,
             description text, provider_payout_id text, provider_status text, called_at timestamptz, took_ms int)
    JOIN payout.attempt a ON a.id = v.attempt_id
""")


@dataclass(frozen=True)
class Call:
    """One call that was answered, or of which we know that it was not. Attributes are the columns of payout.call."""

    attempt_id: UUID
    send: int
    call: Kind
    called_at: datetime
    took_ms: int
    outcome: str
    why: str | None = None
    http_status: int | None = None
    reason: str | None = None
    field: str | None = None
    description: str | None = None
    provider_payout_id: str | None = None
    provider_status: str | None = None


def call_of(
    attempt_id: UUID, send: int, kind: Kind, answer: Paid | NoneFound | Ambiguous | Answer, called_at: datetime, took_s: float
) -> Call:
    """A call with its answer, as it is kept."""
    known = (attempt_id, send, kind, called_at, round(took_s * 1000))
    if isinstance(answer, Paid):
        return Call(*known, "ACCEPTED", provider_payout_id=answer.payout.id, provider_status=answer.payout.status)
    if isinstance(answer, Refused):
        said = answer.description[:DESCRIPTION_MAX]
        return Call(*known, "REFUSED", http_status=answer.status, reason=answer.reason, field=answer.field, description=said)
    if isinstance(answer, Paused):
        return Call(*known, "PAUSED", why=answer.why, http_status=answer.status)
    if isinstance(answer, NoneFound):
        return Call(*known, "NONE_FOUND")
    if isinstance(answer, Ambiguous):
        return Call(*known, "AMBIGUOUS", description=", ".join(answer.ids)[:DESCRIPTION_MAX])
    status = answer.status if isinstance(answer, Unknown) else None
    return Call(*known, "UNKNOWN", why="UNREADABLE_ANSWER" if isinstance(answer, Accepted) else answer.why, http_status=status)


def write_calls(conn: Connection, calls: Sequence[Call]) -> None:
    """Write calls in one statement. Does not commit."""
    if not calls:
        return
    rows = [
        asdict(one) | {"id": str(uuid7(one.called_at)), "attempt_id": str(one.attempt_id), "called_at": one.called_at.isoformat()}
        for one in calls
    ]
    conn.execute(_INSERT, {"rows": json.dumps(rows)})
