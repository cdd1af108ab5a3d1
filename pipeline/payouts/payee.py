"""Who is a verified payee: a teacher whose credential and whose account are in one name.

The credential is looked for among those that the authentication side has stored: by the teacher's user name as handle, else by
a UIN that an admin has entered. The account's name is the one that the bank has told; where it has told none, the one of the
state's staff register, as the vault has it. A credential, an address or a name that changes is compared anew.

What the tenant does with the status (payee_verification) is pipeline/payouts/standing.py's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.identity.numbers import Numbers, is_checked, kind_of, normalised
from pipeline.ids import uuid7
from pipeline.payouts.names import AGREES_FROM, best_agreement
from pipeline.runtime import Runtime

BATCH = 200  # teachers of one transaction: each is decrypted and compared, a fraction of a millisecond apiece
SEALED = "payout.uin"
NAME_FIELD = "fullName"  # the field of a credential that names the person, as the ID schema has it

Status = Literal["VERIFIED", "MISMATCH", "UNKNOWN"]

_UNNUMBERED = text("""
    SELECT a.id, a.tenant_id, a.state_id, a.username FROM access.account a
    WHERE 'TEACHER' = ANY (a.roles)
      AND NOT EXISTS (SELECT FROM payout.payee_number n WHERE n.account_id = a.id AND n.kind = 'HANDLE')
    ORDER BY a.id LIMIT :limit
""")
_NUMBER = text("""
    INSERT INTO payout.payee_number (id, account_id, tenant_id, state_id, kind, id_hash, uin_sealed, entered_by, entered_at)
    SELECT v.id, v.account_id, v.tenant_id, v.state_id, v.kind, v.id_hash, v.uin_sealed, v.entered_by, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, account_id uuid, tenant_id text, state_id text, kind text, id_hash text, uin_sealed text, entered_by uuid)
    ON CONFLICT (account_id, kind) DO UPDATE
    SET id = excluded.id, id_hash = excluded.id_hash, uin_sealed = excluded.uin_sealed, entered_by = excluded.entered_by,
        entered_at = excluded.entered_at
""")
# Each teacher with a credential: the one found by handle before the one found by UIN, and the name of the present address
_COMPARED = """WITH d AS MATERIALIZED (
    SELECT DISTINCT ON (n.account_id) n.account_id, a.tenant_id, a.state_id, n.kind, c.id AS number_hash, c.credential_id,
           v.lookup AS vpa_lookup, f.id AS fund_account_id,
           greatest(p.written_at, f.validated_at) AS name_at
    FROM payout.payee_number n
    JOIN ida.identity_cache c ON c.id = n.id_hash AND (c.expiry_timestamp IS NULL OR c.expiry_timestamp > :now)
    JOIN access.account a ON a.id = n.account_id
    LEFT JOIN vault.person_field v ON v.person_id = a.id AND v.field = 'vpa'
    LEFT JOIN vault.person_field p ON p.person_id = a.id AND p.field = 'name'
    LEFT JOIN LATERAL (
        SELECT f.id, f.validated_at FROM payout.fund_account f
        WHERE f.beneficiary_id = a.id AND f.vpa_lookup = v.lookup AND f.registered_sealed IS NOT NULL
        ORDER BY f.validated_at DESC NULLS LAST LIMIT 1
    ) f ON true
    ORDER BY n.account_id, n.kind)
"""
_DUE = text(f"""{_COMPARED}
    SELECT d.*, y.status, c.demo_data_sealed, f.registered_sealed
    FROM d LEFT JOIN payout.payee y ON y.account_id = d.account_id
    JOIN ida.identity_cache c ON c.id = d.number_hash LEFT JOIN payout.fund_account f ON f.id = d.fund_account_id
    WHERE (CAST(:only AS uuid) IS NULL OR d.account_id = :only) AND (CAST(:after AS uuid) IS NULL OR d.account_id > :after)
      AND (y.account_id IS NULL OR y.credential_id IS DISTINCT FROM d.credential_id OR y.vpa_lookup IS DISTINCT FROM d.vpa_lookup
           OR (y.account_name = 'BANK') IS DISTINCT FROM (d.fund_account_id IS NOT NULL) OR d.name_at > y.checked_at)
    ORDER BY d.account_id LIMIT :limit
