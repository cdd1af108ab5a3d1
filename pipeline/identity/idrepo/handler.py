"""The status handler: asks the request generator for a credential of each number and partner, and notes what it says.

The request id is chosen and committed before the call, so that asking again is the same request. FAILED is tried again by
itself, ever more slowly, and given up to a person in the end; a number that has expired is asked for no more.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import REQUESTS
from pipeline.identity.effect import BATCH, Effect, EffectJob, Failed, failure_of
from pipeline.identity.messages import About, Accepted, CredentialRequest
from pipeline.identity.ports import RequestGenerator
from pipeline.ids import uuid7
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

NAME = "identity.request"
EXPIRED = "NUMBER_EXPIRED"

_DUE = text("""
    SELECT q.id, q.request_id, q.tenant_id, q.registration_id, q.id_expiry_timestamp
    FROM idrepo.credential_request_status q
    WHERE q.status IN ('NEW', 'FAILED') AND q.dead_at IS NULL AND q.next_attempt_at <= :now
    ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR UPDATE SKIP LOCKED
""")
_INVALID = text("""
    UPDATE idrepo.credential_request_status SET status = 'INVALID', status_comment = :comment, upd_dtimes = :now WHERE id = ANY (:ids)
""")
_INTEND = text("""
    UPDATE idrepo.credential_request_status t
    SET request_id = v.request_id, attempts = t.attempts + 1, next_attempt_at = :lease, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, request_id uuid), idrepo.identifier n
    WHERE t.id = v.id AND n.id = t.identifier_id
    RETURNING t.id, t.tenant_id, t.state_id, t.registration_id, t.request_id, t.partner_id, t.individual_id_hash, t.token_id,
              t.id_expiry_timestamp, t.id_transaction_limit, t.attempts, n.id AS identifier_id, n.id_sealed
""")
_REQUESTED = text("""
    UPDATE idrepo.credential_request_status SET status = 'REQUESTED', status_comment = NULL, upd_dtimes = :now
    WHERE id = ANY (:ids) AND status IN ('NEW', 'FAILED')
""")
_FAILED = text("""
    UPDATE idrepo.credential_request_status t
    SET status = 'FAILED', status_comment = v.comment, next_attempt_at = v.next_attempt_at, dead_at = v.dead_at, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, comment text, next_attempt_at timestamptz, dead_at timestamptz)
    WHERE t.id = v.id AND t.status IN ('NEW', 'FAILED')
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM idrepo.credential_request_status
    WHERE status IN ('NEW', 'FAILED') AND dead_at IS NULL
""")

Item = Row[Any]
Outcome = Accepted | Failed


def handler_job(rt: Runtime, generator: RequestGenerator) -> EffectJob[Item, Outcome]:
    """The job of step 3."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        requests: list[CredentialRequest | Failed] = [_request(rt, item) for item in items]
        answers = iter(generator.request([one for one in requests if isinstance(one, CredentialRequest)]))
        return [one if isinstance(one, Failed) else next(answers) for one in requests]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    due = conn.execute(_DUE, {"now": now, "limit": BATCH}).all()
    expired = [row.id for row in due if row.id_expiry_timestamp is not None and row.id_expiry_timestamp <= now]
    if expired:
        conn.execute(_INVALID, {"ids": expired, "comment": EXPIRED, "now": now})
    rows = [{"id": str(row.id), "request_id": str(row.request_id or uuid7(now))} for row in due if row.id not in set(expired)]
    if not rows:
        return []
    items = sorted(conn.execute(_INTEND, {"rows": json.dumps(rows), "lease": lease, "now": now}), key=lambda row: str(row.id))
    write_packets(conn, [_header(step, item, now) for item in items for step in ("23/02", "23/03")])
    return items


def _request(rt: Runtime, item: Item) -> CredentialRequest | Failed:
    try:
        number = rt.vault.unseal("idrepo.identifier", str(item.identifier_id), item.id_sealed).decode()
    except Exception as error:  # noqa: BLE001 - sorted by failure_of: a number that cannot be opened takes no other with it
        return failure_of(error)
    return CredentialRequest(
        about=About(item.tenant_id, item.registration_id, item.request_id),
        state_id=item.state_id,
        partner_id=item.partner_id,
        individual_id_hash=item.individual_id_hash,
        token_id=item.token_id,
        expires_at=item.id_expiry_timestamp,
        transaction_limit=item.id_transaction_limit,
        individual_id=number,
    )


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    taken = [item.id for item, outcome in pairs if isinstance(outcome, Accepted) and outcome.request_id == item.request_id]
    if taken:
        conn.execute(_REQUESTED, {"ids": taken, "now": now})
    rows = [_failed(item, outcome, now) for item, outcome in pairs if item.id not in set(taken)]
    if rows:
        conn.execute(_FAILED, {"rows": json.dumps(rows), "now": now})
    write_packets(conn, [_header("23/06", item, now) for item, _ in pairs])


def _failed(item: Item, outcome: Outcome, now: datetime) -> dict[str, Any]:
    failed = outcome if isinstance(outcome, Failed) else Failed("ANOTHER_REQUEST", "the generator answered for another request")
    over = failed.final or REQUESTS.is_over(item.attempts)
    return {
        "id": str(item.id),
        "comment": failed.comment,
        "next_attempt_at": (now + REQUESTS.after(item.attempts)).isoformat(),
        "dead_at": now.isoformat() if over else None,
    }


def _header(packet: str, item: Item, now: datetime) -> Any:
    request_id: UUID = item.request_id
    return identity_header(packet, item.registration_id, item.tenant_id, now, correlation_id=request_id, causation_id=item.id)
