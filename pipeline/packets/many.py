"""The same packets about many reports: headers whose rows differ only in id, report and time, written by one short statement."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from pipeline.database.arrays import array, moments, texts
from pipeline.database.engine import Command
from pipeline.ids import uuid7
from pipeline.packets.catalogue import Packet

_INSERT = text("""
    INSERT INTO packet.log (id, tenant_id, subject_kind, subject_id, packet, version, sender, receiver, topic, key, occurred_at)
    SELECT i.id, r.tenant_id, 'REPORT', r.report_id, p.packet, p.version, p.sender, p.receiver, p.topic, r.report_id::text, r.at
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS i (id, n)
    JOIN unnest(CAST(:reports AS uuid[]), CAST(:tenants AS text[]), CAST(:at AS timestamptz[])) WITH ORDINALITY
        AS r (report_id, tenant_id, at, n) ON r.n = (i.n - 1) / CAST(:each AS bigint) + 1
    JOIN ROWS FROM (jsonb_to_recordset(CAST(:packets AS jsonb)) AS (packet text, version int, sender text, receiver text, topic text))
        WITH ORDINALITY AS p (packet, version, sender, receiver, topic, n) ON p.n = mod(i.n - 1, CAST(:each AS bigint)) + 1
""")


class About(NamedTuple):
    """A report that packets are about, and when they went."""

    report_id: UUID
    tenant_id: str
    at: datetime


def same_packets(packets: Sequence[Packet], reports: Sequence[About]) -> Command:
    """The statement that appends the header of each packet for each report, in the packets' order."""
    described = [{"packet": p.id, "version": p.version, "sender": p.sender, "receiver": p.receiver, "topic": p.channel} for p in packets]
    return _INSERT, {
        "ids": array(uuid7(report.at).hex for report in reports for _ in packets),
        "reports": array(report.report_id.hex for report in reports),
        "tenants": texts(report.tenant_id for report in reports),
        "at": moments(report.at for report in reports),
        "each": len(packets),
        "packets": json.dumps(described),
    }
