"""Reports of different teachers close to each other in place and time: the same dog, perhaps, reported twice.

Found for a whole batch in one statement, by the cells of the index report_by_cell that a report's circle touches.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection, text

NEAR_M = 500  # how far a pack roams around its feeding place
NEAR_HOURS = 24  # a dog stays in its quarter for a day
PER_REPORT = 10  # the nearest; more cannot be compared by eye
PER_CELL = 50  # the latest; a cell is 220 m wide, and where more come in a day a verifier sees the street by the nearest of these

# 111,000: metres of a degree of latitude, rounded down. 0.01: nobody reports from the poles. 500: cells of a degree, as the index has them.
_FIND = text("""
    WITH mine AS MATERIALIZED (
        SELECT r.id, r.tenant_id, r.reporter_id, r.created_at, r.latitude, r.longitude, CAST(:near_m AS float8) / 111000 AS high,
               CAST(:near_m AS float8) / 111000 / greatest(cos(radians(r.latitude)), 0.01) AS wide
        FROM sdcrs.report r WHERE r.id = ANY (:ids)
    ), cell AS (
        SELECT m.*, y, x FROM mine m
        CROSS JOIN generate_series(floor((m.latitude - m.high) * 500)::int, floor((m.latitude + m.high) * 500)::int) y
        CROSS JOIN generate_series(floor((m.longitude - m.wide) * 500)::int, floor((m.longitude + m.wide) * 500)::int) x
    ), near AS (
        SELECT c.id, a.id AS other_id, a.created_at,
               2 * 6371008.8 * asin(least(1, sqrt(
                   power(sin(radians(a.latitude - c.latitude) / 2), 2)
                   + cos(radians(c.latitude)) * cos(radians(a.latitude))
                     * power(sin(radians(a.longitude - c.longitude) / 2), 2)))) AS metres
        FROM cell c CROSS JOIN LATERAL (
            SELECT r.id, r.created_at, r.latitude, r.longitude FROM sdcrs.report r
            WHERE r.tenant_id = c.tenant_id AND floor(r.latitude * 500)::int = c.y AND floor(r.longitude * 500)::int = c.x
              AND r.created_at > c.created_at - make_interval(hours => :hours)
              AND r.created_at < c.created_at + make_interval(hours => :hours)
              AND r.reporter_id <> c.reporter_id AND r.status <> 'AUTO_REJECTED'
              AND ((r.created_at, r.id) < (c.created_at, c.id) OR r.status <> 'PENDING_VALIDATION')
            ORDER BY r.created_at DESC LIMIT :per_cell) a
    ), ranked AS (
        SELECT n.id, n.other_id, row_number() OVER (PARTITION BY n.id ORDER BY n.metres, n.created_at, n.other_id) AS place
        FROM near n
        WHERE n.metres < :near_m AND NOT EXISTS (
            SELECT FROM fraud.pair d WHERE d.decision = 'NOT_DUPLICATE'
              AND d.later_id = greatest(n.id, n.other_id) AND d.earlier_id = least(n.id, n.other_id) OFFSET 0)
    )
    SELECT id, other_id FROM ranked WHERE place <= :per_report ORDER BY id, place
""")


def find_clusters(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, list[UUID]]:
    """For each report those of other teachers in its tenant less than 500 m and 24 hours away, the nearest first.

    Like duplicates: reports that came earlier, or came later and were judged already; none that is AUTO_REJECTED, and none of
    which a person said that it is another dog. At most 10 a report, of the latest 50 in each cell. One without any is absent.
    """
    params = {"ids": list(ids), "near_m": NEAR_M, "hours": NEAR_HOURS, "per_report": PER_REPORT, "per_cell": PER_CELL}
    found: dict[UUID, list[UUID]] = {}
    for row in conn.execute(_FIND, params):
        found.setdefault(row.id, []).append(row.other_id)
    return found
