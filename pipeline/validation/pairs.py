"""Candidate pairs: two reports that may be one, stored with likeness, metres and minutes as they are found.

What a person says of a pair is written by pipeline.reports.pairs and outlives every later finding.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.ids import uuid7
from pipeline.validation.clusters import find_clusters

_STORE = text("""
    WITH found AS (
        SELECT v.id, v.kind, l.tenant_id, e.id AS earlier_id, l.id AS later_id, v.similarity,
               2 * 6371008.8 * asin(least(1, sqrt(
                   power(sin(radians(e.latitude - l.latitude) / 2), 2)
                   + cos(radians(l.latitude)) * cos(radians(e.latitude))
                     * power(sin(radians(e.longitude - l.longitude) / 2), 2)))) AS metres,
               abs(extract(epoch FROM l.created_at - e.created_at)) / 60 AS minutes
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, kind text, earlier_id uuid, later_id uuid, similarity float8)
        JOIN sdcrs.report e ON e.id = v.earlier_id JOIN sdcrs.report l ON l.id = v.later_id
    ), photo AS (
        SELECT DISTINCT ON (e.report_id) e.report_id, e.phash FROM sdcrs.evidence e
        WHERE e.evidence_type = 'DOG_PHOTO'
          AND e.report_id IN (SELECT earlier_id FROM found WHERE similarity IS NULL
                              UNION SELECT later_id FROM found WHERE similarity IS NULL)
        ORDER BY e.report_id, e.id
    )
    INSERT INTO fraud.pair (id, tenant_id, earlier_id, later_id, kind, similarity, metres, minutes, found_at)
    SELECT f.id, f.tenant_id, f.earlier_id, f.later_id, f.kind,
           coalesce(f.similarity, 1 - bit_count(CAST(a.phash # b.phash AS bit(64)))::float8 / 64, 0), f.metres, f.minutes, :now
    FROM found f LEFT JOIN photo a ON a.report_id = f.earlier_id LEFT JOIN photo b ON b.report_id = f.later_id
    ORDER BY f.later_id, f.earlier_id
    ON CONFLICT (later_id, earlier_id) DO UPDATE
    SET kind = excluded.kind, similarity = excluded.similarity, metres = excluded.metres, minutes = excluded.minutes
    WHERE fraud.pair.decision IS NULL
""")


class Alike(Protocol):
    """A report whose photo is like another's."""

    @property
    def report_id(self) -> UUID: ...
    @property
    def same_bytes(self) -> bool: ...
    @property
    def similarity(self) -> float: ...


def raise_pairs(conn: Connection, reports: Sequence[UUID], duplicates: Mapping[UUID, Sequence[Alike]], now: datetime) -> int:
    """Find the clusters of these reports and store every pair, photos that are alike first; how many. Does not commit.

    A pair has one row, whichever of the two was judged: found again it is measured again, decided it stays as it is.
    """
    rows: dict[tuple[UUID, UUID], dict[str, object]] = {}
    for report_id, others in find_clusters(conn, reports).items():
        for other_id in others:
            rows[_key(report_id, other_id)] = {"kind": "CLUSTER"}
    for report_id, candidates in duplicates.items():
        for one in candidates:
            kind = "PHOTO_EXACT" if one.same_bytes else "PHOTO_SIMILAR"
            rows[_key(report_id, one.report_id)] = {"kind": kind, "similarity": one.similarity}
    if rows:
        given = [{"id": str(uuid7(now)), "earlier_id": str(a), "later_id": str(b), **row} for (a, b), row in rows.items()]
        conn.execute(_STORE, {"rows": json.dumps(given), "now": now})
    return len(rows)


def _key(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    """The pair as it is stored: ids rise with time."""
    return (one, other) if one < other else (other, one)
