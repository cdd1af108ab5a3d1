"""The one way to a database for every command: the one that DATABASE_URL names, or else the embedded server."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

from pipeline.database.engine import CONNECT_TIMEOUT_S, Database, psycopg_url, read_role_prefix, sqlalchemy_url
from pipeline.database.login import check_login
from pipeline.database.migrate import check_migrated
from pipeline.database.server import EmbeddedServer, quiet
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.settings import Settings


@contextmanager
def urls(settings: Settings, progress: Callable[[str], None] = quiet) -> Iterator[Urls]:
    """The addresses, valid for the length of the block; the embedded server is kept running so long.

    Raises SDCRS_DATABASE_NOT_STARTED, or SDCRS_BAD_SETTING for addresses that cannot be used. Connects to no external server.
    """
    if settings.database_url is None:
        if settings.database_owner_url is not None:
            raise AppError(
                "SDCRS_BAD_SETTING", setting="DATABASE_URL", detail="missing, though DATABASE_OWNER_URL is set; set both or none"
            )
        with EmbeddedServer(settings.data_dir, fsync=settings.embedded_fsync).hold(progress) as found:
            yield found
        return
    owner = settings.database_owner_url
    yield Urls(
        app=sqlalchemy_url(settings.database_url),
        owner_or_none=None if owner is None else sqlalchemy_url(owner),
        maintenance=None,
        embedded=False,
    )


@contextmanager
def open_database(settings: Settings, *, pool_size: int = 8, progress: Callable[[str], None] = quiet) -> Iterator[Database]:
    """The migrated database with its pool, for the length of the block.

    `pool_size` is the number of threads that use it: more could only wait for each other. The role prefix is the stored
    one; DATABASE_ROLE_PREFIX counts when a database is first migrated. Raises like `urls`, SDCRS_DATABASE_DOWN,
    SDCRS_NOT_MIGRATED when the schema is not exactly that of this code, and in production SDCRS_UNSAFE_SETTINGS for a login
    that could pass by row-level security.
    """
    with urls(settings, progress) as found:
        prefix = checked_prefix(found.app)
        if settings.production:
            with psycopg.connect(psycopg_url(found.app), connect_timeout=CONNECT_TIMEOUT_S) as conn:
                check_login(conn, prefix)
        with closing(Database(found.app, prefix, pool_size)) as database:
            yield database


def checked_prefix(url: str) -> str:
    """The stored role prefix of a database that has exactly the schema of this code. Raises like `open_database`."""
    try:
        with psycopg.connect(psycopg_url(url), connect_timeout=CONNECT_TIMEOUT_S) as conn:
            check_migrated(conn)
    except psycopg.OperationalError as error:
        raise AppError("SDCRS_DATABASE_DOWN") from error
    prefix = read_role_prefix(url)
    if prefix is None:  # migrate stores it with the first migration
        raise AppError(
            "SDCRS_BAD_SETTING", setting="masterdata.installation", detail="the role prefix is missing; run python -m pipeline migrate"
        )
    return prefix
