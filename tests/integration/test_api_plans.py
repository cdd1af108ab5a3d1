"""The lists that people open all day are found by their indexes, planned for what is asked, and counted no further than needed."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

import queries
from pipeline.api.report_read import COUNT_LIMIT
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.runtime import Runtime
from tests.factories import VILLE, account

REPORTS = 30_000  # enough that reading the whole table would be the wrong plan
OPEN = ("PENDING_VALIDATION", "PENDING_VERIFICATION")

_FILL = text("""
    INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
        reporter_id, latitude, longitude, state_entered_at, sla_due_at, created_at, modified_at, modified_by, workflow_version,
        rejected_at, rejected_by, rejection_reason)
    SELECT gen_random_uuid(), :tenant, 'dj', 'DR-DJ-2026-' || lpad(i::text, 7, '0'), lpad(i::text, 8, '0'), 'token-' || i, 'StrayDogPack',
        'A pack of dogs near the school',
        CASE i % 100 WHEN 0 THEN 'PENDING_VALIDATION' WHEN 1 THEN 'PENDING_VERIFICATION' ELSE 'REJECTED' END,
        CASE i % 1000 WHEN 7 THEN CAST(:rare AS uuid) ELSE CAST(:teacher AS uuid) END, 11.58, 43.14,
        t.at, t.at, t.at, t.at, CAST(:teacher AS uuid), 1, t.at, CAST(:teacher AS uuid), 'NOT_A_DOG'
    FROM generate_series(1, :reports) AS i CROSS JOIN LATERAL (SELECT CAST(:now AS timestamptz) - i * interval '1 minute' AS at) t
""")


@pytest.fixture(scope="module")
def rare(rt: Runtime, urls: Urls) -> UUID:
    """A teacher with a few of very many reports."""
    teacher, rare = account(rt, "T-many", "TEACHER"), account(rt, "T-rare", "TEACHER")
    with rt.database.worker() as conn:
        params = {"tenant": VILLE, "teacher": teacher.account_id, "rare": rare.account_id, "reports": REPORTS, "now": rt.clock.now()}
        conn.execute(_FILL, params)
    with psycopg.connect(psycopg_url(urls.owner), autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE sdcrs.report")
    return rare.account_id


def criteria(now: datetime, **changes: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("ids", "report_number", "tracking_id", "status", "statuses", "service_type", "reporter_id", "officer_id", "locality_code",
         "ward_code", "created_from", "created_to", "own_reporter", "own_officer")
    )  # fmt: skip
    page = {"sort": "createdTime", "ascending": False, "oldest_first": False, "offset": 0, "limit": 20, "window": 20}
    return {**nothing, **page, "tenants": [VILLE], "sees_all": True, "count_limit": COUNT_LIMIT, **changes}


def plan(rt: Runtime, params: dict[str, Any]) -> str:
    """The plan for these values."""
    explain = text("EXPLAIN " + str(queries.statement("reports.page")))
    with rt.database.begin([VILLE]) as conn:
        return "\n".join(str(line) for line in conn.execute(explain, params).scalars())


@pytest.mark.parametrize(
    ("screen", "index"),
    [
        ({"status": "PENDING_VERIFICATION", "ascending": True, "oldest_first": True}, "report_queue"),
        ({"statuses": list(OPEN)}, "report_queue"),
        ({}, "report_recent"),
        ({"sees_all": False, "own_reporter": "rare"}, "report_by_reporter"),
        ({"reporter_id": "rare"}, "report_by_reporter"),
        ({"report_number": "DR-DJ-2026-0000500"}, "report_report_number_key"),
        ({"tracking_id": "00000500"}, "report_tracking_id_key"),
    ],
)
def test_a_screen_is_found_by_its_index(rt: Runtime, rare: UUID, screen: dict[str, Any], index: str) -> None:
    params = criteria(rt.clock.now(), **{key: rare if value == "rare" else value for key, value in screen.items()})
    found = plan(rt, params)
    assert index in found
    assert "Seq Scan on report" not in found


def test_a_prepared_search_is_still_planned_for_what_is_asked(rt: Runtime, rare: UUID) -> None:
    with rt.database.begin([VILLE]) as conn:
        for _ in range(20):  # the driver prepares after five, and Postgres tries one plan for all values after five more
            queries.dicts(conn, "reports.page", **criteria(rt.clock.now(), reporter_id=rare))
        prepared = conn.execute(
            text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH matching AS%'")
        ).one()
    assert prepared.generic_plans == 0
    assert prepared.custom_plans > 0


def test_a_total_is_counted_no_further_than_anybody_pages(rt: Runtime, rare: UUID) -> None:
    with rt.database.begin([VILLE]) as conn:
        everything = queries.dicts(conn, "reports.page", **criteria(rt.clock.now()))
        rejected = queries.dicts(conn, "reports.page", **criteria(rt.clock.now(), status="PENDING_VALIDATION"))
        own = queries.dicts(conn, "reports.page", **criteria(rt.clock.now(), reporter_id=rare, limit=100, window=100))
    assert everything[0]["total"] == COUNT_LIMIT
    assert rejected[0]["total"] == REPORTS // 100
    assert own[0]["total"] == REPORTS // 1000


def test_a_page_far_down_continues_where_the_one_before_ended(rt: Runtime, rare: UUID) -> None:
    seen: list[UUID] = []
    with rt.database.begin([VILLE]) as conn:
        for offset in (9940, 9960, 9980):
            rows = queries.dicts(conn, "reports.page", **criteria(rt.clock.now(), offset=offset, window=offset + 20))
            seen += [row["id"] for row in rows]
        expected = conn.execute(
            text("SELECT id FROM sdcrs.report WHERE created_at < :now ORDER BY created_at DESC, id DESC OFFSET 9940 LIMIT 60"),
            {"now": rt.clock.now() + timedelta(days=1)},
        ).scalars()
        assert seen == list(expected)
