"""Announcing and uploading a registration: what is refused, each with its own code, and that nothing is half stored."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pipeline.access.caller import Caller
from pipeline.database.engine import psycopg_url
from pipeline.demo.registrations import MadePacket, make_packet, sidecar, zipped
from pipeline.errors import AppError
from pipeline.identity.registration import upload as uploading
from pipeline.identity.registration.external import external_statuses
from pipeline.identity.registration.sync import sync
from pipeline.identity.registration.upload import receive, upload_many
from pipeline.reports.requests import request_key
from pipeline.runtime import Runtime
from tests.factories import VILLE, account
from tests.registrations import announced, packets_of, registration, rows, uploaded

SEEDS = iter(range(10_000, 20_000))


@pytest.fixture(scope="module")
def admin(rt: Runtime) -> Caller:
    return account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN")


@pytest.fixture
def packet(rt: Runtime) -> MadePacket:
    return make_packet(next(SEEDS), rt.clock.now())


def stored_files(rt: Runtime) -> set[Path]:
    folder = rt.settings.data_dir / "filestore"
    return set(folder.rglob("*.original")) if folder.is_dir() else set()


def refusal(rt: Runtime, caller: Caller, files: list[tuple[str, bytes]]) -> str:
    """The code with which an upload is refused, leaving neither a row nor a file."""
    before = stored_files(rt), rows(rt, "SELECT count(*) FROM regprc.component"), rows(rt, "SELECT count(*) FROM regprc.registration")
    with pytest.raises(AppError) as caught:
        receive(rt, caller, files, rt.clock.now())
    assert before == (
        stored_files(rt),
        rows(rt, "SELECT count(*) FROM regprc.component"),
        rows(rt, "SELECT count(*) FROM regprc.registration"),
    ), "something was half stored"
    return caught.value.code


def test_a_packet_that_was_announced_is_taken_and_waits_for_its_first_stage(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    (synced,) = announced(rt, admin, [packet])
    assert synced.changed
    taken = receive(rt, admin, packet.files, rt.clock.now())
    assert (taken.id, taken.reg_id, taken.upload_number) == (synced.id, packet.reg_id, 1)
    row = registration(rt, taken.id)
    assert (row.status_code, row.stage, row.latest_trn_type_code) == ("PROCESSING", "SECUREZONE_NOTIFICATION", "PACKET_RECEIVER")
    assert packets_of(rt, taken.id) == ["21/01", "21/02", "21/03", "21/04"]
    for part in rows(rt, "SELECT id, name FROM regprc.component WHERE registration_id = :id", id=taken.id):
        assert rt.files.get(part.id, "original") == packet.zips[part.name]
        (file,) = [path for path in stored_files(rt) if part.id.hex in path.name]
        assert packet.zips[part.name][:64] not in file.read_bytes()


def test_announcing_the_same_again_changes_nothing(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    (first,), (second,) = announced(rt, admin, [packet]), announced(rt, admin, [packet])
    assert (second.id, second.error, second.changed) == (first.id, None, False)
    assert packets_of(rt, first.id) == ["21/01", "21/02"]


def test_until_the_upload_an_announcement_may_be_replaced_and_then_no_more(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    other = make_packet(next(SEEDS), rt.clock.now(), person=packet.applicant)
    other = replace(other, reg_id=packet.reg_id, sidecars={name: sidecar(packet.reg_id, name, rt.clock.now()) for name in other.zips})
    announced(rt, admin, [other])
    (again,) = announced(rt, admin, [packet])
    assert again.changed
    receive(rt, admin, packet.files, rt.clock.now())
    (late,) = announced(rt, admin, [other])
    assert late.error is not None
    assert late.error.code == "SDCRS_ALREADY_UPLOADED"


def test_each_item_of_a_sync_has_its_own_result(rt: Runtime, admin: Caller) -> None:
    good, odd = (make_packet(next(SEEDS), rt.clock.now()) for _ in range(2))
    results = announced(rt, admin, [replace(odd, process="LOST"), good])
    assert [result.error and result.error.code for result in results] == ["SDCRS_PROCESS_NOT_TAKEN", None]


def test_nobody_announces_for_a_tenant_outside_the_area(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    with pytest.raises(AppError, match="SDCRS_TENANT_OUT_OF_SCOPE"):
        announced(rt, admin, [packet], "dj.ali-sabieh")
    teacher = account(rt, f"T{uuid4().hex[:6]}", "TEACHER")
    with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
        announced(rt, teacher, [packet])


def test_a_registration_id_belongs_to_the_tenant_that_announced_it(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    announced(rt, admin, [packet])
    neighbour = account(rt, f"DA{uuid4().hex[:6]}", "DISTRICT_ADMIN", tenant_id="dj.ali-sabieh")
    (theirs,) = announced(rt, neighbour, [packet], "dj.ali-sabieh")
    assert theirs.error is not None
    assert theirs.error.code == "SDCRS_REGISTRATION_TAKEN"
    assert refusal(rt, neighbour, packet.files) == "SDCRS_NOT_SYNCED"


def bomb(packet: MadePacket) -> dict[str, bytes]:
    return {**packet.zips, "id": zipped({"ID.json": b"0" * 2_000_000})}


def escaping(packet: MadePacket) -> dict[str, bytes]:
    return {**packet.zips, "id": zipped({"../ID.json": b"{}"})}


def not_a_zip(packet: MadePacket) -> dict[str, bytes]:
    return {**packet.zips, "id": b"no archive at all"}


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(bomb, "SDCRS_PACKET_ZIP_BOMB"), (escaping, "SDCRS_PACKET_PATH_TRAVERSAL"), (not_a_zip, "SDCRS_PACKET_NOT_A_ZIP")],
)
def test_a_dangerous_archive_is_refused_though_it_was_announced(
    rt: Runtime, admin: Caller, packet: MadePacket, spoil: Callable[[MadePacket], dict[str, bytes]], code: str
) -> None:
    spoiled = replace(packet, zips=spoil(packet))
    announced(rt, admin, [spoiled])
    assert refusal(rt, admin, spoiled.files) == code


def without(kind: str) -> Callable[[MadePacket], list[tuple[str, bytes]]]:
    return lambda packet: [(name, data) for name, data in packet.files if not name.endswith(kind)]


def also(name: str, data: bytes) -> Callable[[MadePacket], list[tuple[str, bytes]]]:
    return lambda packet: [*packet.files, (f"{packet.reg_id}_{name}", data)]


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[MadePacket], list[tuple[str, bytes]]]:
    return lambda packet: [(file, change(data) if file.endswith(name) else data) for file, data in packet.files]


def of_another(packet: MadePacket) -> list[tuple[str, bytes]]:
    return [*packet.files, ("9" * 29 + "_id.zip", b"")]


# what is wrong with the upload, how it is refused
WRONG: list[tuple[Callable[[MadePacket], list[tuple[str, bytes]]], str]] = [
    (changed("_id.zip", lambda data: data + b"\0"), "SDCRS_PACKET_SIZE_DIFFERS"),
    (changed("_id.zip", lambda data: bytes((data[0] ^ 1,)) + data[1:]), "SDCRS_PACKET_HASH_DIFFERS"),
    (without("_evidence.zip"), "SDCRS_COMPONENT_MISSING"),
    (without("_evidence.json"), "SDCRS_SIDECAR_MISSING"),
    (also("extra.zip", b"PK"), "SDCRS_COMPONENT_NOT_ANNOUNCED"),
    (also("id.zip", b"PK"), "SDCRS_INVALID_REQUEST"),
    (also("id.exe", b"PK"), "SDCRS_INVALID_REQUEST"),
    (of_another, "SDCRS_INVALID_REQUEST"),
    (lambda packet: [], "SDCRS_INVALID_REQUEST"),
    (changed("_id.json", lambda data: b"{"), "SDCRS_SIDECAR_UNREADABLE"),
    (changed("_id.json", lambda data: b"x" * 20_000), "SDCRS_PACKET_TOO_LARGE"),
]


@pytest.mark.parametrize(("spoil", "code"), WRONG)
def test_an_upload_that_differs_from_its_announcement_is_refused_by_name(
    rt: Runtime, admin: Caller, packet: MadePacket, spoil: Callable[[MadePacket], list[tuple[str, bytes]]], code: str
) -> None:
    announced(rt, admin, [packet])
    assert refusal(rt, admin, spoil(packet)) == code


def test_what_was_not_announced_is_refused(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    assert refusal(rt, admin, packet.files) == "SDCRS_NOT_SYNCED"


def test_what_the_supervisor_did_not_approve_is_refused(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    announced(rt, admin, [replace(packet, supervisor_status="REJECTED")])
    assert refusal(rt, admin, packet.files) == "SDCRS_NOT_APPROVED"


def test_a_second_upload_is_refused(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    uploaded(rt, admin, packet)
    assert refusal(rt, admin, packet.files) == "SDCRS_ALREADY_UPLOADED"


def test_the_same_request_again_is_answered_again(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    announced(rt, admin, [packet])
    key = request_key(admin.account_id, "upload", {"id": packet.reg_id}, uuid4().hex)
    first = receive(rt, admin, packet.files, rt.clock.now(), key)
    files = stored_files(rt)
    assert receive(rt, admin, packet.files, rt.clock.now(), key) == first
    assert stored_files(rt) == files


def test_an_upload_that_is_refused_at_its_rows_takes_its_files_back(
    rt: Runtime, admin: Caller, packet: MadePacket, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced(rt, admin, [packet])

    def refuse(*_: Any) -> None:
        raise AppError("SDCRS_BUSY", retryAfterSeconds=1)

    monkeypatch.setattr(uploading, "store", refuse)
    assert refusal(rt, admin, packet.files) == "SDCRS_BUSY"
    monkeypatch.undo()
    assert receive(rt, admin, packet.files, rt.clock.now()).upload_number == 1


def test_a_connection_that_dies_at_the_commit_leaves_the_files_of_rows_that_may_be_there(
    rt: Runtime, admin: Caller, packet: MadePacket, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced(rt, admin, [packet])
    before = stored_files(rt)
    real = uploading.store

    def cut(conn: Connection, *rest: Any) -> None:
        """Everything is written, and the answer to the commit is lost: the server has ended the connection."""
        real(conn, *rest)
        pid = conn.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(psycopg_url(rt.settings.database_owner_url or ""), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    monkeypatch.setattr(uploading, "store", cut)
    with pytest.raises(DBAPIError):
        receive(rt, admin, packet.files, rt.clock.now())
    assert len(stored_files(rt) - before) == len(packet.zips)
    monkeypatch.undo()
    assert receive(rt, admin, packet.files, rt.clock.now()).upload_number == 1


def test_many_registrations_at_once_have_a_result_per_file(rt: Runtime, admin: Caller) -> None:
    good, unknown = (make_packet(next(SEEDS), rt.clock.now()) for _ in range(2))
    announced(rt, admin, [good])
    results = upload_many(rt, admin, [*good.files, *unknown.files, ("holiday.jpg", b"")], rt.clock.now())
    codes = {result.name: result.error and result.error.code for result in results}
    assert {codes[name] for name, _ in good.files} == {None}
    assert {codes[name] for name, _ in unknown.files} == {"SDCRS_NOT_SYNCED"}
    assert codes["holiday.jpg"] == "SDCRS_INVALID_REQUEST"


# what the registration says of itself, what its client is told
STATUSES = [
    ("PROCESSING", "VALIDATOR", "SECUREZONE_NOTIFICATION", 1, "PROCESSING"),
    ("REPROCESS", "VALIDATOR", "VALIDATOR", 1, "PROCESSING"),
    ("PAUSED_FOR_ADDITIONAL_INFO", "VALIDATOR", "VALIDATOR", 1, "AWAITING_INFORMATION"),
    ("FAILED", "VALIDATOR", "VALIDATOR", 10, "RESEND"),
    ("FAILED", "VALIDATOR", "VALIDATOR", 11, "REREGISTER"),
    ("REJECTED", "DEMO_DEDUPE", "DEMO_DEDUPE", 1, "REJECTED"),
    ("REPROCESS_FAILED", "VALIDATOR", "VALIDATOR", 1, "REPROCESS_FAILED"),
]


@pytest.mark.parametrize(("status", "stage", "latest", "number", "told"), STATUSES)
def test_a_client_is_told_the_fields_own_word(
    rt: Runtime, admin: Caller, packet: MadePacket, status: str, stage: str, latest: str, number: int, told: str
) -> None:
    received = uploaded(rt, admin, packet)
    rows(
        rt,
        """UPDATE regprc.registration SET status_code = :status, stage = :stage, latest_trn_type_code = :latest, upload_number = :number
           WHERE id = :id RETURNING id""",
        id=received.id,
        status=status,
        stage=stage,
        latest=latest,
        number=number,
    )
    with rt.database.begin(admin.scope) as conn:
        (found,) = external_statuses(conn, rt.masterdata.current(), admin, [packet.reg_id, "0" * 29])
    assert found.status == told


def test_a_client_is_told_what_it_has_yet_to_send_and_what_was_received(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    announced(rt, admin, [packet])

    def told() -> str:
        with rt.database.begin(admin.scope) as conn:
            return external_statuses(conn, rt.masterdata.current(), admin, [packet.reg_id])[0].status

    assert told() == "UPLOAD_PENDING"
    receive(rt, admin, packet.files, rt.clock.now())
    assert told() == "RECEIVED"


def test_a_packet_that_was_found_wrong_is_sent_again_ten_times_and_then_no_more(rt: Runtime, admin: Caller, packet: MadePacket) -> None:
    received = uploaded(rt, admin, packet)
    for number in range(2, 12):
        rows(rt, "UPDATE regprc.registration SET status_code = 'FAILED' WHERE id = :id RETURNING id", id=received.id)
        later = rt.clock.now() + timedelta(minutes=number)
        assert receive(rt, admin, packet.files, later).upload_number == number
    rows(rt, "UPDATE regprc.registration SET status_code = 'FAILED' WHERE id = :id RETURNING id", id=received.id)
    assert refusal(rt, admin, packet.files) == "SDCRS_REREGISTER"
    with rt.database.begin(admin.scope) as conn:
        (again,) = sync(conn, rt.masterdata.current(), admin, VILLE, [replace(packet.announcement, source="OTHER")], rt.clock.now())
    assert again.error is not None
    assert again.error.code == "SDCRS_REREGISTER"
