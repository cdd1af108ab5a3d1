"""The matcher against golden cases: what agrees, what is on its way, and every kind of exception, in both directions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.payouts.reconciliation import NEXT_STEP, Item, Ours, Theirs, match, tally

NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)  # a Thursday
LONG_AGO = NOW - timedelta(hours=5)
JUST_NOW = NOW - timedelta(minutes=5)
REFERENCE = "SDCRS-DR-DJ-2026-000001"

OURS = Ours(
    payout_id=UUID(int=1),
    tenant_id="dj.djibouti-ville",
    report_number="DR-DJ-2026-000001",
    reference_id=REFERENCE,
    phase="ACCEPTED",
    amount_paise=50_000,
    provider_payout_id="pout_1",
    fund_account_id="fa_1",
    status="processed",
    utr="1",
    settled=True,
    sent_at=LONG_AGO,
)
THEIRS = Theirs(
    id="pout_1",
    reference_id=REFERENCE,
    amount_paise=50_000,
    fund_account_id="fa_1",
    status="processed",
    utr="1",
    tenant_id="dj.djibouti-ville",
    created_at=LONG_AGO,
)


def ours(**changes: Any) -> Ours:
    return replace(OURS, **changes)


def theirs(**changes: Any) -> Theirs:
    return replace(THEIRS, **changes)


UNTAKEN: dict[str, Any] = {"provider_payout_id": None, "status": None, "settled": False}  # the provider has told us nothing of it
UNDER_WAY: dict[str, Any] = {"status": "processing", "settled": False}

# ours, theirs, and the findings as (kind, field, our value, their value)
GOLDEN = [
    ("both paid", [ours()], [theirs()], [("MATCHED", None, None, None)]),
    ("both failed", [ours(status="failed", settled=False)], [theirs(status="failed")], [("MATCHED", None, None, None)]),
    (
        "refused and never made",
        [ours(phase="REFUSED", **UNTAKEN)],
        [],
        [("MATCHED", None, None, None)],
    ),
    ("both under way", [ours(**UNDER_WAY)], [theirs(status="processing")], [("IN_FLIGHT", None, None, None)]),
    (
        "the webhook is on its way",
        [ours(**UNDER_WAY, sent_at=JUST_NOW)],
        [theirs(created_at=JUST_NOW)],
        [("IN_FLIGHT", None, None, None)],
    ),
    (
        "ordered just now, not listed yet",
        [ours(phase="SENDING", **UNTAKEN, sent_at=JUST_NOW)],
        [],
        [("IN_FLIGHT", None, None, None)],
    ),
    ("listed just now, not written yet", [], [theirs(created_at=JUST_NOW)], [("IN_FLIGHT", "status", None, "processed")]),
    (
        "the answer was lost, found by reference",
        [ours(phase="UNKNOWN", **UNTAKEN)],
        [theirs()],
        [("STATUS_MISMATCH", "status", "UNKNOWN", "processed")],
    ),
    (
        "they paid, we do not know",
        [ours(**UNDER_WAY)],
        [theirs()],
        [("STATUS_MISMATCH", "status", "processing", "processed")],
    ),
    (
        "we are ahead of them, however young",
        [ours(sent_at=JUST_NOW)],
        [theirs(status="processing", created_at=JUST_NOW)],
        [("STATUS_MISMATCH", "status", "processed", "processing")],
    ),
    (
        "we took it for refused, they have it",
        [ours(phase="REFUSED", **UNTAKEN)],
        [theirs()],
        [("STATUS_MISMATCH", "status", "REFUSED", "processed")],
    ),
    ("another amount", [ours()], [theirs(amount_paise=5_000_000)], [("AMOUNT_MISMATCH", "amount", "50000", "5000000")]),
    ("another address", [ours()], [theirs(fund_account_id="fa_2")], [("BENEFICIARY_MISMATCH", "fund_account_id", "fa_1", "fa_2")]),
    (
        "amount and address",
        [ours()],
        [theirs(amount_paise=1, fund_account_id="fa_2")],
        [("AMOUNT_MISMATCH", "amount", "50000", "1"), ("BENEFICIARY_MISMATCH", "fund_account_id", "fa_1", "fa_2")],
    ),
    ("they have lost it", [ours()], [], [("MISSING_AT_PROVIDER", "status", "processed", None)]),
    (
        "unknown for hours and not there",
        [ours(phase="UNKNOWN", **UNTAKEN)],
        [],
        [("MISSING_AT_PROVIDER", "status", "UNKNOWN", None)],
    ),
    (
        "held back by a pause",
        [ours(phase="PREPARED", **UNTAKEN)],
        [],
        [("IN_FLIGHT", None, None, None)],
    ),
    ("nobody here ordered it", [], [theirs(reference_id="INVOICE-7")], [("MISSING_IN_LEDGER", "status", None, "processed")]),
    ("the money came back", [ours()], [theirs(status="reversed")], [("REVERSED_AFTER_SETTLED", "status", "processed", "reversed")]),
    (
        "came back, but it was never counted as paid",
        [ours(status="failed", settled=False)],
        [theirs(status="reversed")],
        [("STATUS_MISMATCH", "status", "failed", "reversed")],
    ),
    (
        "four working days on its way",
        [ours(**UNDER_WAY, sent_at=NOW - timedelta(days=6))],
        [theirs(status="processing", created_at=NOW - timedelta(days=6))],
        [("STUCK", "status", "processing", "processing")],
    ),
    (
        "two that pay for one report",
        [ours(), ours(reference_id=f"{REFERENCE}-R1", provider_payout_id="pout_2", utr="2")],
        [theirs(), theirs(id="pout_2", reference_id=f"{REFERENCE}-R1", utr="2")],
        [("MATCHED", None, None, None), ("MATCHED", None, None, None), ("DUPLICATE_AT_PROVIDER", "id", "pout_1", "pout_2")],
    ),
    (
        "a failed one and its retry are no duplicates",
        [ours(status="failed", settled=False, utr=None), ours(reference_id=f"{REFERENCE}-R1", provider_payout_id="pout_2")],
        [theirs(status="failed", utr=None), theirs(id="pout_2", reference_id=f"{REFERENCE}-R1")],
        [("MATCHED", None, None, None), ("MATCHED", None, None, None)],
    ),
    (
        "one bank reference for two payouts",
        [ours(), ours(reference_id="SDCRS-DR-DJ-2026-000002", provider_payout_id="pout_2")],
        [theirs(), theirs(id="pout_2", reference_id="SDCRS-DR-DJ-2026-000002")],
        [("MATCHED", None, None, None), ("MATCHED", None, None, None), ("UTR_REUSED", "utr", "pout_1", "pout_2")],
    ),
    ("a page listed it twice", [ours()], [theirs(), theirs()], [("MATCHED", None, None, None)]),
]


@pytest.mark.parametrize(("mine", "listed", "expected"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_golden(mine: list[Ours], listed: list[Theirs], expected: list[tuple[str, str | None, str | None, str | None]]) -> None:
    found = match(mine, listed, NOW)
    assert [(item.kind, item.field, item.ours, item.theirs) for item in found] == expected


def test_the_window_is_a_parameter() -> None:
    young = [ours(**UNDER_WAY, sent_at=JUST_NOW)]
    assert tally(match(young, [theirs(created_at=JUST_NOW)], NOW, settling=timedelta(minutes=1))) == {"STATUS_MISMATCH": 1}


def test_an_exception_says_its_age_and_what_to_do() -> None:
    (item,) = match([ours()], [theirs(amount_paise=1)], NOW)
    assert (item.age_s, item.report_number, item.provider_payout_id) == (5 * 3600, "DR-DJ-2026-000001", "pout_1")
    assert item.next_step == NEXT_STEP["AMOUNT_MISMATCH"]
    assert set(NEXT_STEP) == set(Item.__annotations__["kind"].__args__)


def test_a_hundred_thousand_pairs_with_planted_exceptions_are_all_found_and_none_invented() -> None:
    count = 100_000
    mine = [ours(payout_id=UUID(int=n), reference_id=f"SDCRS-{n}", provider_payout_id=f"pout_{n}", utr=str(n)) for n in range(count)]
    listed = [theirs(id=f"pout_{n}", reference_id=f"SDCRS-{n}", utr=str(n)) for n in range(count)]
    listed[10] = replace(listed[10], amount_paise=1)
    listed[20] = replace(listed[20], status="reversed")
    listed[30] = replace(listed[30], utr="29")
    listed[40] = replace(listed[40], id="pout_x", reference_id="SDCRS-x")
    assert tally(match(mine, listed, NOW)) == {
        "MATCHED": count - 3,
        "AMOUNT_MISMATCH": 1,
        "REVERSED_AFTER_SETTLED": 1,
        "UTR_REUSED": 1,
        "MISSING_AT_PROVIDER": 1,
        "MISSING_IN_LEDGER": 1,
    }
