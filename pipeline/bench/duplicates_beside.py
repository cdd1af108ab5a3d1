"""What the photo search is compared with: other ways to cut the hash into indexed parts, and pgvector's HNSW."""

from dataclasses import dataclass
from itertools import combinations
from uuid import UUID

from psycopg import Connection

from pipeline.bench.house import Say

VECTOR_FROM = (0, 7)  # HNSW over bits came with 0.7
BUILD_MEMORY = "8GB"  # a graph that does not fit is built from the disk, which takes days at nine million


@dataclass(frozen=True)
class Part:
    """A part of the hash: its lowest bit and its width."""

    shift: int
    bits: int

    @property
    def of(self) -> str:
        """The part of {0}, as SQL."""
        return f"({{0}} >> {self.shift} & {(1 << self.bits) - 1})"

    def near(self, radius: int) -> list[int]:
        """What the part is combined with to reach every value within the radius."""
        return sorted(sum(1 << bit for bit in some) for size in range(radius + 1) for some in combinations(range(self.bits), size))


@dataclass(frozen=True)
class Design:
    """A way to cut the hash: its parts, the radius of each, and whether the indexes hold the whole hash."""

    name: str
    about: str
    parts: tuple[Part, ...]
    radii: tuple[int, ...]
    covering: bool

    def build(self, conn: Connection) -> None:
        """Make its indexes."""
        for number, part in enumerate(self.parts):
            include = " INCLUDE (phash, report_id)" if self.covering else ""
            conn.execute(
                f"CREATE INDEX beside_{number} ON sdcrs.evidence (tenant_id, ({part.of.format('phash')}), created_at){include}"
                " WHERE evidence_type = 'DOG_PHOTO'".encode()
            )

    def drop(self, conn: Connection) -> None:
        """Remove them."""
        for number in range(len(self.parts)):
            conn.execute(f"DROP INDEX sdcrs.beside_{number}".encode())

    def statement(self, max_distance: int) -> str:
        """Number and report of every photo within the distance, for arrays of numbers and hashes."""
        arms = []
        for part, radius in zip(self.parts, self.radii, strict=True):
            values = ",".join(map(str, part.near(radius)))
            arms.append(f"""
                SELECT k.number, e.report_id
                FROM (SELECT p.*, {part.of.format("p.phash")} # n AS wanted
                      FROM probe p CROSS JOIN unnest('{{{values}}}'::bigint[]) n ORDER BY wanted) k
                CROSS JOIN LATERAL (
                    SELECT e.report_id FROM sdcrs.evidence e
                    WHERE e.tenant_id = %(tenant)s AND e.evidence_type = 'DOG_PHOTO' AND {part.of.format("e.phash")} = k.wanted
                      AND e.created_at >= %(since)s AND bit_count((e.phash # k.phash)::bit(64)) <= {max_distance} OFFSET 0) e""")  # noqa: S608 - constants
        return f"""WITH probe AS MATERIALIZED (
            SELECT * FROM unnest(%(numbers)s::int[], %(hashes)s::bigint[]) AS p (number, phash)) {" UNION ".join(arms)}"""  # noqa: S608


QUARTERS = (Part(48, 16), Part(32, 16), Part(16, 16), Part(0, 16))
THIRDS = (Part(42, 22), Part(21, 21), Part(0, 21))
DESIGNS = (
    Design("4 x 16, radius 1", "68 lookups, candidates read from the table", QUARTERS, (1, 1, 1, 1), covering=False),
    Design("3 x 21/22, radius 2", "718 lookups, indexes with the hash", THIRDS, (2, 2, 2), covering=True),
    Design("3 x 21/22, radii 2 1 1", "298 lookups, indexes with the hash", THIRDS, (2, 1, 1), covering=True),
)


@dataclass(frozen=True)
class Nearest:
    """A report that pgvector found, and its distance in bits."""

    report_id: UUID
    distance: float


def add_vectors(conn: Connection, count: int, say: Say) -> str | None:
    """Copy the first hashes into a table of bits with an HNSW index; pgvector's version, or None where the server has none that can."""
    row = conn.execute("SELECT default_version FROM pg_catalog.pg_available_extensions WHERE name = 'vector'").fetchone()
    if row is None or tuple(int(part) for part in row[0].split(".")[:2]) < VECTOR_FROM:
        return None
    say(f"Building pgvector {row[0]}'s index")
    conn.execute("CREATE EXTENSION vector")
    conn.execute("CREATE TABLE public.vectors (report_id uuid, bits bit(64))")
    conn.execute("INSERT INTO public.vectors SELECT report_id, phash::bit(64) FROM sdcrs.evidence ORDER BY created_at LIMIT %s", (count,))
    conn.execute(f"SET maintenance_work_mem = '{BUILD_MEMORY}'".encode())
    conn.execute("SET max_parallel_maintenance_workers = 1")
    conn.execute("CREATE INDEX vectors_hnsw ON public.vectors USING hnsw (bits bit_hamming_ops)")
    conn.execute("ANALYZE public.vectors")
    return str(row[0])


def nearest_by_vector(conn: Connection, bits: str, effort: int) -> list[Nearest]:
    """The 20 nearest that the index comes upon."""
    conn.execute("SELECT set_config('hnsw.ef_search', %s, false)", (str(effort),))
    rows = conn.execute(
        "SELECT report_id, bits <~> %(bits)s::bit(64) AS distance FROM public.vectors ORDER BY bits <~> %(bits)s::bit(64) LIMIT 20",
        {"bits": bits},
    )
    return [Nearest(report_id, float(distance)) for report_id, distance in rows]


def as_bits(phash: int) -> str:
    """A signed hash as pgvector takes it."""
    return f"{phash & (1 << 64) - 1:064b}"
