"""Existing reports by the million: a few are brought to each state through the real code, then copied set-wise by SQL.

A copy has its own id, number, tracking id, teacher, photos with their own hashes, history and payout, at its own time
within the last year. Not copied, since no measured call reads them: packets, checks, rule outcomes, messages, the
provider's books. Secondary indexes and foreign keys are taken away for the load and made again after it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from psycopg import Connection, sql

from pipeline.bench.house import House
from pipeline.database.engine import psycopg_url
from pipeline.reports.numbering import ALPHABET

# Of a hundred reports at their end, as a programme sees them; and of the newest, which are under way
ENDED = {"RESOLVED": 70, "UNABLE_TO_LOCATE": 10, "REJECTED": 6, "DUPLICATE": 4, "AUTO_REJECTED": 10}
OPEN = {"PENDING_VERIFICATION": 40, "VERIFIED": 25, "ASSIGNED": 25, "IN_PROGRESS": 10}
OPEN_MOST = 5_000  # a backlog of a day or two at the programme's peak
YEAR = timedelta(days=365)
DAYS_OPEN = timedelta(days=9)
CHUNK = 100_000  # copies a transaction: about 20 s of work
FIRST_SERIAL = 10_000_000  # numbers that no real report of this database reaches

TABLES = ("sdcrs.file", "sdcrs.report", "sdcrs.evidence", "sdcrs.report_history", "payout.payout")
# How the rows of a table belong to a copy `c` of a template; `t` is the template's row
FROM = {
    "sdcrs.report": "JOIN sdcrs.report t ON t.id = c.template_id",
    "sdcrs.file": "JOIN sdcrs.evidence e ON e.report_id = c.template_id JOIN sdcrs.file t ON t.id = e.file_id",
    "sdcrs.evidence": "JOIN sdcrs.evidence t ON t.report_id = c.template_id",
    "sdcrs.report_history": "JOIN sdcrs.report_history t ON t.report_id = c.template_id",
    "payout.payout": "JOIN payout.payout t ON t.report_id = c.template_id",
}
HASH = "('x' || substr(md5(c.number || '/' || {file}), 1, 16))::bit(64)"
PERSON = "CASE WHEN t.{column} = c.template_reporter THEN c.teacher ELSE t.{column} END"


def _id(of: str) -> str:
    """A UUIDv7 of the copy's time, the same whenever it is asked for."""
    digits = f"md5(c.number || '/' || {of})"
    return (
        f"(lpad(to_hex((extract(epoch FROM c.at) * 1000)::bigint), 12, '0') || '7' || substr({digits}, 1, 3)"
        f" || '8' || substr({digits}, 4, 15))::uuid"
    )


def _bands(file: str) -> dict[str, str]:
    bits = HASH.format(file=file)
    return {f"band{i}": f"substring({bits} FROM {16 * i + 1} FOR 16)::int" for i in range(4)}


# What a copy has of its own. Every other column is the template's, times moved by `c.shift`.
OWN: Mapping[str, Mapping[str, str]] = {
    "sdcrs.report": {
        "id": "c.id",
        "report_number": f"'DR-DJ-' || to_char(c.at, 'YYYY') || '-' || ({FIRST_SERIAL} + c.number)",
        # in the letters of real ones, so that it can be asked for; that a real one is the same happens once in half a million
        "tracking_id": f"translate(lpad(to_hex(c.number), 8, '0'), '0123456789abcdef', '{ALPHABET[:16]}')",
        "tracking_token": "md5('token' || c.number)",
        "reporter_id": "c.teacher",
        "assigned_officer_id": "CASE WHEN t.assigned_officer_id IS NOT NULL THEN c.officer END",
        "latitude": "t.latitude + (c.number % 997) * 0.00001",
        "modified_by": PERSON.format(column="modified_by"),
    },
    "sdcrs.file": {
        "id": _id("t.id"),
        "owner_id": PERSON.format(column="owner_id"),
        "sha256": "decode(md5(c.number || t.id::text) || md5(t.id::text || c.number), 'hex')",
        "phash": f"{HASH.format(file='t.id')}::bigint",
    },
    "sdcrs.evidence": {
        "id": _id("t.id"),
        "report_id": "c.id",
        "file_id": _id("t.file_id"),
        "sha256": "decode(md5(c.number || t.file_id::text) || md5(t.file_id::text || c.number), 'hex')",
        "phash": f"{HASH.format(file='t.file_id')}::bigint",
        "uploaded_by": PERSON.format(column="uploaded_by"),
        **_bands("t.file_id"),
    },
    "sdcrs.report_history": {
        "id": _id("t.id"),
        "report_id": "c.id",
        "actor_id": PERSON.format(column="actor_id"),
        "xid": "pg_current_xact_id()",
    },
    "payout.payout": {
        "id": _id("t.id"),
        "report_id": "c.id",
        "report_number": f"'DR-DJ-' || to_char(c.at, 'YYYY') || '-' || ({FIRST_SERIAL} + c.number)",
        "beneficiary_id": "c.teacher",
    },
}

