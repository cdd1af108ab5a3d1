"""What becomes of a credential, told by the authentication side over the hub: the generator's own subscription.

Only forward: STORED is the end, and a failure counts only while it is the newest issuance that failed. Where a new share can
win, the request is FAILED and issued anew after a while, so many times; else it waits for a person.
"""

import json
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

_ISSUANCE = text("""
    SELECT i.status_code, i.number, t.tenant_id, t.registration_id, t.status_code AS status, t.credential_id AS newest
    FROM credential.credential_transaction t JOIN credential.issuance i ON i.request_id = t.id
    WHERE t.id = :request_id AND i.id = :credential_id FOR UPDATE OF t
""")
_END_ISSUANCE = text("""
    UPDATE credential.issuance SET status_code = :status, status_comment = :comment, ended_at = :now
    WHERE id = :credential_id AND status_code IN ('BEGUN', 'ISSUED')
""")
_STORED = text("""
    UPDATE credential.credential_transaction
    SET status_code = 'STORED', credential_id = :credential_id, status_comment = NULL, stored_at = :now, dead_at = NULL, upd_dtimes = :now
    WHERE id = :request_id AND status_code <> 'STORED'
""")
_FAILED = text("""
    UPDATE credential.credential_transaction
    SET status_code = 'FAILED', status_comment = :comment, next_attempt_at = :next_attempt_at, dead_at = :dead_at, upd_dtimes = :now
    WHERE id = :request_id AND credential_id = :credential_id AND status_code NOT IN ('STORED', 'CANCELLED')
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


def take(rt: Runtime, raw: bytes, now: datetime) -> bool:
    """Carry out a status event; whether it is about a request of ours. The same event again changes nothing. Commits."""
    told = read(raw)
    with rt.database.worker() as conn:
        return _carry_out(conn, told, now)


def _carry_out(conn: Connection, told: Told, now: datetime) -> bool:
    ids = {"request_id": told.request_id, "credential_id": told.credential_id}
    found = conn.execute(_ISSUANCE, ids).one_or_none()
    if found is None:
        return False
    if found.status_code in ("STORED", "FAILED") and found.status_code == told.status:
        return True  # the same again
    comment = None if told.status == "STORED" else (told.reason or "FAILED")[:512]
    conn.execute(_END_ISSUANCE, {**ids, "status": told.status, "comment": comment, "now": now})
    if told.status == "STORED":
        changed = conn.execute(_STORED, {**ids, "now": now}).rowcount
    else:
        again = (told.reason or "").partition(":")[0] in A_NEW_SHARE_CAN_WIN and not REISSUING.is_over(found.number)
        params = {"comment": comment, "next_attempt_at": now + REISSUING.after(found.number), "dead_at": None if again else now, "now": now}
        changed = conn.execute(_FAILED, {**ids, **params}).rowcount
    steps = ("26/03", "26/04") if changed else ("26/03",)
    headers = [
        identity_header(step, found.registration_id, found.tenant_id, now, correlation_id=told.request_id, causation_id=told.credential_id)
        for step in steps
    ]
    write_packets(conn, headers)
    return True


def status_event(event_id: UUID, request_id: UUID, credential_id: UUID, status: str, reason: str | None, now: datetime) -> dict[str, Any]:
    """A status event as it is published."""
    data = {"requestId": str(request_id), "credentialId": str(credential_id), "status": status, "reason": reason}
    return {"id": str(event_id), "type": "CREDENTIAL_STATUS_UPDATE", "timestamp": now.isoformat(), "data": data}


def written(value: dict[str, Any]) -> bytes:
    """A value as the hub brings it."""
    return json.dumps(value, separators=(",", ":")).encode()
