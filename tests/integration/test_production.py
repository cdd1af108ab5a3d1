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
from pipeline.database.connect import open_database
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings
from tests.conftest import ROLE_PREFIX
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
