"""What a reconciliation compares, as plain values: an attempt of ours, a payout of theirs, a line of the statement, the rules. Pure.

What comes in millions is a named tuple: a frozen dataclass takes twice as long to make (measured).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from pipeline.payouts.balance_chain import Balance
from pipeline.payouts.findings import Item, Kind

SETTLING = timedelta(minutes=30)  # webhooks come in seconds, polls within ten minutes; twice that and a reserve


class Ours(NamedTuple):
    """An attempt as our books have it, with what they say of its obligation."""

    attempt_id: UUID
    payout_id: UUID
    tenant_id: str
    report_number: str
    reference_id: str
    phase: str
    amount_paise: int
    fees_paise: int  # tax included
    provider_payout_id: str | None
    fund_account_id: str | None  # the provider's id
    status: str | None  # the provider's word, as we last knew it
    utr: str | None
    settled: bool  # the obligation counts as paid by this attempt
    sent_at: datetime
    paid_at: datetime | None  # when it began to count so


class Theirs(NamedTuple):
    """A payout as the provider lists it."""

    id: str
    reference_id: str | None
    amount_paise: int
    fund_account_id: str | None
    status: str
    utr: str | None
    tenant_id: str | None  # from the notes that we gave it
    created_at: datetime


class Line(NamedTuple):
    """A line of the account statement. What a line does not say is None."""

    id: str
    at: datetime
    credit_paise: int
    debit_paise: int
    balance_paise: int | None  # of the account, after the line
    entity: str | None  # payout, reversal, bank_transfer …
    payout_id: str | None  # of the provider: the payout that left, or that came back
    reference_id: str | None
    utr: str | None
    amount_paise: int | None  # of the payout itself, without fees
    fees_paise: int
    fund_account_id: str | None
    tenant_id: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """A time from `since` up to, but not including, `until`."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        """Whether the moment lies inside."""
        return self.since <= at < self.until


@dataclass(frozen=True, slots=True)
class Rules:
    """What is compared, and how strictly. A source that was not asked proves nothing by its silence.

    `window`: what of the others' must have a counterpart; all of ours that is given is judged. `tolerance_paise`: how far
    amounts may lie apart, 0 since paise are exact. `statement`: the time that the statement covers, None without one.
    """

    window: Window
    settling: timedelta = SETTLING
    tolerance_paise: int = 0
    provider: bool = True
    statement: Window | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: how many of each kind, everything but MATCHED singly, and the balance where a statement was given."""

    ours: int
    theirs: int
    lines: int
    counts: dict[Kind, int]
    items: list[Item]
    balance: Balance | None
