"""Demographic authentication: whether a number belongs to somebody with this name, birth year or phone.

Every attempt is a row, and one against a number that is known takes one of its transactions, whether it matches or not: who may
guess without a price guesses on. The answer is yes or no for each field that was asked.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.access.policy import check, check_tenant
from pipeline.errors import AppError
from pipeline.identity.ida.matching import Field, matches
from pipeline.identity.ida.store import SEALED
from pipeline.identity.numbers import Numbers, kind_of
from pipeline.ids import uuid7
from pipeline.runtime import Runtime

WINDOW = timedelta(minutes=15)
WRONG_OF_A_NUMBER = 5  # in the window: a person mistypes twice; a name and a year are guessed in thousands
ASKED_BY_ONE = 120  # in the window: a desk with a queue, and no list that somebody walks through

_COUNTS = text("""
    SELECT (SELECT count(*) FROM ida.auth_transaction
            WHERE individual_id_hash = :id_hash AND occurred_at > :since AND NOT matched
              AND error_code IS DISTINCT FROM 'SDCRS_AUTH_THROTTLED') AS wrong,  -- who is stopped is not stopped longer for asking
           (SELECT count(*) FROM ida.auth_transaction
            WHERE requested_by = :by AND occurred_at > :since AND error_code IS DISTINCT FROM 'SDCRS_AUTH_THROTTLED') AS asked
""")
_LOCK = text("""
    SELECT id, tenant_id, demo_data_sealed, expiry_timestamp, transaction_limit, transactions_used FROM ida.identity_cache
    WHERE id = :id_hash FOR UPDATE
""")
_USE = text("UPDATE ida.identity_cache SET transactions_used = transactions_used + 1 WHERE id = :id_hash")
_RECORD = text("""
    INSERT INTO ida.auth_transaction (id, tenant_id, individual_id_hash, requested_by, asked, matched, error_code, occurred_at)
    VALUES (:id, :tenant_id, :id_hash, :by, :asked, :matched, :error_code, :now)
""")


@dataclass(frozen=True)
class Authenticated:
    """The answer: whether every field matched, and each by itself. `transaction_id`: of the row that tells of it."""

    transaction_id: UUID
    matched: bool
    fields: Mapping[Field, bool]


def authenticate(
    rt: Runtime, caller: Caller, tenant_id: str, individual_id: str, said: Mapping[Field, str], now: datetime
) -> Authenticated:
    """Compare. Commits, also what was refused.

    Raises SDCRS_FORBIDDEN, SDCRS_TENANT_OUT_OF_SCOPE, SDCRS_AUTH_THROTTLED, SDCRS_AUTH_UNKNOWN, SDCRS_AUTH_EXPIRED and
    SDCRS_AUTH_USED_UP, in this order.
    """
    check(caller, "authenticate_person")
    check_tenant(caller, tenant_id)
    state_id = rt.masterdata.current().tenant(tenant_id).state_id
    id_hash = Numbers(rt).hash(state_id, kind_of(individual_id), individual_id)
    asked, transaction_id = sorted(said), uuid7(now)
    with rt.database.begin(caller.scope) as conn:
        row = conn.execute(_LOCK, {"id_hash": id_hash}).one_or_none()  # attempts at one number come one after the other
        refused = _refusal(conn, caller, row, id_hash, now)
        fields: dict[Field, bool] = {}
        if refused is None and row is not None:
            known = json.loads(rt.vault.unseal(SEALED, row.id, row.demo_data_sealed))
            fields = {field: matches(known, field, value) for field, value in said.items()}
            conn.execute(_USE, {"id_hash": id_hash})
        matched = bool(fields) and all(fields.values())
        about = {"id": transaction_id, "tenant_id": tenant_id if row is None else row.tenant_id, "id_hash": id_hash, "now": now}
        error_code = None if refused is None else refused.code
        conn.execute(_RECORD, {**about, "by": caller.account_id, "asked": asked, "matched": matched, "error_code": error_code})
    if refused is not None:
        raise refused
    return Authenticated(transaction_id, matched, fields)


def _refusal(conn: Connection, caller: Caller, row: Row[Any] | None, id_hash: str, now: datetime) -> AppError | None:
    counted = conn.execute(_COUNTS, {"id_hash": id_hash, "by": caller.account_id, "since": now - WINDOW}).one()
    if counted.wrong >= WRONG_OF_A_NUMBER or counted.asked >= ASKED_BY_ONE:
        return AppError("SDCRS_AUTH_THROTTLED", retryAfterSeconds=int(WINDOW.total_seconds()))
    if row is None:
        return AppError("SDCRS_AUTH_UNKNOWN")
    if row.expiry_timestamp is not None and row.expiry_timestamp <= now:
        return AppError("SDCRS_AUTH_EXPIRED")
    if row.transaction_limit is not None and row.transactions_used >= row.transaction_limit:
        return AppError("SDCRS_AUTH_USED_UP")
    return None
