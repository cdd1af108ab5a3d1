"""Reports that `bench validate` makes are reports as intake stores them, and each kind of wrong that is put into them is found."""

import psycopg
import pytest
from sqlalchemy import text

from pipeline.bench import past
from pipeline.bench.house import House
from pipeline.bench.reports import make_crowd, make_reports
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.filestore.measure import phash_bands
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.settings import Settings
from pipeline.validation.job import validation_job

EXISTING, WAITING = 500, 2500  # of a thousand, five are exact copies: enough for each kind to be there


@pytest.fixture(scope="module")
def judged(rt: Runtime, urls: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    house = House(settings, urls, rt, {}, {}, tmp_path_factory.mktemp("logs"))
    past.prepare_months(house, rt.clock.now())
    with psycopg.connect(psycopg_url(urls.owner), autocommit=True) as conn:
        with past.bare(conn):
            crowd = make_crowd(conn, rt.masterdata.current(), rt.clock.now(), 20_000)  # 4,000 teachers: few report twice a day
            make_reports(conn, crowd, 1, EXISTING, fresh=False)
            make_reports(conn, crowd, EXISTING + 1, WAITING, fresh=True)
        conn.execute("ANALYZE")
    assert run_until_idle([validation_job(rt)], rt.clock) == []
    return rt


def test_every_report_is_judged_once(judged: Runtime) -> None:
    with judged.database.worker() as conn:
        rows = conn.execute(text("SELECT count(*), max(number), min(rules_looked_at) FROM fraud.evaluation")).one()
        waiting = conn.execute(text("SELECT count(*) FROM sdcrs.report WHERE status = 'PENDING_VALIDATION'")).scalar_one()
        failed = conn.execute(text("SELECT count(*) FROM fraud.evaluation WHERE unevaluated <> '[]'")).scalar_one()
    assert tuple(rows) == (WAITING, 1, 27)
    assert (waiting, failed) == (0, 0)


def test_each_check_finds_something_and_lets_most_pass(judged: Runtime) -> None:
    with judged.database.worker() as conn:
        rows = conn.execute(text("SELECT name, count(*) FILTER (WHERE NOT passed), count(*) FROM fraud.check_result GROUP BY name")).all()
    found = {name: failed / count for name, failed, count in rows}
    assert set(found) == {"GPS_LOCATION", "TIMESTAMP_FRESHNESS", "BOUNDARY_CHECK", "DUPLICATE_IMAGE", "FRAUD_SCORE"}
    assert all(0 < share < 0.1 for share in found.values()), found


def test_rules_over_history_find_something(judged: Runtime) -> None:
    with judged.database.worker() as conn:
        fired = set(conn.execute(text("SELECT DISTINCT rule_id FROM fraud.rule_result WHERE outcome = 'FIRED'")).scalars())
    assert {"STD-002", "STD-004", "STD-005", "STD-006", "STD-008", "STD-010", "SDCRS-008", "SDCRS-009", "SDCRS-013"} <= fired


def test_the_parts_of_a_hash_are_those_of_the_hash(judged: Runtime) -> None:
    with judged.database.worker() as conn:
        rows = conn.execute(text("SELECT phash, band0, band1, band2, band3 FROM sdcrs.evidence LIMIT 500")).all()
    assert all(tuple(row[1:]) == tuple(phash_bands(row.phash)) for row in rows)
