"""What the stand-in takes and refuses: contacts, fund accounts, keys and payouts, in the provider's words."""

import json
import re
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.sandbox.client import AUTH, LIST, OPENING, Sandbox, wish

# Contacts and fund accounts -------------------------------------------------------------------------------------------

PERSON = {"name": "Amina Hassan", "email": "a@example.org", "contact": "9876543210", "type": "employee", "reference_id": "T1"}


def test_a_contact_equal_in_all_five_values_is_returned_and_not_doubled(sandbox: Sandbox) -> None:
    first = sandbox.good("POST", "/v1/contacts", {**PERSON, "notes": {"user_type": "TEACHER"}})
    assert re.fullmatch(r"cont_[0-9A-Za-z]{14}", first["id"])
    assert first["notes"] == {"user_type": "TEACHER"}
    assert sandbox.good("POST", "/v1/contacts", PERSON)["id"] == first["id"]
    for name, other in {"name": "Amina H", "email": None, "contact": "+25377000001", "type": "self", "reference_id": "T2"}.items():
        assert sandbox.good("POST", "/v1/contacts", {**PERSON, name: other})["id"] != first["id"]
    assert sandbox.good("GET", "/v1/contacts?reference_id=T1&count=100")["count"] == 5


def test_empty_notes_come_back_as_a_list(sandbox: Sandbox) -> None:
    assert sandbox.good("POST", "/v1/contacts", {**PERSON, "notes": {}})["notes"] == []
    assert sandbox.pay(sandbox.fund_account())["notes"] == []


