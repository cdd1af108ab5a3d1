"""Registrations for tests: announced and uploaded through the product's own commands."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.demo.registrations import MadePacket, applicant, make_packet, sidecar, zipped
from pipeline.identity.packet.archive import Archive
from pipeline.identity.registration.sync import Synced, sync
from pipeline.identity.registration.upload import Received, receive
from pipeline.runtime import Runtime
from tests.factories import VILLE

SAMPLE_AT = datetime(2022, 1, 28, 22, 36, 18, tzinfo=UTC)
SAMPLE_ID = "10001100771006920220128223618"
COMPONENTS = ("id", "evidence", "optional")


def sample_folder() -> Path:
    """The folder of the sample registration packet that SDCRS_REGISTRATION names; a test that needs it is skipped without it."""
    named = os.environ.get("SDCRS_REGISTRATION", Path(__file__).parents[2] / "shared/mosip/sample-packet/REGISTRATION_CLIENT/NEW")
    folder = Path(named)
    if not folder.is_dir():
        pytest.skip("no sample registration packet here; set SDCRS_REGISTRATION to its folder")
    return folder


def sample() -> MadePacket:
    """The sample packet as the maker's packets are."""
    folder = sample_folder()
    zips = {name: (folder / f"{SAMPLE_ID}_{name}.zip").read_bytes() for name in COMPONENTS}
    sidecars = {name: (folder / f"{SAMPLE_ID}_{name}.json").read_bytes() for name in COMPONENTS}
    return MadePacket(SAMPLE_ID, applicant(0, SAMPLE_AT), zips, sidecars)


def renamed(packet: MadePacket, reg_id: str) -> MadePacket:
    """The sample under another registration id, its hashes untouched."""
    zips = {name: _rezipped(data, lambda files: files, reg_id) for name, data in packet.zips.items()}
    return replace(packet, reg_id=reg_id, zips=zips, sidecars={name: sidecar(reg_id, name, SAMPLE_AT) for name in zips})


def repaired(packet: MadePacket) -> MadePacket:
    """The sample with the hash that its id component's files make."""

    def rehash(files: dict[str, bytes]) -> dict[str, bytes]:
        order = ("individualBiometrics_bio_CBEFF.xml", "ID.json", "proofOfAddress.pdf", "proofOfIdentity.pdf", "proofOfRelationship.pdf")
        digest = hashlib.sha256(b"".join(files[name] for name in order)).hexdigest().upper()
        return files | {"packet_data_hash.txt": digest.encode()}

    return packet.with_component("id", _rezipped(packet.zips["id"], rehash, packet.reg_id))


def _rezipped(data: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]], reg_id: str) -> bytes:
    read = Archive("id", data)
    files = {name: read.read(name) for name in read.names}
    files["packet_meta_info.json"] = files["packet_meta_info.json"].replace(SAMPLE_ID.encode(), reg_id.encode())
    return zipped(change(files))


def announced(rt: Runtime, caller: Caller, packets: Sequence[MadePacket], tenant_id: str = VILLE) -> list[Synced]:
    """The packets' announcements, synced."""
    with rt.database.begin(caller.scope) as conn:
        return sync(conn, rt.masterdata.current(), caller, tenant_id, [packet.announcement for packet in packets], rt.clock.now())


def uploaded(rt: Runtime, caller: Caller, packet: MadePacket | int, tenant_id: str = VILLE) -> Received:
    """A packet, or the one of this seed, announced and taken in."""
    made = make_packet(packet, rt.clock.now()) if isinstance(packet, int) else packet
    (result,) = announced(rt, caller, [made], tenant_id)
    assert result.error is None, result.error
    return receive(rt, caller, made.files, rt.clock.now())


def rows(rt: Runtime, sql: str, **params: Any) -> list[Any]:
    """What a statement finds, as the worker sees it."""
    with rt.database.worker() as conn:
        return list(conn.execute(text(sql), params).all())


def registration(rt: Runtime, registration_id: UUID) -> Any:
    """The row of a registration."""
    (row,) = rows(rt, "SELECT * FROM regprc.registration WHERE id = :id", id=registration_id)
    return row


def packets_of(rt: Runtime, registration_id: UUID) -> list[str]:
    """The ids of the messages about a registration, in the order in which they were written."""
    found = rows(
        rt, "SELECT packet FROM packet.log WHERE subject_kind = 'REGISTRATION' AND subject_id = :id ORDER BY id", id=registration_id
    )
    return [row.packet for row in found]


class UploadingClient:
    """A registration client as a job: uploads whatever was announced and is not there yet, as often as it takes."""

    name = "client.upload"

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt

    def run_once(self, now: datetime) -> int:
        waiting = rows(
            self._rt,
            """SELECT l.reg_id, l.synced_by, l.synced_at, a.username, a.roles, a.tenant_id
               FROM regprc.registration_list l JOIN access.account a ON a.id = l.synced_by
               WHERE NOT EXISTS (SELECT FROM regprc.registration r WHERE r.id = l.id) ORDER BY l.id LIMIT 100""",
        )
        scope = self._rt.masterdata.current().descendants
        for row in waiting:
            caller = Caller(UUID(int=0), row.synced_by, row.username, frozenset(row.roles), row.tenant_id, scope(row.tenant_id))
            receive(self._rt, caller, make_packet(seed_of(row.reg_id), row.synced_at).files, now)
        return len(waiting)

    def waits_for(self, now: datetime) -> None:
        return None


def seed_of(reg_id: str) -> int:
    """Of which seed a made packet is."""
    return int(reg_id[10:15])
