"""Earlier dog photos that are the same or nearly so: exact, without misses, through indexed 16-bit parts of the hash.

Two 64-bit hashes at a Hamming distance of at most 7 agree in one of their four parts up to a single bit, since otherwise
each part would differ in two bits or more. So every such pair is found by looking up 17 values in each of four indexes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.filestore.measure import phash_bands

MAX_DISTANCE = 7  # the search above is exact up to here
CANDIDATES_PER_PHOTO = 20  # the nearest ones; one is enough to reject, the others show a verifier the series

_FIND = text("""
    WITH probe AS (
        SELECT * FROM jsonb_to_recordset(CAST(:probes AS jsonb))
            AS p(report_id uuid, tenant_id text, phash bigint, sha256 text, band0 int, band1 int, band2 int, band3 int,
                 since timestamptz, created_at timestamptz)
    ), near AS (SELECT 0 AS bit UNION ALL SELECT 1 << k FROM generate_series(0, 15) k),
    hit AS (
        SELECT p.report_id AS probe_id, e.id FROM probe p CROSS JOIN near n JOIN sdcrs.evidence e
            ON e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.band0 = p.band0 # n.bit
           AND e.created_at BETWEEN p.since AND p.created_at
        UNION
        SELECT p.report_id, e.id FROM probe p CROSS JOIN near n JOIN sdcrs.evidence e
            ON e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.band1 = p.band1 # n.bit
           AND e.created_at BETWEEN p.since AND p.created_at
        UNION
        SELECT p.report_id, e.id FROM probe p CROSS JOIN near n JOIN sdcrs.evidence e
            ON e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.band2 = p.band2 # n.bit
           AND e.created_at BETWEEN p.since AND p.created_at
        UNION
        SELECT p.report_id, e.id FROM probe p CROSS JOIN near n JOIN sdcrs.evidence e
            ON e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.band3 = p.band3 # n.bit
           AND e.created_at BETWEEN p.since AND p.created_at
    ), measured AS (
        SELECT p.report_id AS probe_id, e.report_id, e.sha256 = decode(p.sha256, 'hex') AS same_bytes,
               bit_count(CAST(e.phash # p.phash AS bit(64)))::int AS distance
        FROM hit h JOIN probe p ON p.report_id = h.probe_id JOIN sdcrs.evidence e ON e.id = h.id
        WHERE (e.created_at, e.report_id) < (p.created_at, p.report_id)
    ), ranked AS (
        SELECT m.*, r.report_number,
               row_number() OVER (PARTITION BY m.probe_id ORDER BY m.same_bytes DESC, m.distance, r.created_at) AS place
        FROM measured m JOIN sdcrs.report r ON r.id = m.report_id
        WHERE (m.distance <= :max_distance OR m.same_bytes) AND r.status <> 'AUTO_REJECTED'
    )
    SELECT probe_id, report_id, report_number, same_bytes, distance FROM ranked WHERE place <= :candidates ORDER BY probe_id, place
""")


@dataclass(frozen=True)
class Probe:
    """A report's dog photo, to be looked up among the earlier ones of its tenant."""

    report_id: UUID
    tenant_id: str
    phash: int
    sha256: bytes
    since: datetime  # how far back to look
    created_at: datetime


@dataclass(frozen=True)
class Candidate:
    """An earlier report with the same or nearly the same dog photo; `distance` in bits of 64."""

    report_id: UUID
    report_number: str
    same_bytes: bool
    distance: int

    @property
    def similarity(self) -> float:
        return 1.0 if self.same_bytes else 1 - self.distance / 64


def find_duplicates(conn: Connection, probes: Sequence[Probe], max_distance: int) -> dict[UUID, list[Candidate]]:
    """The candidates of each report, nearest first; one statement for all. A report without any is absent.

    Raises ValueError for a `max_distance` at which the search would miss pairs.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"the search is exact up to {MAX_DISTANCE} bits, not {max_distance}")
    rows: list[dict[str, Any]] = [
        {
            "report_id": str(p.report_id),
            "tenant_id": p.tenant_id,
            "phash": p.phash,
            "sha256": p.sha256.hex(),
            **{f"band{i}": band for i, band in enumerate(phash_bands(p.phash))},
            "since": p.since.isoformat(),
            "created_at": p.created_at.isoformat(),
        }
        for p in probes
    ]
    found: dict[UUID, list[Candidate]] = {}
    params = {"probes": json.dumps(rows), "max_distance": max_distance, "candidates": CANDIDATES_PER_PHOTO}
    for row in conn.execute(_FIND, params):
        found.setdefault(row.probe_id, []).append(Candidate(row.report_id, row.report_number, row.same_bytes, row.distance))
    return found
