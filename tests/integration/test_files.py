"""Uploads on a real database: rows, packet headers, and who may read what."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.demo.photos import PHONE, photo
from pipeline.errors import AppError
from pipeline.filestore.examine import examine
from pipeline.filestore.measure import measure
from pipeline.filestore.store import FileStore
from pipeline.filestore.upload import StoredFile, check_may_read, insert_files, load_file, upload
from pipeline.ids import uuid7

TENANT, NEIGHBOUR = "dj.djibouti-ville", "dj.ali-sabieh"
TAKEN = datetime(2026, 3, 10, 6, 30, 45, tzinfo=UTC)


def caller(*roles, tenant=TENANT, scope=None, account_id=None):
    now = datetime(2026, 3, 10, tzinfo=UTC)
    return Caller(uuid7(now), account_id or uuid7(now), "X", frozenset(roles), tenant, tuple(scope or (tenant,)))


def used_in_report(rt, file, evidence_type):
    """A bare report row with this evidence: the report room is not what these tests are about."""
    report_id, reporter_id = uuid7(file.uploaded_at), uuid7(file.uploaded_at)
    params = {
        "id": report_id, "file": file.id, "owner": file.owner_id, "reporter": reporter_id, "type": evidence_type,
        "tenant": file.tenant_id, "number": f"DR-DJ-2026-{report_id.int % 10**12:012d}", "tracking": report_id.hex[-8:],
        "token": report_id.hex, "now": file.uploaded_at,
    }  # fmt: skip
    statements = [
        """INSERT INTO access.account (id, tenant_id, state_id, username, roles, created_at)
           VALUES (:reporter, :tenant, 'dj', :token, ARRAY['TEACHER'], :now)""",
        """INSERT INTO sdcrs.report (id, tenant_id, state_id, report_number, tracking_id, tracking_token, service_type, description, status,
                reporter_id, latitude, longitude, state_entered_at, sla_due_at, created_at, modified_at, modified_by, workflow_version)
           VALUES (:id, :tenant, 'dj', :number, :tracking, :token, 'StrayDogPack', 'three dogs', 'PENDING_VALIDATION',
                :reporter, 11.5, 43.1, :now, :now, :now, :now, :reporter, 1)""",
        """INSERT INTO sdcrs.evidence (id, tenant_id, report_id, evidence_type, file_id, file_name, mime_type, file_size, sha256, phash,
                band0, band1, band2, band3, uploaded_at, uploaded_by, created_at)
           SELECT f.id, f.tenant_id, :id, :type, f.id, f.file_name, f.content_type, f.size_bytes, f.sha256, f.phash, 0, 0, 0, 0,
                :now, :owner, :now FROM sdcrs.file f WHERE f.id = :file""",
    ]
    with rt.database.worker() as conn:
        for statement in statements:
            conn.execute(text(statement), params)
    return reporter_id


def may_read(rt, who, file):
    with rt.database.begin(who.scope) as conn:
        try:
            check_may_read(conn, who, file)
        except AppError as error:
            return error.code
    return "yes"


def test_what_was_uploaded_is_read_back_with_all_its_measures(rt):
    teacher = caller("TEACHER")
    data = photo(1, "dog", 11.5886, 43.1456, TAKEN)
    (stored,) = upload(rt, teacher, TENANT, "SDCRS", "report-evidence", [("../IMG_1.jpg", data)])
    with rt.database.begin(teacher.scope) as conn:
        loaded = load_file(conn, stored.id)
    assert loaded == stored
    assert loaded.file_name == "IMG_1.jpg"
    assert loaded.measured == examine(data, "x").measured
    assert loaded.measured.faces is not None
    assert rt.files.get(stored.id, "thumbnail") == examine(data, "x").thumbnail
    assert rt.files.get(stored.id, "original") == data


def test_an_upload_leaves_a_request_with_its_body_and_an_answer_for_each_file(rt):
    teacher = caller("TEACHER")
    files = upload(rt, teacher, TENANT, "SDCRS", None, [("a.jpg", photo(2)), ("b.jpg", photo(3, "selfie"))])
    with rt.database.begin(teacher.scope) as conn:
        rows = conn.execute(
            text(
                """SELECT packet, subject_id, sender, receiver, topic, correlation_id, body FROM packet.log
                   WHERE subject_id = ANY (:ids) ORDER BY id"""
            ),
            {"ids": [file.id for file in files]},
        ).all()
    assert [(row.packet, row.subject_id) for row in rows] == [(p, f.id) for f in files for p in ("02/05", "02/06")]
    assert {row.correlation_id for row in rows} == {files[0].request_id}
    assert rows[0].body["file"][0]["fileName"] == "a.jpg"
    assert (rows[0].sender, rows[0].receiver) == ("Teacher app", "File store")
    assert rows[1].body is None


def test_an_officers_upload_is_sent_by_the_officers_app(rt):
    officer = caller("MC_OFFICER")
    (file,) = upload(rt, officer, TENANT, "SDCRS", None, [("a.jpg", photo(4, "capture"))])
    with rt.database.begin(officer.scope) as conn:
        senders = (
            conn.execute(text("SELECT sender FROM packet.log WHERE subject_id = :id AND packet = '02/05'"), {"id": file.id}).scalars().all()
        )
    assert senders == ["Officer app"]


def test_one_bad_photo_refuses_the_whole_upload_and_keeps_nothing(rt):
    teacher = caller("TEACHER")
    with pytest.raises(AppError) as caught:
        upload(rt, teacher, TENANT, "SDCRS", None, [("a.jpg", photo(5)), ("b.jpg", b"no photo")])
    assert caught.value.code == "SDCRS_FILE_NOT_AN_IMAGE"
    with rt.database.begin(teacher.scope) as conn:
        assert conn.execute(text("SELECT count(*) FROM sdcrs.file WHERE owner_id = :id"), {"id": teacher.account_id}).scalar_one() == 0


def test_bytes_are_removed_again_when_their_rows_cannot_be_written(rt, monkeypatch):
    put = []
    monkeypatch.setattr("pipeline.filestore.upload.uuid7", lambda at: put.append(uuid7(at)) or put[-1])
    monkeypatch.setattr("pipeline.filestore.upload.insert_files", lambda *args: (_ for _ in ()).throw(AppError("SDCRS_DATABASE_DOWN")))
    with pytest.raises(AppError):
        upload(rt, caller("TEACHER"), TENANT, "SDCRS", None, [("a.jpg", photo(6))])
    with pytest.raises(AppError) as caught:
        rt.files.get(put[-1], "original")
    assert caught.value.code == "SDCRS_NOT_FOUND"


@pytest.mark.parametrize(
    ("tenant", "module", "files", "code"),
    [
        (NEIGHBOUR, "SDCRS", [("a.jpg", b"x")], "SDCRS_TENANT_OUT_OF_SCOPE"),
        (TENANT, "", [("a.jpg", b"x")], "SDCRS_INVALID_REQUEST"),
        (TENANT, "SDCRS", [], "SDCRS_INVALID_REQUEST"),
        (TENANT, "SDCRS", [("a.jpg", b"x")] * 11, "SDCRS_INVALID_REQUEST"),
    ],
)
def test_uploads_that_are_refused(rt, tenant, module, files, code):
    with pytest.raises(AppError) as caught:
        upload(rt, caller("TEACHER"), tenant, module, None, files)
    assert caught.value.code == code


def test_a_photo_of_another_tenant_is_not_found(rt):
    (file,) = upload(rt, caller("TEACHER"), TENANT, "SDCRS", None, [("a.jpg", photo(7))])
    stranger = caller("VERIFIER", tenant=NEIGHBOUR)
    with rt.database.begin(stranger.scope) as conn, pytest.raises(AppError) as caught:
        load_file(conn, file.id)
    assert caught.value.code == "SDCRS_NOT_FOUND"
    assert may_read(rt, stranger, file) == "SDCRS_NOT_FOUND"


def test_an_erased_photo_is_not_found(rt):
    teacher = caller("TEACHER")
    (file,) = upload(rt, teacher, TENANT, "SDCRS", None, [("a.jpg", photo(8))])
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE sdcrs.file SET erased_at = :now WHERE id = :id"), {"id": file.id, "now": rt.clock.now()})
    with rt.database.begin(teacher.scope) as conn, pytest.raises(AppError) as caught:
        load_file(conn, file.id)
    assert caught.value.code == "SDCRS_NOT_FOUND"
    assert may_read(rt, teacher, replace(file, erased_at=rt.clock.now())) == "SDCRS_NOT_FOUND"


#                                   dog photo          selfie                capture photo
WHO_READS = [
    (("VERIFIER",),         ("yes",                "yes",                "yes")),
    (("SENIOR_VERIFIER",),  ("yes",                "yes",                "yes")),
    (("DISTRICT_ADMIN",),   ("yes",                "yes",                "yes")),
    (("STATE_ADMIN",),      ("yes",                "yes",                "yes")),
    (("MC_OFFICER",),       ("yes",                "SDCRS_FORBIDDEN",    "yes")),
    (("MC_SUPERVISOR",),    ("yes",                "SDCRS_FORBIDDEN",    "yes")),
    (("TEACHER",),          ("SDCRS_NOT_FOUND",    "SDCRS_NOT_FOUND",    "SDCRS_NOT_FOUND")),
    (("AUDITOR",),          ("SDCRS_NOT_FOUND",    "SDCRS_NOT_FOUND",    "SDCRS_NOT_FOUND")),
    (("MC_OFFICER", "VERIFIER"), ("yes",           "yes",                "yes")),
]  # fmt: skip


@pytest.fixture(scope="module")
def evidence(rt):
    """One photo of each kind, used in a report, with its uploader and its reporter."""
    found = []
    for seed, evidence_type in enumerate(("DOG_PHOTO", "REPORTER_SELFIE", "CAPTURE_PHOTO"), 20):
        owner = caller("TEACHER")
        (file,) = upload(rt, owner, TENANT, "SDCRS", None, [("a.jpg", photo(seed))])
        found.append((file, owner, used_in_report(rt, file, evidence_type)))
    return found


@pytest.mark.parametrize(("roles", "answers"), WHO_READS)
def test_who_reads_which_photo_of_a_report(rt, evidence, roles, answers):
    assert tuple(may_read(rt, caller(*roles), file) for file, _, _ in evidence) == answers


def test_owner_and_reporter_read_their_own(rt, evidence):
    for file, owner, reporter_id in evidence:
        assert may_read(rt, owner, file) == "yes"
        assert may_read(rt, caller("TEACHER", account_id=reporter_id), file) == "yes"


def test_a_photo_in_no_report_is_for_its_owner_verifiers_and_admins_only(rt):
    owner = caller("MC_OFFICER")
    (file,) = upload(rt, owner, TENANT, "SDCRS", None, [("a.jpg", photo(30))])
    assert may_read(rt, owner, file) == "yes"
    assert may_read(rt, caller("MC_OFFICER"), file) == "SDCRS_NOT_FOUND"
    assert may_read(rt, caller("VERIFIER"), file) == "yes"


def test_many_rows_go_in_by_one_statement_and_every_hash_and_bare_photos_come_back(rt):
    now = rt.clock.now()
    hashes = [-(2**63), -1, 0, 1, 2**63 - 1]
    rows = [
        StoredFile(
            uuid7(now), TENANT, UUID(int=5), "SDCRS", None, f"{i}.jpg", now,
            replace(measure(photo(i, camera=None if i % 2 else PHONE), "x"), phash=hashes[i % 5]),
        )
        for i in range(20)
    ]  # fmt: skip
    with rt.database.begin((TENANT,)) as conn:
        insert_files(conn, rows)
        assert [load_file(conn, row.id) for row in rows] == rows


def test_two_processes_share_one_place(rt):
    (file,) = upload(rt, caller("TEACHER"), TENANT, "SDCRS", None, [("a.jpg", photo(31))])
    other = FileStore(rt.settings, rt.keyring)
    link = rt.files.sign(file.id, "photo", rt.clock.now())
    query = dict(part.split("=") for part in link.partition("?")[2].split("&"))
    assert other.verify_signature(file.id, now=rt.clock.now(), **query) == "photo"
    assert other.get(file.id, "photo") == rt.files.get(file.id, "photo")
