"""The lists that people open all day are found by their indexes, planned for what is asked, and counted no further than needed."""

from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

import queries
from pipeline.api.report_read import COUNT_LIMIT
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.reports import assignment, retention
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


def criteria(**changes: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("ids", "report_number", "tracking_id", "status", "statuses", "service_type", "reporter_id", "officer_id", "locality_code",
         "ward_code", "created_from", "created_to", "own_reporter", "own_officer")
    )  # fmt: skip
    return {**nothing, "tenants": [VILLE], "sees_all": True, **changes}


def plan(rt: Runtime, statement: str, **params: Any) -> str:
    """The plan for these values."""
    explain = text("EXPLAIN " + str(queries.statement(statement)))
    with rt.database.begin([VILLE]) as conn:
        return "\n".join(str(line) for line in conn.execute(explain, params).scalars())


@pytest.mark.parametrize(
    ("statement", "screen", "index"),
    [
        ("oldest_first", {"status": "PENDING_VERIFICATION"}, "report_queue"),
        ("newest_first", {"status": "PENDING_VERIFICATION"}, "report_queue"),
        ("newest_first", {"statuses": list(OPEN)}, "report_queue"),
        ("newest_first", {}, "report_recent"),
        ("newest_first", {"sees_all": False, "own_reporter": "rare"}, "report_by_reporter"),
        ("newest_first", {"reporter_id": "rare"}, "report_by_reporter"),
        ("newest_first", {"report_number": "DR-DJ-2026-0000500"}, "report_report_number_key"),
        ("newest_first", {"tracking_id": "00000500"}, "report_tracking_id_key"),
    ],
)
def test_a_screen_is_found_by_its_index(rt: Runtime, rare: UUID, statement: str, screen: dict[str, Any], index: str) -> None:
    asked = criteria(**{key: rare if value == "rare" else value for key, value in screen.items()})
    found = plan(rt, f"reports.{statement}", **asked, offset=0, limit=20)
    assert index in found
    assert "Seq Scan on report" not in found


@pytest.mark.parametrize("screen", [{"status": "PENDING_VERIFICATION"}, {}, {"reporter_id": "rare"}])
def test_a_total_is_counted_by_an_index(rt: Runtime, rare: UUID, screen: dict[str, Any]) -> None:
    asked = criteria(**{key: rare if value == "rare" else value for key, value in screen.items()})
    found = plan(rt, "reports.total", **asked, count_limit=COUNT_LIMIT)
    assert "Index" in found
    assert "Seq Scan on report" not in found


def test_an_officers_load_is_counted_for_all_officers_at_once(rt: Runtime, rare: UUID) -> None:
    with rt.database.begin([VILLE]) as conn:
        params = {"tenant_id": VILLE, "active": True, "limit": 500}
        found = "\n".join(conn.execute(text(f"EXPLAIN {assignment._OFFICERS.text}"), params).scalars())
    assert "SubPlan" not in found
    assert "Seq Scan on report" not in found


@pytest.mark.parametrize(
    ("asked", "indexes"),
    [
        ({}, ["Index Only Scan Backward using payout_queue"]),  # in the order of the page: nothing is sorted that is not shown
        ({"report_number": "DR-DJ-2026-0000500"}, ["report_report_number_key", "payout_report_id_key"]),
    ],
)
def test_payouts_are_found_by_their_indexes(rt: Runtime, rare: UUID, asked: dict[str, Any], indexes: list[str]) -> None:
    nothing = dict.fromkeys(("report_number", "created_from", "created_to"))
    page = {"tenants": [VILLE], "statuses": ["INITIATED", "COMPLETED"], "offset": 0, "limit": 20, "count_limit": COUNT_LIMIT}
    explain = text("EXPLAIN " + str(queries.statement("payout_search.page")))
    with rt.database.begin([VILLE]) as conn:
        for costly in ("seqscan", "sort", "bitmapscan"):  # there are no payouts here; what counts is that an index serves
            conn.execute(text(f"SET LOCAL enable_{costly} = off"))
        found = "\n".join(conn.execute(explain, {**nothing, **page, **asked}).scalars())
    assert all(index in found for index in indexes), found


def test_a_file_is_found_in_the_evidence_by_its_index(rt: Runtime, rare: UUID) -> None:
    with rt.database.worker() as conn:
        conn.execute(text("SET LOCAL enable_seqscan = off"))  # there is no evidence here; what counts is that an index serves
        found = conn.execute(text("EXPLAIN SELECT report_id FROM sdcrs.evidence WHERE file_id = :id"), {"id": rare}).scalars()
        assert "evidence_by_file" in "\n".join(found)
        # an order by which the oldest come first, so that the first few hundred cost what they are and not what there is
        params = {"before": rt.clock.now(), "now": rt.clock.now(), "undecided": list(retention.UNDECIDED), "limit": 200}
        conn.execute(text("SET LOCAL enable_sort = off"))
        plan = "\n".join(conn.execute(text(f"EXPLAIN {retention._GIVE_UP.text}"), params).scalars())
    assert "evidence_by_file" in plan
    assert "evidence_selfie_kept" in plan


def test_a_prepared_search_is_still_planned_for_what_is_asked(rt: Runtime, rare: UUID) -> None:
    with rt.database.begin([VILLE]) as conn:
        for _ in range(20):  # the driver prepares after five, and Postgres tries one plan for all values after five more
            queries.dicts(conn, "reports.newest_first", **criteria(reporter_id=rare), offset=0, limit=20)
        prepared = conn.execute(
            text("SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE 'WITH matching AS%'")
        ).one()
    assert prepared.generic_plans == 0
    assert prepared.custom_plans > 0


def test_a_total_is_counted_no_further_than_anybody_pages(rt: Runtime, rare: UUID) -> None:
    def total(**asked: Any) -> int:
        with rt.database.begin([VILLE]) as conn:
            return int(queries.dicts(conn, "reports.total", **criteria(**asked), count_limit=COUNT_LIMIT)[0]["total"])

    assert total() == COUNT_LIMIT
    assert total(status="PENDING_VALIDATION") == REPORTS // 100
    assert total(reporter_id=rare) == REPORTS // 1000


def test_a_page_far_down_continues_where_the_one_before_ended(rt: Runtime, rare: UUID) -> None:
    seen: list[UUID] = []
    with rt.database.begin([VILLE]) as conn:
        for offset in (9940, 9960, 9980):
            seen += [row["id"] for row in queries.dicts(conn, "reports.newest_first", **criteria(), offset=offset, limit=20)]
        expected = conn.execute(text("SELECT id FROM sdcrs.report ORDER BY created_at DESC, id DESC OFFSET 9940 LIMIT 60")).scalars()
        assert seen == list(expected)
