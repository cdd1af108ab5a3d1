"""Whose payouts are frozen: the penalties of the master data say which standings freeze, the account says who has one."""

from datetime import datetime

from pipeline.masterdata.master import MasterData

# To be put into a statement's WHERE; needs :frozen and :now, and access.account as `a`
FROZEN = "(a.standing = ANY (CAST(:frozen AS text[])) AND (a.standing_until IS NULL OR a.standing_until > :now))"


def frozen_codes(md: MasterData) -> list[str]:
    """The standings under which payouts wait. Kept per penalty code: the strictest tenant decides for all."""
    return sorted({penalty.code for tenant in md.leaves() for penalty in md.penalties(tenant) if penalty.action.freeze_payouts})


def is_frozen(standing: str, until: datetime | None, frozen: list[str], now: datetime) -> bool:
    """The same, for an account already read."""
    return standing in frozen and (until is None or until > now)
