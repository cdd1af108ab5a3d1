"""An admin asks, before a retry, whether a UPI address can be paid and in whose name the bank has it.

Nothing is paid and the teacher's own address stays: what was found is kept with the fund account and serves the retry.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from pipeline.access.caller import Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.payouts.addresses import Verdict
from pipeline.payouts.answers import Refused
from pipeline.payouts.beneficiaries import Beneficiary, Registered, look_up, register, registered_name, remember
from pipeline.payouts.orders import check_vpa
from pipeline.payouts.provider import Provider, target_of
from pipeline.runtime import Runtime

LOOK_FOR_S = 6.0  # banks answer in two or three seconds; whoever waits longer sees PENDING and looks again
APART_S = 0.5

_BENEFICIARY = text("""
    SELECT p.id, p.tenant_id, p.beneficiary_id, a.tenant_id AS home FROM payout.payout p
    JOIN access.account a ON a.id = p.beneficiary_id WHERE p.report_id = :report_id
""")


@dataclass(frozen=True)
class AddressCheck:
    """What the provider found. `registered_name` None: the bank names nobody; `name_match` 0 to 100, the provider's comparison."""

    verdict: Verdict
    registered_name: str | None = None
    name_match: int | None = None
    detail: str | None = None  # the provider's sentence where it refused the address


def can_check(rt: Runtime) -> bool:
    """Whether addresses can be asked after: the sandbox always answers, the provider where we pay for it."""
    return rt.settings.sandboxed or rt.settings.validate_vpa


def check_address(rt: Runtime, caller: Caller, report_id: UUID, vpa: str, now: datetime) -> AddressCheck:
    """Ask the provider about an address for the teacher whom this report's payout is for. Commits before and after the calls.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_VPA, SDCRS_NOT_FOUND.
    """
    check(caller, "retry_payout")
    address = check_vpa(vpa)
    if not can_check(rt):
        return AddressCheck("UNAVAILABLE")
    with rt.database.begin(caller.scope) as conn:
        row = conn.execute(_BENEFICIARY, {"report_id": report_id}).one_or_none()
        if row is None:
            raise AppError("SDCRS_NOT_FOUND", kind="Payout of report", id=str(report_id))
        person = {**rt.vault.get(conn, [row.beneficiary_id], ("name", "phone")).get(row.beneficiary_id, {}), "vpa": address}
        beneficiary = look_up(
            conn, rt.vault, target_of(rt.settings).mark, [(row.beneficiary_id, row.home)], {row.beneficiary_id: person}, now
        )[row.beneficiary_id]
    result = _ask(rt, beneficiary, now)
    with rt.database.begin(caller.scope) as conn:
        remember(conn, rt.vault, [result], rt.clock.now())
        found = _found(result, registered_name(conn, rt.vault, beneficiary.fund_account_id), rt.clock.now())
        record(
            conn,
            row.tenant_id,
            caller.account_id,
            "STATE_ADMIN",
            "VPA_CHECKED",
            "PAYOUT",
            str(row.id),
            now,
            details={"verdict": found.verdict},
        )
    return found


def _ask(rt: Runtime, beneficiary: Beneficiary, now: datetime) -> Registered:
    """Ask until there is a verdict or the time is up. No database here."""
    provider = Provider(target_of(rt.settings))
    until = time.monotonic() + LOOK_FOR_S
    try:
        result = register(provider, beneficiary, now, validate=True)
        while result.validation is not None and result.validation.verdict(rt.clock.now()) == "PENDING" and time.monotonic() < until:
            time.sleep(APART_S)
            known = replace(
                beneficiary,
                contact_id=result.contact_id,
                provider_fund_account_id=result.provider_fund_account_id,
                validation=result.validation,
            )
            again = register(provider, known, now, validate=True)
            if again.failed is not None:
                break
            result = replace(again, beneficiary=beneficiary)
        return result
    finally:
        provider.close()


def _found(result: Registered, name: str | None, now: datetime) -> AddressCheck:
    if isinstance(result.failed, Refused):
        about_it = (result.failed.field or "").startswith("vpa")
        return AddressCheck("INVALID" if about_it else "UNAVAILABLE", detail=result.failed.description)
    if result.failed is not None or result.validation is None:
        return AddressCheck("UNAVAILABLE")
    return AddressCheck(result.validation.verdict(now), name, result.validation.name_match)
