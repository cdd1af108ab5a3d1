"""What we say to the provider: names in its alphabet, legal keys, addresses by its rule, bodies that never vary."""

import json
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import AppError
from pipeline.masterdata.files import load_folder
from pipeline.payouts import orders
from pipeline.payouts.sandbox import rules

SOMEBODY = UUID("01890000-0000-7000-8000-0000deadbeef")

NAMES = [
    ("Amina Hassan", "Amina Hassan"),
    ("  Amina   Hassan  ", "Amina Hassan"),
    ("Zoë Müller-Lüdenscheidt", "Zoe Muller-Ludenscheidt"),
    ("D’Souza, Maria", "D'Souza Maria"),
    ("Ravi Kumar.", "Ravi Kumar."),
    ("Ravi Kumar -", "Ravi Kumar"),
    ("Om", "Teacher Om"),
    ("रवि कुमार", "Teacher deadbeef"),
    ("", "Teacher deadbeef"),
    ("-.-", "Teacher deadbeef"),
    ("A" * 60, "A" * 50),
    ("A" * 48 + " (x", "A" * 48),
]


@pytest.mark.parametrize(("name", "folded"), NAMES)
def test_a_name_is_folded_to_the_providers_alphabet(name: str, folded: str) -> None:
    assert orders.fold_name(name, SOMEBODY) == folded


@given(st.text(max_size=120))
def test_every_folded_name_is_one_that_the_provider_takes_and_folding_is_stable(name: str) -> None:
    folded = orders.fold_name(name, SOMEBODY)
    assert rules.NAME_SHAPE.fullmatch(folded)
    assert rules.NAME_END.search(folded)
    assert orders.fold_name(folded, SOMEBODY) == folded


def test_a_reference_names_report_and_retry() -> None:
    assert orders.reference_id("DR-DJ-2026-000123", 0) == "SDCRS-DR-DJ-2026-000123"
    assert orders.reference_id("DR-DJ-2026-000123", 2) == "SDCRS-DR-DJ-2026-000123-R2"
    assert orders.payable_of("SDCRS-DR-DJ-2026-000123-R2") == "SDCRS-DR-DJ-2026-000123"
    assert orders.payable_of("SDCRS-DR-DJ-2026-000123") == "SDCRS-DR-DJ-2026-000123"


@given(st.from_regex(r"\ADR-[A-Z]{1,12}-[0-9]{4}-[0-9]{6,12}\Z"), st.integers(0, 3))
def test_every_key_is_legal_and_comes_from_our_own_row(report_number: str, number: int) -> None:
    reference = orders.reference_id(report_number, number)
    key = orders.idempotency_key(reference, SOMEBODY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{4,36}", key)
    assert key == (reference if len(reference) <= 36 else SOMEBODY.hex)
    assert rules.check_key(key) == key


VPAS = [
    ("ravi@okaxis", "ravi@okaxis"),
    (" ravi.k-1@ok.axis ", "ravi.k-1@ok.axis"),
    ("ravi", None),
    ("@okaxis", None),
    ("ravi@", None),
    ("ravi@ok@axis", None),
    ("ravi_kumar@okaxis", None),
    ("ravi kumar@okaxis", None),
    ("a" * 96 + "@axis", None),
    ("रवि@okaxis", None),
    ("", None),
]


@pytest.mark.parametrize(("vpa", "taken"), VPAS)
def test_an_address_is_taken_by_the_providers_rule(vpa: str, taken: str | None) -> None:
    if taken is not None:
        assert orders.check_vpa(vpa) == taken
        return
    with pytest.raises(AppError) as caught:
        orders.check_vpa(vpa)
    assert caught.value.code == "SDCRS_INVALID_VPA"


@given(st.text(alphabet="abcXYZ019.-_@ é", max_size=30))
def test_what_we_take_for_an_address_the_sandbox_takes_too(vpa: str) -> None:
    try:
        address = orders.check_vpa(vpa)
    except AppError:
        return
    assert rules.vpa_address({"account_type": "vpa", "vpa": {"address": address}}) == address


def test_the_contact_is_the_same_bytes_each_time() -> None:
    person = {"name": "Amina Hassan", "phone": "98765 43210", "vpa": "amina@okaxis"}
    body = orders.contact_body(SOMEBODY, "dj.djibouti-ville", person)
    assert body == orders.contact_body(SOMEBODY, "dj.djibouti-ville", dict(reversed(person.items())))
    said = json.loads(body)
    assert (said["name"], said["contact"], said["type"], said["reference_id"]) == ("Amina Hassan", "9876543210", "employee", str(SOMEBODY))
    assert json.loads(orders.contact_body(SOMEBODY, "dj", {"name": "Amina", "phone": "none"}))["contact"] is None


def test_the_order_says_what_the_master_data_says() -> None:
    upi = load_folder().upi_config()
    body = orders.payout_body(
        account_number="7878780080316316",
        fund_account_id="fa_00000000000001",
        amount_paise=50_000,
        reference="SDCRS-DR-DJ-2026-000123",
        upi=upi,
        notes={"report_id": "r"},
    )
    said = json.loads(body)
    rules.new_payout(said, "7878780080316316")
    assert (said["amount"], said["mode"], said["purpose"], said["queue_if_low_balance"]) == (50_000, "UPI", "payout", True)
