"""Statements that go past SQLAlchemy fail as its own do: jobs tell a bad row from a database that is away by the error."""

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError, OperationalError

from pipeline.database.engine import at_once, dicts, psycopg_url

ONE = text("SELECT 1 AS one")
BY_ZERO = text("SELECT 1 / CAST(:zero AS int) AS one")

WAYS = {
    "execute": lambda conn, statement, params: conn.execute(statement, params).mappings().all(),
    "dicts": lambda conn, statement, params: dicts(conn, statement, params, 10),
    "at_once": lambda conn, statement, params: at_once(conn, (statement, params))[0],
}


@pytest.fixture(params=WAYS)
def ask(request):
    return WAYS[request.param]


def ask_a_lost_server(rt, urls, ask):
    with rt.database.worker() as conn:
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(psycopg_url(urls.app), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        ask(conn, ONE, {})


def test_a_server_that_goes_away_in_the_midst_is_told_as_such(rt, urls, ask):
    with pytest.raises(OperationalError) as told:
        ask_a_lost_server(rt, urls, ask)
    assert told.value.connection_invalidated
    with rt.database.worker() as conn:
        assert ask(conn, ONE, {}) == [{"one": 1}]


def test_a_bad_value_is_not_taken_for_a_lost_server(rt, ask):
    with pytest.raises(DataError) as told, rt.database.worker() as conn:
        ask(conn, BY_ZERO, {"zero": 0})
    assert not told.value.connection_invalidated


def test_what_is_sent_at_once_is_answered_in_its_order(rt):
    with rt.database.worker() as conn:
        assert at_once(conn, (ONE, {}), (BY_ZERO, {"zero": 1}), (ONE, {})) == [[{"one": 1}]] * 3
