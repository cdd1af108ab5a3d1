"""Taking an event in: stored as NEW once, however often the hub brings it. What it leads to is the store job's work."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from pipeline.errors import AppError
from pipeline.identity.messages import JSON
from pipeline.packets.contracts.common import parse, read_json
from pipeline.packets.contracts.identity_events import IssuedEvent
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

MAX_BYTES = 64 * 1024  # an event has some 900 bytes
CONTENT_TYPE = JSON

_STORE = text("""
    INSERT INTO ida.credential_event_store AS e
        (event_id, tenant_id, event_topic, credential_transaction_id, credential_id, registration_id, publisher, published_on_dtimes,
         event_object, status_code, next_attempt_at, cr_dtimes, upd_dtimes)
    SELECT v.event_id, v.tenant_id, v.topic, v.request_id, v.credential_id, v.registration_id, v.publisher, v.published_at, v.event, 'NEW',
           :now, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(event_id uuid, tenant_id text, topic text, request_id uuid, credential_id uuid, registration_id uuid, publisher text,
             published_at timestamptz, event jsonb)
    ON CONFLICT (event_id) DO UPDATE SET deliveries = e.deliveries + 1
    RETURNING event_id, tenant_id, registration_id, credential_transaction_id AS request_id, deliveries
""")


def take(rt: Runtime, raws: Sequence[bytes], now: datetime) -> int:
    """Store events that are genuine already; how many are new. Commits. Raises SDCRS_INVALID_JSON, SDCRS_INVALID_REQUEST."""
    tenants = {tenant.id for tenant in rt.masterdata.current().tenants()}
    rows = [_row(read_json(raw), tenants) for raw in raws]
    if len({row["event_id"] for row in rows}) < len(rows):  # one statement does not change a row twice
        return sum(take(rt, [raw], now) for raw in raws)
    with rt.database.worker() as conn:
        stored = conn.execute(_STORE, {"rows": json.dumps(rows), "now": now}).all()
        fresh = [row for row in stored if row.deliveries == 1]
        headers = [
            identity_header(step, row.registration_id, row.tenant_id, now, correlation_id=row.request_id, causation_id=row.event_id)
            for row in fresh
            for step in ("25/02", "25/03")
        ]
        write_packets(conn, headers)
    return len(fresh)


def _row(body: Any, tenants: Collection[str]) -> dict[str, Any]:
    said = parse(IssuedEvent, body)
    event, data = said.event, said.event.data
    if data.tenant_id not in tenants:
        raise AppError("SDCRS_INVALID_REQUEST", field="event.data.tenantId", detail="is no tenant here")
    return {
        "event_id": event.id,
        "tenant_id": data.tenant_id,
        "topic": said.topic,
        "request_id": data.request_id,
        "credential_id": data.credential_id,
        "registration_id": data.registration_id,
        "publisher": said.publisher,
        "published_at": said.published_on,
        "event": body,
    }
