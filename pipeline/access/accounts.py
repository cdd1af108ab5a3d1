"""Accounts: who may sign in, with which roles, at home where. Persons' fields go to the vault in the same transaction."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.vault.persons import Vault

_INSERT = text("""
    INSERT INTO access.account (id, tenant_id, state_id, username, password_hash, roles, wards, on_duty, max_load, school_code,
                                school_name, locale, demo, created_at)
    SELECT v.id, v.tenant_id, split_part(v.tenant_id, '.', 1), v.username, v.password_hash,
           ARRAY(SELECT jsonb_array_elements_text(v.roles)), ARRAY(SELECT jsonb_array_elements_text(v.wards)),
           v.on_duty, v.max_load, v.school_code, v.school_name, v.locale, v.demo, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, username text, password_hash text, roles jsonb, wards jsonb, on_duty boolean, max_load int,
             school_code text, school_name text, locale text, demo boolean)
    ON CONFLICT (state_id, username) DO NOTHING
""")


@dataclass(frozen=True)
class NewAccount:
    """An account to be made. `password_hash` None: it cannot sign in with a password."""

    id: UUID
    tenant_id: str
    username: str
    roles: tuple[str, ...]
    person: dict[str, str]  # vault fields: name, phone, email, vpa …
    password_hash: str | None = None
    wards: tuple[str, ...] = ()
    on_duty: bool = True
    max_load: int = 10
    school_code: str | None = None
    school_name: str | None = None
    locale: str = "en_IN"
    demo: bool = False


def create_accounts(conn: Connection, vault: Vault, accounts: Sequence[NewAccount], now: datetime) -> None:
    """Insert accounts and their persons, one statement each; accounts whose user name exists are left as they are."""
    rows = [
        {
            "id": str(a.id),
            "tenant_id": a.tenant_id,
            "username": a.username,
            "password_hash": a.password_hash,
            "roles": list(a.roles),
            "wards": list(a.wards),
            "on_duty": a.on_duty,
            "max_load": a.max_load,
            "school_code": a.school_code,
            "school_name": a.school_name,
            "locale": a.locale,
            "demo": a.demo,
        }
        for a in accounts
    ]
    conn.execute(_INSERT, {"rows": json.dumps(rows), "now": now})
    vault.put(conn, ((a.id, a.tenant_id, a.person) for a in accounts), now)
