"""The packet manager: a dangerous archive is refused by name, and a component's hashes and sidecar are compared with what it says."""

import io
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.demo.registrations import SOURCE, component, make_packet, sidecar, zipped
from pipeline.errors import AppError
from pipeline.identity.packet import archive
from pipeline.identity.packet.archive import Archive
from pipeline.identity.packet.component import Announced, Component, Verdict, read_sidecar
from tests.registrations import COMPONENTS, SAMPLE_ID, sample_folder

AT = datetime(2026, 3, 10, 7, tzinfo=UTC)
PACKET = make_packet(1, AT)


def entries(*infos: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for info, data in infos:
            file.writestr(info, data)
    return out.getvalue()


def link() -> bytes:
    info = zipfile.ZipInfo("ID.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entries((info, b"/etc/passwd"))


def named(name: str) -> Callable[[], bytes]:
    return lambda: entries((zipfile.ZipInfo(name), b"{}"))


def encrypted() -> bytes:
    data = bytearray(zipped({"ID.json": b"{}"}))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    return bytes(data)


def twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return entries((zipfile.ZipInfo("ID.json"), b"1"), (zipfile.ZipInfo("ID.json"), b"2"))


def twice_but_for_case() -> bytes:
    return zipped({"ID.json": b"1", "id.JSON": b"2"})


def bomb() -> bytes:
    return zipped({"ID.json": b"\0" * (archive.RATIO_FROM_BYTES + 1)})


def large_entry() -> bytes:
    return zipped({"ID.json": bytes(archive.MAX_ENTRY_BYTES + 1)})


def large_together(monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 100)
    return zipped({"a": b"1" * 60, "b": b"2" * 60})


def liar() -> bytes:
    """Says of an entry that it is small, and unpacks to more."""
    data = bytearray(zipped({"ID.json": b"x" * 5000}))
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 10)
    return bytes(data)


def in_front() -> bytes:
    return b"#!/bin/sh\n" + zipped({"ID.json": b"{}"})


def behind() -> bytes:
    return zipped({"ID.json": b"{}"}) + b"more"


def bzip2() -> bytes:
    info = zipfile.ZipInfo("ID.json")
    info.compress_type = zipfile.ZIP_BZIP2
    return entries((info, b"{}"))


# what is wrong with the archive, how it is refused
DANGEROUS: list[tuple[Callable[[], bytes], str]] = [
    (lambda: b"", "SDCRS_PACKET_NOT_A_ZIP"),
    (lambda: b"PK\x03\x04 and no more", "SDCRS_PACKET_NOT_A_ZIP"),
    (in_front, "SDCRS_PACKET_NOT_A_ZIP"),
    (behind, "SDCRS_PACKET_NOT_A_ZIP"),
    (bzip2, "SDCRS_PACKET_NOT_A_ZIP"),
    (lambda: bytes(archive.MAX_ARCHIVE_BYTES + 1), "SDCRS_PACKET_TOO_LARGE"),
    (lambda: zipped({f"f{n}": b"" for n in range(archive.MAX_ENTRIES + 1)}), "SDCRS_PACKET_TOO_MANY_ENTRIES"),
    (named("../ID.json"), "SDCRS_PACKET_PATH_TRAVERSAL"),
    (named("a/../../ID.json"), "SDCRS_PACKET_PATH_TRAVERSAL"),
    (named("..\\ID.json"), "SDCRS_PACKET_PATH_TRAVERSAL"),
    (named("/etc/passwd"), "SDCRS_PACKET_PATH_TRAVERSAL"),
    (named("C:ID.json"), "SDCRS_PACKET_PATH_TRAVERSAL"),
    (named("a/ID.json"), "SDCRS_PACKET_ENTRY_NAME"),
    (named("folder/"), "SDCRS_PACKET_ENTRY_NAME"),
    (named("I\u202eD.json"), "SDCRS_PACKET_ENTRY_NAME"),
    (named(".hidden"), "SDCRS_PACKET_ENTRY_NAME"),
    (link, "SDCRS_PACKET_NOT_A_FILE"),
    (encrypted, "SDCRS_PACKET_ENCRYPTED"),
    (twice, "SDCRS_PACKET_DUPLICATE_ENTRY"),
    (twice_but_for_case, "SDCRS_PACKET_DUPLICATE_ENTRY"),
    (bomb, "SDCRS_PACKET_ZIP_BOMB"),
    (large_entry, "SDCRS_PACKET_ZIP_BOMB"),
]


@pytest.mark.parametrize(("made", "code"), DANGEROUS)
def test_a_dangerous_archive_is_refused_by_name(made: Callable[[], bytes], code: str) -> None:
    with pytest.raises(AppError) as caught:
        Archive("id", made())
    assert caught.value.code == code


def test_many_entries_that_are_large_together_are_a_bomb_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AppError, match="SDCRS_PACKET_ZIP_BOMB"):
        Archive("id", large_together(monkeypatch))


