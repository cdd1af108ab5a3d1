"""Every queue of the payout room, and its list, is found by an index made for it: a claim that scans is a claim that waits."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, TextClause, text

from pipeline.payouts import opening, poll, retry, send, webhook
from pipeline.runtime import Runtime
from queries import statement

CLAIMS = [
    (opening._CLAIM, "report_to_pay"),
    (send._CLAIM, "attempt_to_send"),
    (webhook._CLAIM, "webhook_event_new"),
    (poll._CLAIM, "attempt_to_poll"),
    (retry._CLAIM, "payout_to_retry"),
]
NOTHING = {
    "tenants": None,
    "statuses": None,
    "queue": None,
    "payout_ids": None,
    "stuck_before": None,
    "reason": None,
    "teachers": None,
    "from_at": None,
    "to_at": None,
    "limit": 50,
    "offset": 0,
}


@pytest.fixture
def conn(rt: Runtime) -> Iterator[Connection]:
    with rt.database.worker() as conn:
        for costly in ("seqscan", "sort", "bitmapscan"):  # the tables are empty here; what counts is that an index serves
            conn.execute(text(f"SET LOCAL enable_{costly} = off"))
        yield conn


def plan(conn: Connection, wanted: TextClause, **params: object) -> str:
    return "\n".join(conn.execute(text(f"EXPLAIN {wanted.text}"), params).scalars())


@pytest.mark.parametrize(("claim", "index"), CLAIMS)
def test_a_claim_uses_its_index(rt: Runtime, conn: Connection, claim: TextClause, index: str) -> None:
    now = rt.clock.now()
    params = {"job": "x", "now": now, "limit": 10, "only": None, "frozen": ["BAN"], "verified_only": ["dj.ali-sabieh"], "lease": now}
    used = {name: value for name, value in params.items() if f":{name}" in claim.text}
    assert index in plan(conn, claim, **used)


def test_the_newest_payouts_come_from_an_index(conn: Connection) -> None:
    assert "payout_recent" in plan(conn, statement("payouts.list"), **NOTHING)


def test_a_queue_of_unpaid_ones_does_not_read_the_paid(conn: Connection) -> None:
    assert "payout_unpaid" in plan(conn, statement("payouts.list"), **NOTHING | {"queue": "FAILED"})
