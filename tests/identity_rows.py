"""Persons who have an identity and numbers, and wait for their credentials: rows as the registration side writes them."""

import io
import json
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from pipeline.identity.numbers import Kind, Numbers
from pipeline.ids import uuid7
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime
from tests.factories import VILLE

STATE = "dj"
PARTNER = "IDA"
BIOMETRICS = b"<BIR>opaque bytes of a person, never opened</BIR>"
PERSON = {
    "fullName": [{"language": "eng", "value": "Amina Hassan Robleh"}, {"language": "fra", "value": "Amina Hassan Robleh"}],
    "dateOfBirth": "1988/04/17",
    "gender": [{"language": "eng", "value": "FLE"}],
    "phone": "77812345",
    "email": "amina@example.org",
    "addressLine1": [{"language": "eng", "value": "Rue 12"}],
}

_LIST = text("""
    INSERT INTO regprc.registration_list (id, tenant_id, state_id, reg_id, process, source, schema_version, supervisor_status, synced_by,
                                          synced_at)
    VALUES (:id, :tenant_id, :state_id, :reg_id, 'NEW', 'REGISTRATION_CLIENT', '0.1', 'APPROVED', :by, :now)
""")
_REGISTRATION = text("""
    INSERT INTO regprc.registration (id, tenant_id, state_id, reg_id, process, source, schema_version, upload_number, status_code, stage,
                                     next_attempt_at, received_by, received_at, processed_at, modified_at)
    VALUES (:id, :tenant_id, :state_id, :reg_id, 'NEW', 'REGISTRATION_CLIENT', '0.1', 1, 'PROCESSED', 'FINALIZATION', :now, :by, :now,
            :now, :now)
""")
_IDENTITY = text("""
    INSERT INTO idrepo.identity (id, tenant_id, state_id, registration_id, status_code, demographics_sealed, biometrics_file_id,
                                 created_at, modified_at)
    VALUES (:id, :tenant_id, :state_id, :registration_id, 'ACTIVATED', :sealed, :file_id, :now, :now)
""")
_IDENTIFIER = text("""
    INSERT INTO idrepo.identifier (id, tenant_id, state_id, identity_id, kind, id_hash, id_sealed, status_code, expires_at,
                                   transaction_limit, created_at)
    VALUES (:id, :tenant_id, :state_id, :identity_id, :kind, :id_hash, :sealed, 'ACTIVE', :expires_at, :transaction_limit, :now)
""")
_REQUEST = text("""
    INSERT INTO idrepo.credential_request_status (individual_id_hash, partner_id, id, tenant_id, state_id, identifier_id, registration_id,
        status, token_id, id_transaction_limit, id_expiry_timestamp, next_attempt_at, cr_dtimes, upd_dtimes)
    VALUES (:id_hash, :partner_id, :id, :tenant_id, :state_id, :identifier_id, :registration_id, 'NEW', :token_id, :transaction_limit,
            :expires_at, :now, :now, :now)
""")


@dataclass(frozen=True)
class Waiting:
    """One number of a person, as it waits for its credential."""

    registration_id: UUID
    reg_id: str
    status_id: UUID
    id_hash: str
    number: str
    kind: Kind