def test_ten_threads_that_create_one_contact_make_one(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(10) as pool:
        made = {answer["id"] for answer in pool.map(lambda _: sandbox.good("POST", "/v1/contacts", PERSON), range(20))}
    assert len(made) == 1


def test_a_contact_changed_into_the_likeness_of_another_leaves_the_older_to_answer_for_it(sandbox: Sandbox) -> None:
    older = sandbox.good("POST", "/v1/contacts", PERSON)
    other = sandbox.good("POST", "/v1/contacts", {**PERSON, "reference_id": "T2"})
    changed = sandbox.good("PATCH", f"/v1/contacts/{other['id']}", {"reference_id": "T1"})
    assert (changed["id"], changed["reference_id"]) == (other["id"], "T1")
    assert sandbox.good("POST", "/v1/contacts", PERSON)["id"] == older["id"]


@pytest.mark.parametrize(
    ("change", "description", "where"),
    [
        ({"name": None}, "The name field is required.", "name"),
        ({"name": ""}, "The name field is required.", "name"),
        ({"name": "Al"}, "The name format is invalid.", "name"),
        ({"name": "Ravi -"}, "The name format is invalid.", "name"),
        ({"name": "Réka"}, "The name format is invalid.", "name"),
        ({"name": "x" * 51}, "The name format is invalid.", "name"),
        ({"type": "Employee"}, "Invalid type: Employee", "type"),
        ({"reference_id": "x" * 41}, "The reference id may not be greater than 40 characters.", "reference_id"),
        ({"notes": {str(n): "x" for n in range(16)}}, "Number of fields in notes should be less than or equal to 15", "notes"),
        ({"nickname": "R"}, "nickname is/are not required and should not be sent", "nickname"),
    ],
)
def test_contact_refusals(sandbox: Sandbox, change: dict[str, Any], description: str, where: str) -> None:
    assert sandbox.refused("POST", "/v1/contacts", {**PERSON, **change}) == (400, description, where)


def test_names_may_end_with_a_full_stop_and_carry_the_legal_marks(sandbox: Sandbox) -> None:
    assert sandbox.good("POST", "/v1/contacts", {"name": "D'Souza-Khan_ (M) / Jr."})["active"] is True


def test_a_fund_account_is_one_per_contact_and_address(sandbox: Sandbox) -> None:
    account = sandbox.fund_account("gaurav.kumar@exampleupi")
    assert sandbox.fund_account("gaurav.kumar@exampleupi") == account
    assert sandbox.fund_account("gaurav@exampleupi") != account
    shown = sandbox.good("GET", f"/v1/fund_accounts/{account}")
    assert shown["vpa"] == {"username": "gaurav.kumar", "handle": "exampleupi", "address": "gaurav.kumar@exampleupi"}
    listed = sandbox.good("GET", f"/v1/fund_accounts?contact_id={shown['contact_id']}&account_type=vpa")
    assert [item["id"] for item in listed["items"]][-1] == account
    assert listed["count"] == 2


@pytest.mark.parametrize(
    ("address", "legal"),
    [
        ("a@b", True),
        ("ravi", False),
        ("ravi@ok@axis", False),
        ("ra vi@ok", False),
        ("ra_vi@ok", False),
        ("r-a.9@ok-1", True),
        ("x" * 100 + "@y", False),
    ],
)
def test_addresses_follow_the_providers_rule(sandbox: Sandbox, address: str, legal: bool) -> None:
    contact = sandbox.good("POST", "/v1/contacts", PERSON)["id"]
    body = {"contact_id": contact, "account_type": "vpa", "vpa": {"address": address}}
    assert (sandbox.call("POST", "/v1/fund_accounts", body)[0] == 200) is legal


def test_unknown_and_malformed_ids_are_told_apart(sandbox: Sandbox) -> None:
    body = {"contact_id": "cont_00000000000000", "account_type": "vpa", "vpa": {"address": "a@b"}}
    assert sandbox.refused("POST", "/v1/fund_accounts", body)[1] == "The id provided does not exist"
    assert sandbox.refused("GET", "/v1/contacts/cont_x")[1] == "cont_x is not a valid id."
    assert sandbox.refused("GET", "/v1/payouts/pout_00000000000000") == (400, "The id provided does not exist", "id")


def test_an_inactive_fund_account_is_not_paid(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    assert sandbox.good("PATCH", f"/v1/fund_accounts/{account}", {"active": False})["active"] is False
    status, _, where = sandbox.refused("POST", "/v1/payouts", wish(account), "inactive-1")
    assert (status, where) == (400, "fund_account_id")
    sandbox.good("PATCH", f"/v1/fund_accounts/{account}", {"active": 1})
    assert sandbox.pay(account, key="inactive-1")["status"] == "processing"


# The edge -------------------------------------------------------------------------------------------------------------


def test_wrong_credentials_and_unknown_paths_are_refused_in_the_providers_words(sandbox: Sandbox) -> None:
    for header in ("", "Basic eDp5", "Bearer x", "Basic é"):
        status, raw = sandbox.raw("GET", LIST, None, {"Authorization": header.encode("latin-1").decode("latin-1")})
        error = json.loads(raw)["error"]
        assert (status, error["description"], error["code"]) == (401, "Authentication failed", "BAD_REQUEST_ERROR")
    not_found = (400, "The requested URL was not found on the server.", None)
    assert sandbox.refused("GET", "/v1/nothing") == not_found
    assert sandbox.refused("DELETE", "/v1/payouts") == not_found
    assert sandbox.refused("GET", "/payouts") == not_found


def test_the_rate_limit_answers_429_and_makes_nothing(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("settings", {"rate_limit_tps": 1})
    answers = Counter(sandbox.call("POST", "/v1/payouts", wish(account, 100), f"rate-{n}")[0] for n in range(12))
    assert answers[429] > 0
    assert sandbox.good("GET", LIST + "&count=100")["count"] == answers[200]


BAD_BODIES = [b"", b"[]", b"{", b"\xff\xfe", b'{"name": "\\ud800abc"}', b'{"name": "ab\\u0000c"}', b"NaN", b'{"notes": NaN}', b"[" * 60_000]


@pytest.mark.parametrize("raw", BAD_BODIES)
@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/fund_accounts", "/v1/payouts", "/v1/fund_accounts/validations"])
def test_a_body_that_is_no_json_object_is_a_plain_refusal(sandbox: Sandbox, path: str, raw: bytes) -> None:
    assert sandbox.refused("POST", path, raw, "bad-body")[0] == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
FIELDS = [
    "account_number",
    "fund_account_id",
    "amount",
    "currency",
    "mode",
    "purpose",
    "queue_if_low_balance",
    "reference_id",
    "narration",
    "notes",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field_name=st.sampled_from(FIELDS), value=JSON)
def test_no_value_of_a_payout_field_makes_the_provider_fail(sandbox: Sandbox, field_name: str, value: Any) -> None:
    body = {**wish("fa_00000000000000"), field_name: value}
    status, answer = sandbox.call("POST", "/v1/payouts", body, "fuzz-key")
    assert status == 400, answer


# Creating a payout ----------------------------------------------------------------------------------------------------


def test_a_payout_is_processing_at_once_with_the_documented_shape(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    made = sandbox.pay(account, notes={"report_number": "DR-1"}, narration="SDCRS Teacher Payout")
    assert re.fullmatch(r"pout_[0-9A-Za-z]{14}", made["id"])
    expected = {
        "entity": "payout",
        "fund_account_id": account,
        "amount": 50_000,
        "currency": "INR",
        "notes": {"report_number": "DR-1"},
        "fees": 0,
        "tax": 0,
        "status": "processing",
        "utr": None,
        "mode": "UPI",
        "purpose": "payout",
        "reference_id": "SDCRS-DR-DJ-2026-000001",
        "narration": "SDCRS Teacher Payout",
        "batch_id": None,
    }
    assert {name: made[name] for name in expected} == expected
    assert sandbox.balance() == OPENING - 50_000


@pytest.mark.parametrize(
    ("change", "description", "where"),
    [
        ({"account_number": None}, "The account number field is required", "account_number"),
        ({"account_number": "1234"}, "The RazorpayX Account number is invalid.", "account_number"),
        ({"fund_account_id": None}, "The fund account id field is required.", "fund_account_id"),
        ({"fund_account_id": "fa_1"}, "fa_1 is not a valid id.", "fund_account_id"),
        ({"fund_account_id": "fa_00000000000000"}, "The id provided does not exist", "fund_account_id"),
        ({"amount": None}, "The amount field is required.", "amount"),
        ({"amount": 99}, "The amount must be at least 100.", "amount"),
        ({"amount": 500.5}, "The amount must be an integer.", "amount"),
        ({"amount": "50000"}, "The amount must be an integer.", "amount"),
        ({"amount": True}, "The amount must be an integer.", "amount"),
        ({"amount": 10_000_001}, "The amount may not be greater than 10000000.", "amount"),
        ({"currency": "USD"}, "The selected currency is invalid.", "currency"),
        ({"mode": "upi"}, "The selected mode is invalid.", "mode"),
        ({"purpose": "utility_bill"}, "Invalid purpose: utility_bill", "purpose"),
        ({"narration": "x" * 31}, "The narration may not be greater than 30 characters.", "narration"),
        ({"narration": "a-b"}, "The narration format is invalid.", "narration"),
        ({"scheduled_at": 1}, "scheduled_at is/are not required and should not be sent", "scheduled_at"),
    ],
)
def test_payout_refusals(sandbox: Sandbox, change: dict[str, Any], description: str, where: str) -> None:
    account = sandbox.fund_account()
    assert sandbox.refused("POST", "/v1/payouts", {**wish(account), **change}, "refusal-1") == (400, description, where)
    assert sandbox.balance() == OPENING
    assert sandbox.pay(account, key="refusal-1")["status"] == "processing"  # a refused request does not burn its key


@pytest.mark.parametrize("key", ["abc", "x" * 37, "payout:1", "schlüssel", "a.b.c", "tab\there"])
def test_illegal_keys_are_refused(sandbox: Sandbox, key: str) -> None:
    headers = {"Authorization": AUTH, "X-Payout-Idempotency": key}
    status, raw = sandbox.raw("POST", "/v1/payouts", json.dumps(wish(sandbox.fund_account())).encode(), headers)
    assert (status, json.loads(raw)["error"]["field"]) == (400, "X-Payout-Idempotency")


def test_a_missing_key_is_refused_with_the_exact_sentence(sandbox: Sandbox) -> None:
    status, answer = sandbox.call("POST", "/v1/payouts", wish(sandbox.fund_account()))
    assert status == 400
    assert answer["error"]["description"] == "Idempotency key is missing. Include idempotency header and key in the request."
    assert (answer["error"]["field"], answer["error"]["reason"]) == ("X-Payout-Idempotency", "null")


@pytest.mark.parametrize("key", ["abcd", "SDCRS-DR-DJ-2024-000123", "a b_c-D", str(uuid.UUID(int=1))])
def test_legal_keys_are_taken(sandbox: Sandbox, key: str) -> None:
    assert sandbox.pay(sandbox.fund_account(), key=key)["status"] == "processing"


def test_the_same_key_and_body_answer_the_same_payout_as_it_is_now(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    first = sandbox.pay(account, key="same-key")
    sandbox.settle()
    again = sandbox.pay(account, key="same-key")
    assert (again["id"], again["status"]) == (first["id"], "processed")
    assert sandbox.balance() == OPENING - 50_000


def test_by_switch_the_same_key_answers_the_saved_first_result(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("settings", {"replay": "saved"})
    first = sandbox.pay(account, key="same-key")
    sandbox.settle()
    assert sandbox.pay(account, key="same-key") == first


@pytest.mark.parametrize("other", [{"amount": 50_001}, {"narration": "late"}, {"account_number": "x"}])
def test_the_same_key_with_another_body_is_refused_and_says_so(sandbox: Sandbox, other: dict[str, Any]) -> None:
    """Also when that other body would be refused for itself: the key was used, and a payout exists."""
    account = sandbox.fund_account()
    sandbox.pay(account, key="one-body")
    told = sandbox.refused("POST", "/v1/payouts", {**wish(account), **other}, "one-body")
    assert told == (400, "Different request body sent for the same Idempotency Header", "X-Payout-Idempotency")
    key = sandbox.control("journal/keys")["items"][0]
    assert (key["replays"], key["conflicts"]) == (0, 1)


def test_twenty_threads_with_one_key_make_one_payout(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    with ThreadPoolExecutor(20) as pool:
        made = {answer["id"] for answer in pool.map(lambda _: sandbox.pay(account, key="race"), range(40))}
    assert len(made) == 1
    assert sandbox.balance() == OPENING - 50_000
    assert sandbox.control("journal/keys")["items"][0]["replays"] == 39
    sandbox.audit()


def test_a_racing_repeat_is_never_refused_for_the_money_its_twin_took(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("balance", {"amount_paise": 50_000})
    for attempt in range(10):
        sandbox.control("balance", {"amount_paise": 50_000})
        with ThreadPoolExecutor(8) as pool:
            body = wish(account, queue_if_low_balance=False)
            answers = list(pool.map(lambda _, n=attempt, b=body: sandbox.call("POST", "/v1/payouts", b, f"last-{n}"), range(8)))
        assert {status for status, _ in answers} == {200}
        assert len({answer["id"] for _, answer in answers}) == 1


def test_by_switch_a_key_at_work_answers_409(sandbox: Sandbox, urls: Any) -> None:
    account = sandbox.fund_account()
    sandbox.control("settings", {"key_in_flight": "conflict"})
    with psycopg.connect(urls.owner.replace("postgresql+psycopg:", "postgresql:")) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('busy-key', 8503))")
        assert sandbox.refused("POST", "/v1/payouts", wish(account), "busy-key")[0] == 409
    assert sandbox.pay(account, key="busy-key")["status"] == "processing"
