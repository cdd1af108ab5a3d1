"""What becomes of a credential, told by the authentication side over the hub: the generator's own subscription.

Only forward: STORED is the end, and a failure counts only while it is the newest issuance that failed. Where a new share can
win, the request is FAILED and issued anew after a while, so many times; else it waits for a person.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.identity.backoff import REISSUING
from pipeline.packets.contracts.common import parse, read_json
from pipeline.packets.contracts.identity_events import StatusEvent
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

# Why the authentication side gave up, where another share is another chance
A_NEW_SHARE_CAN_WIN = frozenset(
    {
        "SDCRS_NOT_FOUND",  # of the share
        "SDCRS_SHARE_EXPIRED",
        "SDCRS_SHARE_USED_UP",
        "SDCRS_SHARE_DAMAGED",
        "SDCRS_CREDENTIAL_SIGNATURE",
        "SDCRS_CREDENTIAL_PARTNER",
        "SDCRS_CREDENTIAL_MISMATCH",
        "MAX_RETRIES",
    }
)

_ISSUANCES = text("""
    SELECT i.id AS credential_id, i.status_code, i.number, t.id AS request_id, t.tenant_id, t.registration_id
    FROM credential.credential_transaction t JOIN credential.issuance i ON i.request_id = t.id
    WHERE i.id = ANY (:credential_ids) ORDER BY t.id FOR UPDATE OF t
""")
_END_ISSUANCES = text("""
    UPDATE credential.issuance i SET status_code = v.status, status_comment = v.comment, ended_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(credential_id uuid, status text, comment text)
    WHERE i.id = v.credential_id AND i.status_code IN ('BEGUN', 'ISSUED')
""")
_STORED = text("""
    UPDATE credential.credential_transaction t
    SET status_code = 'STORED', credential_id = v.credential_id, status_comment = NULL, stored_at = :now, dead_at = NULL, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(request_id uuid, credential_id uuid, status text)
    WHERE t.id = v.request_id AND v.status = 'STORED' AND t.status_code <> 'STORED' RETURNING t.id
""")
_FAILED = text("""
    UPDATE credential.credential_transaction t
    SET status_code = 'FAILED', status_comment = v.comment, next_attempt_at = v.next_attempt_at, dead_at = v.dead_at, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(request_id uuid, credential_id uuid, status text, comment text, next_attempt_at timestamptz, dead_at timestamptz)
    WHERE t.id = v.request_id AND t.credential_id = v.credential_id AND v.status = 'FAILED' AND t.status_code NOT IN ('STORED', 'CANCELLED')
    RETURNING t.id
""")


@dataclass(frozen=True)
class Told:
    """What a status event says."""

    request_id: UUID
    credential_id: UUID
    status: Literal["STORED", "FAILED"]
    reason: str | None


def read(raw: bytes) -> Told:
    """The event that was delivered. Raises SDCRS_INVALID_JSON and SDCRS_INVALID_REQUEST."""
    said = parse(StatusEvent, read_json(raw)).event
    return Told(UUID(said.data.request_id), UUID(said.data.credential_id), said.data.status, said.data.reason)


def take(rt: Runtime, raws: Sequence[bytes], now: datetime) -> int:
    """Carry out status events; how many changed a request of ours. The same event again changes nothing. Commits."""
    told = [read(raw) for raw in raws]
    if len({one.request_id for one in told}) < len(told):  # one statement does not change a row twice
        return sum(take(rt, [raw], now) for raw in raws)
    with rt.database.worker() as conn:
        return _carry_out(conn, told, now)


def _carry_out(conn: Connection, told: Sequence[Told], now: datetime) -> int:
    known = {row.credential_id: row for row in conn.execute(_ISSUANCES, {"credential_ids": [one.credential_id for one in told]})}
    ours = [(one, known[one.credential_id]) for one in told if one.credential_id in known]
    # the same again, or about another request than it says
    fresh = [(one, row) for one, row in ours if row.request_id == one.request_id and row.status_code != one.status]
    if not fresh:
        return 0
    params = {"rows": json.dumps([_row(one, row.number, now) for one, row in fresh]), "now": now}
    conn.execute(_END_ISSUANCES, params)
    changed = {*conn.execute(_STORED, params).scalars(), *conn.execute(_FAILED, params).scalars()}
    steps = [(one, row, step) for one, row in fresh for step in ("26/03", "26/04") if step == "26/03" or one.request_id in changed]
    headers = [
        identity_header(step, row.registration_id, row.tenant_id, now, correlation_id=one.request_id, causation_id=one.credential_id)
        for one, row, step in steps
    ]
    write_packets(conn, headers)
    return len(changed)


def _row(one: Told, number: int, now: datetime) -> dict[str, Any]:
    comment = None if one.status == "STORED" else (one.reason or "FAILED")[:512]
    again = (one.reason or "").partition(":")[0] in A_NEW_SHARE_CAN_WIN and not REISSUING.is_over(number)
    return {
        "request_id": str(one.request_id),
        "credential_id": str(one.credential_id),
        "status": one.status,
        "comment": comment,
        "next_attempt_at": (now + REISSUING.after(number)).isoformat(),
        "dead_at": None if again else now.isoformat(),
    }


def status_event(event_id: UUID, request_id: UUID, credential_id: UUID, status: str, reason: str | None, now: datetime) -> dict[str, Any]:
    """A status event as it is published."""
    data = {"requestId": str(request_id), "credentialId": str(credential_id), "status": status, "reason": reason}
    return {"id": str(event_id), "type": "CREDENTIAL_STATUS_UPDATE", "timestamp": now.isoformat(), "data": data}


def written(value: dict[str, Any]) -> bytes:
    """A value as the hub brings it."""
    return json.dumps(value, separators=(",", ":")).encode()
