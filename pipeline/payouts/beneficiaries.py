"""Whom we pay and where, as the provider knows them: a contact per teacher, a fund account per UPI address, both reused.

A corrected address is a new fund account; the request that an older attempt has sent keeps its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.ids import uuid7
from pipeline.payouts.answers import Accepted, Answer, Paused, Refused, Unknown
from pipeline.payouts.orders import contact_body, fund_account_body
from pipeline.payouts.provider import Provider
from pipeline.payouts.trail import Said
from pipeline.vault.persons import Vault

_ENSURE = text("""
    INSERT INTO payout.fund_account (id, tenant_id, beneficiary_id, vpa_lookup, vpa_sealed, created_at)
    SELECT v.id, v.tenant_id, v.beneficiary_id, decode(v.vpa_lookup, 'hex'), v.vpa_sealed, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, beneficiary_id uuid, vpa_lookup text, vpa_sealed text)
    ORDER BY v.beneficiary_id, v.vpa_lookup
    ON CONFLICT (beneficiary_id, vpa_lookup) DO NOTHING
""")
_READ = text("""
    SELECT id, beneficiary_id, vpa_lookup, provider_contact_id, provider_fund_account_id
    FROM payout.fund_account WHERE beneficiary_id = ANY (:beneficiaries) ORDER BY created_at
""")
_KNOWN = text("""
    UPDATE payout.fund_account f
    SET provider_contact_id = v.provider_contact_id,
        provider_fund_account_id = coalesce(v.provider_fund_account_id, f.provider_fund_account_id)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, provider_contact_id text, provider_fund_account_id text)
    WHERE f.id = v.id
""")


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


def look_up(
    conn: Connection, vault: Vault, wanted: Sequence[tuple[UUID, str]], persons: Mapping[UUID, Mapping[str, str]], now: datetime
) -> dict[UUID, Beneficiary]:
    """Teachers, given with their tenant and a lawful VPA in `persons`, as beneficiaries; unknown addresses get a row. Does not commit."""
    lookups = {account_id: vault.lookup(tenant_id.split(".")[0], "vpa", persons[account_id]["vpa"]) for account_id, tenant_id in wanted}
    known = _read(conn, list(lookups))
    new = [(one, tenant_id) for one, tenant_id in wanted if not any(row.vpa_lookup == lookups[one] for row in known.get(one, ()))]
    if new:
        rows = [_new_row(vault, one, tenant_id, lookups[one], persons[one]["vpa"], now) for one, tenant_id in new]
        conn.execute(_ENSURE, {"rows": json.dumps(rows), "now": now})
        known = _read(conn, list(lookups))
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
        )
    return found


def register(provider: Provider, beneficiary: Beneficiary) -> Registered:
    """Tell the provider of a teacher and the address. Both calls may be repeated: it returns what it has. No database here."""
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


def remember(conn: Connection, results: Sequence[Registered]) -> None:
    """Keep the provider's ids, also of a contact whose address was refused. Does not commit."""
    rows = [
        {
            "id": str(one.beneficiary.fund_account_id),
            "provider_contact_id": one.contact_id,
            "provider_fund_account_id": one.provider_fund_account_id,
        }
        for one in results
        if one.contact_id is not None
    ]
    if rows:
        conn.execute(_KNOWN, {"rows": json.dumps(rows)})


def _read(conn: Connection, accounts: Sequence[UUID]) -> dict[UUID, list[Row[Any]]]:
    known: dict[UUID, list[Row[Any]]] = {}
    for row in conn.execute(_READ, {"beneficiaries": list(accounts)}):
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
