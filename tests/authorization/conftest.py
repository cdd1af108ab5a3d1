"""One database for the whole folder: the world is made once, and what a test changes it undoes or owns."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from os import getpid
from secrets import token_hex

import pytest
from starlette.testclient import TestClient

from pipeline.api.app import build
from pipeline.clock import SettableClock
from pipeline.database.engine import Database
from pipeline.database.urls import Urls
from pipeline.runtime import Runtime, assemble
from pipeline.settings import Settings, load
from tests.authorization.world import World, open_world
from tests.conftest import ROLE_PREFIX, TUESDAY_MORNING, make_database


@pytest.fixture(scope="session")
def urls(server: Urls, template: str) -> Iterator[Urls]:
    with make_database(server, f"sdcrs_test_{getpid()}_{token_hex(3)}", template) as found:
        yield found


@pytest.fixture(scope="session")
def settings(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return replace(load({}), data_dir=tmp_path_factory.mktemp("data"), database_url=urls.app, database_owner_url=urls.owner)


@pytest.fixture(scope="session")
def rt(urls: Urls, settings: Settings) -> Iterator[Runtime]:
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=8)) as database:
        yield assemble(settings, database, SettableClock(TUESDAY_MORNING))


@pytest.fixture(scope="session")
def clock(rt: Runtime) -> SettableClock:
    """The one clock of the folder, wherever the world has moved it."""
    assert isinstance(rt.clock, SettableClock)
    return rt.clock


@pytest.fixture(scope="session")
def world(rt: Runtime) -> World:
    return open_world(rt)


@pytest.fixture(scope="session")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client
