"""Writing packet headers, in the transaction of the change that they tell of.

A body is given only where the packet crosses our border, and holds no personal value: `without_personal` takes out what
the catalogue marks. Bytes that must stay exact are sealed in the row of the room that sends or receives them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.engine import Command
from pipeline.ids import uuid7
from pipeline.packets.catalogue import Packet, get

SubjectKind = Literal["REPORT", "PAYOUT", "FILE", "SESSION", "REGISTRATION", "SUBSCRIPTION"]

_INSERT = text("""
    INSERT INTO packet.log (id, tenant_id, subject_kind, subject_id, packet, version, sender, receiver, topic, key,
                            correlation_id, causation_id, occurred_at, body)
    SELECT v.id, v.tenant_id, v.subject_kind, v.subject_id, v.packet, v.version, v.sender, v.receiver, v.topic, v.key,
           v.correlation_id, v.causation_id, v.occurred_at, v.body
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, subject_kind text, subject_id uuid, packet text, version int, sender text, receiver text,
             topic text, key text, correlation_id uuid, causation_id uuid, occurred_at timestamptz, body jsonb)
""")


@dataclass(frozen=True)
class PacketHeader:
    """One message: what it is, about what, from whom to whom, when, and what caused it."""

    packet: str  # catalogue id, such as 02/07
    version: int
    sender: str
    receiver: str
    topic: str | None
    tenant_id: str
    subject_kind: SubjectKind
    subject_id: UUID
    occurred_at: datetime
    key: str | None = None
    correlation_id: UUID | None = None
    causation_id: UUID | None = None
    body: dict[str, Any] | None = None


def header_of(
    packet: Packet,
    tenant_id: str,
    subject_id: UUID,
    at: datetime,
    *,
    kind: SubjectKind = "REPORT",
    key: str | None = None,
    correlation_id: UUID | None = None,
    causation_id: UUID | None = None,
    body: Mapping[str, Any] | None = None,
) -> PacketHeader:
    """The header of a catalogue packet about a report, or another kind of subject; its key is the subject's id unless one is given."""
    return PacketHeader(
        packet=packet.id,
        version=packet.version,
        sender=packet.sender,
        receiver=packet.receiver,
        topic=packet.channel,
        tenant_id=tenant_id,
        subject_kind=kind,
        subject_id=subject_id,
        occurred_at=at,
        key=key or str(subject_id),
        correlation_id=correlation_id,
        causation_id=causation_id,
        body=None if body is None else dict(body),
    )


def identity_header(
    packet_id: str,
    registration_id: UUID,
    tenant_id: str,
    at: datetime,
    *,
    key: str | None = None,
    correlation_id: UUID | None = None,
    causation_id: UUID | None = None,
    body: Mapping[str, Any] | None = None,
) -> PacketHeader:
    """The header of a packet of the identity flow, such as 22/04, about a registration; before the upload, its announcement.

    `correlation_id` is the request id from the moment that one is chosen: a registration has several credentials, and each
    of them its own run of the steps 3 to 6. `causation_id` is the row that tells more: the stage's transaction, an issuance,
    an event. The key is the registration's id unless another is given. Raises KeyError for a packet of another flow.
    """
    packet = get(packet_id)
    if packet.flow != "identity" or packet.table is not None:
        raise KeyError(f"{packet_id} is not written about a registration")
    return header_of(
        packet,
        tenant_id,
        registration_id,
        at,
        kind="REGISTRATION",
        key=key,
        correlation_id=correlation_id,
        causation_id=causation_id,
        body=body,
    )


def write_packets(conn: Connection, headers: Sequence[PacketHeader]) -> None:
    """Append headers in one statement. Does not commit."""
    if headers:
        conn.execute(*packets_written(headers))


def packets_written(headers: Sequence[PacketHeader]) -> Command:
    """The statement that appends headers, for a room that sends it along with others of its own."""
    rows = [
        {
            "id": str(uuid7(h.occurred_at)),
            "tenant_id": h.tenant_id,
            "subject_kind": h.subject_kind,
            "subject_id": str(h.subject_id),
            "packet": h.packet,
            "version": h.version,
            "sender": h.sender,
            "receiver": h.receiver,
            "topic": h.topic,
            "key": h.key,
            "correlation_id": str(h.correlation_id) if h.correlation_id else None,
            "causation_id": str(h.causation_id) if h.causation_id else None,
            "occurred_at": h.occurred_at.isoformat(),
            "body": h.body,
        }
        for h in headers
    ]
    return _INSERT, {"rows": json.dumps(rows)}
