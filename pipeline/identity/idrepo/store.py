"""Writing identities: a draft with its UIN, its publication with handles and requests for credentials, and VIDs asked for later.

Everything here runs in the caller's transaction. A number is never stored in clear: see pipeline.identity.numbers.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.identity.numbers import Kind, Numbers, kind_of, make_uin, make_vid
from pipeline.identity.packet.component import Component
from pipeline.identity.registration.reasons import clean_reason
from pipeline.ids import uuid7
from pipeline.masterdata.identity_models import NumberRule, Partner
from pipeline.masterdata.master import MasterData
from pipeline.packets.log import identity_header, write_packets
from pipeline.runtime import Runtime

PURPOSE = "idrepo.demographics"
DEMOGRAPHIC_KINDS = ("TEXT", "LOCALISED", "CODE", "DATE")  # documents and biometrics stay in the packet
TRIES = 20  # two billion numbers: even a second try is rare

_IDENTITY = text("""
    INSERT INTO idrepo.identity (id, tenant_id, state_id, registration_id, status_code, demographics_sealed, biometrics_file_id,
                                 created_at, modified_at)
    VALUES (:id, :tenant_id, :state_id, :registration_id, 'DEACTIVATED', :sealed, :biometrics, :now, :now)
    ON CONFLICT (registration_id) DO NOTHING
""")
_OF = text("SELECT id, tenant_id, state_id, status_code FROM idrepo.identity WHERE registration_id = :registration_id FOR NO KEY UPDATE")
_REDRAFT = text("""
    UPDATE idrepo.identity SET demographics_sealed = :sealed, biometrics_file_id = :biometrics, modified_at = :now WHERE id = :id
""")
_IDENTIFIER = text("""
    INSERT INTO idrepo.identifier (id, tenant_id, state_id, identity_id, kind, id_hash, id_sealed, status_code, expires_at,
                                   transaction_limit, created_at)
    VALUES (:id, :tenant_id, :state_id, :identity_id, :kind, :id_hash, :sealed, 'ACTIVE', :expires_at, :transaction_limit, :now)
    ON CONFLICT (state_id, id_hash) DO NOTHING RETURNING id
""")
_OWNER = text("SELECT id, identity_id FROM idrepo.identifier WHERE state_id = :state_id AND id_hash = :id_hash")
_UIN = text("SELECT id FROM idrepo.identifier WHERE identity_id = :identity_id AND kind = 'UIN'")
_ACTIVATE = text("UPDATE idrepo.identity SET status_code = 'ACTIVATED', modified_at = :now WHERE id = :id")
_NUMBERS = text("""
    SELECT id, kind, id_hash, expires_at, transaction_limit FROM idrepo.identifier
    WHERE identity_id = :identity_id AND status_code = 'ACTIVE' ORDER BY id LIMIT 100
""")
_ASK = text("""
    INSERT INTO idrepo.credential_request_status (individual_id_hash, partner_id, id, tenant_id, state_id, identifier_id, registration_id,
                                                  status, token_id, id_transaction_limit, id_expiry_timestamp, next_attempt_at,
                                                  cr_dtimes, upd_dtimes)
    SELECT v.id_hash, v.partner_id, v.id, :tenant_id, :state_id, v.identifier_id, :registration_id, 'NEW', v.token_id,
           v.transaction_limit, v.expires_at, :now, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, id_hash text, partner_id text, identifier_id uuid, token_id text, transaction_limit int, expires_at timestamptz)
    ON CONFLICT (individual_id_hash, partner_id) DO NOTHING RETURNING id
""")
_BY_NUMBER = text("""
    SELECT i.id, i.tenant_id, i.state_id, i.registration_id, i.status_code
    FROM idrepo.identity i JOIN idrepo.identifier n ON n.identity_id = i.id
    WHERE n.state_id = :state_id AND n.id_hash = :id_hash AND n.status_code = 'ACTIVE' FOR NO KEY UPDATE OF i
""")

_BY_IDENTIFIER = text("""
    SELECT n.identity_id, n.kind, n.tenant_id, n.state_id, i.registration_id
    FROM idrepo.identifier n JOIN idrepo.identity i ON i.id = n.identity_id
    WHERE n.id = :id AND n.status_code = 'ACTIVE' AND i.status_code = 'ACTIVATED'
""")


@dataclass(frozen=True)
class Draft:
    """An identity that is to be."""

    registration_id: UUID
    tenant_id: str
    state_id: str
    demographics: Mapping[str, Any]
    biometrics_file_id: UUID | None


@dataclass(frozen=True)
class Drafted:
    """The identity's id, and whether its number was given now."""

    identity_id: UUID
    new: bool


