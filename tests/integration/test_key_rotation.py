"""Keys are rotated while everything runs: nothing becomes unreadable or is left behind, and other processes learn of it by themselves."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from pipeline.audit.anchor import Anchors
from pipeline.audit.verify import verify
from pipeline.cli.main import main
from pipeline.demo.registrations import applicant, make_packet
from pipeline.errors import AppError
from pipeline.identity.idrepo.store import demographics_of
from pipeline.identity.numbers import Numbers
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime, assemble
from pipeline.sealed import SEALED
from pipeline.vault.keys import add_key
from pipeline.vault.rotation import older, reseal
from pipeline.work import sealing_follower
from tests import factories
from tests.integration.payout_house import open_house
from tests.registrations import registration, rows, uploaded

SHORT_LIVED = {"access.sign_in_flow.sealed"}  # gone after ten minutes, under whatever key


def environment(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DATABASE_URL": rt.settings.database_url, "DATA_DIR": str(rt.settings.data_dir)}.items():
        monkeypatch.setenv(name, value or "")


def test_every_sealed_column_is_rotated(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        found = conn.execute(
            text(
                "SELECT c.table_schema || '.' || c.table_name || '.' || c.column_name AS name FROM information_schema.columns c "
                "JOIN information_schema.tables t USING (table_schema, table_name) WHERE c.column_name LIKE '%sealed' "
                "AND c.data_type = 'text' AND t.table_type = 'BASE TABLE' AND c.table_schema <> 'sandbox' "
                "AND c.table_name !~ '_[0-9]{6}$|_default$'"
            )
        ).scalars()
        assert set(found) - SHORT_LIVED == {one.name for one in SEALED} | {"vault.person_field.sealed"}


def test_after_a_rotation_everything_is_read_and_nothing_is_left_with_the_old_key(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(rt, monkeypatch)
    with open_house(rt) as house:
        house.captured(teacher := house.teacher(vpa="rotates@okaxis"))
        house.to_the_end()
        with rt.database.worker() as conn:
            before = rt.vault.get(conn, [teacher.account_id], ("name", "phone", "vpa"))
        photo, _ = factories.photos(rt, teacher)
        bytes_before = rt.files.get(photo, "original")
        run_until_idle([sealing_follower(rt)], rt.clock)
        old = rt.keyring.current
        assert main(["rotate-keys", "--photos"]) == 0
        assert rt.keyring.current == old, "this process has not met the new key yet"
        with rt.database.worker() as conn:
            assert rt.vault.get(conn, [teacher.account_id], ("name", "phone", "vpa")) == before
            assert rt.keyring.current != old, "the first value with the new key made it read the file"
            assert older(conn, rt.keyring, SEALED) == {}
            assert rt.vault.find(conn, "dj", "vpa", "rotates@okaxis") == [teacher.account_id]
        assert rt.files.get(photo, "original") == bytes_before
        house.captured(teacher)  # an address known from before, a request sealed with the new key
        house.to_the_end()
        assert {row.status for row in house.all("SELECT status FROM payout.payout")} == {"COMPLETED"}
        assert house.one("SELECT count(*) AS n FROM payout.fund_account WHERE beneficiary_id = :id", id=teacher.account_id).n == 1
        run_until_idle([sealing_follower(rt)], rt.clock)
        with rt.database.worker() as conn:
            assert verify(conn, rt.keyring, Anchors(rt.settings)).faults == ()
            deeds = conn.execute(text("SELECT tenant_id FROM audit.event WHERE action = 'KEYS_ROTATED' ORDER BY 1")).scalars()
            assert list(deeds) == ["dj", "ncr"]


def test_after_a_rotation_registrations_are_read_found_and_compared_as_before(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    environment(rt, monkeypatch)
    admin = factories.account(rt, "DA-rotates", "DISTRICT_ADMIN")
    person = replace(applicant(1, rt.clock.now()), employee_id="ROT1")
    first = uploaded(rt, admin, made := make_packet(1, rt.clock.now(), person=person))
    run_until_idle([StagesJob(rt)], rt.clock)
    before = Numbers(rt).hash("dj", "HANDLE", "ROT1")
    assert main(["rotate-keys", "--photos"]) == 0
    rt.keyring.reload()
    assert Numbers(rt).hash("dj", "HANDLE", "ROT1") == before
    (identity,) = rows(rt, "SELECT * FROM idrepo.identity WHERE registration_id = :id", id=first.id)
    assert demographics_of(rt, "idrepo.demographics", identity.id, identity.demographics_sealed)["phone"] == person.phone
    for part in rows(rt, "SELECT id, name FROM regprc.component WHERE registration_id = :id", id=first.id):
        assert rt.files.get(part.id, "original") == made.zips[part.name]
        assert not rt.files.reseal(part.id), "it has the new key already"
    again = uploaded(rt, admin, make_packet(2, rt.clock.now(), person=person))
    run_until_idle([StagesJob(rt)], rt.clock)
    assert registration(rt, again.id).sub_status_code == "DUPLICATE", "found by a hash of before, opened with the new key"


def test_an_interrupted_rotation_is_seen_and_gone_on_with(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(rt, monkeypatch)
    factories.account(rt, "T-rotate", "TEACHER", vpa="left@okaxis")
    add_key(rt.keyring)
    pages = reseal(rt.database, rt.keyring, SEALED)
    pages.close()  # killed at once
    assert main(["rotate-keys", "--check"]) == 3
    assert "vault.person_field.sealed" in capsys.readouterr().out
    assert main(["rotate-keys", "--resume"]) == 0
    assert main(["rotate-keys", "--check"]) == 0


def test_the_key_file_stays_for_its_owner_alone_and_without_the_old_key_nothing_opens(rt: Runtime, tmp_path: Path) -> None:
    add_key(rt.keyring)
    assert rt.keyring.path is not None
    assert rt.keyring.path.stat().st_mode & 0o077 == 0
    copy = tmp_path / "keys.json"
    shutil.copy(rt.keyring.path, copy)
    elsewhere = assemble(replace(rt.settings, keys_file=copy), rt.database, rt.clock)
    add_key(elsewhere.keyring)
    value = elsewhere.vault.seal("payout.vpa", "x", b"secret")
    with pytest.raises(AppError, match="SDCRS_DECRYPT_FAILED"):
        rt.vault.unseal("payout.vpa", "x", value)
