"""Registrations at any place of the six steps, written as rows, for tests of what reads them. What writes them has tests of its own."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.identity.numbers import Kind, Numbers
from pipeline.ids import uuid7
from pipeline.packets.catalogue import packets_of
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime
from tests.factories import VILLE

PARTNER = "IDA"
# Where a registration can be left, in the order of its way
PLACES = ("ANNOUNCED", "STAGES", "PROCESSED", "REQUESTED", "ISSUED", "NOTIFIED", "CACHED", "STORED")
SUBSCRIPTIONS = ("25/01", "26/02")
_LAST_PACKET = {  # the last message that has come at each place
    "ANNOUNCED": "21/02",
    "STAGES": "22/03",
    "PROCESSED": "23/01",
    "REQUESTED": "23/06",
    "ISSUED": "24/08",
    "NOTIFIED": "25/03",
    "CACHED": "25/07",
    "STORED": "26/04",
}
_count = iter(range(1, 100_000))


@dataclass(frozen=True)
class Told:
    """The ids of one registration's rows."""

    id: UUID
    reg_id: str
    request_id: UUID
    credential_id: UUID
    event_id: UUID
    uin: str
    uin_hash: str


def registration(
    rt: Runtime,
    caller: Caller,
    place: str = "STORED",
    *,
    tenant_id: str = VILLE,
    at: datetime | None = None,
    uin: str | None = None,
    **changes: Any,
) -> Told:
    """A registration that has come to `place`, one message a second since `at`; `changes` are columns of its registration's row."""
    now = at or rt.clock.now()
    state_id = tenant_id.split(".", maxsplit=1)[0]
    number = next(_count)
    reg_id, uin = f"1000110002{number:05d}{now:%Y%m%d%H%M%S}", uin or f"53128{number:05d}"
    told = Told(uuid7(now), reg_id, uuid7(now), uuid7(now), uuid7(now), uin, Numbers(rt).hash(state_id, "UIN", uin))
    rank = PLACES.index(place)
    with rt.database.worker() as conn:
        _announced(conn, told, tenant_id, state_id, caller, now, uploaded=rank > 0)
        if rank > 0:
            _processed(conn, rt, told, tenant_id, state_id, caller, now, rank, changes)
        if rank >= PLACES.index("PROCESSED"):
            _credential(conn, rt, told, tenant_id, state_id, now, rank)
        _messages(conn, told, tenant_id, now, _LAST_PACKET[place])
    return told


def _put(conn: Connection, table: str, **row: Any) -> None:
    names = ", ".join(row)
    values = ", ".join(f"CAST(:{name} AS jsonb)" if isinstance(row[name], dict) else f":{name}" for name in row)
    conn.execute(
        text(f"INSERT INTO {table} ({names}) VALUES ({values})"),
        {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()},
    )


def _announced(conn: Connection, told: Told, tenant_id: str, state_id: str, caller: Caller, now: datetime, *, uploaded: bool) -> None:
    _put(
        conn, "regprc.registration_list", id=told.id, tenant_id=tenant_id, state_id=state_id, reg_id=told.reg_id, process="NEW",
        source="REGISTRATION_CLIENT", schema_version="0.1", supervisor_status="APPROVED", synced_by=caller.account_id, synced_at=now,
        uploaded_at=now + timedelta(seconds=2) if uploaded else None,
    )  # fmt: skip
    for name in ("id", "evidence", "optional"):
        _put(
            conn,
            "regprc.registration_list_component",
            list_id=told.id,
            name=name,
            tenant_id=tenant_id,
            size_bytes=20_000,
            sha256=b"\x01" * 32,
        )


def _processed(
    conn: Connection,
    rt: Runtime,
    told: Told,
    tenant_id: str,
    state_id: str,
    caller: Caller,
    now: datetime,
    rank: int,
    changes: dict[str, Any],
) -> None:
    done = rank >= PLACES.index("PROCESSED")
    row = {
        "id": told.id, "tenant_id": tenant_id, "state_id": state_id, "reg_id": told.reg_id, "process": "NEW",
        "source": "REGISTRATION_CLIENT", "schema_version": "0.1", "upload_number": 1, "status_code": "PROCESSED" if done else "PROCESSING",
        "stage": "FINALIZATION" if done else "VALIDATOR", "latest_trn_type_code": "SECUREZONE_NOTIFICATION",
        "latest_trn_status_code": "SUCCESS", "latest_trn_at": now + timedelta(seconds=6), "next_attempt_at": now,
        "received_by": caller.account_id, "received_at": now + timedelta(seconds=2),
        "processed_at": now + timedelta(seconds=8) if done else None, "modified_at": now + timedelta(seconds=8),
    }  # fmt: skip
    _put(conn, "regprc.registration", **(row | changes))
    for name in ("id", "evidence", "optional"):
        _put(
            conn, "regprc.component", id=uuid4(), tenant_id=tenant_id, registration_id=told.id, upload_number=1, name=name,
            size_bytes=20_000, sha256=b"\x01" * 32, sidecar={"packetname": name}, verified="VERIFIED", stored_at=now + timedelta(seconds=2),
        )  # fmt: skip
    stages = ["SECUREZONE_NOTIFICATION", *(["VALIDATOR", "FINALIZATION"] if done else [])]
    for number, stage in enumerate(stages):
        transaction(conn, told, stage, "SUCCESS", now + timedelta(seconds=5 + number), tenant_id=tenant_id)


