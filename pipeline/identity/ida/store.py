"""The store job: downloads what an event leads to, verifies and opens it, and caches it.

Cache row and STORED are one transaction. What may come right is tried again, so many times; what cannot (an expired or used-up
share, a wrong signature, data for another partner) ends at once with its reason, and the issuer is told (acknowledge.py).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.errors import AppError
from pipeline.identity import keys
from pipeline.identity.backoff import STORING
from pipeline.identity.effect import Effect, EffectJob, Failed, failure_of
from pipeline.identity.ports import DataShare
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

NAME = "identity.store"
SEALED = "ida.demographics"
GONE = "SDCRS_NOT_FOUND"
DOWNLOADS = 40  # a round: each holds up to some megabytes of biometrics in memory

_CLAIM = text("""
    WITH due AS (
        SELECT q.event_id FROM ida.credential_event_store q
        WHERE q.status_code IN ('NEW', 'FAILED') AND q.next_attempt_at <= :now
        ORDER BY q.next_attempt_at, q.event_id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE ida.credential_event_store t SET next_attempt_at = :lease, upd_dtimes = :now FROM due WHERE t.event_id = due.event_id
    RETURNING t.*
""")
_CACHE = text("""
    INSERT INTO ida.identity_cache AS c
        (id, tenant_id, state_id, token_id, demo_data_sealed, bio_data, credential_transaction_id, credential_id, event_id,
         expiry_timestamp, transaction_limit, cr_dtimes, upd_dtimes)
    VALUES (:id, :tenant_id, :state_id, :token_id, :demo_data_sealed, :bio_data, :credential_transaction_id, :credential_id, :event_id,
            :expiry_timestamp, :transaction_limit, :now, :now)
    ON CONFLICT (id) DO UPDATE
    SET tenant_id = excluded.tenant_id, token_id = excluded.token_id, demo_data_sealed = excluded.demo_data_sealed,
        bio_data = excluded.bio_data, credential_transaction_id = excluded.credential_transaction_id,
        credential_id = excluded.credential_id, event_id = excluded.event_id, expiry_timestamp = excluded.expiry_timestamp,
        transaction_limit = excluded.transaction_limit,
        transactions_used = least(c.transactions_used, coalesce(excluded.transaction_limit, c.transactions_used)), upd_dtimes = :now
    WHERE c.credential_id < excluded.credential_id
""")
_STORED = text("""
    UPDATE ida.credential_event_store
    SET status_code = 'STORED', status_comment = NULL, ended_at = :now, next_attempt_at = :now, upd_dtimes = :now
    WHERE event_id = ANY (:ids) AND status_code IN ('NEW', 'FAILED') RETURNING event_id
""")
_FAILED = text("""
    UPDATE ida.credential_event_store t
    SET status_code = v.status, status_comment = v.comment, retry_count = t.retry_count + 1, ended_at = v.ended_at,
        next_attempt_at = v.next_attempt_at, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(event_id uuid, status text, comment text, ended_at timestamptz, next_attempt_at timestamptz)
    WHERE t.event_id = v.event_id AND t.status_code IN ('NEW', 'FAILED')
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM ida.credential_event_store WHERE status_code IN ('NEW', 'FAILED')
""")

Item = Row[Any]


@dataclass(frozen=True)
class Opened:
    """A credential that was verified and opened, as the cache keeps it."""

    row: dict[str, Any] = field(repr=False)


Outcome = Opened | Failed


def store_job(rt: Runtime, datashare: DataShare) -> EffectJob[Item, Outcome]:
    """The job of step 5."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        downloads = datashare.download([item.event_object["event"]["dataShareUri"] for item in items])
        return [one if isinstance(one, Failed) else _opened(rt, item, one) for item, one in zip(items, downloads, strict=True)]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    items = sorted(conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": DOWNLOADS}), key=lambda row: str(row.event_id))
    write_packets(conn, [_header(step, item, now) for item in items for step in ("25/04", "25/05")])
    return items


def _opened(rt: Runtime, item: Item, downloaded: bytes) -> Outcome:
    try:
        return Opened(_cache_row(rt, item, downloaded))
    except Exception as error:  # noqa: BLE001 - sorted by failure_of: of one credential; a fault of ours may be gone at the next try
        return failure_of(error)


def _cache_row(rt: Runtime, item: Item, downloaded: bytes) -> dict[str, Any]:
    said = json.loads(keys.verified(rt.keyring, downloaded.decode("ascii", "replace")))
    data = item.event_object["event"]["data"]
    expected = (f"urn:uuid:{item.credential_id}", str(item.credential_transaction_id), data["partnerId"], item.tenant_id)
    if (said["id"], said["requestId"], said["partnerId"], said["tenantId"]) != expected:
        raise AppError("SDCRS_CREDENTIAL_MISMATCH")
    subject = said["subject"]
    demographics = keys.decrypt(rt.keyring, said["partnerId"], said["demographics"])
    bio, expires_at = said["biometrics"], subject["expiryTimestamp"]
    return {
        "id": subject["idHash"],
        "tenant_id": said["tenantId"],
        "state_id": said["stateId"],
        "token_id": subject["tokenId"],
        "demo_data_sealed": rt.vault.seal(SEALED, subject["idHash"], demographics),
        "bio_data": None if bio is None else bio.encode(),
        "credential_transaction_id": item.credential_transaction_id,
        "credential_id": item.credential_id,
        "event_id": item.event_id,
        "expiry_timestamp": None if expires_at is None else datetime.fromisoformat(expires_at),
        "transaction_limit": subject["transactionLimit"],
    }


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    opened = [(item, outcome.row) for item, outcome in pairs if isinstance(outcome, Opened)]
    stored: set[Any] = set()
    if opened:
        stored = set(conn.execute(_STORED, {"ids": [item.event_id for item, _ in opened], "now": now}).scalars())
        newest: dict[str, dict[str, Any]] = {}  # two credentials of one number in one round: the later one counts
        for item, row in sorted(opened, key=lambda pair: pair[1]["credential_id"]):
            if item.event_id in stored:
                newest[row["id"]] = row
        if newest:
            conn.execute(_CACHE, [{**row, "now": now} for row in newest.values()])
    rows = [_failed(item, outcome, now) for item, outcome in pairs if isinstance(outcome, Failed)]
    if rows:
        conn.execute(_FAILED, {"rows": json.dumps(rows), "now": now})
    steps = [(item, step) for item, _ in pairs for step in ("25/06", "25/07") if step == "25/06" or item.event_id in stored]
    write_packets(conn, [_header(step, item, now) for item, step in steps])


def _failed(item: Item, failed: Failed, now: datetime) -> dict[str, Any]:
    failures = item.retry_count + 1
    final = failed.final or failed.code in (GONE, "SDCRS_SHARE_DAMAGED")
    status = "FAILED_NON_RECOVERABLE" if final else "FAILED_WITH_MAX_RETRIES" if STORING.is_over(failures) else "FAILED"
    ended = status != "FAILED"
    return {
        "event_id": str(item.event_id),
        "status": status,
        "comment": failed.comment,
        "ended_at": now.isoformat() if ended else None,
        "next_attempt_at": (now if ended else now + STORING.after(failures)).isoformat(),
    }


def _header(packet: str, item: Item, now: datetime) -> Any:
    request_id = item.credential_transaction_id
    return identity_header(packet, item.registration_id, item.tenant_id, now, correlation_id=request_id, causation_id=item.event_id)
