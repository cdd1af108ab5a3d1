"""Reconciliation as a pure matcher: our attempts beside the provider's payouts, in both directions, within one window.

It reads no database and no clock. An exception names the field that differs, both values, its age and the next step; a pair
may have several. What is younger than `settling` may still be on its way between the two houses and is IN_FLIGHT.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pipeline.payouts.orders import payable_of
from pipeline.payouts.polling import is_stuck
from pipeline.payouts.states import DEAD, FINAL_RANK, RANKS

Kind = Literal[
    "MATCHED",
    "IN_FLIGHT",
    "STATUS_MISMATCH",
    "AMOUNT_MISMATCH",
    "BENEFICIARY_MISMATCH",
    "MISSING_AT_PROVIDER",
    "MISSING_IN_LEDGER",
    "DUPLICATE_AT_PROVIDER",
    "REVERSED_AFTER_SETTLED",
    "UTR_REUSED",
    "STUCK",
]
SETTLING = timedelta(minutes=30)  # webhooks come in seconds, polls within ten minutes; twice that and a reserve

NEXT_STEP: dict[Kind, str] = {
    "MATCHED": "Nothing: both sides agree.",
    "IN_FLIGHT": "Nothing yet: it is under way. The next run says more.",
    "STATUS_MISMATCH": "Wait for the next poll, which takes over the provider's status; if it stays, open the payout's story.",
    "AMOUNT_MISMATCH": "Do not retry. Ask the provider's support which amount left the account.",
    "BENEFICIARY_MISMATCH": "Do not retry. Ask the provider's support where the money went.",
    "MISSING_AT_PROVIDER": "Do not release it by hand: it is sent again with the same key, or decided once the bank statement tells.",
    "MISSING_IN_LEDGER": "Find out who ordered it: a payout that we did not order, or a lost row of ours.",
    "DUPLICATE_AT_PROVIDER": "Stop retries of this report and ask the provider to cancel or return one of the payouts.",
    "REVERSED_AFTER_SETTLED": "The money came back: the report becomes unpaid with the next poll; correct the address and retry.",
    "UTR_REUSED": "Two payouts carry one bank reference: ask the bank which one was credited.",
    "STUCK": "Ask the provider's support for the bank's answer; three working days have passed.",
}


@dataclass(frozen=True, slots=True)
class Ours:
    """An attempt as our books have it, with what they say of its obligation."""

    payout_id: UUID
    tenant_id: str
    report_number: str
    reference_id: str
    phase: str
    amount_paise: int
    provider_payout_id: str | None
    fund_account_id: str | None  # the provider's id
    status: str | None  # the provider's word, as we last knew it
    utr: str | None
    settled: bool  # the obligation counts as paid by this attempt
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Theirs:
    """A payout as the provider lists it."""

    id: str
    reference_id: str | None
    amount_paise: int
    fund_account_id: str | None
    status: str
    utr: str | None
    tenant_id: str | None  # from the notes that we gave it
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One finding. `field`, `ours`, `theirs`: what differs; None where a whole side is missing."""

    kind: Kind
    payout_id: UUID | None
    tenant_id: str | None
    report_number: str | None
    reference_id: str | None
    provider_payout_id: str | None
    field: str | None
    ours: str | None
    theirs: str | None
    age_s: int

    @property
    def next_step(self) -> str:
        """What a person does about it."""
        return NEXT_STEP[self.kind]


def match(ours: Iterable[Ours], theirs: Iterable[Theirs], now: datetime, settling: timedelta = SETTLING) -> list[Item]:
    """Compare both sides; every attempt and every payout of the provider appears in at least one item."""
    by_id: dict[str, Theirs] = {}
    for one in theirs:
        by_id.setdefault(one.id, one)  # pages may overlap
    by_reference: dict[str, list[Theirs]] = {}
    for one in by_id.values():
        if one.reference_id is not None:
            by_reference.setdefault(one.reference_id, []).append(one)
    items: list[Item] = []
    taken: set[str] = set()
    for mine in ours:
        found = _find(mine, by_id, by_reference)
        if found is None:
            items += _alone(mine, now, settling)
        else:
            taken.add(found.id)
            items += _pair(mine, found, now, settling)
    items += [_unknown(one, now, settling) for one in by_id.values() if one.id not in taken]
    return items + _duplicates(by_id.values(), now) + _reused(by_id.values(), now)


def _find(mine: Ours, by_id: dict[str, Theirs], by_reference: dict[str, list[Theirs]]) -> Theirs | None:
    """By the provider's id; while we do not know that, by our reference."""
    if mine.provider_payout_id is not None:
        return by_id.get(mine.provider_payout_id)
    return next(iter(by_reference.get(mine.reference_id, ())), None)