def transaction(
    conn: Connection, told: Told, stage: str, status: str, at: datetime, sub_status: str | None = None, *, tenant_id: str = VILLE
) -> None:
    """One transaction of a registration."""
    _put(
        conn, "regprc.registration_transaction", id=uuid7(at), tenant_id=tenant_id, registration_id=told.id, upload_number=1,
        trn_type_code=stage, status_code=status, sub_status_code=sub_status, attempt=1, details={"rounds": 1}, started_at=at, ended_at=at,
    )  # fmt: skip


def pair(rt: Runtime, registration_id: UUID, candidate_id: UUID, score: int = 82, *, tenant_id: str = VILLE) -> UUID:
    """A pair of registrations that waits for a person."""
    pair_id = uuid7(rt.clock.now())
    with rt.database.worker() as conn:
        _put(
            conn, "regprc.manual_verification", id=pair_id, tenant_id=tenant_id, registration_id=registration_id, candidate_id=candidate_id,
            score=score, status_code="PENDING", created_at=rt.clock.now(),
        )  # fmt: skip
    return pair_id


def credential(rt: Runtime, caller: Caller, kind: Kind, number: str, name: Any) -> None:
    """A stored credential of this number, with a name as credentials have it; a second one replaces it."""
    id_hash = Numbers(rt).hash("dj", kind, number)
    sealed = rt.vault.seal("ida.demographics", id_hash, json.dumps({"fullName": name}).encode())
    told = registration(rt, caller)
    changed = {"id": id_hash, "sealed": sealed, "credential_id": told.credential_id, "made": told.uin_hash}
    with rt.database.worker() as conn:
        again = "UPDATE ida.identity_cache SET demo_data_sealed = :sealed, credential_id = :credential_id WHERE id = :id"
        if not conn.execute(text(again), changed).rowcount:
            conn.execute(text("UPDATE ida.identity_cache SET id = :id, demo_data_sealed = :sealed WHERE id = :made"), changed)


def _credential(conn: Connection, rt: Runtime, told: Told, tenant_id: str, state_id: str, now: datetime, rank: int) -> None:
    identity_id, identifier_id, share_id = uuid4(), uuid4(), uuid4()
    base = {"tenant_id": tenant_id, "state_id": state_id}

    def since(seconds: int) -> datetime:
        return now + timedelta(seconds=seconds)

    _put(
        conn, "idrepo.identity", id=identity_id, **base, registration_id=told.id, status_code="ACTIVATED",
        demographics_sealed=rt.vault.seal("idrepo.demographics", str(identity_id), b"{}"), created_at=since(8), modified_at=since(8),
    )  # fmt: skip
    _put(
        conn, "idrepo.identifier", id=identifier_id, **base, identity_id=identity_id, kind="UIN", id_hash=told.uin_hash,
        id_sealed=rt.vault.seal("idrepo.identifier", str(identifier_id), told.uin.encode()), status_code="ACTIVE", created_at=since(8),
    )  # fmt: skip
    requested = rank >= PLACES.index("REQUESTED")
    _put(
        conn, "idrepo.credential_request_status", individual_id_hash=told.uin_hash, partner_id=PARTNER, id=uuid7(now), **base,
        identifier_id=identifier_id, registration_id=told.id, status="REQUESTED" if requested else "NEW",
        request_id=told.request_id if requested else None, token_id="1" * 36, attempts=int(requested), next_attempt_at=since(9),
        cr_dtimes=since(9), upd_dtimes=since(14) if requested else since(9),
    )  # fmt: skip
    if not requested:
        return
    issued, stored = rank >= PLACES.index("ISSUED"), rank >= PLACES.index("STORED")
    _put(
        conn, "credential.credential_transaction", id=told.request_id, **base, registration_id=told.id, partner_id=PARTNER,
        individual_id_hash=told.uin_hash, request_sealed=rt.vault.seal("credential.request", str(told.request_id), b"{}"),
        status_code="STORED" if stored else "ISSUED" if issued else "NEW", credential_id=told.credential_id if issued else None,
        issuance_date=since(22) if issued else None, issuances=int(issued), next_attempt_at=since(12),
        stored_at=since(33) if stored else None, cr_dtimes=since(12), upd_dtimes=since(22),
    )  # fmt: skip
    if not issued:
        return
    _put(
        conn, "datashare.share", id=share_id, tenant_id=tenant_id, policy_id="auth-policy", subscriber_id=PARTNER,
        key_hash=uuid4().bytes * 2, sha256=b"\x02" * 32, size_bytes=9000, signature="e30..c2ln",
        expires_at=since(3600), uses_allowed=3, uses=int(rank > 5), created_at=since(17),
    )  # fmt: skip
    _put(
        conn, "credential.issuance", id=told.credential_id, tenant_id=tenant_id, request_id=told.request_id, number=1, share_id=share_id,
        event_id=told.event_id, status_code="STORED" if stored else "ISSUED", published=1, begun_at=since(15),
        ended_at=since(33) if stored else None,
    )  # fmt: skip
    subscription_id = _subscriptions(conn, rt, now)
    _put(
        conn, "websub.event", id=told.event_id, tenant_id=tenant_id, topic=f"{PARTNER}/CREDENTIAL_ISSUED", content=b"{}",
        content_type="application/json", published_at=since(19),
    )  # fmt: skip
    notified = rank >= PLACES.index("NOTIFIED")
    _put(
        conn, "websub.delivery", id=uuid7(now), event_id=told.event_id, subscription_id=subscription_id, tenant_id=tenant_id,
        status_code="DELIVERED" if notified else "NEW", attempts=int(notified), next_attempt_at=since(19),
        delivered_at=since(24) if notified else None, created_at=since(19),
    )  # fmt: skip
    if notified:
        _stored_there(conn, rt, told, tenant_id, state_id, since, rank)


