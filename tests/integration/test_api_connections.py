"""Connections closed by a restarted server are replaced before anybody notices; overload is shed; the driver errors are answered."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

import queries
from pipeline.api.app import build
from pipeline.database.engine import Database, psycopg_url
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from tests.api import signed_in
from tests.factories import VILLE, account, people


@pytest.fixture(scope="module")
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt, threads=2, max_wait_s=0.2)) as client:
        yield client


def end_all_connections(rt: Runtime, urls: Urls) -> None:
    """What a restart of the server does to the pool."""
    with ExitStack() as stack:  # so that the pool holds several
        for _ in range(4):
            stack.enter_context(rt.database.worker())
    with psycopg.connect(psycopg_url(urls.app), autocommit=True) as conn:  # everybody may end the connections of their own login
        conn.execute("""
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
        """)


def test_a_restarted_server_fails_no_request_after_it(rt: Runtime, urls: Urls, http: TestClient) -> None:
    client = signed_in(rt, http, account(rt, "T-restart", "TEACHER"))
    for _ in range(2):
        end_all_connections(rt, urls)
        assert client.search(tenantId=VILLE)["TotalCount"] == 0
    end_all_connections(rt, urls)
    with rt.database.begin([VILLE]) as conn:
        assert conn.execute(text("SELECT 1")).scalar_one() == 1


def test_a_database_that_is_away_says_so(http: TestClient) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:9/none", "sdcrs_test", pool_size=1)
    with pytest.raises(AppError, match="SDCRS_DATABASE_DOWN"), nowhere.worker():
        pass
    with pytest.raises(AppError, match="SDCRS_DATABASE_DOWN"):
        nowhere.worker_row(text("SELECT 1 AS one"), {})
    nowhere.close()


def test_rows_straight_from_the_driver_see_what_the_transaction_has_done(rt: Runtime) -> None:
    who = people(rt)
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET school_code = 'NEW1' WHERE id = :id"), {"id": who.teacher.account_id})
        assert queries.dicts(conn, "accounts.own", id=who.teacher.account_id) == [{"school_code": "NEW1", "designation": None}]
    with rt.database.begin(["dj.ali-sabieh"]) as conn:
        assert queries.dicts(conn, "accounts.own", id=who.teacher.account_id) == []


def test_errors_never_carry_parameters(rt: Runtime) -> None:
    with pytest.raises(Exception, match="invalid input syntax") as caught, rt.database.worker() as conn:
        conn.execute(text("SELECT CAST(CAST(:sent AS text) AS int)"), {"sent": "Ravi Kumar"})
    assert "[parameters" not in str(caught.value) or "hidden" in str(caught.value)


def test_who_waits_too_long_is_sent_away_with_a_time_to_come_back(rt: Runtime, http: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    client = signed_in(rt, http, people(rt).verifier)
    release = threading.Event()

    def slow(*_: Any, **__: Any) -> tuple[list[Any], int]:
        release.wait(5)
        return [], 0

    monkeypatch.setattr("pipeline.api.report_read.find", slow)
    answers: list[int] = []

    def ask() -> None:
        answer = client.post("/sdcrs-services/v1/report/_search", {"searchCriteria": {"tenantId": VILLE}})
        answers.append(answer.status_code)
        assert answer.status_code != 503 or answer.headers["retry-after"] == "2"

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 4
    while len(answers) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert answers == [503, 503, 503]
    assert http.get("/livez").status_code == 200
    release.set()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200, 200, 503, 503, 503]


def test_the_state_of_a_pool_that_is_used_up_is_busy(rt: Runtime, urls: Urls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.database.engine.POOL_WAIT_S", 0)
    small = Database(urls.app, "sdcrs_test", pool_size=1)
    try:
        with small.worker(), pytest.raises(AppError, match="SDCRS_BUSY"), small.worker():
            pass
    finally:
        small.close()