@dataclass(frozen=True)
class Published:
    """The identity, and the requests for credentials that were entered as NEW."""

    identity_id: UUID
    requests: tuple[UUID, ...]


@dataclass(frozen=True)
class Vid:
    """A VID as it is told once, to whoever asked for it."""

    number: str
    expires_at: datetime
    transaction_limit: int


def draft(conn: Connection, rt: Runtime, numbers: Numbers, rule: NumberRule, one: Draft, now: datetime) -> Drafted:
    """Enter an identity that nobody sees yet, with a UIN; a registration that has one gets its demographics replaced. Does not commit."""
    known = conn.execute(_OF, {"registration_id": one.registration_id}).one_or_none()
    identity_id = uuid7(now) if known is None else known.id
    params = {
        "id": identity_id,
        "tenant_id": one.tenant_id,
        "state_id": one.state_id,
        "registration_id": one.registration_id,
        "sealed": rt.vault.seal(PURPOSE, str(identity_id), json.dumps(one.demographics, ensure_ascii=False).encode()),
        "biometrics": one.biometrics_file_id,
        "now": now,
    }
    conn.execute(_IDENTITY if known is None else _REDRAFT, params)
    if conn.execute(_UIN, {"identity_id": identity_id}).one_or_none() is not None:
        return Drafted(identity_id, new=False)
    owner = _Owner(identity_id, one.tenant_id, one.state_id)
    for _ in range(TRIES):
        if _enter(conn, numbers, owner, "UIN", make_uin(rule), now):
            return Drafted(identity_id, new=True)
    raise RuntimeError("no free UIN was found")  # the stage fails and is tried again


def publish(
    conn: Connection, numbers: Numbers, partners: Sequence[Partner], registration_id: UUID, handles: Iterable[str], now: datetime
) -> Published | None:
    """Activate the identity of a registration, enter its handles, and ask for credentials; None when a handle is somebody else's.

    Does not commit; after None nothing more may be written in the transaction about this identity.
    """
    identity = conn.execute(_OF, {"registration_id": registration_id}).one()
    owner = _Owner(identity.id, identity.tenant_id, identity.state_id)
    for handle in handles:
        if not _enter(conn, numbers, owner, "HANDLE", handle, now):
            return None
    conn.execute(_ACTIVATE, {"id": identity.id, "now": now})
    return Published(identity.id, _ask(conn, numbers, partners, owner, registration_id, now, kinds=("UIN", "HANDLE")))


def make_vid_for(conn: Connection, rt: Runtime, md: MasterData, caller: Caller, tenant_id: str, number: str, now: datetime) -> Vid:
    """Give the person with this UIN or handle a new VID, and ask for its credentials. Does not commit; audited.

    Needs a worker's transaction, since an admin's area says nothing of where a person was registered: the state decides.
    Raises SDCRS_FORBIDDEN, SDCRS_TENANT_OUT_OF_SCOPE and SDCRS_NOT_FOUND.
    """
    check(caller, "act_on_registration")
    numbers, rule = Numbers(rt), md.identity_stages(tenant_id).numbers
    state_id = md.tenant(tenant_id).state_id
    found = conn.execute(_BY_NUMBER, {"state_id": state_id, "id_hash": numbers.hash(state_id, kind_of(number), number)}).one_or_none()
    if found is None or found.status_code != "ACTIVATED" or found.tenant_id not in caller.scope:
        raise AppError("SDCRS_NOT_FOUND", kind="Identity", id="of this number")
    owner = _Owner(found.id, found.tenant_id, found.state_id)
    expires_at = now + timedelta(days=rule.vid_valid_days)
    for _ in range(TRIES):
        vid = make_vid(rule)
        if _enter(conn, numbers, owner, "VID", vid, now, expires_at, rule.vid_transaction_limit):
            break
    else:
        raise RuntimeError("no free VID was found")
    asked = _ask(conn, numbers, md.partners(found.tenant_id), owner, found.registration_id, now, kinds=("VID",))
    write_packets(conn, [identity_header("23/01", found.registration_id, found.tenant_id, now, causation_id=row_id) for row_id in asked])
    role = next(iter(sorted(caller.roles)), None)
    record(conn, found.tenant_id, caller.account_id, role, "VID_MADE", "REGISTRATION", str(found.registration_id), now)
    return Vid(vid, expires_at, rule.vid_transaction_limit)


