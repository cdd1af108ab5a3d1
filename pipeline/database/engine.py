"""Transactions against Postgres. Each acts as exactly one role, and as `app` sees only the tenants of its scope.

SQLAlchemy serves as engine, pool and `text()`; there is no ORM. The scope is an argument of every transaction, never
ambient, and lives in a transaction-local setting that the policies of sql/always/030_policies.sql read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline.errors import AppError

POOL_WAIT_S = 2  # longer than a healthy transaction, short enough that overload is shed and not queued
BUSY_RETRY_S = 2
CONNECT_TIMEOUT_S = 5
SESSION_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "jit=off",  # our statements are short; compiling them costs more than it saves
        "lock_timeout=5s",
        "statement_timeout=30s",
        "idle_in_transaction_session_timeout=60s",
        "timezone=UTC",
    )
)

# Connections stand in the driver's autocommit, so that BEGIN goes with who we are in one message and not in one of its own
_ENTER: LiteralString = "BEGIN; SELECT set_config('role', %s, true), set_config('app.scope', %s, true)"
_ENTER_PUBLIC: LiteralString = "BEGIN; SELECT set_config('role', %s, true), set_config('app.tracking', %s, true)"
_ENTER_ONE: LiteralString = "SELECT set_config('role', %s, true), set_config('app.scope', '', true)"
_STATEMENT_TIMEOUT = text("SELECT set_config('statement_timeout', :ms, true)")

# Commits of a bulk load do not wait for the disk: a power cut takes the last of them, as if the load had been interrupted there
BULK_OPTIONS = "-c synchronous_commit=off"

_DIALECT = PGDialect_psycopg()

Driver = psycopg.Connection[Any]
Command = tuple[TextClause, Mapping[str, Any]]  # a statement with its parameters
Found = TypeVar("Found")


def sqlalchemy_url(url: str) -> str:
    """A `postgresql://` or `postgres://` address with the psycopg 3 driver named, as SQLAlchemy wants it."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] not in ("postgresql", "postgres"):
        raise AppError("SDCRS_BAD_SETTING", setting="DATABASE_URL", detail="must start with postgresql://")
    return f"postgresql+psycopg://{rest}"


def psycopg_url(url: str) -> str:
    """The same address as psycopg itself wants it."""
    return "postgresql://" + sqlalchemy_url(url).partition("://")[2]


