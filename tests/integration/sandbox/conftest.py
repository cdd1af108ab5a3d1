"""One sandbox process per module, on the module's own database; empty books for every test."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.integration.sandbox.client import Hook, Sandbox, listening_hook


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    with listening_hook() as found:
        yield found


@pytest.fixture(scope="module")
def role(urls: Any) -> str:
    """The worker's role of this database, which may use the schema and owns nothing."""
    query = "SELECT rolname FROM pg_roles WHERE rolname LIKE %s AND has_schema_privilege(oid, 'sandbox', 'USAGE') AND NOT rolsuper"
    with psycopg.connect(urls.owner.replace("postgresql+psycopg:", "postgresql:")) as conn:
        rows = conn.execute(query, (r"%\_worker",)).fetchall()
    assert len(rows) == 1
    return str(rows[0][0])


@pytest.fixture(scope="module")
def process(urls: Any, role: str, hook: Hook) -> Iterator[Sandbox]:
    sandbox = Sandbox(urls.app, role, hook.port)
    sandbox.start()
    yield sandbox
    assert sandbox.end() == 0


@pytest.fixture
def sandbox(process: Sandbox, hook: Hook) -> Sandbox:
    """Empty books, default switches, a clock that runs, and nothing that happens by itself within a test."""
    process.control("reset", {})
    defaults = {
        "delay_seconds": 3600,
        "later_seconds": 7200,
        "life": "auto",
        "webhooks": "held",
        "webhooks_enabled": True,
        "replay": "latest",
    }
    others = {
        "low_balance": "refused",
        "approval": "none",
        "key_in_flight": "wait",
        "fee_paise": 0,
        "rate_limit_tps": 0,
        "disable_after_a_day": False,
    }
    process.control("settings", {**defaults, **others})
    process.control("clock", {"offset_seconds": 0})
    hook.seen.clear()
    hook.answers.clear()
    return process
