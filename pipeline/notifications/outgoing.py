"""Messages on their way to people: stored once each, with the packet that carries them. Who is told what, other modules decide."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.ids import uuid7
from pipeline.packets.catalogue import for_template
from pipeline.packets.log import PacketHeader, header_of, write_packets

_INSERT = text("""
    INSERT INTO sdcrs.notification (id, tenant_id, report_id, history_id, recipient_id, template_id, locale, params, status, created_at)
    SELECT v.id, v.tenant_id, v.report_id, v.history_id, v.recipient_id, v.template_id, v.locale, v.params, 'STORED', v.created_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, report_id uuid, history_id uuid, recipient_id uuid, template_id text, locale text, params jsonb,
             created_at timestamptz)
    ON CONFLICT (history_id, template_id, recipient_id) DO NOTHING
""")


@dataclass(frozen=True)
class Message:
    """One message to one person. `about`: the change or deed that it tells of; each is told once to each by one template."""

    tenant_id: str
    report_id: UUID
    about: UUID
    recipient: UUID
    template_id: str
    locale: str
    params: Mapping[str, Any]  # no personal value
    at: datetime
    causation_id: UUID | None = None  # a history row or packet, for the trace


def store(conn: Connection, messages: Sequence[Message]) -> None:
    """Store messages with the headers of their packets. Does not commit."""
    if not messages:
        return
    ids = [uuid7(message.at) for message in messages]
    rows = [
        {
            "id": str(message_id),
            "tenant_id": message.tenant_id,
            "report_id": str(message.report_id),
            "history_id": str(message.about),
            "recipient_id": str(message.recipient),
            "template_id": message.template_id,
            "locale": message.locale,
            "params": dict(message.params),
            "created_at": message.at.isoformat(),
        }
        for message_id, message in zip(ids, messages, strict=True)
    ]
    conn.execute(_INSERT, {"rows": json.dumps(rows)})
    write_packets(conn, [_packet(message_id, message) for message_id, message in zip(ids, messages, strict=True)])


def _packet(message_id: UUID, message: Message) -> PacketHeader:
    packet = for_template(message.template_id)
    body = {"templateId": message.template_id, "recipient": str(message.recipient), "params": dict(message.params)}
    return header_of(
        packet,
        message.tenant_id,
        message.report_id,
        message.at,
        key=str(message_id),
        causation_id=message.causation_id,
        body=body if packet.body_stored else None,
    )
