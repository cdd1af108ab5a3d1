"""Searching millions of photo hashes: ours beside a scan, numpy over all of them, the designs not chosen, and pgvector's HNSW.

All photos lie in one tenant and in its window of thirty days, spread evenly. They are rows of sdcrs.evidence as in the product,
made set-wise; reports exist for those that can be found. Of the photos looked up seven in ten are new and three are copies of
a known one with 0 to 8 bits flipped. Brute force says what should have been found.
"""

import math
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from psycopg import Connection
from sqlalchemy import text

from pipeline.bench.duplicates_beside import DESIGNS, Design, Nearest, add_vectors, as_bits, nearest_by_vector
from pipeline.bench.house import House, Say, open_house
from pipeline.database.engine import psycopg_url
from pipeline.settings import Settings
from pipeline.validation.duplicates import Probe, find_duplicates

TENANT = "dj.djibouti-ville"
DISTANCE = 6  # the programme's limit
WINDOW = timedelta(days=30)
SINGLES = 500  # photos looked up one by one: the 99th percentile is then told by five
BATCH = 200  # as the validation job's
BATCHES = 20
SCANS = 10  # a scan takes a second or more
BRUTES = 100
COPIES = 0.3  # of the photos looked up
CHUNK = 500_000  # rows a transaction
TOOK_MOST_S = 600  # for one statement of ours at any size; a design that was not chosen may need long

_ROWS = f"""
    INSERT INTO sdcrs.evidence (id, tenant_id, report_id, evidence_type, file_id, file_name, mime_type, file_size, sha256, phash, band0,
                                band1, band2, band3, device_info, uploaded_at, uploaded_by, created_at)
    SELECT v.id, '{TENANT}', v.id, 'DOG_PHOTO', v.id, 'dog.jpg', 'image/jpeg', 2400000, sha256(v.id::text::bytea), v.phash,
           (v.phash >> 48 & 65535)::int, (v.phash >> 32 & 65535)::int, (v.phash >> 16 & 65535)::int, (v.phash & 65535)::int,
           'Samsung Galaxy A14', v.at, v.id, v.at
    FROM (SELECT (lpad(to_hex((extract(epoch FROM s.at) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(s.n), 15, '0'))::uuid AS id,
                 hashint8extended(s.n, %(seed)s) AS phash, s.at
          FROM (SELECT n, %(since)s::timestamptz + n * %(step)s::interval AS at
                FROM generate_series(%(first)s::bigint, %(last)s::bigint) n) s) v
"""  # noqa: S608 - a constant, no value
_REPORTS = """
    INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
                              reporter_id, latitude, longitude, state_entered_at, sla_due_at, created_at, modified_at, modified_by,
                              workflow_version)
    SELECT e.id, e.tenant_id, 'dj', 'DR-DJ-2026-' || lpad((row_number() OVER (ORDER BY e.id))::text, 6, '0'),
           lpad(to_hex(row_number() OVER (ORDER BY e.id)), 8, '0'), e.id::text, 'StrayDogPack', 'three dogs',
           'PENDING_VERIFICATION', %(who)s, 11.5886, 43.1456, e.created_at, e.created_at, e.created_at, e.created_at, %(who)s, 1
    FROM sdcrs.evidence e WHERE e.id = ANY (%(ids)s)
"""
_ACCOUNT = """
    INSERT INTO access.account (id, tenant_id, state_id, username, roles, created_at)
    VALUES (%(who)s, %(tenant)s, 'dj', 'T0', ARRAY['TEACHER'], %(at)s)
"""
_SCAN = text("""
    SELECT e.report_id FROM sdcrs.evidence e
    WHERE e.tenant_id = :tenant_id AND e.evidence_type = 'DOG_PHOTO' AND e.created_at BETWEEN :since AND :until
      AND bit_count(CAST(e.phash # CAST(:phash AS bigint) AS bit(64))) <= :max_distance
""")
_NUMBER = (1 << 60) - 1  # where an id keeps the number of its row


@dataclass(frozen=True)
class Took:
    """How long lookups took, in milliseconds: percentiles that really occurred (nearest rank)."""

    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Way:
    """One way to search: how long a lookup took, and what it found of what there is."""

    name: str
    about: str
    took: Took
    looked_up: int
    expected: int = 0
    missed: int = 0

    @property
    def recall(self) -> float | None:
        return None if not self.expected else 1 - self.missed / self.expected


