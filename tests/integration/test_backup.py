"""A backup brought back into a new database says the same, and its followers rebuild without repeating themselves."""

import secrets
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.access.sessions import sign_in
from pipeline.audit.anchor import Anchors
from pipeline.audit.verify import verify
from pipeline.clock import SystemClock
from pipeline.database.backup import backup, restore
from pipeline.database.engine import Database
from pipeline.database.migrate import migrate
from pipeline.database.server import quiet
from pipeline.database.server_install import programs
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.jobs.worker import run_until_idle
from pipeline.notifications.follower import notifications_follower
from pipeline.runtime import Runtime, assemble
from pipeline.vault.keys import Keyring
from pipeline.work import sealing_follower
from tests import factories
from tests.conftest import make_database

COUNTED = (
    "sdcrs.report",
    "sdcrs.report_history",
    "sdcrs.evidence",
    "packet.log",
    "sdcrs.notification",
    "vault.person_field",
    "access.account",
    "audit.event",
    "audit.seal",
)


def counts(rt: Runtime) -> dict[str, int]:
    with rt.database.worker() as conn:
        return {name: conn.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED}


@pytest.fixture(scope="module")
def backed_up(rt: Runtime, urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Path:
    who = factories.people(rt)
    factories.captured(rt, who)
    factories.validated(rt, who.teacher)
    sign_in(rt, who.admin.username, factories.PASSWORD, "CONSOLE", "10.0.0.1")
    run_until_idle([notifications_follower(rt), sealing_follower(rt)], rt.clock)
    target = tmp_path_factory.mktemp("backup") / "all.backup"
    assert backup(urls.app, rt.database.role_prefix, programs(None, quiet), target, rt.keyring.backup_key) > 10_000
    return target


def test_a_restored_database_holds_the_same_and_rebuilds_its_followers(rt: Runtime, server: Urls, backed_up: Path) -> None:
    with make_database(server, f"sdcrs_restored_{secrets.token_hex(3)}") as fresh:
        restore(fresh.owner, programs(None, quiet), backed_up, rt.keyring.backup_key)
        report = migrate(fresh.owner, fresh.login, SystemClock())
        assert report.role_prefix == rt.database.role_prefix
        with closing(Database(fresh.app, report.role_prefix, pool_size=2)) as database:
            restored = assemble(replace(rt.settings, database_url=fresh.app), database, rt.clock)
            assert counts(restored) == counts(rt)
            with database.worker() as conn:
                assert conn.execute(text("SELECT count(*) FROM packet.log WHERE xid <> '0'")).scalar_one() == 0
            run_until_idle([notifications_follower(restored)], rt.clock)
            # the messages are there once; what the rebuilt follower adds to the log is at most their headers
            assert counts(restored)["sdcrs.notification"] == counts(rt)["sdcrs.notification"]
            run_until_idle([sealing_follower(restored)], rt.clock)
            assert counts(restored)["audit.seal"] == counts(rt)["audit.seal"] > 0
            with database.worker() as conn:
                assert verify(conn, rt.keyring, Anchors(restored.settings)).faults == ()
            who = factories.people(restored)
            assert factories.status_of(restored, factories.validated(restored, who.teacher)) == "PENDING_VERIFICATION"


def test_another_key_or_an_altered_file_is_refused(rt: Runtime, server: Urls, backed_up: Path, tmp_path: Path) -> None:
    other = Keyring("k1", (("k1", b"0" * 32),))
    cut = tmp_path / "cut.backup"
    cut.write_bytes(backed_up.read_bytes()[:-10])
    with make_database(server, f"sdcrs_refused_{secrets.token_hex(3)}") as fresh:
        for source, key in ((backed_up, other.backup_key), (cut, rt.keyring.backup_key)):
            with pytest.raises(AppError) as caught:
                restore(fresh.owner, programs(None, quiet), source, key)
            assert caught.value.code == "SDCRS_DECRYPT_FAILED"


def test_a_database_in_use_is_not_overwritten(rt: Runtime, urls: Urls, backed_up: Path) -> None:
    with pytest.raises(AppError) as caught:
        restore(urls.owner, programs(None, quiet), backed_up, rt.keyring.backup_key)
    assert caught.value.code == "SDCRS_RESTORE_FAILED"
