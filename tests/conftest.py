"""Real parts for every test: a migrated Postgres database per module by template copy, and a runtime over it.

With DATABASE_URL and DATABASE_OWNER_URL set, the tests make their databases on that server; its owner may create databases
and roles and is no superuser. Without them an embedded server of their own runs for the session.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from pipeline.clock import SettableClock, SystemClock
from pipeline.database.engine import Database, psycopg_url
from pipeline.database.migrate import migrate
from pipeline.database.server import EmbeddedServer
from pipeline.database.urls import Urls
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.store import publish
from pipeline.runtime import Runtime, assemble
from pipeline.settings import Settings, load

ROLE_PREFIX = "sdcrs_test"
TUESDAY_MORNING = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)  # 10:00 in Djibouti, 12:30 in Delhi


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Urls]:
    """A server on which databases can be made: the one that the environment names, or an embedded one."""
    app, owner = os.environ.get("DATABASE_URL"), os.environ.get("DATABASE_OWNER_URL")
    if app and owner:
        yield Urls(app=psycopg_url(app), owner_or_none=psycopg_url(owner), maintenance=psycopg_url(owner), embedded=False)
        return
    embedded = EmbeddedServer(tmp_path_factory.mktemp("server"), fsync=False)
    with embedded.hold() as urls:
        yield urls
    embedded.remove()  # as root it lives outside pytest's folder, which its account cannot reach


@pytest.fixture(scope="session")
def template(server: Urls) -> Iterator[str]:
    """The name of a migrated database with the product's master data, to be copied."""
    name = f"sdcrs_test_{os.getpid()}_{secrets.token_hex(3)}"
    with make_database(server, name) as urls:
        report = migrate(urls.owner, urls.login, SystemClock(), ROLE_PREFIX)
        with closing(Database(urls.app, report.role_prefix, pool_size=1)) as database:
            with database.worker() as conn:
                publish(conn, read_folder(), TUESDAY_MORNING, "tests")
        yield name


@pytest.fixture(scope="module")
def urls(server: Urls, template: str) -> Iterator[Urls]:
    """A database of the module's own."""
    with make_database(server, f"sdcrs_test_{os.getpid()}_{secrets.token_hex(3)}", template) as found:
        yield found


@pytest.fixture(scope="module")
def settings(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that point at the module's database and a data folder of its own."""
    return replace(load({}), data_dir=tmp_path_factory.mktemp("data"), database_url=urls.app, database_owner_url=urls.owner)


@pytest.fixture(scope="module")
def clock() -> SettableClock:
    """The module's clock; a test that moves it moves it forward."""
    return SettableClock(TUESDAY_MORNING)


@pytest.fixture(scope="module")
def rt(urls: Urls, settings: Settings, clock: SettableClock) -> Iterator[Runtime]:
    """Everything a room needs, over the module's database."""
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=8)) as database:
        yield assemble(settings, database, clock)


@pytest.fixture(scope="session")
def packets_folder() -> Path:
    """The folder of sample packets that SDCRS_PACKETS names; tests that need it are skipped without it."""
    folder = Path(os.environ.get("SDCRS_PACKETS", Path(__file__).parents[2] / "shared/sdcrs/packets"))
    if not folder.is_dir():
        pytest.skip("no sample packets here; set SDCRS_PACKETS to their folder")
    return folder


class make_database:  # noqa: N801 - used like a function
    """A database for the length of a block, copied from `template` when that is given, and dropped after it."""

    def __init__(self, server: Urls, name: str, template: str | None = None) -> None:
        self._server, self._name, self._template = server, name, template

    def __enter__(self) -> Urls:
        with psycopg.connect(psycopg_url(self._server.admin), autocommit=True) as conn:
            source = f' TEMPLATE "{self._template}"' if self._template else " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
            conn.execute(f'CREATE DATABASE "{self._name}"{source}'.encode())
        return self._server.for_database(self._name)

    def __exit__(self, *exc: object) -> None:
        # an owner that is no superuser may not end the login's connections: the server waits five seconds for them to go by themselves
        force = " WITH (FORCE)" if self._server.embedded else ""
        with psycopg.connect(psycopg_url(self._server.admin), autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{self._name}"{force}'.encode())
