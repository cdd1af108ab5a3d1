"""The process job: has a credential issued for each request, under ids that are committed before the service is asked.

An issuance that was begun and whose outcome is unknown is asked for again under its own ids. A new one is begun only when the
last one ended: acknowledged as FAILED, or because a person asked for it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import COMPARING, ISSUING
from pipeline.identity.credentials.generator import opened, without_number
from pipeline.identity.effect import Effect, EffectJob, Failed, failure_of
from pipeline.identity.messages import Issued, IssueRequest
from pipeline.identity.ports import CredentialService
from pipeline.ids import uuid7
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

NAME = "identity.issue"
ISSUED_TOGETHER = 40  # a round: each holds its biometrics in memory, plain, encrypted and signed

_DUE = text("""
    SELECT q.id, q.tenant_id, q.issuances, i.id AS credential_id, i.share_id, i.event_id, i.status_code AS issuance
    FROM credential.credential_transaction q LEFT JOIN credential.issuance i ON i.id = q.credential_id
    WHERE q.status_code IN ('NEW', 'FAILED', 'RETRY') AND q.dead_at IS NULL AND q.next_attempt_at <= :now
    ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")
_BEGIN = text("""
    INSERT INTO credential.issuance (id, tenant_id, request_id, number, share_id, event_id, status_code, begun_at)
    SELECT v.id, v.tenant_id, v.request_id, v.number, v.share_id, v.event_id, 'BEGUN', :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, request_id uuid, number int, share_id uuid, event_id uuid)
""")
_INTEND = text("""
    UPDATE credential.credential_transaction t
    SET credential_id = v.credential_id, issuances = v.issuances, next_attempt_at = :lease, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, credential_id uuid, issuances int)
    WHERE t.id = v.id RETURNING t.*
""")
# Whoever was faster counts: the acknowledgement may be here before the answer is, and what was stored stays stored
_ISSUED = text("""
    UPDATE credential.credential_transaction t
    SET data_share_url = v.url, issuance_date = v.issued_at, signature = v.signature, upd_dtimes = :now,
        status_code = CASE WHEN t.next_attempt_at = :lease AND t.status_code IN ('NEW', 'FAILED', 'RETRY') THEN 'ISSUED'
                           ELSE t.status_code END,
        status_comment = CASE WHEN t.next_attempt_at = :lease THEN NULL ELSE t.status_comment END,
        next_attempt_at = CASE WHEN t.next_attempt_at = :lease THEN :compare_at ELSE t.next_attempt_at END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, credential_id uuid, url text, issued_at timestamptz, signature text)
    WHERE t.id = v.id AND t.credential_id = v.credential_id AND t.status_code <> 'CANCELLED'
    RETURNING t.id
""")
_ISSUANCES = text("""
    UPDATE credential.issuance SET status_code = 'ISSUED', published = 1 WHERE id = ANY (:ids) AND status_code = 'BEGUN'
""")
_FAILED = text("""
    UPDATE credential.credential_transaction t
    SET status_code = 'FAILED', status_comment = v.comment, trn_retry_count = t.trn_retry_count + 1, upd_dtimes = :now,
        next_attempt_at = v.next_attempt_at, dead_at = v.dead_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, comment text, next_attempt_at timestamptz, dead_at timestamptz)
    WHERE t.id = v.id AND t.next_attempt_at = :lease AND t.status_code IN ('NEW', 'FAILED', 'RETRY')
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM credential.credential_transaction
    WHERE status_code IN ('NEW', 'FAILED', 'RETRY') AND dead_at IS NULL
""")


@dataclass(frozen=True)
class Item:
    """A claimed transaction with the ids of its issuance."""

    row: Row[Any]
    share_id: UUID
    event_id: UUID
    lease: datetime


Outcome = Issued | Failed


def process_job(rt: Runtime, service: CredentialService) -> EffectJob[Item, Outcome]:
    """The job of step 4."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        asked: list[IssueRequest | Failed] = [_request(rt, item) for item in items]
        answers = iter(service.issue([one for one in asked if isinstance(one, IssueRequest)]))
        return [one if isinstance(one, Failed) else next(answers) for one in asked]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    due = conn.execute(_DUE, {"now": now, "limit": ISSUED_TOGETHER}).all()
    if not due:
        return []
    ids: dict[UUID, tuple[UUID, UUID]] = {}
    begun, intended = [], []
    for row in due:
        unknown = row.issuance == "BEGUN"
        credential_id, share_id, event_id = (row.credential_id, row.share_id, row.event_id) if unknown else [uuid7(now) for _ in range(3)]
        number = row.issuances if unknown else row.issuances + 1
        ids[row.id] = (share_id, event_id)
        intended.append({"id": str(row.id), "credential_id": str(credential_id), "issuances": number})
        if not unknown:
            made = {"id": str(credential_id), "share_id": str(share_id), "event_id": str(event_id)}
            begun.append({**made, "tenant_id": row.tenant_id, "request_id": str(row.id), "number": number})
    if begun:
        conn.execute(_BEGIN, {"rows": json.dumps(begun), "now": now})
    rows = sorted(conn.execute(_INTEND, {"rows": json.dumps(intended), "lease": lease, "now": now}), key=lambda row: str(row.id))
    items = [Item(row, *ids[row.id], lease) for row in rows]
    write_packets(conn, [_header(step, item, now) for item in items for step in ("24/01", "24/02")])
    return items


def _request(rt: Runtime, item: Item) -> IssueRequest | Failed:
    try:
        asked = opened(rt, item.row)
    except Exception as error:  # noqa: BLE001 - sorted by failure_of: a request that cannot be read takes no other with it
        return failure_of(error)
    return IssueRequest(without_number(asked), item.row.credential_id, item.share_id, item.event_id)


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    lease = pairs[0][0].lease
    rows = [
        {
            "id": str(item.row.id),
            "credential_id": str(outcome.credential_id),
            "url": outcome.data_share_url,
            "issued_at": outcome.issued_at.isoformat(),
            "signature": outcome.signature,
        }
        for item, outcome in pairs
        if isinstance(outcome, Issued)
    ]
    issued: set[UUID] = set()
    if rows:
        params = {"rows": json.dumps(rows), "lease": lease, "compare_at": now + COMPARING.after(1), "now": now}
        issued = set(conn.execute(_ISSUED, params).scalars())
        conn.execute(_ISSUANCES, {"ids": [item.row.credential_id for item, _ in pairs if item.row.id in issued]})
    failed = [_failed(item, outcome, now) for item, outcome in pairs if isinstance(outcome, Failed)]
    if failed:
        conn.execute(_FAILED, {"rows": json.dumps(failed), "lease": lease, "now": now})
    steps = [(item, step) for item, _ in pairs for step in ("24/07", "24/08") if step == "24/07" or item.row.id in issued]
    write_packets(conn, [_header(step, item, now) for item, step in steps])


def _failed(item: Item, failed: Failed, now: datetime) -> dict[str, Any]:
    failures = item.row.trn_retry_count + 1
    wait: timedelta = ISSUING.after(failures)
    return {
        "id": str(item.row.id),
        "comment": failed.comment,
        "next_attempt_at": (now + wait).isoformat(),
        "dead_at": now.isoformat() if failed.final or ISSUING.is_over(failures) else None,
    }


def _header(packet: str, item: Item, now: datetime) -> Any:
    row = item.row
    return identity_header(packet, row.registration_id, row.tenant_id, now, correlation_id=row.id, causation_id=row.credential_id)