""")  # noqa: S608 - a constant fragment, no value
_GONE = text(f"""{_COMPARED}
    UPDATE payout.payee y SET status = 'UNKNOWN', score = NULL, credential_id = NULL, checked_at = :now
    WHERE y.status <> 'UNKNOWN' AND y.credential_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM d WHERE d.account_id = y.account_id)
    RETURNING y.account_id, y.tenant_id
""")  # noqa: S608 - a constant fragment, no value
_WRITE = text("""
    INSERT INTO payout.payee (account_id, tenant_id, status, source, checked_at, score, credential_id, vpa_lookup, account_name)
    SELECT v.account_id, v.tenant_id, v.status, v.source, :now, v.score, v.credential_id, decode(v.vpa_lookup, 'hex'), v.account_name
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(account_id uuid, tenant_id text, status text, source text, score int, credential_id uuid, vpa_lookup text, account_name text)
    ON CONFLICT (account_id) DO UPDATE
    SET status = excluded.status, source = excluded.source, checked_at = excluded.checked_at, score = excluded.score,
        credential_id = excluded.credential_id, vpa_lookup = excluded.vpa_lookup, account_name = excluded.account_name
""")
_TEACHER = text("SELECT id, tenant_id, state_id FROM access.account WHERE id = :id AND 'TEACHER' = ANY (roles)")


@dataclass(frozen=True)
class Decision:
    """What became of one comparison. `score` None: one of the two has no name."""

    status: Status
    score: int | None
    source: Literal["HANDLE", "UIN"]
    account_name: Literal["BANK", "STAFF_REGISTER"]


def verify_payees(rt: Runtime, now: datetime, only: UUID | None = None) -> int:
    """Compare every teacher whose credential, address or name is another than at the last comparison; how many. Commits in batches.

    `only` one teacher, for whoever has just changed something and looks at what comes of it.
    """
    numbers, total, after = Numbers(rt), 0, None
    while _number(rt, numbers, now) == BATCH:
        pass
    with rt.database.worker() as conn:
        for gone in conn.execute(_GONE, {"now": now}):
            _audit(conn, gone.tenant_id, gone.account_id, now, {"status": "UNKNOWN"})
    while True:
        with rt.database.worker() as conn:
            due = conn.execute(_DUE, {"limit": BATCH, "now": now, "only": only, "after": after}).all()
            if due:
                _compare(rt, conn, due, now)
        total += len(due)
        if len(due) < BATCH:
            return total
        after = due[-1].account_id  # each once: one whose name was written by a clock ahead of ours is due again at once


def enter_uin(rt: Runtime, conn: Connection, caller: Caller, account_id: UUID, uin: str, now: datetime) -> None:
    """Keep a UIN as the number by which a teacher's credential is found. It is sealed and never shown. Does not commit.

    Nothing is said of whether anybody has this number: the next comparison finds it or does not. Raises SDCRS_FORBIDDEN,
    SDCRS_NOT_FOUND outside the caller's area, SDCRS_INVALID_UIN, and SDCRS_UIN_OF_ANOTHER when it is entered for another teacher.
    """
    check(caller, "enter_payee_number")
    teacher = conn.execute(_TEACHER, {"id": account_id}).one_or_none()
    if teacher is None or teacher.tenant_id not in caller.scope:
        raise AppError("SDCRS_NOT_FOUND", kind="Teacher", id=str(account_id))
    plain = normalised("UIN", uin)
    if kind_of(plain) != "UIN" or not is_checked(plain):
        raise AppError("SDCRS_INVALID_UIN")
    id_hash = Numbers(rt).hash(teacher.state_id, "UIN", plain)
    row_id = uuid7(now)
    sealed = rt.vault.seal(SEALED, str(row_id), plain.encode())
    row = {**_row(row_id, teacher, account_id, "UIN", id_hash), "uin_sealed": sealed, "entered_by": str(caller.account_id)}
    try:
        conn.execute(_NUMBER, {"rows": json.dumps([row]), "now": now})
    except IntegrityError as error:  # the other teacher may be outside the caller's area, where nothing can be asked
        raise AppError("SDCRS_UIN_OF_ANOTHER") from error
    role = "STATE_ADMIN" if caller.has("STATE_ADMIN") else "DISTRICT_ADMIN"
    record(conn, teacher.tenant_id, caller.account_id, role, "PAYEE_UIN_ENTERED", "ACCOUNT", str(account_id), now)


def decide(
    credential: list[str], account: str, source: Literal["HANDLE", "UIN"], account_name: Literal["BANK", "STAFF_REGISTER"]
) -> Decision:
    """Compare the spellings of a credential's name with the account's name. Pure."""
    if not credential or not account.strip():
        return Decision("UNKNOWN", None, source, account_name)
    score = best_agreement(credential, account)
    return Decision("VERIFIED" if score >= AGREES_FROM else "MISMATCH", score, source, account_name)


def spellings(demographics: dict[str, Any]) -> list[str]:
    """A credential's name in each of its languages."""
    value = demographics.get(NAME_FIELD)
    if isinstance(value, str):
        return [value]
    return [str(one["value"]) for one in value if isinstance(one, dict) and one.get("value")] if isinstance(value, list) else []


