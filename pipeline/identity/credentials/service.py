"""The credential service: what the partner's policy allows of a person, signed by us and encrypted for the partner.

A credential is a JWS over JSON: who issued what for whom and when, the number's hash, and, each encrypted for the partner,
the allowed demographics and the biometrics, which are passed on unopened. It goes to data share; the hub tells where it is.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from pipeline.errors import AppError
from pipeline.identity import keys
from pipeline.identity.credentials.callback import written
from pipeline.identity.effect import Failed, failure_of
from pipeline.identity.idrepo.store import biometrics
from pipeline.identity.messages import CREDENTIAL_TYPE, CredentialRequest, Issued, IssueRequest, Publication, Shared, ShareRequest
from pipeline.identity.ports import DataShare, Hub
from pipeline.masterdata.identity_models import Partner
from pipeline.runtime import Runtime

PUBLISHER = "CREDENTIAL_SERVICE"
ISSUER = "sdcrs"

_PERSONS = text("""
    SELECT n.id_hash, n.state_id AS number_state, n.status_code AS number_status, n.kind, d.id, d.tenant_id, d.state_id, d.registration_id,
           d.status_code, d.demographics_sealed, d.biometrics_file_id
    FROM idrepo.identifier n JOIN idrepo.identity d ON d.id = n.identity_id
    WHERE n.id_hash = ANY (:hashes)
""")


@dataclass(frozen=True)
class _Made:
    """A credential that is ready to be shared."""

    asked: IssueRequest
    partner: Partner
    token: str


def issue(rt: Runtime, datashare: DataShare, hub: Hub, asked: Sequence[IssueRequest], now: datetime) -> list[Issued | Failed]:
    """Make, share and announce a credential for each request. Asked again under the same ids, nothing new comes of it."""
    outcomes: dict[UUID, Issued | Failed] = {}
    made: list[_Made] = []
    persons = _persons(rt, asked)
    for one in asked:
        try:
            made.append(_make(rt, one, persons, now))
        except Exception as error:  # noqa: BLE001 - sorted by failure_of: a person whose data cannot be opened takes no other with them
            outcomes[one.credential_id] = failure_of(error)
    shares = datashare.create([_share(credential) for credential in made])
    ready: list[tuple[_Made, Shared]] = []
    for credential, shared in zip(made, shares, strict=True):
        if isinstance(shared, Failed):
            outcomes[credential.asked.credential_id] = shared
        else:
            ready.append((credential, shared))
    told = hub.publish([_event(credential, shared, now) for credential, shared in ready])
    for (credential, shared), answer in zip(ready, told, strict=True):
        credential_id = credential.asked.credential_id
        issued = Issued(credential_id, shared.url, shared.signature, now)
        outcomes[credential_id] = answer if isinstance(answer, Failed) else issued
    return [outcomes[one.credential_id] for one in asked]


def _persons(rt: Runtime, asked: Sequence[IssueRequest]) -> Mapping[tuple[str, str], Row[Any]]:
    if not asked:
        return {}
    with rt.database.worker() as conn:
        rows = conn.execute(_PERSONS, {"hashes": [one.request.individual_id_hash for one in asked]})
        return {(row.number_state, row.id_hash): row for row in rows}


def _make(rt: Runtime, one: IssueRequest, persons: Mapping[tuple[str, str], Row[Any]], now: datetime) -> _Made:
    request = one.request
    partner = partner_of(rt, request)
    person = persons.get((request.state_id, request.individual_id_hash))
    if person is None or person.registration_id != request.about.registration_id:
        raise AppError("SDCRS_CREDENTIAL_REFUSED", reason="the number is not known")
    if person.status_code != "ACTIVATED" or person.number_status != "ACTIVE":
        raise AppError("SDCRS_CREDENTIAL_REFUSED", reason="the identity or its number is not active")
    if person.kind not in partner.kinds:
        raise AppError("SDCRS_CREDENTIAL_REFUSED", reason="the partner gets no such number")
    known = json.loads(rt.vault.unseal("idrepo.demographics", str(person.id), person.demographics_sealed))
    allowed = {name: known[name] for name in partner.attributes if known.get(name) is not None}
    wanted = partner.biometrics and person.biometrics_file_id is not None
    bio = biometrics(rt, person.biometrics_file_id) if wanted else b""
    credential = {
        "id": f"urn:uuid:{one.credential_id}",
        "issuer": ISSUER,
        "issuedAt": now.isoformat(),
        "credentialType": CREDENTIAL_TYPE,
        "requestId": str(request.about.request_id),
        "tenantId": request.about.tenant_id,
        "stateId": request.state_id,
        "partnerId": partner.id,
        "policyId": partner.policy_id,
        "subject": {
            "idHash": request.individual_id_hash,
            "tokenId": request.token_id,
            "expiryTimestamp": None if request.expires_at is None else request.expires_at.isoformat(),
            "transactionLimit": request.transaction_limit,
        },
        "demographics": keys.encrypt(rt.keyring, partner.id, json.dumps(allowed, ensure_ascii=False).encode()),
        "biometrics": keys.encrypt(rt.keyring, partner.id, bio) if bio else None,
    }
    return _Made(one, partner, keys.sign(rt.keyring, json.dumps(credential, separators=(",", ":")).encode()))


def partner_of(rt: Runtime, request: CredentialRequest) -> Partner:
    """The partner with the policy that counts for the tenant. Raises SDCRS_CREDENTIAL_REFUSED when there is none."""
    partners = rt.masterdata.current().partners(request.about.tenant_id)
    found = next((partner for partner in partners if partner.id == request.partner_id), None)
    if found is None:
        raise AppError("SDCRS_CREDENTIAL_REFUSED", reason="there is no such partner")
    return found


def _share(one: _Made) -> ShareRequest:
    return ShareRequest(
        about=one.asked.request.about,
        share_id=one.asked.share_id,
        policy_id=one.partner.policy_id,
        subscriber_id=one.partner.id,
        valid_minutes=one.partner.share_minutes,
        uses=one.partner.share_uses,
        signature=keys.detached(one.token),
        data=one.token.encode(),
    )


def _event(one: _Made, shared: Shared, now: datetime) -> Publication:
    return publication(one.asked, one.partner, shared.url, shared.signature, now)


def publication(asked: IssueRequest, partner: Partner, url: str, signature: str, now: datetime, *, again: bool = False) -> Publication:
    """The event that tells a partner of a credential, now or once more."""
    about = asked.request.about
    data = {
        "requestId": str(about.request_id),
        "credentialId": str(asked.credential_id),
        "registrationId": str(about.registration_id),
        "tenantId": about.tenant_id,
        "stateId": asked.request.state_id,
        "partnerId": partner.id,
        "policyId": partner.policy_id,
        "signature": signature,
    }
    event = {
        "id": str(asked.event_id),
        "transactionId": str(about.request_id),
        "type": "CREDENTIAL_ISSUED",
        "timestamp": now.isoformat(),
        "dataShareUri": url,
        "data": data,
    }
    whole = {"publisher": PUBLISHER, "topic": partner.topic, "publishedOn": now.isoformat(), "event": event}
    return Publication(about, asked.event_id, partner.topic, written(whole), ("24/05", "24/06"), again=again)
