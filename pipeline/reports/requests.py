"""A repeated request is answered again and not done again. Keys are kept 30 days; a failed request leaves none."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.errors import AppError

KEEP = timedelta(days=30)

_BEGIN = text("""
    INSERT INTO sdcrs.request_key (caller_id, endpoint, key, tenant_id, body_hash, status, result, created_at)
    VALUES (:caller_id, :endpoint, :key, :tenant_id, :body_hash, :status, CAST(:result AS jsonb), :now)
    ON CONFLICT (caller_id, endpoint, key) DO NOTHING RETURNING true
""")
_EARLIER = text("SELECT body_hash, result FROM sdcrs.request_key WHERE caller_id = :caller_id AND endpoint = :endpoint AND key = :key")
_FINISH = text(
    "UPDATE sdcrs.request_key SET result = CAST(:result AS jsonb) WHERE caller_id = :caller_id AND endpoint = :endpoint AND key = :key"
)
_FORGET = text("DELETE FROM sdcrs.request_key WHERE created_at < :before")


@dataclass(frozen=True)
class RequestKey:
    """What makes a request the same as an earlier one: caller, endpoint, key, and the hash of the body.

    The key holds a hash of what the client chose, since nobody can know what a client puts into it.
    """

    caller_id: UUID
    endpoint: str
    key: str
    body_hash: bytes


def request_key(caller_id: UUID, endpoint: str, body: dict[str, Any], idempotency_key: str | None = None) -> RequestKey | None:
    """The key of a request, or None when it carries neither a message id nor an Idempotency-Key.

    Message ids are times to the second and repeat, so without the header the body (less RequestInfo) is part of the key:
    the same id with another body is a new request.
    """
    content = {k: v for k, v in body.items() if k != "RequestInfo"}
    body_hash = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()
    if idempotency_key:
        return RequestKey(caller_id, endpoint, f"key:{_hash(idempotency_key)}", body_hash)
    info = body.get("RequestInfo")
    message_id = info.get("msgId") if isinstance(info, dict) else None
    if not isinstance(message_id, str) or not message_id:
        return None
    return RequestKey(caller_id, endpoint, f"msg:{_hash(f'{message_id[:100]}:{body_hash.hex()}')}", body_hash)


def begin_request(conn: Connection, key: RequestKey, tenant_id: str, now: datetime, result: dict[str, Any]) -> dict[str, Any] | None:
    """Take the key for this transaction, or return what the earlier request with it led to.

    A request with the same key that is under way is waited for. Raises SDCRS_IDEMPOTENCY_CONFLICT when the body differs.
    """
    params = {"caller_id": key.caller_id, "endpoint": key.endpoint, "key": key.key}
    taken = conn.execute(
        _BEGIN, {**params, "tenant_id": tenant_id, "body_hash": key.body_hash, "status": 200, "result": json.dumps(result), "now": now}
    ).scalar_one_or_none()
    if taken:
        return None
    earlier = conn.execute(_EARLIER, params).one()
    if bytes(earlier.body_hash) != key.body_hash:
        raise AppError("SDCRS_IDEMPOTENCY_CONFLICT")
    return dict(earlier.result)


def finish_request(conn: Connection, key: RequestKey, result: dict[str, Any]) -> None:
    """Store what the request led to, for its repetitions; ids and versions only."""
    conn.execute(_FINISH, {"caller_id": key.caller_id, "endpoint": key.endpoint, "key": key.key, "result": json.dumps(result)})


def forget_old_requests(conn: Connection, now: datetime) -> int:
    """Delete keys past their 30 days; the number deleted. For the daily job."""
    return conn.execute(_FORGET, {"before": now - KEEP}).rowcount


def _hash(chosen: str) -> str:
    return hashlib.sha256(chosen.encode()).hexdigest()
