"""The matcher against golden cases: what agrees, what is on its way, and every kind of exception, in both directions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest

from pipeline.payouts.compared import Line, Ours, Result, Rules, Theirs, Window
from pipeline.payouts.findings import NEXT_STEP, Item, Kind
from pipeline.payouts.reconciliation import Matcher, match

NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)  # a Thursday
LONG_AGO = NOW - timedelta(hours=5)
JUST_NOW = NOW - timedelta(minutes=5)
REFERENCE = "SDCRS-DR-DJ-2026-000001"

EVER = Window(NOW - timedelta(days=30), NOW)
BOTH = Rules(EVER)
WITH_STATEMENT = Rules(EVER, statement=EVER)
STATEMENT_ONLY = Rules(EVER, provider=False, statement=EVER)

OURS = Ours(
    attempt_id=UUID(int=2),
    payout_id=UUID(int=1),
    tenant_id="dj.djibouti-ville",
    report_number="DR-DJ-2026-000001",
    reference_id=REFERENCE,
    phase="ACCEPTED",
    amount_paise=50_000,
    fees_paise=590,
    provider_payout_id="pout_1",
    fund_account_id="fa_1",
    status="processed",
    utr="1",
    settled=True,
    sent_at=LONG_AGO,
    paid_at=LONG_AGO + timedelta(minutes=1),
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


OUT = Line(
    id="txn_1",
    at=LONG_AGO,
    credit_paise=0,
    debit_paise=50_590,
    balance_paise=None,
    entity="payout",
    payout_id="pout_1",
    reference_id=None,
    utr="1",
    amount_paise=50_000,
    fees_paise=590,
    fund_account_id="fa_1",
    tenant_id="dj.djibouti-ville",
)


def ours(**changes: Any) -> Ours:
    return OURS._replace(**changes)


def theirs(**changes: Any) -> Theirs:
    return THEIRS._replace(**changes)


def out(**changes: Any) -> Line:
    return OUT._replace(**changes)


def back(**changes: Any) -> Line:
    return OUT._replace(**({"id": "txn_2", "entity": "reversal", "credit_paise": 50_590, "debit_paise": 0} | changes))


def found(result: Result) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(item.kind, item.field, item.ours, item.theirs) for item in result.items]


UNTAKEN: dict[str, Any] = {"provider_payout_id": None, "status": None, "settled": False}  # the provider has told us nothing of it
UNDER_WAY: dict[str, Any] = {"status": "processing", "settled": False}

# ours, theirs, and the findings as (kind, field, our value, their value)
GOLDEN = [
    ("both paid", [ours()], [theirs()], []),
    ("both failed", [ours(status="failed", settled=False)], [theirs(status="failed")], []),
    (
        "refused and never made",
        [ours(phase="REFUSED", **UNTAKEN)],
        [],
        [],
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
        [("DUPLICATE_AT_PROVIDER", "id", "pout_1", "pout_2")],
    ),
    (
        "a failed one and its retry are no duplicates",
        [ours(status="failed", settled=False, utr=None), ours(reference_id=f"{REFERENCE}-R1", provider_payout_id="pout_2")],
        [theirs(status="failed", utr=None), theirs(id="pout_2", reference_id=f"{REFERENCE}-R1")],
        [],
    ),
    (
        "one bank reference for two payouts",
        [ours(), ours(reference_id="SDCRS-DR-DJ-2026-000002", provider_payout_id="pout_2")],
        [theirs(), theirs(id="pout_2", reference_id="SDCRS-DR-DJ-2026-000002")],
        [("UTR_REUSED", "utr", "pout_1", "pout_2")],
    ),
    ("a page listed it twice", [ours()], [theirs(), theirs()], []),
]


@pytest.mark.parametrize(("mine", "listed", "expected"), [case[1:] for case in GOLDEN], ids=[case[0] for case in GOLDEN])
def test_ours_beside_the_provider(
    mine: list[Ours], listed: list[Theirs], expected: list[tuple[str, str | None, str | None, str | None]]
) -> None:
    result = match(mine, listed, [], BOTH, NOW)
    assert found(result) == expected
    assert result.counts.get("MATCHED", 0) == len(mine) - len({item.attempt_id for item in result.items if _is_own(item)})


def _is_own(item: Item) -> bool:
    """Whether it is told instead of MATCHED."""
    return item.attempt_id is not None and item.kind not in ("DUPLICATE_AT_PROVIDER", "UTR_REUSED")


UNPAID: dict[str, Any] = {"status": "failed", "settled": False, "utr": None, "paid_at": None}
LONG_DEAD = NOW - timedelta(days=8)

# ours, the provider's, the statement's lines, and the findings
STATEMENT = [
    ("the money left", [ours()], [theirs()], [out()], []),
    ("it left without fees, which are taken later", [ours()], [theirs()], [out(debit_paise=50_000)], []),
    ("paid, and never left", [ours()], [theirs()], [], [("MISSING_AT_PROVIDER", "statement", "processed", None)]),
    (
        "paid just now, the line comes later",
        [ours(sent_at=JUST_NOW, paid_at=JUST_NOW)],
        [theirs(created_at=JUST_NOW)],
        [],
        [("IN_FLIGHT", None, None, None)],
    ),
    ("sent before the statement begins", [ours(sent_at=NOW - timedelta(days=31))], [theirs()], [], []),
    (
        "another amount left",
        [ours()],
        [theirs()],
        [out(debit_paise=500_590, amount_paise=500_000)],
        [("AMOUNT_MISMATCH", "debit", "50000", "500000")],
    ),
    (
        "the amount is right and the debit is not",
        [ours()],
        [theirs()],
        [out(debit_paise=70_000)],
        [("AMOUNT_MISMATCH", "debit", "50000", "70000")],
    ),
    (
        "it went elsewhere",
        [ours()],
        [theirs()],
        [out(fund_account_id="fa_9")],
        [("BENEFICIARY_MISMATCH", "fund_account_id", "fa_1", "fa_9")],
    ),
    (
        "one payout left twice",
        [ours()],
        [theirs()],
        [out(), out(id="txn_9")],
        [("DUPLICATE_AT_PROVIDER", "debit", "txn_1", "txn_9")],
    ),
    ("a page listed the line twice", [ours()], [theirs()], [out(), out()], []),
    ("it came back", [ours()], [theirs()], [out(), back()], [("REVERSED_AFTER_SETTLED", "statement", "processed", "returned")]),
    (
        "it came back, as the provider says too: told once",
        [ours()],
        [theirs(status="reversed")],
        [out(), back()],
        [("REVERSED_AFTER_SETTLED", "status", "processed", "reversed")],
    ),
    ("failed, and came back in two lines", [ours(**UNPAID)], [theirs(status="failed")], [out(), back(), back(id="txn_3")], []),
    ("failed, and is still out", [ours(**UNPAID)], [theirs(status="failed")], [out()], [("IN_FLIGHT", None, None, None)]),
    (
        "failed, and is still out after four working days",
        [ours(**UNPAID, sent_at=LONG_DEAD)],
        [theirs(status="failed", created_at=LONG_DEAD)],
        [out(at=LONG_DEAD)],
        [("STATUS_MISMATCH", "statement", "failed", "debited")],
    ),
    (
        "we know nothing, the bank does",
        [ours(phase="UNKNOWN", **UNTAKEN)],
        [],
        [out(payout_id=None, reference_id=REFERENCE)],
        [("STATUS_MISMATCH", "statement", "UNKNOWN", "debited")],
    ),
    ("found by the bank's reference", [ours()], [theirs()], [out(payout_id=None)], []),
    ("money left that nobody ordered", [], [], [out()], [("MISSING_IN_LEDGER", "debit", None, "50590")]),
    ("money left without any source", [], [], [out(payout_id=None, entity=None)], [("MISSING_IN_LEDGER", "debit", None, "50590")]),
    (
        "nobody ordered it, as the provider's list says too: told once",
        [],
        [theirs()],
        [out()],
        [("MISSING_IN_LEDGER", "status", None, "processed")],
    ),
    ("a fee, and money put in", [], [], [out(payout_id=None, entity="fee_recovery"), back(payout_id=None, entity="bank_transfer")], []),
    ("outside the window", [], [], [out(at=NOW - timedelta(days=31))], []),
    (
        "one bank reference in two lines",
        [ours(), ours(provider_payout_id="pout_2", reference_id=f"{REFERENCE}2", utr=None)],
        [theirs(), theirs(id="pout_2", reference_id=f"{REFERENCE}2", utr=None)],
        [out(), out(id="txn_2", payout_id="pout_2")],
        [("UTR_REUSED", "utr", "pout_1", "pout_2")],
    ),
]


@pytest.mark.parametrize(("mine", "listed", "lines", "expected"), [case[1:] for case in STATEMENT], ids=[case[0] for case in STATEMENT])
def test_ours_beside_provider_and_statement(mine: Any, listed: Any, lines: Any, expected: Any) -> None:
    if mine and mine[0].provider_payout_id is None:  # then the provider's list was not asked
        assert found(match(mine, listed, lines, STATEMENT_ONLY, NOW)) == expected
    assert found(match(mine, listed, lines, WITH_STATEMENT, NOW)) == expected


ALONE = [
    ("paid and left", [ours()], [out()], []),
    ("paid and never left", [ours()], [], [("MISSING_AT_PROVIDER", "statement", "processed", None)]),
    ("paid, found by the bank's reference", [ours()], [out(payout_id=None, utr="1")], []),
    ("under way", [ours(**UNDER_WAY)], [], [("IN_FLIGHT", None, None, None)]),
    ("under way for six days", [ours(**UNDER_WAY, sent_at=NOW - timedelta(days=6))], [], [("STUCK", "status", "processing", None)]),
    ("never taken", [ours(phase="REFUSED", **UNTAKEN)], [], []),
    ("came back", [ours()], [out(), back()], [("REVERSED_AFTER_SETTLED", "statement", "processed", "returned")]),
]


@pytest.mark.parametrize(("mine", "lines", "expected"), [case[1:] for case in ALONE], ids=[case[0] for case in ALONE])
def test_a_statement_speaks_alone_where_the_provider_was_not_asked(mine: Any, lines: Any, expected: Any) -> None:
    assert found(match(mine, [], lines, STATEMENT_ONLY, NOW)) == expected


def test_window_settling_and_tolerance_are_parameters() -> None:
    young = [ours(**UNDER_WAY, sent_at=JUST_NOW)]
    listed = [theirs(created_at=JUST_NOW)]
    assert match(young, listed, [], BOTH, NOW).counts == {"IN_FLIGHT": 1}
    assert match(young, listed, [], replace(BOTH, settling=timedelta(minutes=1)), NOW).counts == {"STATUS_MISMATCH": 1}
    nearly = [theirs(amount_paise=50_001)]
    assert match([ours()], nearly, [], BOTH, NOW).counts == {"AMOUNT_MISMATCH": 1}
    assert match([ours()], nearly, [], replace(BOTH, tolerance_paise=1), NOW).counts == {"MATCHED": 1}
    stranger = [theirs(reference_id="INVOICE-7")]
    assert match([], stranger, [], BOTH, NOW).counts == {"MISSING_IN_LEDGER": 1}
    before = Window(NOW - timedelta(days=30), LONG_AGO)
    assert match([], stranger, [], replace(BOTH, window=before), NOW).counts == {}


def test_sources_may_come_in_pages_and_what_was_asked_for_singly_counts() -> None:
    matcher = Matcher(BOTH, NOW)
    matcher.add_theirs([theirs(id="pout_7", reference_id="SDCRS-X", utr="7")])
    matcher.take([ours()])
    assert [mine.provider_payout_id for mine in matcher.missing()] == ["pout_1"]
    assert matcher.strangers() == ["SDCRS-X", "pout_7"]
    matcher.add_theirs([theirs()])
    matcher.drop(["pout_7"], [])
    result = matcher.finish()
    assert (result.ours, result.counts) == (1, {"MATCHED": 1})


def test_an_exception_says_its_age_and_what_to_do() -> None:
    (item,) = match([ours()], [theirs(amount_paise=1)], [], BOTH, NOW).items
    assert (item.age_s, item.report_number, item.provider_payout_id) == (5 * 3600, "DR-DJ-2026-000001", "pout_1")
    assert item.next_step == NEXT_STEP["AMOUNT_MISMATCH"]
    assert set(NEXT_STEP) == set(get_args(Kind))


def test_a_finding_is_known_again_until_a_value_changes() -> None:
    (first,) = match([ours()], [theirs(amount_paise=1)], [], BOTH, NOW).items
    (later,) = match([ours()], [theirs(amount_paise=1)], [], BOTH, NOW + timedelta(days=7)).items
    (other,) = match([ours()], [theirs(amount_paise=2)], [], BOTH, NOW).items
    assert first.fingerprint == later.fingerprint != other.fingerprint
