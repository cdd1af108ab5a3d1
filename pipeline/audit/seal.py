"""Sealing the audit: committed rows get, behind the deeds and in order, a keyed hash that binds each to the one before it.

Deeds themselves write no hash: a chain in their transactions would let only one person act at a time. Each state has a chain
of its own. Whoever changes, removes or slips in a row without the installation's key breaks the chain where it was done.
"""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.vault.keys import Keyring

FOLLOWER = "audit.seal"
FIRST = bytes(32)  # what the first seal of a state is bound to
COLUMNS = (
    *("id", "tenant_id", "actor_id", "actor_role", "action", "subject_kind", "subject_id", "purpose", "details"),
    *("occurred_at", "recorded_at"),
)
UNSEALED_IS_AN_ALARM_S = 60  # a worker seals within a second or two; a minute means that none does

_SEALED = text("SELECT event_id FROM audit.seal WHERE event_id = ANY (:ids)")
_HEADS = text("""
    SELECT DISTINCT ON (state_id) state_id, number, hash FROM audit.seal
    WHERE state_id = ANY (:states) ORDER BY state_id, number DESC
""")
_INSERT = text("""
    INSERT INTO audit.seal (state_id, number, event_id, hash, key_id, sealed_at)
    SELECT v.state_id, v.number, v.event_id, decode(v.hash, 'hex'), v.key_id, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(state_id text, number bigint, event_id uuid, hash text, key_id text)
""")
_OLDEST = text("""
    SELECT min(e.recorded_at)
    FROM (SELECT coalesce(f.last_xid, '0'::xid8) AS xid, coalesce(f.last_id, '00000000-0000-0000-0000-000000000000') AS id
          FROM (VALUES (1)) always LEFT JOIN jobs.follower f ON f.name = :follower) f
    JOIN audit.event e ON (e.xid, e.id) > (f.xid, f.id)
""")


def state_of(tenant_id: str) -> str:
    """Whose chain a row belongs to."""
    return tenant_id.split(".", maxsplit=1)[0]


def sealed_hash(keyring: Keyring, key_id: str, before: bytes, row: Mapping[str, Any]) -> bytes:
    """The hash of a row of audit.event behind the hash `before`: 32 bytes. Raises SDCRS_DECRYPT_FAILED for an unknown key."""
    return hmac.digest(keyring.derive("audit|seal", key_id), before + canonical(row), "sha256")


def canonical(row: Mapping[str, Any]) -> bytes:
    """A row as bytes that do not depend on where and when it is read: times in UTC, keys in order."""
    return json.dumps({name: _plain(row[name]) for name in COLUMNS}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


def seal(conn: Connection, keyring: Keyring, rows: Sequence[Mapping[str, Any]], now: datetime) -> int:
    """Seal rows of audit.event in the order given, but for those sealed before (a restored follower reads all anew). Does not commit.

    Only one caller at a time: the follower's position is locked meanwhile. Returns how many were sealed.
    """
    known = set(conn.execute(_SEALED, {"ids": [row["id"] for row in rows]}).scalars())
    fresh = [row for row in rows if row["id"] not in known]
    if not fresh:
        return 0
    states = {state_of(row["tenant_id"]) for row in fresh}
    key_id = keyring.current
    heads = {head.state_id: (head.number, bytes(head.hash)) for head in conn.execute(_HEADS, {"states": list(states)})}
    seals = []
    for row in fresh:
        state = state_of(row["tenant_id"])
        number, before = heads.get(state, (0, FIRST))
        after = sealed_hash(keyring, key_id, before, row)
        heads[state] = (number + 1, after)
        seals.append({"state_id": state, "number": number + 1, "event_id": str(row["id"]), "hash": after.hex(), "key_id": key_id})
    conn.execute(_INSERT, {"rows": json.dumps(seals), "now": now})
    return len(seals)


def unsealed_for_s(conn: Connection, now: datetime) -> float:
    """For how long the oldest row that the follower has not come to has been waiting, in seconds; 0: none waits."""
    oldest: datetime | None = conn.execute(_OLDEST, {"follower": FOLLOWER}).scalar_one()
    return max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0