def test_an_entry_that_lies_about_its_size_is_not_read() -> None:
    with pytest.raises(AppError, match="SDCRS_PACKET_NOT_A_ZIP"):
        Archive("id", liar()).read("ID.json")


def test_an_entry_whose_bytes_were_changed_is_not_read() -> None:
    data = bytearray(entries((zipfile.ZipInfo("ID.json"), b"stored as it is")))
    data[data.index(b"stored")] ^= 1
    with pytest.raises(AppError, match="SDCRS_PACKET_NOT_A_ZIP"):
        Archive("id", bytes(data)).read("ID.json")


@settings(deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,20}\Z"), st.binary(max_size=500), max_size=8))
def test_what_was_packed_is_read_again(files: dict[str, bytes]) -> None:
    if len({name.casefold() for name in files}) < len(files):
        return
    read = Archive("id", zipped(files))
    assert {name: read.read(name) for name in read.names} == files
    assert {name: read.size(name) for name in read.names} == {name: len(data) for name, data in files.items()}


@settings(max_examples=300, deadline=None)  # a busy machine is no fault of ours
@given(st.data())
def test_whatever_bytes_come_the_answer_is_an_error_of_the_registry_or_what_was_packed(data: st.DataObject) -> None:
    """A good archive with some bytes changed, cut or doubled: nothing else may come out of it, and nothing large."""
    packed = bytearray(PACKET.zips["evidence"])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(packed) - 1))
        kind = data.draw(st.sampled_from(("flip", "cut", "double")))
        if kind == "flip":
            packed[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del packed[at : at + data.draw(st.integers(1, 40))]
        else:
            packed[at:at] = packed[at : at + 40]
        if not packed:
            return
    unpacked, code = _looked_through(bytes(packed))
    assert unpacked <= archive.MAX_UNPACKED_BYTES
    assert code is None or code.startswith("SDCRS_PACKET_")


def _looked_through(data: bytes) -> tuple[int, str | None]:
    """Everything there is to be read in a component: how many bytes it unpacks to, and the code of the refusal."""
    unpacked = 0
    try:
        found = Component.of("evidence", data)
        for name in found.archive.names:
            unpacked += len(found.archive.read(name))
        found.verify(Announced(PACKET.reg_id, "NEW", SOURCE, "0.1"), {})
    except AppError as error:
        return unpacked, error.code
    return unpacked, None


def verdict(name: str, data: bytes, beside: bytes, **changes: str) -> Verdict:
    said = {"reg_id": PACKET.reg_id, "process": "NEW", "source": SOURCE, "schema_version": "0.1"} | changes
    return Component.of(name, data).verify(Announced(**said), read_sidecar(name, beside))


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_that_our_maker_makes_verifies(name: str) -> None:
    assert verdict(name, PACKET.zips[name], PACKET.sidecars[name]).verified


# which word of the announcement is another, what the mismatch speaks of
WORDS = [
    ("reg_id", "1" * 29, "id"),
    ("process", "LOST", "process"),
    ("source", "OTHER", "source"),
    ("schema_version", "0.2", "schemaversion"),
]


@pytest.mark.parametrize(("attribute", "value", "key"), WORDS)
def test_a_sidecar_that_disagrees_with_the_announcement_is_a_mismatch_with_both_values(attribute: str, value: str, key: str) -> None:
    found = verdict("id", PACKET.zips["id"], PACKET.sidecars["id"], **{attribute: value})
    assert found.checks["sidecar"] == "MISMATCH"
    assert found.mismatch is not None
    assert f"{key} of the sidecar is" in found.mismatch
    assert value in found.mismatch


def test_a_sidecar_of_another_component_is_a_mismatch() -> None:
    assert "packetname" in (verdict("id", PACKET.zips["id"], PACKET.sidecars["evidence"]).mismatch or "")


def test_hash_and_signature_of_the_encrypted_upload_are_noted_as_not_checked() -> None:
    checks = verdict("id", PACKET.zips["id"], sidecar(PACKET.reg_id, "id", AT, encryptedhash="wrong", signature="wrong")).checks
    assert (checks["encryptedhash"], checks["signature"]) == ("NOT_CHECKED", "NOT_CHECKED")


def altered(change: Callable[[dict[str, bytes]], Any]) -> Verdict:
    """What verifying the id component finds after a change of its files that its hashes know nothing of."""
    archived = Archive("id", PACKET.zips["id"])
    files = {name: archived.read(name) for name in archived.names}
    change(files)
    return verdict("id", zipped(files), PACKET.sidecars["id"])


# what was done to the files, what the mismatch says
ALTERED: list[tuple[Callable[[dict[str, bytes]], Any], str]] = [
    (lambda files: files.update({"proofOfIdentity.pdf": b"%PDF-1.4 another"}), "packet_data_hash.txt is"),
    (lambda files: files.pop("proofOfIdentity.pdf"), "which is not there"),
    (lambda files: files.update({"surprise.bin": b"1"}), "surprise.bin stands in no hash sequence"),
    (lambda files: files.pop("packet_operations_hash.txt"), "packet_operations_hash.txt is missing"),
    (lambda files: files.update({"packet_operations_hash.txt": b"0" * 64}), "packet_operations_hash.txt is"),
]


@pytest.mark.parametrize(("change", "words"), ALTERED)
def test_files_that_were_changed_after_hashing_are_named(change: Callable[[dict[str, bytes]], Any], words: str) -> None:
    found = altered(change)
    assert not found.verified
    assert words in (found.mismatch or "")


@pytest.mark.parametrize(
    "meta",
    [None, b"[]", b"not json", b"{}", b'{"identity":{"hashSequence1":"ID","hashSequence2":[]}}', b'{"identity":{"hashSequence1":[]}}'],
)
def test_a_component_whose_meta_info_cannot_be_read_is_no_component(meta: bytes | None) -> None:
    def change(files: dict[str, bytes]) -> None:
        files.pop("packet_meta_info.json")
        files.update({} if meta is None else {"packet_meta_info.json": meta})

    with pytest.raises(AppError, match="SDCRS_PACKET_CONTENT"):
        altered(change)


def test_a_value_that_may_be_anything_stands_in_no_mismatch() -> None:
    beside = sidecar(PACKET.reg_id, "id", AT, source="Amina Hassan, 77123456")
    found = verdict("id", PACKET.zips["id"], beside)
    assert "something else" in (found.mismatch or "")
    assert "Amina" not in (found.mismatch or "")


def test_of_the_sample_packet_two_components_verify_and_the_third_is_named_with_its_mismatch() -> None:
    folder = sample_folder()
    announced = Announced(SAMPLE_ID, "NEW", "REGISTRATION_CLIENT", "0.1")
    found = {
        name: Component.of(name, (folder / f"{SAMPLE_ID}_{name}.zip").read_bytes()).verify(
            announced, read_sidecar(name, (folder / f"{SAMPLE_ID}_{name}.json").read_bytes())
        )
        for name in COMPONENTS
    }
    assert [name for name in COMPONENTS if found[name].verified] == ["evidence", "optional"]
    assert found["id"].checks["dataHash"] == "MISMATCH"
    assert [check for check, said in found["id"].checks.items() if said == "MISMATCH"] == ["dataHash"]
    assert (found["id"].mismatch or "").startswith("packet_data_hash.txt is E4098A23C496BDD0")


def test_fields_and_documents_are_read_on_demand() -> None:
    found = Component.of("id", PACKET.zips["id"])
    assert found.identity["phone"] == PACKET.applicant.phone
    assert (found.document("proofOfIdentity") or b"").startswith(b"%PDF")
    assert found.document("proofOfNothing") is None
    assert zlib.crc32(found.document("individualBiometrics_bio_CBEFF") or b"") != 0
    assert json.loads(found.archive.read("ID.json"))["identity"] == found.identity
    assert Component.of("x", component({"a": 1}, {}, {})).identity == {"a": 1}