def component(biometrics: bytes = BIOMETRICS) -> bytes:
    """An id component that holds little more than biometrics."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        named = {"individualBiometrics": {"format": "cbeff", "version": 1, "value": "individualBiometrics_bio_CBEFF"}}
        archive.writestr("ID.json", json.dumps({"identity": named}))
        archive.writestr("individualBiometrics_bio_CBEFF.xml", biometrics)
    return out.getvalue()


def waiting(
    rt: Runtime,
    kind: Kind = "UIN",
    *,
    person: dict[str, Any] | None = None,
    tenant_id: str = VILLE,
    valid_for: timedelta | None = None,
    limit: int | None = None,
    biometrics: bytes | None = BIOMETRICS,
) -> Waiting:
    """A registration that was processed, with its identity, one number and a NEW row for the partner."""
    now, rng, numbers, by = rt.clock.now(), Random(uuid4().int), Numbers(rt), uuid4()
    state = tenant_id.partition(".")[0]
    registration_id, identity_id, identifier_id, status_id, file_id = (uuid7(now) for _ in range(5))
    reg_id = "".join(str(rng.randint(0, 9)) for _ in range(29))
    digits = {"UIN": 10, "VID": 16, "HANDLE": 6}[kind]
    number = ("T" if kind == "HANDLE" else "") + "".join(str(rng.randint(2, 9)) for _ in range(digits))
    id_hash = numbers.hash(state, kind, number)
    if biometrics is not None:
        rt.files.put(file_id, component(biometrics), durable=False)
    sealed = rt.vault.seal("idrepo.demographics", str(identity_id), json.dumps(person or PERSON).encode())
    expires_at = None if valid_for is None else now + valid_for
    about = {"tenant_id": tenant_id, "state_id": state, "now": now, "by": by, "reg_id": reg_id}
    with rt.database.worker() as conn:
        conn.execute(_LIST, {**about, "id": registration_id})
        conn.execute(_REGISTRATION, {**about, "id": registration_id})
        file = None if biometrics is None else file_id
        conn.execute(_IDENTITY, {**about, "id": identity_id, "registration_id": registration_id, "sealed": sealed, "file_id": file})
        named = {"kind": kind, "id_hash": id_hash, "expires_at": expires_at, "transaction_limit": limit}
        sealed_number = numbers.seal(identifier_id, number)
        conn.execute(_IDENTIFIER, {**about, **named, "id": identifier_id, "identity_id": identity_id, "sealed": sealed_number})
        token = numbers.token(identity_id, PARTNER)
        asked = {"id": status_id, "partner_id": PARTNER, "identifier_id": identifier_id, "registration_id": registration_id}
        conn.execute(_REQUEST, {**about, **named, **asked, "token_id": token})
        write_packets(conn, [identity_header("23/01", registration_id, tenant_id, now, causation_id=status_id)])
    return Waiting(registration_id, reg_id, status_id, id_hash, number, kind)


_STATE = text("""
    SELECT s.status, s.request_id, s.attempts, s.dead_at AS status_dead_at, s.status_comment AS asked_comment,
           t.status_code AS transaction, t.status_comment, t.issuances, t.trn_retry_count, t.dead_at, t.stored_at, t.next_attempt_at,
           t.data_share_url, t.signature, t.credential_id,
           (SELECT array_agg(i.status_code ORDER BY i.number) FROM credential.issuance i WHERE i.request_id = t.id) AS issuance,
           (SELECT array_agg(e.status_code ORDER BY e.cr_dtimes, e.event_id) FROM ida.credential_event_store e
            WHERE e.credential_transaction_id = t.id) AS events,
           (SELECT sum(e.deliveries) FROM ida.credential_event_store e WHERE e.credential_transaction_id = t.id) AS deliveries,
           (SELECT count(*) FROM ida.identity_cache c WHERE c.id = s.individual_id_hash) AS cached
    FROM idrepo.credential_request_status s LEFT JOIN credential.credential_transaction t ON t.id = s.request_id
    WHERE s.id = :id
""")


def state_of(rt: Runtime, one: Waiting) -> Any:
    """Everything about one number's credential, across the four tables."""
    with rt.database.worker() as conn:
        return conn.execute(_STATE, {"id": one.status_id}).one()


_PACKETS = text("SELECT packet, correlation_id FROM packet.log WHERE subject_id = :id ORDER BY recorded_at, id")


def packets_of(rt: Runtime, one: Waiting) -> list[str]:
    """The packets about a registration, in the order in which they were written."""
    with rt.database.worker() as conn:
        return [row.packet for row in conn.execute(_PACKETS, {"id": one.registration_id})]
