"""Whose account a provider's person is: known by issuer and subject, else by employee id in the state, else made as a teacher.

The provider says who somebody is; what that person may do here is ours. So a first sign-in never opens an account with more
rights than OIDC_ROLES lets the provider give. Written as role worker, in the transaction of the sign-in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.accounts import NewAccount, create_accounts
from pipeline.access.claims import Person
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.runtime import Runtime
from pipeline.vault.seal import keyed_hash

TEACHER = "TEACHER"
SYNCED = ("school_code", "school_name", "designation")  # the provider's to say; nobody edits them here

_SERIALISE = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")
_KNOWN = text("""
    SELECT a.id, a.tenant_id, a.username, a.roles, a.active, a.school_code, a.school_name, a.designation
    FROM access.identity i JOIN access.account a ON a.id = i.account_id
    WHERE i.issuer = :issuer AND i.subject_hash = :subject_hash
""")
_BY_EMPLOYEE = text("""
    SELECT id, tenant_id, username, roles, active, school_code, school_name, designation
    FROM access.account WHERE state_id = :state_id AND username = :employee_id
""")
_LINK = text("""
    INSERT INTO access.identity (issuer, subject_hash, account_id, tenant_id, linked_at)
    VALUES (:issuer, :subject_hash, :account_id, :tenant_id, :now) ON CONFLICT DO NOTHING
""")
_SYNC = text("""
    UPDATE access.account SET school_code = :school_code, school_name = :school_name, designation = :designation WHERE id = :id
""")


@dataclass(frozen=True)
class Found:
    """The account, and how it was come by. `changed`: what the provider told anew, by name."""

    id: UUID
    tenant_id: str
    roles: list[str]
    made: bool
    changed: tuple[str, ...]


def account_for(rt: Runtime, conn: Connection, issuer: str, person: Person, now: datetime) -> Found:
    """The person's account, made or brought up to date. Raises SDCRS_ACCOUNT_INACTIVE and SDCRS_SSO_NO_ACCOUNT. Does not commit."""
    if not person.active:
        raise AppError("SDCRS_ACCOUNT_INACTIVE")
    who = (person.employee_id or person.subject).casefold()
    conn.execute(_SERIALISE, {"key": f"sign-in|{issuer}|{who}"})  # two first sign-ins at once make one account
    known = {"issuer": issuer, "subject_hash": keyed_hash(rt.keyring, f"subject|{issuer}", person.subject)}
    row = conn.execute(_KNOWN, known).one_or_none()
    made = False
    if row is None:
        row, made = _first_time(rt, conn, person, now)
        conn.execute(_LINK, {**known, "account_id": row.id, "tenant_id": row.tenant_id, "now": now})
        linked = conn.execute(_KNOWN, known).one_or_none()
        if linked is None or linked.id != row.id:
            raise AppError("SDCRS_SSO_NO_ACCOUNT", reason="the employee id belongs to somebody else's sign-in")
    if not row.active:
        raise AppError("SDCRS_ACCOUNT_INACTIVE")
    changed = () if made else _brought_up_to_date(rt, conn, row, person, now)
    return Found(row.id, row.tenant_id, list(row.roles), made, changed)


def _first_time(rt: Runtime, conn: Connection, person: Person, now: datetime) -> tuple[Row[Any], bool]:
    if person.employee_id is None:
        raise AppError("SDCRS_SSO_NO_ACCOUNT", reason="it does not say the employee id")
    md, state_id = rt.masterdata.current(), rt.settings.oidc_state
    tenant_id = None if person.district is None else _tenant_of(md, person.district, state_id)
    if tenant_id is not None:
        state_id = md.tenant(tenant_id).state_id
    by_employee = {"state_id": state_id, "employee_id": person.employee_id}
    row = conn.execute(_BY_EMPLOYEE, by_employee).one_or_none()
    if row is not None:
        if not frozenset(row.roles) <= person.roles | {TEACHER}:
            raise AppError("SDCRS_SSO_NO_ACCOUNT", reason="the account has rights that the provider does not give")
        return row, False
    if tenant_id is None:
        raise AppError("SDCRS_SSO_NO_ACCOUNT", reason="its district is not one of this programme")
    account = NewAccount(
        id=uuid7(now),
        tenant_id=tenant_id,
        username=person.employee_id,
        roles=tuple(sorted(person.roles)) or (TEACHER,),
        person=dict(person.fields),
        school_code=person.school_code,
        school_name=person.school_name,
        locale=md.tenant(tenant_id).locale,
        demo=rt.settings.demo_hrms,
    )
    create_accounts(conn, rt.vault, [account], now)
    row = conn.execute(_BY_EMPLOYEE, by_employee).one()
    conn.execute(_SYNC, {**_told(row, person), "id": row.id})
    return row, True


def _tenant_of(md: MasterData, district: str, state_id: str | None) -> str | None:
    """The one municipality with this district code, or of this very id; None when there is none, or more than one."""
    inside = [tenant_id for tenant_id in md.leaves() if state_id is None or md.tenant(tenant_id).state_id == state_id]
    if district in inside:
        return district
    found = [tenant_id for tenant_id in inside if any(one.code == district for one in md.districts(tenant_id))]
    return found[0] if len(found) == 1 else None


def _brought_up_to_date(rt: Runtime, conn: Connection, row: Row[Any], person: Person, now: datetime) -> tuple[str, ...]:
    """Store what the provider says anew; the names of what changed. What it does not say stays."""
    told = _told(row, person)
    changed = [name for name in SYNCED if told[name] != getattr(row, name)]
    if changed:
        conn.execute(_SYNC, {**told, "id": row.id})
    before = rt.vault.get(conn, [row.id], tuple(person.fields)).get(row.id, {})
    fresh = {name: value for name, value in person.fields.items() if before.get(name) != value}
    if fresh:
        rt.vault.put(conn, [(row.id, row.tenant_id, fresh)], now)
    return (*changed, *sorted(fresh))


def _told(row: Row[Any], person: Person) -> Mapping[str, Any]:
    return {name: getattr(person, name) or getattr(row, name) for name in SYNCED}
