"""What production refuses of a database: a login that could pass by row-level security, and accounts whose password everybody knows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.clock import SystemClock
from pipeline.database.connect import open_database
from pipeline.database.engine import psycopg_url
from pipeline.database.migrate import migrate
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings, load
from tests.conftest import ROLE_PREFIX, make_database
from tests.factories import VILLE

MEMBER = [f"{ROLE_PREFIX}_{name}" for name in ("app", "worker", "public", "audit", "backup")]


@contextmanager
def login(urls: Urls, rights: str, member: list[str]) -> Iterator[str]:
    """The address of a login with these rights, gone at the end."""
    name, password = f"login_{token_hex(4)}", token_hex(8)
    with psycopg.connect(psycopg_url(urls.owner), autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN {} PASSWORD {}").format(sql.Identifier(name), sql.SQL(rights), sql.Literal(password)))
        for role in member:
            owner.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name)))
        try:
            parts = urlsplit(psycopg_url(urls.app))
            yield urlunsplit(parts._replace(netloc=f"{name}:{password}@{parts.netloc.rpartition('@')[2]}"))
        finally:
            owner.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def production(settings: Settings, url: str, tmp_path: Path) -> Settings:
    return replace(settings, production=True, database_url=url, keys_file=tmp_path / "keys")


@pytest.mark.parametrize(
    ("rights", "refused"),
    [
        ("NOINHERIT", None),
        ("INHERIT", "without taking one"),
        ("NOINHERIT SUPERUSER", "superuser"),
        ("NOINHERIT BYPASSRLS", "BYPASSRLS"),
        ("NOINHERIT CREATEROLE", "may make roles"),
    ],
)
def test_production_takes_no_login_that_could_pass_by_row_level_security(
    urls: Urls, settings: Settings, tmp_path: Path, rights: str, refused: str | None
) -> None:
    with login(urls, rights, MEMBER) as url:
        if refused is None:
            with open_database(production(settings, url, tmp_path)) as database, database.worker() as conn:
                assert conn.exec_driver_sql("SELECT 1").scalar_one() == 1
            return
        with pytest.raises(AppError, match=refused) as told, open_database(production(settings, url, tmp_path)):
            pass
        assert told.value.code == "SDCRS_UNSAFE_SETTINGS"
        with open_database(replace(settings, database_url=url)):
            pass  # elsewhere it is the operator's own affair


def test_production_does_not_take_the_owner(urls: Urls, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(AppError, match="owner"), open_database(production(settings, psycopg_url(urls.owner), tmp_path)):
        pass


def test_production_has_no_books_of_the_sandbox(server: Urls) -> None:
    name = f"sdcrs_test_{token_hex(4)}"
    with make_database(server, name) as urls:
        for _ in range(2):  # what is migrated again stays so
            migrate(urls.owner, urls.login, SystemClock(), ROLE_PREFIX, with_sandbox=False)
            with psycopg.connect(psycopg_url(urls.owner)) as conn:
                assert conn.execute("SELECT to_regnamespace('sandbox')").fetchone() == (None,)
        with open_database(replace(load({}), database_url=urls.app)) as database, database.worker() as conn:
            assert conn.exec_driver_sql("SELECT count(*) FROM payout.payout").scalar_one() == 0


def test_a_database_in_which_the_sandbox_has_paid_does_not_become_productions(server: Urls) -> None:
    with make_database(server, f"sdcrs_test_{token_hex(4)}") as urls:
        migrate(urls.owner, urls.login, SystemClock(), ROLE_PREFIX)
        with psycopg.connect(psycopg_url(urls.owner)) as conn:
            conn.execute("INSERT INTO sandbox.account VALUES ('7878', 1, '2026-01-01')")
        with pytest.raises(AppError, match="sandbox has paid"):
            migrate(urls.owner, urls.login, SystemClock(), ROLE_PREFIX, with_sandbox=False)


def test_production_does_not_open_a_database_with_demo_accounts(rt: Runtime, urls: Urls, settings: Settings, tmp_path: Path) -> None:
    now = rt.clock.now()
    demo = NewAccount(id=uuid7(now), tenant_id=VILLE, username=f"D{token_hex(4)}", roles=("VERIFIER",), person={}, demo=True)
    own = replace(production(settings, psycopg_url(urls.app), tmp_path), keys_file=settings.data_dir / "keys" / "master.json")
    with open_runtime(own) as opened:
        assert opened.settings.production
    with rt.database.worker() as conn:
        create_accounts(conn, rt.vault, [demo], now)
    with pytest.raises(AppError, match="1 demo accounts"), open_runtime(own):
        pass
