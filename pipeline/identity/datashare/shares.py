"""Shares: made once under an id that was chosen before, handed over until they expire or are used up, then erased.

The address holds a key that is derived from the share's id: asked for again, a share has the same address, and the table
keeps the key's hash alone. What is shared is encrypted for its subscriber already; whoever has the address reads no person.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from pipeline.errors import AppError
from pipeline.identity.effect import Failed
from pipeline.identity.messages import Shared, ShareRequest
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime
from pipeline.vault.keys import Keyring

PATH = "/datashare/v1/get"
MAX_BYTES = 8 * 1024 * 1024  # biometrics of all fingers, irises and a face are some two megabytes, encoded twice
ERASE_AFTER = timedelta(hours=1)  # past its end: a download under way when it ended is over by then
SYNCED_TOGETHER = 8  # files: from here on the disk is waited for once and not twice a file
ERASE_BATCH = 200  # files a task: they are deleted one by one
_PLACE = re.compile(r"/datashare/v1/get/([A-Za-z0-9._-]{1,64})/([A-Za-z0-9._-]{1,64})/([A-Za-z0-9_-]{43})")

_KNOWN = text("SELECT id, signature FROM datashare.share WHERE id = ANY (:ids)")
_INSERT = text("""
    INSERT INTO datashare.share (id, tenant_id, policy_id, subscriber_id, key_hash, sha256, size_bytes, signature, expires_at,
                                 uses_allowed, created_at)
    SELECT v.id, v.tenant_id, v.policy_id, v.subscriber_id, decode(v.key_hash, 'hex'), decode(v.sha256, 'hex'), v.size_bytes,
           v.signature, v.expires_at, v.uses_allowed, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, policy_id text, subscriber_id text, key_hash text, sha256 text, size_bytes int, signature text,
             expires_at timestamptz, uses_allowed int)
    ON CONFLICT (id) DO NOTHING
""")
_USE = text("""
    UPDATE datashare.share s SET uses = s.uses + 1
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(key_hash text, policy_id text, subscriber_id text)
    WHERE s.key_hash = decode(v.key_hash, 'hex') AND s.policy_id = v.policy_id AND s.subscriber_id = v.subscriber_id
      AND s.expires_at > :now AND s.uses < s.uses_allowed AND s.erased_at IS NULL
    RETURNING encode(s.key_hash, 'hex') AS key_hash, s.id, s.sha256
""")
_WHY_NOT = text("""
    SELECT encode(s.key_hash, 'hex') AS key_hash, s.expires_at <= :now OR s.erased_at IS NOT NULL AS expired FROM datashare.share s
    JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(key_hash text, policy_id text, subscriber_id text)
      ON s.key_hash = decode(v.key_hash, 'hex') AND s.policy_id = v.policy_id AND s.subscriber_id = v.subscriber_id
""")
_EXPIRED = text("""
    SELECT id FROM datashare.share WHERE expires_at < :before AND erased_at IS NULL ORDER BY expires_at LIMIT :limit
    FOR UPDATE SKIP LOCKED
