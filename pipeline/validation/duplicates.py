"""Dog photos of other reports that are the same or nearly so: exact, without misses, from the indexes on the hash's parts.

A 64-bit hash is kept in four parts of 16 bits. Each part i is looked up with all values that differ from it in at most r_i
bits. A hash that is missed differs in r_i + 1 bits or more of every part, so in (r_0 + r_1 + r_2 + r_3) + 4 bits or more; hence
radii that add up to the distance less 3 find everything within it. For 6 bits that is 17 + 17 + 17 + 1 values instead of four
times 17. The indexes hold the whole hash too: what is not near enough is dropped before the table is read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from pipeline.filestore.measure import phash_bands

PARTS = 4
PART_BITS = 16
MAX_DISTANCE = 2 * PARTS - 1  # radius 1 in every part; radius 2 would take 137 values a part
CANDIDATES_PER_PHOTO = 20  # the nearest ones; one is enough to reject, the others show a verifier the series

_PART = """
    SELECT p.report_id, p.tenant_id, p.sha256, p.own_at, p.phash AS own_phash, h.phash, h.created_at
    FROM probe p CROSS JOIN LATERAL (
        SELECT e.phash, e.created_at FROM sdcrs.evidence e
        WHERE e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO'
          AND e.band{part} = ANY (ARRAY(SELECT p.band{part} # n FROM unnest(CAST('{near}' AS int[])) n))
          AND e.created_at BETWEEN p.since AND p.until AND bit_count(CAST(e.phash # p.phash AS bit(64))) <= :max_distance
        OFFSET 0) h
"""
# OFFSET 0 keeps each lookup a lookup, whatever the planner believes of the table's size; a part's values are asked as one list, a
# quarter faster than one by one. What is found carries what it is compared with: joining it to the probes again would cost
# their square. The part comes first in its index, so no other part's can serve in its stead, not even to a planner without
# statistics, as in the first minutes of a table.
_FIND = """
    WITH probe AS MATERIALIZED (
        SELECT p.report_id, p.tenant_id, p.phash, decode(p.sha256, 'hex') AS sha256, p.band0, p.band1, p.band2, p.band3, p.since,
               p.own_at, p.until
        FROM jsonb_to_recordset(CAST(:probes AS jsonb))
            AS p(report_id uuid, tenant_id text, phash bigint, sha256 text, band0 int, band1 int, band2 int, band3 int,
                 since timestamptz, own_at timestamptz, until timestamptz)
    ), near AS ({parts}),
    hit AS (
        SELECT n.report_id AS probe_id, n.own_at, e.report_id, e.sha256 = n.sha256 AS same_bytes, e.phash # n.own_phash AS differing
        FROM near n CROSS JOIN LATERAL (
            SELECT e.report_id, e.sha256, e.phash FROM sdcrs.evidence e
            WHERE e.tenant_id = n.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.band0 = CAST(n.phash >> 48 & 65535 AS int)
              AND e.created_at = n.created_at AND e.phash = n.phash OFFSET 0) e
        UNION ALL
        SELECT p.report_id, p.own_at, e.report_id, true, e.phash # p.phash
        FROM probe p CROSS JOIN LATERAL (
            SELECT e.report_id, e.phash FROM sdcrs.evidence e
            WHERE e.tenant_id = p.tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.sha256 = p.sha256
              AND e.created_at BETWEEN p.since AND p.until OFFSET 0) e
    ), other AS (
        SELECT probe_id, own_at, report_id, bool_or(same_bytes) AS same_bytes,
               CAST(min(bit_count(CAST(differing AS bit(64)))) AS int) AS distance
        FROM hit WHERE report_id <> probe_id GROUP BY probe_id, own_at, report_id
    ), ranked AS (
        SELECT o.*, r.report_number, r.status = 'PENDING_VALIDATION' AND (r.created_at, r.id) > (o.own_at, o.probe_id) AS to_come,
               row_number() OVER (PARTITION BY o.probe_id ORDER BY o.same_bytes DESC, o.distance, r.created_at, r.id) AS place
        FROM other o CROSS JOIN LATERAL (
            SELECT r.id, r.report_number, r.status, r.created_at FROM sdcrs.report r WHERE r.id = o.report_id OFFSET 0) r
        WHERE r.status <> 'AUTO_REJECTED' AND NOT EXISTS (
            SELECT FROM fraud.pair d WHERE d.decision = 'NOT_DUPLICATE'
              AND d.later_id = greatest(o.probe_id, o.report_id) AND d.earlier_id = least(o.probe_id, o.report_id) OFFSET 0)
    )
    SELECT probe_id, report_id, report_number, same_bytes, distance, to_come FROM ranked
    WHERE to_come OR place <= :candidates ORDER BY probe_id, place
"""
_DECIDED = text("SELECT id, status FROM sdcrs.report WHERE id = ANY (:ids) ORDER BY id FOR SHARE")


@dataclass(frozen=True)
class Probe:
    """A report's dog photo, to be looked up among those of the other reports of its tenant."""

    report_id: UUID
    tenant_id: str
    phash: int
    sha256: bytes
    since: datetime  # how far back to look
    created_at: datetime

    @property
    def until(self) -> datetime:
        """As far ahead as back: a later report that was judged first is the original."""
        return self.created_at + (self.created_at - self.since)


@dataclass(frozen=True)
class Candidate:
    """Another report with the same or nearly the same dog photo; `distance` in bits of 64."""

    report_id: UUID
    report_number: str
    same_bytes: bool
    distance: int

    @property
    def similarity(self) -> float:
        return 1.0 if self.same_bytes else 1 - self.distance / (PARTS * PART_BITS)


def radii(max_distance: int) -> tuple[int, ...]:
    """In how many bits each part may differ so that no hash within the distance is missed.

    Raises ValueError for a distance up to which the search is not exact.
    """
    if not 0 <= max_distance <= MAX_DISTANCE:
        raise ValueError(f"the search is exact up to {MAX_DISTANCE} bits, not {max_distance}")
    return tuple(int(part < max_distance - (PARTS - 1)) for part in range(PARTS))


def find_duplicates(conn: Connection, probes: Sequence[Probe], max_distance: int, *, judging: bool = True) -> dict[UUID, list[Candidate]]:
    """The candidates of each report, nearest first, in one statement for all. A report without any is absent.

    A candidate is any other report of the tenant that is not AUTO_REJECTED and came earlier, or came later and was judged
    already; pairs of which a person said that they are no duplicates are left out. With `judging`, a later one that another
    worker is judging right now is waited for (its row is locked in share mode until the end of the transaction), so that of
    two copies judged at once only one passes. Raises ValueError for a `max_distance` at which the search would miss pairs.
    """
    statement = _statement(max_distance)
    if not probes:
        return {}
    rows: list[dict[str, Any]] = [
        {
            "report_id": str(p.report_id),
            "tenant_id": p.tenant_id,
            "phash": p.phash,
            "sha256": p.sha256.hex(),
            **{f"band{i}": band for i, band in enumerate(phash_bands(p.phash))},
            "since": p.since.isoformat(),
            "own_at": p.created_at.isoformat(),
            "until": p.until.isoformat(),
        }
        for p in probes
    ]
    params = {"probes": json.dumps(rows), "max_distance": max_distance, "candidates": CANDIDATES_PER_PHOTO}
    hits = conn.execute(statement, params).all()
    passed = _passed(conn, {p.report_id for p in probes}, hits) if judging else set()
    found: dict[UUID, list[Candidate]] = {}
    for row in hits:
        if not row.to_come or row.report_id in passed:
            found.setdefault(row.probe_id, []).append(Candidate(row.report_id, row.report_number, row.same_bytes, row.distance))
    return found


def _passed(conn: Connection, own: set[UUID], hits: Sequence[Row[Any]]) -> set[UUID]:
    """Later reports whose judgement, under way elsewhere, has let them pass meanwhile. Those of the own batch come after."""
    to_come = {row.report_id for row in hits if row.to_come} - own
    if not to_come:
        return set()
    rows = conn.execute(_DECIDED, {"ids": sorted(to_come)})
    return {row.id for row in rows if row.status not in ("PENDING_VALIDATION", "AUTO_REJECTED")}


@cache
def _statement(max_distance: int) -> TextClause:
    """The search up to a distance: one index lookup for each value of each part."""
    flips = [0, *(1 << bit for bit in range(PART_BITS))]
    parts = [
        _PART.format(part=part, near="{" + ",".join(map(str, flips if radius else flips[:1])) + "}")
        for part, radius in enumerate(radii(max_distance))
    ]
    return text(_FIND.format(parts=" UNION ".join(parts)))  # each found in several parts, as oneself always is, is read once
