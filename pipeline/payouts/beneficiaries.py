"""Whom we pay and where, as the provider knows them: a contact per teacher, a fund account per UPI address, both reused.

Where addresses are checked, one that the bank does not know is not paid.

A corrected address is a new fund account; the request that an older attempt has sent keeps its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.ids import uuid7
from pipeline.payouts.addresses import Validation, ask
from pipeline.payouts.answers import Accepted, Answer, Paused, Refused, Unknown
from pipeline.payouts.orders import contact_body, fund_account_body
from pipeline.payouts.provider import Provider
from pipeline.payouts.trail import Said
from pipeline.vault.persons import Vault

_ENSURE = text("""
    INSERT INTO payout.fund_account (id, tenant_id, beneficiary_id, vpa_lookup, vpa_sealed, provider, created_at)
    SELECT v.id, v.tenant_id, v.beneficiary_id, decode(v.vpa_lookup, 'hex'), v.vpa_sealed, :mark, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, beneficiary_id uuid, vpa_lookup text, vpa_sealed text)
    ORDER BY v.beneficiary_id, v.vpa_lookup
    ON CONFLICT (beneficiary_id, vpa_lookup, provider) DO NOTHING
""")
_READ = text("""
    SELECT id, beneficiary_id, vpa_lookup, provider_contact_id, provider_fund_account_id, validation_id, validation_status, account_status,
           name_match, validation_asked_at
    FROM payout.fund_account WHERE beneficiary_id = ANY (:beneficiaries) AND (provider = :mark OR provider IS NULL)
    ORDER BY created_at
""")
_KNOWN = text("""
    UPDATE payout.fund_account f
    SET provider_contact_id = v.provider_contact_id,
        provider_fund_account_id = coalesce(v.provider_fund_account_id, f.provider_fund_account_id),
        validation_id = coalesce(v.validation_id, f.validation_id), validation_status = coalesce(v.validation_status, f.validation_status),
        account_status = coalesce(v.account_status, f.account_status), name_match = coalesce(v.name_match, f.name_match),
        registered_sealed = coalesce(v.registered_sealed, f.registered_sealed),
        validation_asked_at = coalesce(f.validation_asked_at, v.validation_asked_at),
        validated_at = coalesce(f.validated_at, v.validated_at)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, provider_contact_id text, provider_fund_account_id text, validation_id text, validation_status text,
             account_status text, name_match int, registered_sealed text, validation_asked_at timestamptz, validated_at timestamptz)
    WHERE f.id = v.id
""")
_REGISTERED = text("SELECT registered_sealed FROM payout.fund_account WHERE id = :id")


@dataclass(frozen=True)
class Beneficiary:
    """A teacher with the address that is to be paid, and what the provider knows of both."""

    account_id: UUID
    tenant_id: str
    vpa: str
    person: Mapping[str, str]  # name and phone, in the clear
    fund_account_id: UUID  # our row
    contact_id: str | None
    provider_fund_account_id: str | None
    validation: Validation | None = None  # None: nobody has asked

    @property
    def known(self) -> bool:
        """Whether the provider has the address, so that it can be paid at once."""
        return self.provider_fund_account_id is not None


@dataclass(frozen=True)
class Registered:
    """What the provider answered when it was told of a beneficiary; `failed` None: it has contact and address now."""

    beneficiary: Beneficiary
    contact_id: str | None
    provider_fund_account_id: str | None
    said: tuple[Said, ...]
    failed: Refused | Unknown | Paused | None = None
    validation: Validation | None = None  # what is known now; None: addresses are not checked


def look_up(
    conn: Connection, vault: Vault, mark: str, wanted: Sequence[tuple[UUID, str]], persons: Mapping[UUID, Mapping[str, str]], now: datetime
) -> dict[UUID, Beneficiary]:
    """Teachers, given with their tenant and a lawful VPA in `persons`, as beneficiaries; unknown addresses get a row. Does not commit.

    `mark` is the paying account's: what another one knows of a teacher is of no use here.
    """
    lookups = {account_id: vault.lookup(tenant_id.split(".")[0], "vpa", persons[account_id]["vpa"]) for account_id, tenant_id in wanted}
    known = _read(conn, mark, list(lookups))
    new = [(one, tenant_id) for one, tenant_id in wanted if not any(row.vpa_lookup == lookups[one] for row in known.get(one, ()))]
    if new:
        rows = [_new_row(vault, one, tenant_id, lookups[one], persons[one]["vpa"], now) for one, tenant_id in new]
        conn.execute(_ENSURE, {"rows": json.dumps(rows), "mark": mark, "now": now})
        known = _read(conn, mark, list(lookups))
    found = {}
    for account_id, tenant_id in wanted:
        mine = known[account_id]
        account = next(one for one in mine if one.vpa_lookup == lookups[account_id])
        found[account_id] = Beneficiary(
            account_id=account_id,
            tenant_id=tenant_id,
            vpa=persons[account_id]["vpa"],
            person=persons[account_id],
            fund_account_id=account.id,
            contact_id=next((one.provider_contact_id for one in mine if one.provider_contact_id is not None), None),
            provider_fund_account_id=account.provider_fund_account_id,
            validation=_validation(account),
        )
    return found


def register(provider: Provider, beneficiary: Beneficiary, now: datetime, *, validate: bool) -> Registered:
    """Tell the provider of a teacher and the address, and have the address checked where that is asked for. No database here.

    The first two calls may be repeated: the provider returns what it has.
    """
    told = _told(provider, beneficiary)
    if not validate or told.failed is not None or told.provider_fund_account_id is None:
        return told
    known = beneficiary.validation
    if known is not None and known.verdict(now) != "PENDING":
        return replace(told, validation=known)
    found = ask(provider, told.provider_fund_account_id, str(beneficiary.fund_account_id), known, now)
    return replace(told, validation=found) if isinstance(found, Validation) else replace(told, failed=found)


def _told(provider: Provider, beneficiary: Beneficiary) -> Registered:
    if beneficiary.known:
        return Registered(beneficiary, beneficiary.contact_id, beneficiary.provider_fund_account_id, ())
    said: list[Said] = []
    contact_id = beneficiary.contact_id
    if contact_id is None:
        body = contact_body(beneficiary.account_id, beneficiary.tenant_id, beneficiary.person)
        answer = provider.create_contact(body)
        said.append(_exchange("08/01", beneficiary, body, answer))
        if not isinstance(answer, Accepted):
            return Registered(beneficiary, None, None, tuple(said), answer)
        contact_id = str(answer.entity["id"])
    body = fund_account_body(contact_id, beneficiary.vpa)
    answer = provider.create_fund_account(body)
    said.append(_exchange("08/02", beneficiary, body, answer))
    if not isinstance(answer, Accepted):
        return Registered(beneficiary, contact_id, None, tuple(said), answer)
    return Registered(beneficiary, contact_id, str(answer.entity["id"]), tuple(said))


def remember(conn: Connection, vault: Vault, results: Sequence[Registered], now: datetime) -> None:
    """Keep the provider's ids, also of a contact whose address was refused, and what it found about the address. Does not commit."""
    rows = [
        {
            "id": str(one.beneficiary.fund_account_id),
            "provider_contact_id": one.contact_id,
            "provider_fund_account_id": one.provider_fund_account_id,
            **_found(vault, one, now),
        }
        for one in results
        if one.contact_id is not None
    ]
    if rows:
        conn.execute(_KNOWN, {"rows": json.dumps(rows)})