""")
_ERASED = text("UPDATE datashare.share SET erased_at = :now WHERE id = ANY (:ids)")


def create(rt: Runtime, base_url: str, asked: Sequence[ShareRequest], now: datetime) -> list[Shared | Failed]:
    """Keep the bytes and give their addresses; a share that there is keeps its bytes, its end and its uses. Commits.

    Files are written before their rows: a row always has its file, and a file without one is written over.
    """
    with rt.database.worker() as conn:
        known = {row.id: row.signature for row in conn.execute(_KNOWN, {"ids": [one.share_id for one in asked]})}
    fresh = [one for one in asked if one.share_id not in known]
    if any(not 0 < len(one.data) <= MAX_BYTES for one in fresh):
        raise AppError("SDCRS_BODY_TOO_LARGE", maxBytes=MAX_BYTES)
    together = len(fresh) >= SYNCED_TOGETHER
    for one in fresh:
        rt.files.put(one.share_id, one.data, durable=not together)
    if together:
        rt.files.sync()
    rows = [_row(rt.keyring, one, now) for one in fresh]
    with rt.database.worker() as conn:
        if rows:
            conn.execute(_INSERT, {"rows": json.dumps(rows), "now": now})
            known |= {row.id: row.signature for row in conn.execute(_KNOWN, {"ids": [one.share_id for one in fresh]})}
        headers = [(one.about, one.share_id, step) for one in asked for step in ("24/03", "24/04")]
        write_packets(
            conn,
            [
                identity_header(step, about.registration_id, about.tenant_id, now, correlation_id=about.request_id, causation_id=share_id)
                for about, share_id, step in headers
            ],
        )
    return [Shared(address(rt.keyring, base_url, one), known[one.share_id]) for one in asked]


Place = tuple[str, str, str]  # policy, subscriber and key of a share's address


def fetch(rt: Runtime, places: Sequence[Place], now: datetime) -> list[bytes | AppError]:
    """The bytes of each, at the price of one use; in the same order. Commits.

    Instead of bytes: SDCRS_NOT_FOUND, SDCRS_SHARE_EXPIRED, SDCRS_SHARE_USED_UP, and SDCRS_SHARE_DAMAGED when they are not what was
    shared.
    """
    asked = [{"key_hash": _hash(key), "policy_id": policy_id, "subscriber_id": subscriber_id} for policy_id, subscriber_id, key in places]
    if len({one["key_hash"] for one in asked}) < len(asked):  # each use counts, and one statement does not change a row twice
        return [found for place in places for found in fetch(rt, [place], now)]
    params = {"rows": json.dumps(asked), "now": now}
    with rt.database.worker() as conn:
        given = {row.key_hash: row for row in conn.execute(_USE, params)}
        refused = {} if len(given) == len(asked) else {row.key_hash: row.expired for row in conn.execute(_WHY_NOT, params)}
    return [
        _bytes(rt, given[one["key_hash"]]) if one["key_hash"] in given else _why(refused.get(one["key_hash"]), one["policy_id"])
        for one in asked
    ]


def _why(expired: bool | None, policy_id: str) -> AppError:
    """Why a share is not handed over; None: there is none of this address."""
    if expired is None:
        return AppError("SDCRS_NOT_FOUND", kind="share", id=policy_id)
    return AppError("SDCRS_SHARE_EXPIRED" if expired else "SDCRS_SHARE_USED_UP")


def _bytes(rt: Runtime, row: Row[Any]) -> bytes | AppError:
    try:
        data = rt.files.get(row.id, "original")
    except AppError:
        return AppError("SDCRS_SHARE_DAMAGED")
    except OSError:
        return AppError("SDCRS_PARTICIPANT_AWAY", why="the file store")
    return data if hashlib.sha256(data).digest() == bytes(row.sha256) else AppError("SDCRS_SHARE_DAMAGED")


def place_of(url: str) -> Place | None:
    """Policy, subscriber and key of a share's address; None for any other."""
    match = _PLACE.search(url)
    return None if match is None or not url.endswith(match.group(0)) else (match.group(1), match.group(2), match.group(3))


def erase_expired(rt: Runtime, now: datetime) -> int:
    """Delete the files of shares that ended a while ago; how many. Commits."""
    with rt.database.worker() as conn:
        ids = list(conn.execute(_EXPIRED, {"before": now - ERASE_AFTER, "limit": ERASE_BATCH}).scalars())
        for share_id in ids:
            rt.files.delete(share_id)
        if ids:
            conn.execute(_ERASED, {"ids": ids, "now": now})
    return len(ids)


def address(keyring: Keyring, base_url: str, one: ShareRequest) -> str:
    """Where a share is to be had."""
    return f"{base_url}{PATH}/{one.policy_id}/{one.subscriber_id}/{_key(keyring, one.share_id)}"


def _key(keyring: Keyring, share_id: UUID) -> str:
    # of the oldest master key, so that the address stays the same through a rotation
    return urlsafe_b64encode(hmac.digest(keyring.lookup_key("datashare|key"), share_id.bytes, "sha256")).decode().rstrip("=")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _row(keyring: Keyring, one: ShareRequest, now: datetime) -> dict[str, object]:
    return {
        "id": str(one.share_id),
        "tenant_id": one.about.tenant_id,
        "policy_id": one.policy_id,
        "subscriber_id": one.subscriber_id,
        "key_hash": _hash(_key(keyring, one.share_id)),
        "sha256": hashlib.sha256(one.data).hexdigest(),
        "size_bytes": len(one.data),
        "signature": one.signature,
        "expires_at": (now + timedelta(minutes=one.valid_minutes)).isoformat(),
        "uses_allowed": one.uses,
    }