class Database:
    """One process's engine and pool. Threads share it; close it at the end. `bulk`: for loads that can be taken up again."""

    def __init__(self, url: str, role_prefix: str, pool_size: int = 8, application_name: str = "sdcrs", *, bulk: bool = False) -> None:
        self.url = url
        self.role_prefix = role_prefix
        self.bulk = bulk
        self._pool_size = pool_size
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            isolation_level="AUTOCOMMIT",  # of the driver: see _ENTER
            hide_parameters=True,  # errors are logged and stored, and parameters may be persons' values
            connect_args={
                "options": f"{SESSION_OPTIONS} {BULK_OPTIONS}" if bulk else SESSION_OPTIONS,
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": application_name,
            },
        )

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def begin(self, scope: Sequence[str]) -> Iterator[Connection]:
        """A transaction as role `app` that sees only the tenants in `scope`; commits at the end, rolls back on an error.

        Raises SDCRS_BUSY when no connection becomes free in time and SDCRS_DATABASE_DOWN when none can be made.
        """
        with self._transaction(_ENTER, f"{self.role_prefix}_app", ",".join(scope)) as conn:
            yield conn

    @contextmanager
    def worker(self, statement_timeout_s: int | None = None) -> Iterator[Connection]:
        """A transaction as role `worker`: for jobs, and for sign-in, which comes before any scope is known."""
        with self._transaction(_ENTER, f"{self.role_prefix}_worker", "") as conn:
            if statement_timeout_s is not None:
                conn.execute(_STATEMENT_TIMEOUT, {"ms": str(statement_timeout_s * 1000)})
            yield conn

    @contextmanager
    def public(self, tracking: str) -> Iterator[Connection]:
        """A transaction as role `public` that sees the one report with this tracking id or token."""
        with self._transaction(_ENTER_PUBLIC, f"{self.role_prefix}_public", tracking) as conn:
            yield conn

    def worker_row(self, statement: TextClause, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The first row of one statement as role `worker`: for what is asked at every request. Commits.

        The role goes with it in one message, which Postgres runs as one transaction.
        """
        query = driver_sql(statement)

        def ask(driver: Driver) -> dict[str, Any] | None:
            with driver.pipeline():
                driver.execute(_ENTER_ONE, (f"{self.role_prefix}_worker",))
                cursor = driver.cursor(row_factory=dict_row).execute(query, params)
            return cursor.fetchone()

        conn, row = self._first_contact(ask)
        conn.close()
        return row

    @contextmanager
    def _transaction(self, enter: LiteralString, *params: str) -> Iterator[Connection]:
        conn, _ = self._first_contact(lambda driver: psycopg.ClientCursor(driver).execute(enter, params))
        with conn, conn.begin():
            yield conn

    def _first_contact(self, say: Callable[[Driver], Found]) -> tuple[Connection, Found]:
        """A connection and what it answered to the first that is said to it.

        One that a restarted server has closed is found out here, before anything was done, and replaced by the next; so
        nobody has to ask every connection whether it lives before it is used.
        """
        for _ in range(self._pool_size + 1):
            try:
                conn = self.engine.connect()
            except PoolTimeout as error:
                raise AppError("SDCRS_BUSY", retryAfterSeconds=BUSY_RETRY_S) from error
            except OperationalError as error:
                raise AppError("SDCRS_DATABASE_DOWN") from error
            driver = cast(Driver, conn.connection.driver_connection)
            try:
                return conn, say(driver)
            except psycopg.OperationalError as error:
                if not driver.broken:
                    conn.close()
                    raise
                conn.invalidate(error)
                conn.close()
            except BaseException:
                conn.close()
                raise
        raise AppError("SDCRS_DATABASE_DOWN")


def dicts(conn: Connection, statement: TextClause, params: Mapping[str, Any], limit: int) -> list[dict[str, Any]]:
    """At most `limit` rows as dicts straight from the driver, in the same transaction: for what is asked many times a second.

    Errors are SQLAlchemy's. The statement must live as long as the process: see `driver_sql`.
    """
    with _past_sqlalchemy(conn) as driver:
        return driver.cursor(row_factory=dict_row).execute(driver_sql(statement), params).fetchmany(limit)


@cache
def driver_sql(statement: TextClause) -> str:
    """A statement as the driver itself takes it, with %(name)s for :name. Kept: only for statements that live as long as we do.

    SQLAlchemy costs a select of many columns more than Postgres does; what runs at every request goes past it.
    """
    return str(statement.compile(dialect=_DIALECT))


def at_once(conn: Connection, *commands: Command) -> list[list[dict[str, Any]]]:
    """The rows of several statements sent in one go, in their order: for those that need nothing of each other's answers.

    They run one after the other in the caller's transaction; the error of the first that fails is raised, as SQLAlchemy's.
    Statements must live as long as the process: see `driver_sql`.
    """
    with _past_sqlalchemy(conn) as driver:
        with driver.pipeline():
            cursors = [driver.cursor(row_factory=dict_row).execute(driver_sql(statement), params) for statement, params in commands]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


@contextmanager
def _past_sqlalchemy(conn: Connection) -> Iterator[Driver]:
    """The driver's connection for the length of the block, with errors as SQLAlchemy itself would tell them: jobs ask them whether
    a row is bad or the database away."""
    driver = cast(Driver, conn.connection.driver_connection)
    try:
        yield driver
    except psycopg.Error as error:
        if driver.broken:
            conn.invalidate(error)  # else the end of the transaction would speak to it
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, connection_invalidated=driver.broken, dialect=_DIALECT
        ) from error


def is_away(error: BaseException) -> bool:
    """Whether the database itself is the cause, so that no row is to blame. A lock or a statement that took too long is a row's matter."""
    if isinstance(error, AppError):
        return error.code in ("SDCRS_DATABASE_DOWN", "SDCRS_BUSY")
    return isinstance(error, OperationalError) and error.connection_invalidated


def constraint_of(error: IntegrityError) -> str | None:
    """The name of the violated constraint, so that rooms translate it into their own error."""
    original = error.orig
    return original.diag.constraint_name if isinstance(original, psycopg.Error) else None


def read_role_prefix(url: str) -> str | None:
    """The role prefix stored in the database, or None when it was never migrated. Raises SDCRS_DATABASE_DOWN."""
    try:
        with psycopg.connect(psycopg_url(url), connect_timeout=CONNECT_TIMEOUT_S) as conn:
            row = conn.execute("SELECT to_regclass('masterdata.installation')").fetchone()
            if row is None or row[0] is None:
                return None
            found = conn.execute("SELECT value FROM masterdata.installation WHERE key = 'role_prefix'").fetchone()
            return None if found is None else str(found[0])
    except psycopg.OperationalError as error:
        raise AppError("SDCRS_DATABASE_DOWN") from error