def _number(rt: Runtime, numbers: Numbers, now: datetime) -> int:
    """Give teachers who have none their user name's hash, as many as one batch; how many."""
    with rt.database.worker() as conn:
        found = conn.execute(_UNNUMBERED, {"limit": BATCH}).all()
        rows = [_row(uuid7(now), one, one.id, "HANDLE", numbers.hash(one.state_id, "HANDLE", one.username)) for one in found]
        if rows:
            conn.execute(_NUMBER, {"rows": json.dumps(rows), "now": now})
    return len(found)


def _row(row_id: UUID, account: Row[Any], account_id: UUID, kind: str, id_hash: str) -> dict[str, Any]:
    held = {"tenant_id": account.tenant_id, "state_id": account.state_id, "kind": kind, "id_hash": id_hash}
    return {"id": str(row_id), "account_id": str(account_id), **held, "uin_sealed": None, "entered_by": None}


def _compare(rt: Runtime, conn: Connection, due: Sequence[Row[Any]], now: datetime) -> None:
    names = rt.vault.get(conn, [one.account_id for one in due], ["name"])
    rows = []
    for one in due:
        found = _decided(rt, one, names.get(one.account_id, {}).get("name", ""))
        rows.append(
            {
                "account_id": str(one.account_id),
                "tenant_id": one.tenant_id,
                "status": found.status,
                "source": found.source,
                "score": found.score,
                "credential_id": str(one.credential_id),
                "vpa_lookup": None if one.vpa_lookup is None else bytes(one.vpa_lookup).hex(),
                "account_name": found.account_name,
            }
        )
        if found.status != one.status:
            told = {"status": found.status, "score": found.score, "source": found.source, "accountName": found.account_name}
            _audit(conn, one.tenant_id, one.account_id, now, told)
    conn.execute(_WRITE, {"rows": json.dumps(rows), "now": now})


def _decided(rt: Runtime, one: Row[Any], own_name: str) -> Decision:
    demographics = json.loads(rt.vault.unseal("ida.demographics", one.number_hash, one.demo_data_sealed))
    if one.registered_sealed is None:
        return decide(spellings(demographics), own_name, one.kind, "STAFF_REGISTER")
    registered = rt.vault.unseal("payout.registered", str(one.fund_account_id), one.registered_sealed).decode()
    return decide(spellings(demographics), registered, one.kind, "BANK")


def _audit(conn: Connection, tenant_id: str, account_id: UUID, now: datetime, told: dict[str, Any]) -> None:
    record(conn, tenant_id, None, "SYSTEM", "PAYEE_CHECKED", "ACCOUNT", str(account_id), now, details=told)
