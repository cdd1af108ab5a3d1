"""Who is not paid for the time being: teachers whose standing freezes payouts, and those who are no verified payees where it is required.

The penalties of the master data say which standings freeze, the account says who has one. The tenant says whether a payee
must be verified; who is, stands in payout.payee, which another room writes.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData

# To be put into a statement's WHERE; needs :frozen, :verified_only and :now, and access.account as `a`
HELD = """(
    (a.standing = ANY (CAST(:frozen AS text[])) AND (a.standing_until IS NULL OR a.standing_until > :now))
    OR (a.tenant_id = ANY (CAST(:verified_only AS text[]))
        AND NOT EXISTS (SELECT FROM payout.payee y WHERE y.account_id = a.id AND y.status = 'VERIFIED')))"""

_READ = text("""
    SELECT a.id, a.tenant_id, a.standing, a.standing_until, coalesce(y.status, 'UNKNOWN') AS payee_status
    FROM access.account a LEFT JOIN payout.payee y ON y.account_id = a.id
    WHERE a.id = ANY (:ids)
""")

Rule = Literal["FROZEN", "PAYEE_NOT_VERIFIED", "MONTHLY_CAP"]


def frozen_codes(md: MasterData) -> list[str]:
    """The standings under which payouts wait. Kept per penalty code: the strictest tenant decides for all."""
    return sorted({penalty.code for tenant in md.leaves() for penalty in md.penalties(tenant) if penalty.action.freeze_payouts})


def hold_params(md: MasterData) -> dict[str, list[str]]:
    """What HELD needs besides :now."""
    return {"frozen": frozen_codes(md), "verified_only": [one.id for one in md.tenants() if one.payee_verification == "required"]}


def holds(conn: Connection, md: MasterData, account_ids: Collection[UUID], now: datetime) -> Mapping[UUID, tuple[Rule, AppError]]:
    """The held ones among these teachers, each with the rule and the error that tells of it.

    The errors are SDCRS_PAYOUT_FROZEN and SDCRS_PAYEE_NOT_VERIFIED.
    """
    params = hold_params(md)
    found: dict[UUID, tuple[Rule, AppError]] = {}
    for row in conn.execute(_READ, {"ids": list(account_ids)}):
        held = _held(row, params, now)
        if held is not None:
            found[row.id] = held
    return found


def _held(row: Row[Any], params: Mapping[str, list[str]], now: datetime) -> tuple[Rule, AppError] | None:
    if row.standing in params["frozen"] and (row.standing_until is None or row.standing_until > now):
        until = "further notice" if row.standing_until is None else row.standing_until.isoformat(timespec="minutes")
        return "FROZEN", AppError("SDCRS_PAYOUT_FROZEN", until=until)
    if row.tenant_id in params["verified_only"] and row.payee_status != "VERIFIED":
        return "PAYEE_NOT_VERIFIED", AppError("SDCRS_PAYEE_NOT_VERIFIED")
    return None
