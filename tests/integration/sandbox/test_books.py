"""Lists, statement, validations, and that no paisa appears or vanishes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.payouts.sandbox import books, outcomes
from pipeline.payouts.sandbox.config import DEFAULT_ACCOUNT_NUMBER
from tests.integration.sandbox.client import LIST, OPENING, STATEMENT, Hook, Sandbox, wish

# Lists and statement --------------------------------------------------------------------------------------------------


def test_lists_page_through_more_than_a_hundred_without_gap_or_repeat(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: sandbox.pay(account, 100, reference_id=f"R{n % 3}")["id"], range(230)))
    found: list[str] = []
    while page := sandbox.good("GET", f"{LIST}&count=100&skip={len(found)}")["items"]:
        found += [item["id"] for item in page]
    assert sorted(found) == sorted(made)
    assert sandbox.good("GET", LIST)["count"] == 10
    assert sandbox.good("GET", f"{LIST}&reference_id=R1&count=100")["count"] == 77
    assert sandbox.good("GET", f"{LIST}&reference_id=R&count=100")["count"] == 0


@pytest.mark.parametrize(
    ("query", "description"),
    [
        ("?count=10", "The account number field is required"),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&count=101", "The count may not be greater than 100"),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&count=ten", "The count must be an integer"),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&count=0", "The count must be at least 1."),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&status=paid", "The selected status is invalid."),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&reference_id=%00", "The reference_id format is invalid."),
        (f"?account_number={DEFAULT_ACCOUNT_NUMBER}&colour=red", "colour is/are not required and should not be sent"),
    ],
)
def test_list_refusals(sandbox: Sandbox, query: str, description: str) -> None:
    assert sandbox.refused("GET", "/v1/payouts" + query)[:2] == (400, description)


def test_lists_filter_by_status_account_contact_and_time(sandbox: Sandbox) -> None:
    sandbox.control("clock", {"fixed": "2026-03-10T07:00:00+00:00"})
    first = sandbox.fund_account("one@okaxis", "First Teacher")
    sandbox.pay(first)
    sandbox.settle()
    sandbox.control("clock", {"fixed": "2026-03-10T08:00:00+00:00"})
    second = sandbox.fund_account("two@okaxis", "Second Teacher")
    sandbox.pay(second)
    contact = sandbox.good("GET", f"/v1/fund_accounts/{second}")["contact_id"]
    eight = 1_773_129_600
    for query, accounts in {
        "status=processed": [first],
        "status=processing": [second],
        f"fund_account_id={first}": [first],
        f"contact_id={contact}": [second],
        f"from={eight}": [second],
        f"to={eight - 1}": [first],
        f"from={eight - 3600}&to={eight}&mode=UPI": [second, first],
        "mode=IMPS": [],
    }.items():
        assert [item["fund_account_id"] for item in sandbox.good("GET", f"{LIST}&{query}")["items"]] == accounts, query
    expanded = sandbox.good("GET", f"{LIST}&expand[]=fund_account&status=processed")["items"][0]
    assert expanded["fund_account"]["vpa"]["address"] == "one@okaxis"


def test_the_statement_chains_and_shows_fees_and_reversals(sandbox: Sandbox) -> None:
    sandbox.control("settings", {"fee_paise": 118})
    made = sandbox.pay(sandbox.fund_account("reversed@sandbox"), 10_000)
    assert (made["fees"], made["tax"]) == (118, 18)
    sandbox.settle()
    lines = sandbox.good("GET", STATEMENT)["items"]
    assert [(line["debit"], line["credit"], line["balance"]) for line in lines] == [
        (0, 10_118, OPENING),
        (10_118, 0, OPENING - 10_118),
        (0, OPENING, OPENING),
    ]
    assert [line["source"]["entity"] for line in lines] == ["reversal", "payout", "bank_transfer"]
    assert lines[0]["source"]["payout_id"] == lines[1]["source"]["id"] == made["id"]
    assert lines[1]["source"]["amount"] == 10_000
    assert sandbox.good("GET", f"/v1/transactions/{lines[1]['id']}") == lines[1]


def test_the_tax_within_a_fee_is_rounded_half_up() -> None:
    assert [books.tax_within(fee) for fee in (0, 1, 118, 236, 590)] == [0, 0, 18, 36, 90]


def test_a_validation_tells_real_addresses_from_invented_ones(sandbox: Sandbox, hook: Hook) -> None:
    for address, status, account_status in (
        ("ravi@okaxis", "completed", "active"),
        ("fails.vpa.invalid@sandbox", "completed", "invalid"),
        ("validation.fails@sandbox", "failed", None),
    ):
        fund_account = {"account_type": "vpa", "vpa": {"address": address}, "contact": {"name": "Ravi Kumar"}}
        body = {"source_account_number": DEFAULT_ACCOUNT_NUMBER, "validation_type": "pennydrop", "fund_account": fund_account}
        asked = sandbox.good("POST", "/v1/fund_accounts/validations", body)
        assert asked["status"] == "created"
        sandbox.settle()
        told = sandbox.good("GET", f"/v1/fund_accounts/validations/{asked['id']}")
        assert (told["status"], told["validation_results"]["account_status"]) == (status, account_status)
    names = ["fund_account.validation.completed", "fund_account.validation.completed", "fund_account.validation.failed"]
    assert hook.events() == names
    assert sandbox.good("GET", f"/v1/fund_accounts/validations?account_number={DEFAULT_ACCOUNT_NUMBER}")["count"] == 3


ADDRESSES = ["ravi@okaxis", "fails.vpa.invalid@sandbox", "reversed@sandbox", "reversed.after.processed@sandbox"]
ADDRESSES += ["failed.then.reversed@sandbox", "queued.gateway.degraded@sandbox", "stuck@sandbox", "utr.late@sandbox"]
OPERATION = st.one_of(
    st.tuples(st.just("pay"), st.integers(0, len(ADDRESSES) - 1), st.integers(100, 60_000), st.booleans()),
    st.tuples(st.just("again"), st.integers(0, 30), st.just(0), st.booleans()),
    st.tuples(st.just("move"), st.integers(0, 30), st.integers(0, len(outcomes.STATUSES) - 1), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 30), st.just(0), st.booleans()),
    st.tuples(st.just("funds"), st.just(0), st.integers(1, 90_000), st.booleans()),
    st.tuples(st.just("settle"), st.just(0), st.just(0), st.booleans()),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(operations=st.lists(OPERATION, min_size=5, max_size=25), fee=st.sampled_from([0, 118]))
def test_whatever_happens_no_paisa_appears_or_vanishes(sandbox: Sandbox, operations: list[Any], fee: int) -> None:
    sandbox.control("reset", {})
    sandbox.control("settings", {"fee_paise": fee})
    sandbox.control("balance", {"amount_paise": 100_000})
    paid_in, made = 100_000, []
    accounts = [sandbox.fund_account(address) for address in ADDRESSES]
    for kind, which, number, flag in operations:
        if kind == "pay":
            body = wish(accounts[which], number, queue_if_low_balance=flag)
            key = f"key-{len(made)}"
            status, answer = sandbox.call("POST", "/v1/payouts", body, key)
            if status == 200:
                made.append((answer["id"], key, body))
        elif kind == "funds":
            sandbox.control("funds", {"amount_paise": number})
            paid_in += number
        elif kind == "settle":
            sandbox.control("settle", {"delay": 0} if flag else {})
        elif made:
            payout_id, key, body = made[which % len(made)]
            if kind == "again":
                assert sandbox.good("POST", "/v1/payouts", body, key)["id"] == payout_id
            elif kind == "move":
                sandbox.call("POST", f"/_sandbox/payouts/{payout_id}", {"status": outcomes.STATUSES[number]})
            else:
                sandbox.call("POST", f"/v1/payouts/{payout_id}/cancel")
    sandbox.audit()
    status = sandbox.control("status")
    assert status["balance_paise"] + status["held_paise"] == paid_in
    assert sandbox.good("GET", LIST + "&count=100")["count"] == len(made)


def test_payers_movers_and_funders_at_once_leave_the_books_right(sandbox: Sandbox) -> None:
    accounts = [sandbox.fund_account(address) for address in ADDRESSES]
    sandbox.control("settings", {"delay_seconds": 0, "later_seconds": 0, "webhooks": "auto"})
    sandbox.control("balance", {"amount_paise": 300_000})

    def act(number: int) -> None:
        made = sandbox.pay(accounts[number % len(accounts)], 9_000 + number)
        if number % 5 == 0:
            sandbox.call("POST", f"/_sandbox/payouts/{made['id']}", {"status": outcomes.STATUSES[number % len(outcomes.STATUSES)]})
        if number % 7 == 0:
            sandbox.control("funds", {"amount_paise": 10_000})
        if number % 11 == 0:
            sandbox.call("POST", f"/v1/payouts/{made['id']}/cancel")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, range(150)))
    sandbox.settle()
    sandbox.audit()
    status = sandbox.control("status")
    assert status["balance_paise"] + status["held_paise"] == 300_000 + 22 * 10_000
    assert sum(group["count"] for group in status["payouts"].values()) == 150