def ask_for(rt: Runtime) -> Callable[[Connection, MasterData, Caller, UUID, str, datetime], None]:
    """The command that enters the requests which an identifier lacks, such as for a partner that came later; for one identifier's id."""

    def ask(conn: Connection, md: MasterData, caller: Caller, identifier_id: UUID, reason: str, now: datetime) -> None:
        """Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST, SDCRS_NOT_FOUND, and SDCRS_CREDENTIAL_STATE when nothing is lacking."""
        check(caller, "retry_credential")
        words = clean_reason(reason)
        found = conn.execute(_BY_IDENTIFIER, {"id": identifier_id}).one_or_none()
        if found is None:
            raise AppError("SDCRS_NOT_FOUND", kind="identifier", id=str(identifier_id))
        owner = _Owner(found.identity_id, found.tenant_id, found.state_id)
        partners = md.partners(found.tenant_id)
        asked = _ask(conn, Numbers(rt), partners, owner, found.registration_id, now, kinds=(found.kind,))
        if not asked:
            raise AppError("SDCRS_CREDENTIAL_STATE", action="request", state="asked for already")
        write_packets(
            conn, [identity_header("23/01", found.registration_id, found.tenant_id, now, causation_id=row_id) for row_id in asked]
        )
        about = {"registrationId": str(found.registration_id)}
        actor, role = caller.account_id, min(caller.roles)
        record(conn, found.tenant_id, actor, role, "identity.request", "identifier", str(identifier_id), now, words, details=about)

    return ask


def demographics_of(rt: Runtime, purpose: str, row_id: UUID, sealed: str) -> dict[str, Any]:
    """Sealed demographics in clear. Raises SDCRS_DECRYPT_FAILED."""
    opened: dict[str, Any] = json.loads(rt.vault.unseal(purpose, str(row_id), sealed))
    return opened


def biometrics(rt: Runtime, file_id: UUID) -> bytes:
    """The biometrics file of an identity, unopened; `file_id` is the component's that the identity names.

    Raises SDCRS_NOT_FOUND and the SDCRS_PACKET_… errors.
    """
    component = Component.of("id", rt.files.get(file_id, "original"))
    named = component.identity["individualBiometrics"]["value"]
    found = component.document(named)
    if found is None:
        raise AppError("SDCRS_PACKET_CONTENT", component=component.name, detail="the biometrics file is missing")
    return found


@dataclass(frozen=True)
class _Owner:
    """Whose number it is."""

    identity_id: UUID
    tenant_id: str
    state_id: str


def _enter(
    conn: Connection,
    numbers: Numbers,
    owner: _Owner,
    kind: Kind,
    number: str,
    now: datetime,
    expires_at: datetime | None = None,
    transaction_limit: int | None = None,
) -> bool:
    """Enter a number; False when it is another identity's already."""
    identifier_id = uuid7(now)
    id_hash = numbers.hash(owner.state_id, kind, number)
    params = {
        "id": identifier_id,
        "tenant_id": owner.tenant_id,
        "state_id": owner.state_id,
        "identity_id": owner.identity_id,
        "kind": kind,
        "id_hash": id_hash,
        "sealed": numbers.seal(identifier_id, number),
        "expires_at": expires_at,
        "transaction_limit": transaction_limit,
        "now": now,
    }
    if conn.execute(_IDENTIFIER, params).one_or_none() is not None:
        return True
    taken = conn.execute(_OWNER, {"state_id": owner.state_id, "id_hash": id_hash}).one()
    return kind == "HANDLE" and bool(taken.identity_id == owner.identity_id)  # a made number is never the same twice


def _ask(
    conn: Connection,
    numbers: Numbers,
    partners: Sequence[Partner],
    owner: _Owner,
    registration_id: UUID,
    now: datetime,
    kinds: Sequence[Kind],
) -> tuple[UUID, ...]:
    """A row NEW for each number of these kinds and each partner that wants one; those that are there already stay as they are."""
    found = conn.execute(_NUMBERS, {"identity_id": owner.identity_id}).all()
    rows = [
        {
            "id": str(uuid7(now)),
            "id_hash": number.id_hash,
            "partner_id": partner.id,
            "identifier_id": str(number.id),
            "token_id": numbers.token(owner.identity_id, partner.token_scope),
            "transaction_limit": number.transaction_limit,
            "expires_at": number.expires_at.isoformat() if number.expires_at else None,
        }
        for number in found
        if number.kind in kinds
        for partner in partners
        if number.kind in partner.kinds
    ]
    params = {"tenant_id": owner.tenant_id, "state_id": owner.state_id, "registration_id": registration_id, "now": now}
    return tuple(conn.execute(_ASK, {**params, "rows": json.dumps(rows)}).scalars())