@dataclass
class Report:
    """What was measured, and over how many hashes."""

    hashes: int
    ways: list[Way] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """By the search that the product uses."""
        return sum(way.missed for way in self.ways if way.name.startswith("ours"))

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        width = max(len(way.name) for way in self.ways)
        lines = [f"{self.hashes:,} hashes in one tenant and one window, distance up to {DISTANCE} of 64"]
        lines.append(f"  {'way':<{width}} {'lookups':>8} {'p50 ms':>10} {'p99 ms':>10} {'expected':>9} {'missed':>7}  about")
        for way in self.ways:
            times = f"{way.took.p50_ms:>10.2f} {way.took.p99_ms:>10.2f}"
            lines += [f"  {way.name:<{width}} {way.looked_up:>8} {times} {way.expected:>9} {way.missed:>7}  {way.about}"]
        return lines + [f"  {note}" for note in self.notes]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        ways = [{**vars(way), "took": vars(way.took), "recall": way.recall} for way in self.ways]
        return {"hashes": self.hashes, "missed": self.missed, "ways": ways, "notes": self.notes}


@dataclass(frozen=True)
class Photos:
    """The photos looked up, and the known rows that each should find."""

    probes: Sequence[Probe]
    expected: Mapping[UUID, frozenset[int]]  # by probe: numbers of rows


def run(settings: Settings, folder: Path, hashes: int, seed: int, say: Say, *, beside: bool, vectors: int) -> Report:
    """Build a database with so many hashes, measure every way, and remove it. `beside`: also the designs not chosen, and
    pgvector over the first `vectors` of the hashes, since its index takes hours for all.
    """
    with open_house(settings, lambda _: {}, folder, say) as house, _owner(house) as owner:
        now = house.rt.clock.now()
        step = WINDOW / (hashes + 1)
        with _bare(owner, say):
            _load(owner, hashes, seed, now - WINDOW, step, say)
        owner.execute("VACUUM (ANALYZE) sdcrs.evidence")
        report = Report(hashes)
        known = _hashes(owner, hashes)
        rng = random.Random(seed)
        photos, brute = _choose(known, now, rng, SINGLES + BATCH * BATCHES, say)
        _add_reports(owner, photos, now)
        report.ways += _told([_singles(house, photos), _batches(house, photos), _scans(house, photos)], say)
        report.ways += _told([Way("numpy", "one pass over all hashes in memory", brute, BRUTES)], say)
        for design in DESIGNS if beside else ():
            report.ways += _told([_design(owner, design, photos, say)], say)
        if beside:
            report.ways += _told(_vectors(owner, photos, min(vectors, hashes), report.notes, say), say)
        ours, scan = report.ways[0].took.p50_ms, next(way.took.p50_ms for way in report.ways if way.name == "scan")
        report.notes.append(f"ours is {scan / ours:,.0f} times the scan, looked up one by one, at the median")
        return report


def _told(ways: list[Way], say: Say) -> list[Way]:
    """The same ways, each told as soon as it is measured: the whole takes long."""
    for way in ways:
        say(f"{way.name}: p50 {way.took.p50_ms:.2f} ms, p99 {way.took.p99_ms:.2f} ms, missed {way.missed} of {way.expected}")
    return ways


