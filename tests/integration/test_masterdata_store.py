"""Master data in the database: versions, refusals, and processes that follow a publication."""

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError

from pipeline.errors import AppError
from pipeline.masterdata import store
from pipeline.masterdata.documents import Document
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.store import MasterDataStore, load, newest, publish
from pipeline.runtime import Runtime

VILLE = "dj.djibouti-ville"
LIMITS = ("SDCRS", "ValidationLimits")


def limits(hours: int, tenant_id: str = "common") -> Document:
    """The shipped limits with another age of photos, as this tenant's own."""
    document = next(document for document in read_folder() if document.key == LIMITS)
    content = copy.deepcopy(dict(document.content)) | {"tenantId": tenant_id}
    content["ValidationLimits"]["maxPhotoAgeHours"] = hours
    return replace(document, tenant_id=tenant_id, content=content)


@contextmanager
def undone(rt: Runtime) -> Iterator[Connection]:
    """A transaction whose changes nobody else sees and which leaves none."""
    with rt.database.worker() as conn:
        savepoint = conn.begin_nested()
        yield conn
        savepoint.rollback()


def put(rt: Runtime, documents: Sequence[Document], by: str = "tests") -> list[Document]:
    with rt.database.worker() as conn:
        return publish(conn, documents, rt.clock.now(), by)


def test_publishing_the_same_again_adds_nothing(rt):
    with rt.database.worker() as conn:
        before = newest(conn)
        assert publish(conn, read_folder(), rt.clock.now(), "tests") == []
        assert newest(conn) == before


def test_a_changed_document_becomes_the_next_version_and_the_others_stay(rt):
    with undone(rt) as conn:
        before = newest(conn)
        added = publish(conn, [*read_folder()[:3], limits(24)], rt.clock.now(), "ADMIN001")
        assert [(document.master, document.version) for document in added] == [("ValidationLimits", 2)]
        md = load(conn)
        assert (md.validation_limits(VILLE).max_photo_age_hours, md.version_of(*LIMITS, VILLE)) == (24, 2)
        assert md.version_of("SDCRS", "PayoutConfig", VILLE) == 1
        assert newest(conn) == before + 1
        row = conn.execute(text("SELECT published_by, published_at FROM masterdata.document WHERE version = 2")).one()
        assert (row.published_by, row.published_at) == ("ADMIN001", rt.clock.now())


def test_going_back_to_an_earlier_content_is_a_new_version(rt):
    with undone(rt) as conn:
        publish(conn, [limits(24)], rt.clock.now(), "tests")
        assert [document.version for document in publish(conn, [limits(48)], rt.clock.now(), "tests")] == [3]


def test_a_tenants_own_document_starts_at_version_one_and_counts_there_only(rt):
    with undone(rt) as conn:
        publish(conn, [limits(12, VILLE)], rt.clock.now(), "tests")
        md = load(conn)
        found = {t: (md.validation_limits(t).max_photo_age_hours, md.version_of(*LIMITS, t)) for t in (VILLE, "dj.ali-sabieh")}
        assert found == {VILLE: (12, 1), "dj.ali-sabieh": (48, 1)}


def test_what_does_not_fit_is_refused_as_a_whole(rt):
    wrong = limits(24)
    wrong.content["ValidationLimits"]["nearDuplicateMode"] = "IGNORE"
    with rt.database.worker() as conn:
        before = newest(conn)
        with pytest.raises(AppError) as caught:
            publish(conn, [limits(36, VILLE), wrong], rt.clock.now(), "tests")
        assert caught.value.code == "SDCRS_INVALID_MASTER_DATA"
        assert newest(conn) == before


def test_what_the_database_holds_says_the_same_as_the_files(rt):
    with rt.database.worker() as conn:
        stored = load(conn)
    for tenant in stored.tenants():
        assert stored.workflow(tenant.id).version == 1
        assert len(stored.fraud_rules(tenant.id)) == 39
        assert stored.boundary_geojson(tenant.id)["features"]
    assert stored.locate(VILLE, 11.5886, 43.1456).ward.code == "W005"


def test_a_database_without_master_data_says_what_to_run(rt):
    with rt.database.worker() as conn:
        conn.execute(text("CREATE TEMPORARY TABLE document (LIKE masterdata.document) ON COMMIT DROP"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "_NEWEST", text("SELECT * FROM pg_temp.document"))
            with pytest.raises(AppError, match="python -m pipeline migrate"):
                load(conn)


def test_people_may_read_master_data_only_within_their_scope_and_never_write_it(rt):
    with rt.database.begin([VILLE]) as conn:
        tenants = set(conn.execute(text("SELECT DISTINCT tenant_id FROM masterdata.document")).scalars())
        assert tenants == {VILLE}
    with pytest.raises(ProgrammingError, match="permission denied"), rt.database.begin([VILLE]) as conn:
        conn.execute(text("UPDATE masterdata.document SET published_by = 'me'"))


def test_a_running_process_follows_a_publication(rt, monkeypatch):
    monkeypatch.setattr(store, "RELOAD_CHECK_S", 0.0)
    held = MasterDataStore(rt.database)
    first = held.current()
    assert held.current() is first
    put(rt, [limits(20, "ncr")])
    second = held.current()
    assert second is not first
    assert (first.validation_limits("ncr.noida").max_photo_age_hours, second.validation_limits("ncr.noida").max_photo_age_hours) == (48, 20)


def test_a_process_asks_the_database_only_every_few_seconds(rt):
    held = MasterDataStore(rt.database)
    first = held.current()
    put(rt, [limits(21, "ncr")])
    assert held.current() is first


def test_threads_that_start_together_load_once(rt):
    held, found = MasterDataStore(rt.database), []
    threads = [threading.Thread(target=lambda: found.append(held.current())) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(md) for md in found}) == 1


def test_two_publishers_at_once_make_two_versions(rt):
    done: list[int] = []

    def publisher(hours: int) -> None:
        done.extend(document.version for document in put(rt, [limits(hours, "ncr.faridabad")]))

    threads = [threading.Thread(target=publisher, args=(hours,)) for hours in (10, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [1, 2]
