"""The audit is sealed behind the deeds, and whoever changes, removes, slips in or cuts off a row is found, with the row named."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from pipeline.audit.anchor import Anchors, heads
from pipeline.audit.log import record
from pipeline.audit.seal import unsealed_for_s
from pipeline.audit.verify import Verdict, verify
from pipeline.cli.main import main
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.ids import uuid7
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import Runtime
from pipeline.work import all_tasks, sealing_follower

DEEDS = 7


class Book:
    """An audit with some deeds in two states, and the hands of somebody who owns the database."""

    def __init__(self, rt: Runtime, urls: Urls, anchors: Anchors) -> None:
        self.rt = rt
        self.anchors = anchors
        self._owner_url = urls.owner

    def owner(self) -> psycopg.Connection:
        """The owner's connection; commits at the end of its block."""
        return psycopg.connect(psycopg_url(self._owner_url))

    def act(self, tenant_id: str) -> None:
        with self.rt.database.worker() as conn:
            record(
                conn, tenant_id, uuid4(), "STATE_ADMIN", "REVEAL", "ACCOUNT", str(uuid4()), self.rt.clock.now(), "a test", {"field": "vpa"}
            )

    def seal(self) -> None:
        run_until_idle([sealing_follower(self.rt)], self.rt.clock)
        with self.rt.database.worker() as conn:
            found = heads(conn)
        self.anchors.write(found, self.rt.clock.now())

    def verify(self) -> Verdict:
        with self.rt.database.worker() as conn:
            return verify(conn, self.rt.keyring, self.anchors)

    def kinds(self) -> list[str]:
        return [fault.kind for fault in self.verify().faults]

    def tamper(self, *statements: str, **params: object) -> None:
        """What only an owner can do, who first switches the triggers off."""
        tables = ("audit.event", "audit.seal")
        with self.owner() as conn:
            for table in tables:
                conn.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY")
            for statement in statements:
                conn.execute(statement, params)
            for table in tables:
                conn.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            conn.execute("ALTER TABLE audit.event FORCE ROW LEVEL SECURITY")

    def event(self, number: int) -> UUID:
        with self.rt.database.worker() as conn:
            found = conn.execute(text("SELECT event_id FROM audit.seal WHERE state_id = 'dj' AND number = :n"), {"n": number})
            return UUID(str(found.scalar_one()))


@pytest.fixture
def book(rt: Runtime, urls: Urls, tmp_path: Path) -> Book:
    made = Book(rt, urls, Anchors(replace(rt.settings, audit_anchor_url=tmp_path.as_uri())))
    made.tamper("TRUNCATE audit.event, audit.seal", "DELETE FROM jobs.follower")
    for _ in range(DEEDS):
        made.act("dj.djibouti-ville")
        made.act("ncr.noida")
    made.seal()
    return made


def test_an_untouched_audit_verifies_and_every_state_has_its_own_chain(book: Book) -> None:
    assert book.verify() == Verdict(2 * DEEDS, 0, ())
    with book.rt.database.worker() as conn:
        assert sorted((head.state_id, head.number) for head in heads(conn)) == [("dj", DEEDS), ("ncr", DEEDS)]


def test_new_deeds_wait_to_be_sealed_and_are_no_fault(book: Book) -> None:
    book.act("dj")
    assert book.verify() == Verdict(2 * DEEDS, 1, ())
    book.seal()
    assert book.verify() == Verdict(2 * DEEDS + 1, 0, ())


def test_a_follower_that_reads_all_anew_seals_nothing_twice(book: Book) -> None:
    with book.rt.database.worker() as conn:
        conn.execute(text("UPDATE jobs.follower SET last_xid = '0', last_id = '00000000-0000-0000-0000-000000000000'"))
    book.act("dj")
    book.seal()
    assert book.verify() == Verdict(2 * DEEDS + 1, 0, ())


