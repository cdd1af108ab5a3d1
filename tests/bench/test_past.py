"""Copies of reports are reports: every law of the database holds for them, and they disturb nobody."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from pipeline.bench import past, people
from pipeline.bench.house import House, open_house
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.filestore.measure import phash_bands
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.runtime import Runtime
from pipeline.settings import Settings, load
from tests import factories

COUNT = 2000
LAWS = """
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname IN ('sdcrs', 'payout')
    UNION ALL SELECT 'key', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint
              WHERE contype = 'f' AND connamespace IN ('sdcrs'::regnamespace, 'payout'::regnamespace) AND conparentid = 0
    UNION ALL SELECT 'policy', oid::regclass::text, relforcerowsecurity::text FROM pg_class
              WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace IN ('sdcrs'::regnamespace, 'payout'::regnamespace)
    ORDER BY 1, 2
"""


@pytest.fixture(scope="module")
def house(rt: Runtime, urls: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(settings, urls, rt, {}, {}, tmp_path_factory.mktemp("logs"))


@pytest.fixture(scope="module")
def laws(house: House) -> list[tuple[str, ...]]:
    past.prepare_months(house, house.rt.clock.now())
    return read_laws(house)


@pytest.fixture(scope="module")
def copied(house: House, laws: object) -> House:
    rt = house.rt
    who = factories.people(rt)
    run_until_idle([notifications_follower(rt)], rt.clock)
    models = {
        "PENDING_VERIFICATION": [factories.validated(rt, who.teacher)],
        "ASSIGNED": [factories.assigned(rt, who)],
        "RESOLVED": [factories.captured(rt, who)],  # stands in for one that was paid: the provider is not here
    }
    run_until_idle([notifications_follower(rt)], rt.clock)
    teachers = [account.id for account in people.enrol(rt, 30, "PE")]
    past.copy_reports(house, models, teachers, [who.officer.account_id], 1, COUNT, lambda _: None)
    return house


def read_laws(house: House) -> list[tuple[str, ...]]:
    with psycopg.connect(psycopg_url(house.urls.owner)) as conn:
        return conn.execute(LAWS).fetchall()


def test_indexes_keys_and_policies_are_as_before(laws: list[tuple[str, ...]], copied: House) -> None:
    assert read_laws(copied) == laws


def test_every_copy_has_photos_with_their_own_hashes_and_a_whole_history(copied: House) -> None:
    with copied.rt.database.worker() as conn:
        assert conn.execute(text("SELECT count(*) FROM sdcrs.report")).scalar_one() == COUNT + 3
        photos = conn.execute(
            text("""
            SELECT e.phash, e.band0, e.band1, e.band2, e.band3, f.phash AS own, e.uploaded_by, f.owner_id, r.reporter_id
            FROM sdcrs.evidence e JOIN sdcrs.file f ON f.id = e.file_id JOIN sdcrs.report r ON r.id = e.report_id
            WHERE e.evidence_type = 'DOG_PHOTO'""")
        ).all()
        gaps = conn.execute(
            text("""
            SELECT count(*) FROM sdcrs.report r WHERE r.version <> (SELECT count(*) FROM sdcrs.report_history h WHERE h.report_id = r.id)
               OR r.status <> (SELECT h.to_state FROM sdcrs.report_history h WHERE h.report_id = r.id ORDER BY h.version DESC LIMIT 1)
               OR r.created_at <> (SELECT min(h.occurred_at) FROM sdcrs.report_history h WHERE h.report_id = r.id)""")
        ).scalar_one()
    assert len({row.phash for row in photos}) == len(photos) == COUNT + 3
    assert all((row.band0, row.band1, row.band2, row.band3) == phash_bands(row.phash) and row.phash == row.own for row in photos)
    assert all(row.uploaded_by == row.owner_id == row.reporter_id for row in photos)
    assert gaps == 0


def test_copies_lie_within_a_year_and_only_the_newest_are_open(copied: House) -> None:
    now = copied.rt.clock.now()
    with copied.rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT status, created_at FROM sdcrs.report WHERE created_at < :now ORDER BY created_at"), {"now": now}
        ).all()
    assert now - past.YEAR - past.DAYS_OPEN < rows[0].created_at < now - past.YEAR + past.DAYS_OPEN
    open_since = min(row.created_at for row in rows if row.status in past.OPEN)
    assert open_since >= now - past.DAYS_OPEN
    assert {row.status for row in rows} == {"CAPTURED", "PENDING_VERIFICATION", "ASSIGNED"}


def test_nobody_is_told_of_copies(copied: House) -> None:
    with copied.rt.database.worker() as conn:
        before = conn.execute(text("SELECT count(*) FROM sdcrs.notification")).scalar_one()
    run_until_idle([notifications_follower(copied.rt)], copied.rt.clock)
    with copied.rt.database.worker() as conn:
        assert conn.execute(text("SELECT count(*) FROM sdcrs.notification")).scalar_one() == before


def test_a_new_report_finds_its_way_among_them(copied: House) -> None:
    who = factories.people(copied.rt)
    report_id = factories.validated(copied.rt, who.teacher)
    assert factories.status_of(copied.rt, report_id) == "PENDING_VERIFICATION"


def test_shares_add_up_to_a_hundred_and_states_without_a_model_are_left_out() -> None:
    assert sum(past.ENDED.values()) == sum(past.OPEN.values()) == 100
    (only,) = {*past.weighted({"RESOLVED": ["a"]}, past.ENDED)}  # type: ignore[list-item]
    assert only == "a"


def test_the_bench_leaves_no_folder_behind(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    with open_house(replace(load({}), embedded_fsync=False), lambda _: {}, folder, lambda _: None) as house:
        assert folder.exists()
        assert house.kill_postgres()
    assert not folder.exists()