def _stored_there(conn: Connection, rt: Runtime, told: Told, tenant_id: str, state_id: str, since: Any, rank: int) -> None:
    cached, stored = rank >= PLACES.index("CACHED"), rank >= PLACES.index("STORED")
    _put(
        conn, "ida.credential_event_store", event_id=told.event_id, tenant_id=tenant_id, event_topic=f"{PARTNER}/CREDENTIAL_ISSUED",
        credential_transaction_id=told.request_id, credential_id=told.credential_id, registration_id=told.id,
        publisher="CREDENTIAL_SERVICE", published_on_dtimes=since(19), event_object={"id": str(told.event_id)},
        status_code="STORED" if cached else "NEW", next_attempt_at=since(25), ended_at=since(29) if cached else None,
        acknowledged_at=since(30) if stored else None, cr_dtimes=since(25), upd_dtimes=since(29),
    )  # fmt: skip
    if cached:
        _put(
            conn, "ida.identity_cache", id=told.uin_hash, tenant_id=tenant_id, state_id=state_id, token_id="1" * 36,
            demo_data_sealed=rt.vault.seal("ida.demographics", told.uin_hash, b"{}"), credential_transaction_id=told.request_id,
            credential_id=told.credential_id, event_id=told.event_id, cr_dtimes=since(29), upd_dtimes=since(29),
        )  # fmt: skip


def _subscriptions(conn: Connection, rt: Runtime, now: datetime) -> UUID:
    """Both subscriptions, once; returns the authentication side's."""
    found = conn.execute(text("SELECT id FROM websub.subscription WHERE topic = :topic"), {"topic": f"{PARTNER}/CREDENTIAL_ISSUED"})
    known = found.scalar_one_or_none()
    if known is not None:
        return UUID(str(known))
    ids = [uuid7(now), uuid7(now)]
    topics = (f"{PARTNER}/CREDENTIAL_ISSUED", "CREDENTIAL_STATUS_UPDATE")
    callbacks = ("https://ida.example/internal/callback", "https://generator.example/callback/notifyStatus")
    for one, topic, callback in zip(ids, topics, callbacks, strict=True):
        _put(
            conn, "websub.subscription", id=one, topic=topic, callback=callback, status_code="ACTIVE", lease_s=86_400,
            asked_at=now - timedelta(days=1), verified_at=now - timedelta(days=1), expires_at=now + timedelta(days=30),
        )  # fmt: skip
    return ids[0]


def _messages(conn: Connection, told: Told, tenant_id: str, now: datetime, last: str) -> None:
    """Every message of the diagram up to the last, one a second."""
    headers = []
    for number, packet in enumerate(packets_of("identity")):
        if packet.id not in SUBSCRIPTIONS:
            known = told.request_id if packet.id >= "23/03" else None
            headers.append(identity_header(packet.id, told.id, tenant_id, now + timedelta(seconds=number), correlation_id=known))
        if packet.id == last:
            break
    write_packets(conn, headers)
