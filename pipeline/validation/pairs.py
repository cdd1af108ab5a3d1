"""Candidate pairs: two reports that may be one, stored with likeness, metres and minutes as they are found.

Photos that are alike are found by pipeline.validation.duplicates; clusters, reports of different teachers close to each other in
place and time, are found here: the same dog, perhaps, reported twice. What a person says of a pair is written by
pipeline.reports.pairs and outlives every later finding.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.arrays import array

NEAR_M = 500  # how far a pack roams around its feeding place
NEAR_HOURS = 24  # a dog stays in its quarter for a day
PER_REPORT = 10  # the nearest; more cannot be compared by eye
PER_CELL = 200  # the latest; a cell is 550 m wide, and where more come in a day a verifier sees the street by the nearest of these

# 111,000: metres of a degree of latitude, rounded down. 0.01: nobody reports from the poles. 200: cells of a degree, as the index
# report_by_cell has them. The circle's box is asked before its distance, which takes eight times as long.
_RAISE = text("""
    WITH mine AS MATERIALIZED (
        SELECT r.id, r.tenant_id, r.reporter_id, r.created_at, r.latitude, r.longitude, CAST(:near_m AS float8) / 111000 AS high,
               CAST(:near_m AS float8) / 111000 / greatest(cos(radians(r.latitude)), 0.01) AS wide,
               (SELECT e.phash FROM sdcrs.evidence e WHERE e.report_id = r.id AND e.evidence_type = 'DOG_PHOTO' ORDER BY e.id LIMIT 1)
                   AS phash
        FROM sdcrs.report r WHERE r.id = ANY (CAST(:ids AS uuid[]))
    ), cell AS (
        SELECT m.*, y, x FROM mine m
        CROSS JOIN generate_series(floor((m.latitude - m.high) * 200)::int, floor((m.latitude + m.high) * 200)::int) y
        CROSS JOIN generate_series(floor((m.longitude - m.wide) * 200)::int, floor((m.longitude + m.wide) * 200)::int) x
    ), near AS (
        SELECT c.id, a.id AS other_id, c.tenant_id, c.phash, a.created_at,
               abs(extract(epoch FROM c.created_at - a.created_at)) / 60 AS minutes,
               2 * 6371008.8 * asin(least(1, sqrt(
                   power(sin(radians(a.latitude - c.latitude) / 2), 2)
                   + cos(radians(c.latitude)) * cos(radians(a.latitude))
                     * power(sin(radians(a.longitude - c.longitude) / 2), 2)))) AS metres
        FROM cell c CROSS JOIN LATERAL (
            SELECT r.id, r.created_at, r.latitude, r.longitude FROM sdcrs.report r
            WHERE r.tenant_id = c.tenant_id AND floor(r.latitude * 200)::int = c.y AND floor(r.longitude * 200)::int = c.x
              AND r.created_at > c.created_at - make_interval(hours => :hours)
              AND r.created_at < c.created_at + make_interval(hours => :hours)
              AND r.latitude BETWEEN c.latitude - c.high AND c.latitude + c.high
              AND r.longitude BETWEEN c.longitude - c.wide AND c.longitude + c.wide
              AND r.reporter_id <> c.reporter_id AND r.status <> 'AUTO_REJECTED'
              AND ((r.created_at, r.id) < (c.created_at, c.id) OR r.status <> 'PENDING_VALIDATION')
            ORDER BY r.created_at DESC LIMIT :per_cell) a
    ), ranked AS (
        SELECT n.*, row_number() OVER (PARTITION BY n.id ORDER BY n.metres, n.created_at, n.other_id) AS place
        FROM near n
        WHERE n.metres < :near_m AND NOT EXISTS (
            SELECT FROM fraud.pair d WHERE d.decision = 'NOT_DUPLICATE'
              AND d.later_id = greatest(n.id, n.other_id) AND d.earlier_id = least(n.id, n.other_id) OFFSET 0)
    ), photo AS (
        SELECT v.kind, v.similarity, l.tenant_id, v.earlier_id, v.later_id,
               2 * 6371008.8 * asin(least(1, sqrt(
                   power(sin(radians(e.latitude - l.latitude) / 2), 2)
                   + cos(radians(l.latitude)) * cos(radians(e.latitude))
                     * power(sin(radians(e.longitude - l.longitude) / 2), 2)))) AS metres,
               abs(extract(epoch FROM l.created_at - e.created_at)) / 60 AS minutes
        FROM unnest(CAST(:kinds AS text[]), CAST(:similarities AS float8[]), CAST(:earlier AS uuid[]), CAST(:later AS uuid[]))
            AS v (kind, similarity, earlier_id, later_id)
        CROSS JOIN LATERAL (SELECT r.latitude, r.longitude, r.created_at FROM sdcrs.report r WHERE r.id = v.earlier_id OFFSET 0) e
        CROSS JOIN LATERAL (
            SELECT r.tenant_id, r.latitude, r.longitude, r.created_at FROM sdcrs.report r WHERE r.id = v.later_id OFFSET 0) l
    ), cluster AS (
        SELECT DISTINCT ON (later_id, earlier_id)
               r.tenant_id, least(r.id, r.other_id) AS earlier_id, greatest(r.id, r.other_id) AS later_id,
               coalesce(1 - bit_count(CAST(r.phash # (
                   SELECT e.phash FROM sdcrs.evidence e WHERE e.report_id = r.other_id AND e.evidence_type = 'DOG_PHOTO'
                   ORDER BY e.id LIMIT 1) AS bit(64)))::float8 / 64, 0) AS similarity, r.metres, r.minutes
        FROM ranked r WHERE r.place <= :per_report
        ORDER BY later_id, earlier_id
    ), found AS (
        SELECT tenant_id, earlier_id, later_id, kind, similarity, metres, minutes FROM photo
        UNION ALL
        SELECT c.tenant_id, c.earlier_id, c.later_id, 'CLUSTER', c.similarity, c.metres, c.minutes FROM cluster c
        WHERE NOT EXISTS (SELECT FROM photo p WHERE (p.later_id, p.earlier_id) = (c.later_id, c.earlier_id))
    )
    INSERT INTO fraud.pair (id, tenant_id, earlier_id, later_id, kind, similarity, metres, minutes, found_at)
    SELECT gen_random_uuid(), f.tenant_id, f.earlier_id, f.later_id, f.kind, f.similarity, f.metres, f.minutes, :now
    FROM found f
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
    """Find the clusters of these reports and store every pair; how many. Does not commit.

    A cluster is the nearest 10 reports of other teachers in the tenant, less than 500 m and 24 hours away, that came earlier, or
    came later and were judged already; none that is AUTO_REJECTED, and none of which a person said that it is another dog. What
    is alike by photo is stored as that. A pair has one row, whichever of the two was judged: found again it is measured again,
    decided it stays as it is.
    """
    photos = {_key(report_id, one.report_id): one for report_id, candidates in duplicates.items() for one in candidates}
    params = {
        "ids": array(report_id.hex for report_id in reports),
        "near_m": NEAR_M,
        "hours": NEAR_HOURS,
        "per_report": PER_REPORT,
        "per_cell": PER_CELL,
        "kinds": array("PHOTO_EXACT" if one.same_bytes else "PHOTO_SIMILAR" for one in photos.values()),
        "similarities": array(one.similarity for one in photos.values()),
        "earlier": array(earlier.hex for earlier, _ in photos),
        "later": array(later.hex for _, later in photos),
        "now": now,
    }
    return conn.execute(_RAISE, params).rowcount


def _key(one: UUID, other: UUID) -> tuple[UUID, UUID]:
    """The pair as it is stored: ids rise with time."""
    return (one, other) if one < other else (other, one)