def _alone(mine: Ours, now: datetime, settling: timedelta) -> list[Item]:
    """Of ours that the provider does not list: fine when it was never taken, else missing."""
    if mine.phase == "REFUSED" and mine.provider_payout_id is None:
        return [_item("MATCHED", now, mine, None)]
    if now - mine.sent_at < settling or mine.phase == "PREPARED":  # prepared: certainly not taken yet
        return [_item("IN_FLIGHT", now, mine, None)]
    return [_item("MISSING_AT_PROVIDER", now, mine, None, "status", mine.status or mine.phase, None)]


def _pair(mine: Ours, found: Theirs, now: datetime, settling: timedelta) -> list[Item]:
    items = []
    if mine.amount_paise != found.amount_paise:
        items.append(_item("AMOUNT_MISMATCH", now, mine, found, "amount", str(mine.amount_paise), str(found.amount_paise)))
    if mine.fund_account_id is not None and found.fund_account_id is not None and mine.fund_account_id != found.fund_account_id:
        items.append(_item("BENEFICIARY_MISMATCH", now, mine, found, "fund_account_id", mine.fund_account_id, found.fund_account_id))
    young = now - max(mine.sent_at, found.created_at) < settling
    if mine.status != found.status or mine.phase == "REFUSED":
        if found.status == "reversed" and mine.settled:
            items.append(_item("REVERSED_AFTER_SETTLED", now, mine, found, "status", mine.status, found.status))
        elif not young or RANKS.get(found.status, 0) < RANKS.get(mine.status or "", 0):
            items.append(_item("STATUS_MISMATCH", now, mine, found, "status", mine.status or mine.phase, found.status))
    elif is_stuck(RANKS.get(found.status, 0), found.created_at, now):
        items.append(_item("STUCK", now, mine, found, "status", mine.status, found.status))
    if items:
        return items
    final = mine.status == found.status and RANKS.get(found.status, 0) >= FINAL_RANK
    return [_item("MATCHED" if final else "IN_FLIGHT", now, mine, found)]


def _unknown(found: Theirs, now: datetime, settling: timedelta) -> Item:
    kind: Kind = "IN_FLIGHT" if now - found.created_at < settling else "MISSING_IN_LEDGER"
    return _item(kind, now, None, found, "status", None, found.status)


def _duplicates(theirs: Iterable[Theirs], now: datetime) -> list[Item]:
    """Two payouts that pay, or may pay, for one report."""
    live: dict[str, list[Theirs]] = {}
    for one in theirs:
        if one.reference_id is not None and one.status not in DEAD:
            live.setdefault(payable_of(one.reference_id), []).append(one)
    return [
        _item("DUPLICATE_AT_PROVIDER", now, None, one, "id", first.id, one.id)
        for first, *others in (sorted(group, key=lambda t: (t.created_at, t.id)) for group in live.values() if len(group) > 1)
        for one in others
    ]


def _reused(theirs: Iterable[Theirs], now: datetime) -> list[Item]:
    """Two payouts with one bank reference."""
    owners: dict[str, Theirs] = {}
    items = []
    for one in sorted((t for t in theirs if t.utr), key=lambda t: (t.created_at, t.id)):
        first = owners.setdefault(str(one.utr), one)
        if first is not one:
            items.append(_item("UTR_REUSED", now, None, one, "utr", first.id, one.id))
    return items


def _item(
    kind: Kind,
    now: datetime,
    mine: Ours | None,
    found: Theirs | None,
    field: str | None = None,
    our_value: str | None = None,
    their_value: str | None = None,
) -> Item:
    since = mine.sent_at if mine is not None else found.created_at if found is not None else now
    return Item(
        kind=kind,
        payout_id=mine.payout_id if mine else None,
        tenant_id=mine.tenant_id if mine else found.tenant_id if found else None,
        report_number=mine.report_number if mine else None,
        reference_id=mine.reference_id if mine else found.reference_id if found else None,
        provider_payout_id=found.id if found else mine.provider_payout_id if mine else None,
        field=field,
        ours=our_value,
        theirs=their_value,
        age_s=max(int((now - since).total_seconds()), 0),
    )


def tally(items: Sequence[Item]) -> dict[Kind, int]:
    """How many items of each kind."""
    counts: dict[Kind, int] = {}
    for item in items:
        counts[item.kind] = counts.get(item.kind, 0) + 1
    return counts