@pytest.mark.parametrize(
    ("statement", "kind", "number"),
    [
        ("UPDATE audit.event SET actor_role = 'AUDITOR' WHERE id = %(event)s", "BROKEN", 3),
        ("UPDATE audit.event SET occurred_at = occurred_at + interval '1 microsecond' WHERE id = %(event)s", "BROKEN", 3),
        ("UPDATE audit.event SET details = '{}' WHERE id = %(event)s", "BROKEN", 3),
        ("DELETE FROM audit.event WHERE id = %(event)s", "MISSING", 3),
        ("DELETE FROM audit.seal WHERE event_id = %(event)s", "SEAL_MISSING", 3),
        ("UPDATE audit.seal SET hash = sha256('x') WHERE event_id = %(event)s", "BROKEN", 3),
        ("UPDATE audit.seal SET event_id = gen_random_uuid() WHERE event_id = %(event)s", "MISSING", 3),
    ],
)
def test_the_first_row_that_was_tampered_with_is_named(book: Book, statement: str, kind: str, number: int) -> None:
    book.tamper(statement, event=book.event(number))
    fault = book.verify().faults[0]
    assert (fault.kind, fault.state_id, fault.number) == (kind, "dj", number)


def test_a_row_slipped_in_behind_the_followers_back_is_surplus(book: Book) -> None:
    slipped = uuid7(book.rt.clock.now())
    book.tamper(
        "INSERT INTO audit.event (id, tenant_id, action, subject_kind, occurred_at, recorded_at, xid) "
        "SELECT %(id)s, 'dj', 'REVEAL', 'ACCOUNT', occurred_at, recorded_at, xid FROM audit.event ORDER BY xid, id LIMIT 1",
        id=slipped,
    )
    fault = book.verify().faults[-1]
    assert (fault.kind, fault.event_id) == ("SURPLUS", str(slipped))


def test_rows_cut_off_with_their_seals_are_missed_by_the_anchor(book: Book) -> None:
    book.tamper(
        "DELETE FROM audit.event e USING audit.seal s WHERE s.event_id = e.id AND s.state_id = 'dj' AND s.number > 4",
        "DELETE FROM audit.seal WHERE state_id = 'dj' AND number > 4",
    )
    fault = book.verify().faults[0]
    assert (fault.kind, fault.state_id, fault.number) == ("CUT", "dj", 5)


def test_a_chain_made_anew_differs_from_its_anchor(book: Book) -> None:
    book.tamper(
        "UPDATE audit.event SET purpose = 'another' WHERE tenant_id LIKE 'dj%%'", "TRUNCATE audit.seal", "DELETE FROM jobs.follower"
    )
    run_until_idle([sealing_follower(book.rt)], book.rt.clock)
    assert book.kinds() == ["REWRITTEN"]


def test_no_role_and_no_owner_changes_removes_or_empties_the_audit(book: Book) -> None:
    for table, column in (("audit.event", "action"), ("audit.seal", "key_id")):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or removed"), book.owner() as conn:
            conn.execute(f"TRUNCATE {table}")
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}", f"TRUNCATE {table}"):
            with pytest.raises(DBAPIError, match="permission denied"), book.rt.database.worker() as conn:
                conn.execute(text(statement))
    with book.owner() as conn:
        conn.execute("ALTER TABLE audit.event NO FORCE ROW LEVEL SECURITY")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="never changed or removed"):
            conn.execute("DELETE FROM audit.event")
        conn.rollback()
    assert book.verify() == Verdict(2 * DEEDS, 0, ())


def test_rows_that_nobody_seals_are_an_alarm(book: Book, caplog: pytest.LogCaptureFixture) -> None:
    anchor = next(task for task in all_tasks(book.rt) if task.name == "audit.anchor")
    anchor.task(book.rt.clock.now())
    assert not caplog.records
    book.act("dj")
    with book.rt.database.worker() as conn:
        later = conn.execute(text("SELECT max(recorded_at) FROM audit.event")).scalar_one() + timedelta(minutes=2)
        assert unsealed_for_s(conn, later) == 120
    anchor.task(later)
    assert "have not been sealed for 120 seconds" in caplog.text


def test_the_command_says_so_and_ends_with_1(book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    settings = book.rt.settings
    for name, value in {
        "DATABASE_URL": settings.database_url,
        "DATA_DIR": str(settings.data_dir),
        "AUDIT_ANCHOR_URL": "file:///nowhere",
    }.items():
        monkeypatch.setenv(name, value or "")
    assert main(["verify-audit"]) == 0
    book.tamper("DELETE FROM audit.event WHERE id = %(event)s", event=book.event(2))
    assert main(["verify-audit"]) == 1
    assert "number 2, is gone" in capsys.readouterr().out