_COPIES = f"""
    CREATE TEMP TABLE copies ON COMMIT DROP AS
    SELECT c.number, {_id("c.template_id")} AS id, c.template_id, t.reporter_id AS template_reporter, c.at,
           c.at - t.created_at AS shift, c.teacher, c.officer
    FROM (SELECT g AS number, %(since)s::timestamptz + (g - %(first)s) * %(step)s::interval AS at,
                 (%(templates)s::uuid[])[1 + (hashint8(g) & 2147483647) %% cardinality(%(templates)s::uuid[])] AS template_id,
                 (%(teachers)s::uuid[])[1 + (hashint8(g + 1) & 2147483647) %% cardinality(%(teachers)s::uuid[])] AS teacher,
                 (%(officers)s::uuid[])[1 + (hashint8(g + 2) & 2147483647) %% cardinality(%(officers)s::uuid[])] AS officer
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) g) c
    JOIN sdcrs.report t ON t.id = c.template_id
"""  # noqa: S608 - constant fragments, no value


def existing(house: House) -> int:
    """How many reports there are."""
    with house.rt.database.worker() as conn:
        return int(conn.exec_driver_sql("SELECT count(*) FROM sdcrs.report").scalar_one())


def copy_reports(
    house: House,
    templates: Mapping[str, Sequence[UUID]],
    teachers: Sequence[UUID],
    officers: Sequence[UUID],
    first: int,
    count: int,
    say: Callable[[str], None],
) -> None:
    """Add copies number `first` to `first + count - 1`; those of one call spread evenly over the last year, the newest are open."""
    now = house.rt.clock.now()
    opened = min(OPEN_MOST, count // 20)
    ended = count - opened
    began = time.monotonic()
    prepare_months(house, now)
    with psycopg.connect(psycopg_url(house.urls.owner), autocommit=True) as conn:
        conn.execute("SET synchronous_commit = off")
        conn.execute("SET maintenance_work_mem = '512MB'")
        conn.execute("SET search_path = ''")
        with bare(conn):
            people = {"teachers": list(teachers), "officers": list(officers)}
            step = (YEAR - DAYS_OPEN) / max(ended, 1)
            for start in range(first, first + ended, CHUNK):
                last = min(start + CHUNK, first + ended) - 1
                since = now - YEAR + (start - first) * step
                span = {"first": start, "last": last, "since": since, "step": step}
                _copy(conn, {**people, "templates": weighted(templates, ENDED), **span})
                say(f"Copied {last - first + 1:,} of {count:,} reports ({time.monotonic() - began:.0f} s)")
            if opened:
                span = {"first": first + ended, "last": first + count - 1, "since": now - DAYS_OPEN, "step": DAYS_OPEN / opened}
                _copy(conn, {**people, "templates": weighted(templates, OPEN), **span})
            say(f"Making indexes and foreign keys again ({time.monotonic() - began:.0f} s)")
        conn.execute("UPDATE jobs.follower SET last_xid = pg_current_xact_id()")  # nobody is told of what was copied
        for table in TABLES:
            conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(_name(table)))
    say(f"{count:,} reports in {time.monotonic() - began:.0f} s")


