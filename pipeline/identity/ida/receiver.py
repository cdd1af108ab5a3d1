"""Taking an event in: stored as NEW once, however often the hub brings it. What it leads to is the store job's work."""

import json
from datetime import datetime
from uuid import UUID

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
    VALUES (:event_id, :tenant_id, :topic, :request_id, :credential_id, :registration_id, :publisher, :published_at,
            CAST(:event AS jsonb), 'NEW', :now, :now, :now)
    ON CONFLICT (event_id) DO UPDATE SET deliveries = e.deliveries + 1
    RETURNING deliveries
""")


def take(rt: Runtime, raw: bytes, now: datetime) -> bool:
    """Store an event that is genuine already; whether it is new. Commits. Raises SDCRS_INVALID_JSON, SDCRS_INVALID_REQUEST."""
    body = read_json(raw)
    said = parse(IssuedEvent, body)
    event, data = said.event, said.event.data
    registration_id, request_id = UUID(data.registration_id), UUID(data.request_id)
    if data.tenant_id not in {tenant.id for tenant in rt.masterdata.current().tenants()}:
        raise AppError("SDCRS_INVALID_REQUEST", field="event.data.tenantId", detail="is no tenant here")
    with rt.database.worker() as conn:
        deliveries = conn.execute(
            _STORE,
            {
                "event_id": UUID(event.id),
                "tenant_id": data.tenant_id,
                "topic": said.topic,
                "request_id": request_id,
                "credential_id": UUID(data.credential_id),
                "registration_id": registration_id,
                "publisher": said.publisher,
                "published_at": said.published_on,
                "event": json.dumps(body),
                "now": now,
            },
        ).scalar_one()
        if deliveries == 1:
            headers = [
                identity_header(step, registration_id, data.tenant_id, now, correlation_id=request_id, causation_id=UUID(event.id))
                for step in ("25/02", "25/03")
            ]
            write_packets(conn, headers)
    return bool(deliveries == 1)
