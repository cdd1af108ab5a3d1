"""The packets of the payout room: headers by the catalogue, bodies of what crosses our border without personal values.

The exact bytes of a payout request stay sealed with their attempt (the packet's key is the attempt's reference), those of
a webhook with its event (the key is the event id).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pipeline.packets.catalogue import get
from pipeline.packets.log import PacketHeader, header_of
from pipeline.packets.personal import ANYBODY, without_personal

ORDER = "08/03"  # the one packet whose bank account is ours and not the teacher's


@dataclass(frozen=True)
class Said:
    """A message of the provider's border, or one of ours, before its header is written. `body` None: header only."""

    packet: str
    key: str
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Subject:
    """What a packet is about: a report and the payout for it."""

    tenant_id: str
    report_id: UUID
    payout_id: UUID
    beneficiary_id: UUID


def header(said: Said, subject: Subject, at: datetime, causation_id: UUID | None = None) -> PacketHeader:
    """The header of a message; all packets of one payout share its id as correlation."""
    packet = get(said.packet)
    body = None
    if said.body is not None and packet.body_stored:
        persons = {} if said.packet == ORDER else {ANYBODY: subject.beneficiary_id}
        body = without_personal(said.packet, said.body, persons)
    return header_of(
        packet,
        subject.tenant_id,
        subject.report_id,
        at,
        key=said.key,
        correlation_id=subject.payout_id,
        causation_id=causation_id,
        body=body,
    )