@contextmanager
def _owner(house: House) -> Iterator[Connection]:
    with psycopg.connect(psycopg_url(house.urls.owner), autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("SET maintenance_work_mem = '1GB'")
        conn.execute("SET max_parallel_workers_per_gather = 0")  # as the product's server has it
        for table in ("access.account", "sdcrs.report", "sdcrs.evidence"):
            conn.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY".encode())
        yield conn


@contextmanager
def _bare(conn: Connection, say: Say) -> Iterator[None]:
    """The evidence without foreign keys, which stay away, and without its secondary indexes, which are made again after the block."""
    keys = conn.execute("SELECT conname FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid = 'sdcrs.evidence'::regclass")
    for (name,) in keys.fetchall():
        conn.execute(f'ALTER TABLE sdcrs.evidence DROP CONSTRAINT "{name}"'.encode())
    indexes = conn.execute(
        "SELECT i.indexrelid::regclass::text, pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i"
        " WHERE i.indrelid = 'sdcrs.evidence'::regclass AND NOT i.indisprimary"
    ).fetchall()
    for name, _ in indexes:
        conn.execute(f"DROP INDEX {name}".encode())
    yield
    for name, definition in indexes:
        began = time.monotonic()
        conn.execute(definition.encode())
        size = conn.execute("SELECT pg_relation_size(%s::regclass)", (name,)).fetchone()
        say(f"Index {name}: {time.monotonic() - began:.0f} s, {(size[0] if size else 0) / 1e6:.0f} MB")


def _load(conn: Connection, hashes: int, seed: int, since: datetime, step: timedelta, say: Say) -> None:
    began = time.monotonic()
    for first in range(1, hashes + 1, CHUNK):
        last = min(first + CHUNK - 1, hashes)
        conn.execute(_ROWS.encode(), {"seed": seed, "since": since, "step": step, "first": first, "last": last})
        say(f"{last:,} of {hashes:,} photos ({time.monotonic() - began:.0f} s)")


def _hashes(conn: Connection, hashes: int) -> "np.ndarray[Any, np.dtype[np.uint64]]":
    """All hashes in the order of their numbers, the first at place 0."""
    with conn.cursor().copy("COPY (SELECT phash FROM sdcrs.evidence ORDER BY created_at) TO STDOUT (FORMAT binary)") as copy:
        raw = b"".join(copy)
    row = np.dtype([("fields", ">i2"), ("size", ">i4"), ("phash", ">i8")])
    return np.frombuffer(raw, row, count=hashes, offset=19)["phash"].astype(np.int64).view(np.uint64)  # 19: the format's header


def _choose(known: "np.ndarray[Any, np.dtype[np.uint64]]", now: datetime, rng: random.Random, count: int, say: Say) -> tuple[Photos, Took]:
    """The photos to look up and what brute force finds for each; and how long that took."""
    probes, expected, took = [], {}, []
    say(f"Brute force over {count:,} photos")
    for number in range(count):
        bits = rng.getrandbits(64)
        if rng.random() < COPIES:
            bits = int(known[rng.randrange(len(known))])
            for bit in rng.sample(range(64), rng.randrange(9)):
                bits ^= 1 << bit
        began = time.perf_counter()
        near = np.nonzero(np.bitwise_count(known ^ np.uint64(bits)) <= DISTANCE)[0]
        took.append(time.perf_counter() - began)
        report_id = UUID(int=(0xFFFF << 112) | (0x7000 << 64) | (0x8 << 60) | number)  # after every known one
        probes.append(Probe(report_id, TENANT, bits - (1 << 64) if bits >> 63 else bits, report_id.bytes * 2, now - WINDOW, now))
        expected[report_id] = frozenset(int(place) + 1 for place in near)
    return Photos(probes, expected), _took(took[:BRUTES])


def _add_reports(conn: Connection, photos: Photos, now: datetime) -> None:
    """The reports of the photos that can be found."""
    numbers = {number for found in photos.expected.values() for number in found}
    who = UUID(int=0x8 << 60)
    ids = conn.execute(
        "SELECT id FROM sdcrs.evidence WHERE ('x' || right(replace(id::text, '-', ''), 15))::bit(60)::bigint = ANY (%s)", (list(numbers),)
    )
    conn.execute(_ACCOUNT, {"who": who, "tenant": TENANT, "at": now})
    conn.execute(_REPORTS, {"who": who, "ids": [row[0] for row in ids]})
    conn.execute("ANALYZE sdcrs.report")


def _singles(house: House, photos: Photos) -> Way:
    took, missed, expected = [], 0, 0
    for probe in photos.probes[:SINGLES]:
        with house.rt.database.worker() as conn:
            began = time.perf_counter()
            found = find_duplicates(conn, [probe], DISTANCE)
            took.append(time.perf_counter() - began)
        missed += _missed(photos, [probe], {key: {c.report_id for c in value} for key, value in found.items()})
        expected += len(photos.expected[probe.report_id])
    return Way("ours, one by one", "4 parts, radii 1 1 1 0, indexes with the hash", _took(took), SINGLES, expected, missed)


def _batches(house: House, photos: Photos) -> Way:
    took, missed, expected = [], 0, 0
    for number in range(BATCHES):
        probes = photos.probes[SINGLES + number * BATCH : SINGLES + (number + 1) * BATCH]
        with house.rt.database.worker(TOOK_MOST_S) as conn:
            began = time.perf_counter()
            found = find_duplicates(conn, probes, DISTANCE)
            took.append((time.perf_counter() - began) / BATCH)
        missed += _missed(photos, probes, {key: {c.report_id for c in value} for key, value in found.items()})
        expected += sum(len(photos.expected[probe.report_id]) for probe in probes)
    return Way(f"ours, {BATCH} at once", "the same, time per photo", _took(took), BATCH * BATCHES, expected, missed)


def _scans(house: House, photos: Photos) -> Way:
    took, missed, expected = [], 0, 0
    for probe in photos.probes[:SCANS]:
        params = {"tenant_id": TENANT, "phash": probe.phash, "since": probe.since, "until": probe.until, "max_distance": DISTANCE}
        with house.rt.database.worker(TOOK_MOST_S) as conn:
            began = time.perf_counter()
            found = set(conn.execute(_SCAN, params).scalars())
            took.append(time.perf_counter() - began)
        missed += _missed(photos, [probe], {probe.report_id: found})
        expected += len(photos.expected[probe.report_id])
    return Way("scan", "bit_count over the table", _took(took), SCANS, expected, missed)


def _design(conn: Connection, design: Design, photos: Photos, say: Say) -> Way:
    """A design that was not chosen, with indexes of its own for the time of its measurement."""
    began = time.monotonic()
    design.build(conn)
    conn.execute("VACUUM (ANALYZE) sdcrs.evidence")
    say(f"Indexes of {design.name}: {time.monotonic() - began:.0f} s")
    took, missed, expected = [], 0, 0
    statement = design.statement(DISTANCE).encode()
    for number in range(2):
        probes = photos.probes[SINGLES + number * BATCH : SINGLES + (number + 1) * BATCH]
        params = {"numbers": list(range(BATCH)), "hashes": [p.phash for p in probes], "tenant": TENANT, "since": probes[0].since}
        begin = time.perf_counter()
        rows = conn.execute(statement, params).fetchall()
        took.append((time.perf_counter() - begin) / BATCH)
        found: dict[UUID, set[UUID]] = {}
        for place, report_id in rows:
            found.setdefault(probes[place].report_id, set()).add(report_id)
        missed += _missed(photos, probes, found)
        expected += sum(len(photos.expected[p.report_id]) for p in probes)
    design.drop(conn)
    return Way(design.name, f"{design.about}; {BATCH} at once, time per photo", _took(took), 2 * BATCH, expected, missed)


def _vectors(conn: Connection, photos: Photos, hashes: int, notes: list[str], say: Say) -> list[Way]:
    """pgvector's HNSW over the same hashes where the server has it, with its recall; else a note."""
    began = time.monotonic()
    version = add_vectors(conn, hashes, say)
    if version is None:
        notes.append("pgvector: this server does not offer the extension from version 0.7 on; not measured")
        return []
    notes.append(f"pgvector {version}: its index took {time.monotonic() - began:.0f} s to build")
    ways = []
    for effort in (40, 200):  # its default, and what it takes to find more
        took, missed, expected = [], 0, 0
        for probe in photos.probes[:SINGLES]:
            begin = time.perf_counter()
            rows: Sequence[Nearest] = nearest_by_vector(conn, as_bits(probe.phash), effort)
            took.append(time.perf_counter() - begin)
            found = {row.report_id for row in rows if row.distance <= DISTANCE}
            due = {number for number in photos.expected[probe.report_id] if number <= hashes}
            missed += len(due - {report_id.int & _NUMBER for report_id in found})
            expected += len(due)
        about = f"the 20 nearest of {hashes:,}, hnsw.ef_search {effort}, whatever tenant and time"
        ways.append(Way(f"pgvector HNSW, ef {effort}", about, _took(took), SINGLES, expected, missed))
    return ways


def _missed(photos: Photos, probes: Sequence[Probe], found: Mapping[UUID, set[UUID]]) -> int:
    """How many rows were not found that brute force finds. Raises AssertionError for one that it does not find."""
    missed = 0
    for probe in probes:
        numbers = {report_id.int & _NUMBER for report_id in found.get(probe.report_id, set())}
        if extra := numbers - photos.expected[probe.report_id]:
            raise AssertionError(f"found what is not there: {sorted(extra)[:3]}")
        missed += len(photos.expected[probe.report_id] - numbers)
    return missed


def _took(seconds: Sequence[float]) -> Took:
    ordered = sorted(seconds)
    p50, p99 = (ordered[max(math.ceil(share * len(ordered)) - 1, 0)] * 1000 for share in (0.50, 0.99))
    return Took(round(p50, 3), round(p99, 3))