def registered_name(conn: Connection, vault: Vault, fund_account_id: UUID) -> str | None:
    """In which name the bank has an address; None where it has not said."""
    sealed = conn.execute(_REGISTERED, {"id": fund_account_id}).scalar_one_or_none()
    return vault.unseal("payout.registered", str(fund_account_id), sealed).decode() if sealed is not None else None


def _validation(row: Row[Any]) -> Validation | None:
    if row.validation_status is None:
        return None
    return Validation(row.validation_id, row.validation_status, row.account_status, None, row.name_match, row.validation_asked_at)


def _found(vault: Vault, registered: Registered, now: datetime) -> dict[str, Any]:
    found = registered.validation
    if found is None or found == registered.beneficiary.validation:
        return {}
    row_id = str(registered.beneficiary.fund_account_id)
    name = found.registered_name
    return {
        "validation_id": found.id,
        "validation_status": found.status,
        "account_status": found.account_status,
        "name_match": found.name_match,
        "registered_sealed": vault.seal("payout.registered", row_id, name.encode()) if name else None,
        "validation_asked_at": found.asked_at.isoformat() if found.asked_at else now.isoformat(),
        "validated_at": None if found.status == "created" else now.isoformat(),
    }


def _read(conn: Connection, mark: str, accounts: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    known: dict[UUID, list[Row[Any]]] = {}
    for row in conn.execute(_READ, {"beneficiaries": list(accounts), "mark": mark}):
        known.setdefault(row.beneficiary_id, []).append(row)
    return known


def _new_row(vault: Vault, account_id: UUID, tenant_id: str, lookup: bytes, vpa: str, now: datetime) -> dict[str, Any]:
    row_id = uuid7(now)
    return {
        "id": str(row_id),
        "tenant_id": tenant_id,
        "beneficiary_id": str(account_id),
        "vpa_lookup": lookup.hex(),
        "vpa_sealed": vault.seal("payout.vpa", str(row_id), vpa.encode()),
    }


def _exchange(packet: str, beneficiary: Beneficiary, body: bytes, answer: Answer) -> Said:
    response = answer.entity if isinstance(answer, Accepted) else {"error": _words(answer)}
    return Said(packet, str(beneficiary.account_id), {"request": json.loads(body), "response": response})


def _words(answer: Refused | Unknown | Paused) -> dict[str, Any]:
    if isinstance(answer, Refused):
        return {"description": answer.description, "reason": answer.reason, "field": answer.field, "status": answer.status}
    return {"description": answer.why, "status": answer.status}