def _copy(conn: Connection, params: dict[str, object]) -> None:
    with conn.transaction():
        conn.execute(_COPIES.encode(), params)
        conn.execute("ANALYZE pg_temp.copies")
        for table in TABLES:
            columns = columns_of(conn, table)
            own = OWN[table]
            values = [own.get(name) or (f"t.{name} + c.shift" if moves else f"t.{name}") for name, moves in columns]
            names = ", ".join(name for name, _ in columns)
            order = "" if table == "sdcrs.file" else " ORDER BY c.number"
            conn.execute(
                f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM pg_temp.copies c {FROM[table]}{order}".encode()  # noqa: S608
            )


def columns_of(conn: Connection, table: str) -> list[tuple[str, bool]]:
    """The columns of a table, and whether each is a time that moves with the copy."""
    rows = conn.execute(
        "SELECT attname, atttypid = 'timestamptz'::regtype FROM pg_catalog.pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (table,),
    )
    return [(str(name), bool(moves)) for name, moves in rows]


def weighted(templates: Mapping[str, Sequence[UUID]], shares: Mapping[str, int]) -> list[UUID]:
    """A hundred templates, each state in its share; a state without a template is left out."""
    return [ids[i % len(ids)] for state, share in shares.items() if (ids := templates.get(state)) for i in range(share)]


def prepare_months(house: House, now: datetime) -> None:
    """Partitions for the year behind and the months to come."""
    month = (now - YEAR).date().replace(day=1)
    with house.rt.database.worker() as conn:
        conn.exec_driver_sql("SELECT jobs.ensure_partitions(%s, 16)", (month,))


@contextmanager
def opened(conn: Connection) -> Iterator[None]:
    """The tables, and those that their keys refer to, read and written by their owner for the length of the block.

    Forced policies show the owner nothing, which goes for the check of a new key too. Not undone on an error.
    """
    forced = conn.execute(
        "SELECT t.oid::regclass::text FROM pg_catalog.pg_class t WHERE t.relforcerowsecurity AND (t.oid = ANY (%(own)s::regclass[])"
        " OR EXISTS (SELECT FROM pg_catalog.pg_constraint c"
        " WHERE c.contype = 'f' AND c.conparentid = 0 AND c.confrelid = t.oid AND c.conrelid = ANY (%(own)s::regclass[]))) ORDER BY 1",
        {"own": list(TABLES)},
    ).fetchall()
    for (table,) in forced:
        conn.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY".encode())
    yield
    for (table,) in forced:
        conn.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY".encode())


@contextmanager
def bare(conn: Connection) -> Iterator[None]:
    """The tables without secondary indexes, foreign keys and row-level security for the length of the block.

    Not undone on an error: the database is thrown away then.
    """
    indexes = [
        (str(name), str(definition))
        for name, definition in conn.execute(
            "SELECT i.indexrelid::regclass::text, pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i"
            " WHERE i.indrelid = ANY (%s::regclass[]) AND NOT EXISTS"
            " (SELECT FROM pg_catalog.pg_constraint c WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))",
            (list(TABLES),),
        )
    ]
    keys = [
        (str(table), str(name), str(definition))
        for table, name, definition in conn.execute(
            "SELECT conrelid::regclass::text, conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint"
            " WHERE contype = 'f' AND conparentid = 0 AND conrelid = ANY (%s::regclass[])",
            (list(TABLES),),
        )
    ]
    with opened(conn):
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}".encode())
        for table, name, _ in keys:
            conn.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"'.encode())
        yield
        for _, definition in indexes:
            conn.execute(definition.replace(" ON ONLY ", " ON ", 1).encode())  # for a partitioned table: on its partitions too
        for table, name, definition in keys:
            conn.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}'.encode())


def _name(table: str) -> sql.Composable:
    return sql.SQL(".").join(sql.Identifier(part) for part in table.split("."))
