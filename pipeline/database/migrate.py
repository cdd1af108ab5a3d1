"""Bringing a database to the schema of this code: numbered migrations forward, then sql/always/ anew.

Each migration runs in a transaction of its own with a lock timeout; its checksum is stored, and an edited migration is
refused. Two migrators at once take turns by an advisory lock. Roles belong to the cluster: their prefix is stored in the
database, so that copies and restored databases keep theirs.
"""

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import psycopg
from psycopg import Connection

from pipeline.clock import Clock
from pipeline.database.engine import psycopg_url
from pipeline.errors import AppError
from pipeline.settings import ROOT

SQL_DIR = ROOT / "sql"
log = logging.getLogger(__name__)

ADVISORY_LOCK = 7_353_001  # any constant that no one else on this database uses
LOCK_TIMEOUT = "5s"  # a migration that must wait longer would block everybody behind it
PARTITION_MONTHS_AHEAD = 4  # last month, this one and two to come

BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS masterdata;
CREATE TABLE IF NOT EXISTS masterdata.migration (
    number     int         PRIMARY KEY,
    name       text        NOT NULL UNIQUE,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS masterdata.installation (
    key   text PRIMARY KEY,
    value text NOT NULL
);
"""


@dataclass(frozen=True)
class Migration:
    """One numbered file of sql/migrations/."""

    number: int
    name: str
    sql: str
    checksum: str


@dataclass(frozen=True)
class MigrationReport:
    """What a run did: the names applied, the highest number now, and the role prefix."""

    applied: tuple[str, ...]
    head: int
    role_prefix: str


def read_migrations(folder: Path = SQL_DIR / "migrations") -> list[Migration]:
    """The migrations in order. Raises SDCRS_BAD_SETTING when a number is missing or used twice."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", path.name)
        if match is None:
            raise AppError("SDCRS_BAD_SETTING", setting="sql/migrations", detail=f"{path.name} is not named like 0001_what.sql")
        sql = path.read_text(encoding="utf-8")
        found.append(Migration(int(match[1]), path.stem, sql, hashlib.sha256(sql.encode()).hexdigest()))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise AppError("SDCRS_BAD_SETTING", setting="sql/migrations", detail="numbers must run 0001, 0002 … without gap or repeat")
    return found


def migrate(
    owner_url: str,
    login: str,
    clock: Clock,
    role_prefix: str | None = None,
    say: Callable[[str], None] = log.info,
    *,
    with_sandbox: bool = True,
) -> MigrationReport:
    """Apply what is missing, then roles, functions, policies, views, grants and triggers, then partitions.

    `login` is the role that the application signs in as; it is granted the five roles. `role_prefix` counts only for a
    database that has none stored; its default is the database's name. Without `with_sandbox` the stand-in provider's own books
    go: SDCRS_UNSAFE_SETTINGS when they are not empty.
    """
    with psycopg.connect(psycopg_url(owner_url), autocommit=True) as conn:
        conn.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        try:
            conn.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
            conn.execute(BOOTSTRAP)
            prefix = _role_prefix(conn, role_prefix)
            applied = _apply_missing(conn, clock, say)
            if not with_sandbox:
                _take_out_sandbox(conn)
            _apply_always(conn, prefix, login)
            _ensure_partitions(conn, clock)
            head = conn.execute("SELECT coalesce(max(number), 0) FROM masterdata.migration").fetchone()
        finally:
            conn.execute("SELECT pg_advisory_unlock(%s)", (ADVISORY_LOCK,))
    return MigrationReport(tuple(applied), int(head[0]) if head else 0, prefix)


def _take_out_sandbox(conn: Connection) -> None:
    there = conn.execute("SELECT to_regclass('sandbox.account')").fetchone()
    if there is None or there[0] is None:
        return
    used = conn.execute("SELECT count(*) FROM sandbox.account").fetchone()
    if used and used[0]:
        why = "DATABASE_URL names a database in which the sandbox has paid; give production one of its own"
        raise AppError("SDCRS_UNSAFE_SETTINGS", settings=["DATABASE_URL"], why=why)
    conn.execute("DROP SCHEMA sandbox CASCADE")


def check_migrated(conn: psycopg.Connection) -> None:
    """Raise SDCRS_NOT_MIGRATED unless the database has exactly the migrations of this code."""
    needed = len(read_migrations())
    row = conn.execute("SELECT to_regclass('masterdata.migration')").fetchone()
    found = 0
    if row is not None and row[0] is not None:
        newest = conn.execute("SELECT coalesce(max(number), 0) FROM masterdata.migration").fetchone()
        found = int(newest[0]) if newest else 0
    if found != needed:
        raise AppError("SDCRS_NOT_MIGRATED", found=found, needed=needed)


def _role_prefix(conn: Connection, wanted: str | None) -> str:
    row = conn.execute("SELECT value FROM masterdata.installation WHERE key = 'role_prefix'").fetchone()
    if row is not None:
        return str(row[0])
    name = conn.execute("SELECT current_database()").fetchone()
    prefix = wanted or (str(name[0]) if name else "")
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,50}", prefix):
        raise AppError("SDCRS_BAD_SETTING", setting="DATABASE_ROLE_PREFIX", detail=f"{prefix!r} must be lower-case letters, digits and _")
    conn.execute("INSERT INTO masterdata.installation (key, value) VALUES ('role_prefix', %s)", (prefix,))
    return prefix


def _apply_missing(conn: Connection, clock: Clock, say: Callable[[str], None]) -> list[str]:
    known = {int(number): str(checksum) for number, checksum in conn.execute("SELECT number, checksum FROM masterdata.migration")}
    applied = []
    for migration in read_migrations():
        if migration.number in known:
            if known[migration.number] != migration.checksum:
                raise AppError(
                    "SDCRS_BAD_SETTING",
                    setting=f"sql/migrations/{migration.name}.sql",
                    detail="was changed after it was applied; write a new migration instead",
                )
            continue
        say(f"migration {migration.name}")
        with conn.transaction():
            conn.execute(migration.sql.encode())
            conn.execute(
                "INSERT INTO masterdata.migration (number, name, checksum, applied_at) VALUES (%s, %s, %s, %s)",
                (migration.number, migration.name, migration.checksum, clock.now()),
            )
        applied.append(migration.name)
    return applied


def _apply_always(conn: Connection, prefix: str, login: str) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}", login):
        raise AppError("SDCRS_BAD_SETTING", setting="DATABASE_URL", detail=f"{login!r} is not a role name that can be granted")
    with conn.transaction():
        for path in sorted((SQL_DIR / "always").glob("*.sql")):
            sql = path.read_text(encoding="utf-8").replace("{{prefix}}", prefix).replace("{{login}}", login)
            conn.execute(sql.encode())


def _ensure_partitions(conn: Connection, clock: Clock) -> None:
    today: date = clock.now().date()
    last_month = today.replace(day=1) - timedelta(days=1)
    conn.execute("SELECT jobs.ensure_partitions(%s, %s)", (last_month, PARTITION_MONTHS_AHEAD))
