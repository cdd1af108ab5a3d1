"""Identity numbers: how they are made, what their check digit finds, and that none follows a pattern."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity import numbers
from pipeline.masterdata.files import load_folder
from pipeline.masterdata.identity_models import NumberRule

RULE = load_folder().identity_stages("dj.djibouti-ville").numbers
DIGITS = st.text(alphabet="0123456789", min_size=1, max_size=15)


@pytest.mark.parametrize(("digits", "check"), [("236", "3"), ("12345", "1"), ("142857", "0"), ("123456789012", "0")])
def test_the_check_digit_is_verhoeffs(digits: str, check: str) -> None:
    assert numbers.check_digit(digits) == check
    assert numbers.is_checked(digits + check)


@settings(deadline=None)
@given(DIGITS, st.data())
def test_a_wrong_digit_is_always_found(digits: str, data: st.DataObject) -> None:
    number = digits + numbers.check_digit(digits)
    at = data.draw(st.integers(0, len(number) - 1))
    other = data.draw(st.sampled_from([d for d in "0123456789" if d != number[at]]))
    assert not numbers.is_checked(number[:at] + other + number[at + 1 :])


@settings(deadline=None)
@given(DIGITS, st.data())
def test_two_neighbours_that_change_places_are_always_found(digits: str, data: st.DataObject) -> None:
    number = digits + numbers.check_digit(digits)
    at = data.draw(st.integers(0, len(number) - 2))
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert numbers.is_checked(swapped) == (swapped == number)


# what a number may not be, digits without their check digit that show it
FLAWS = [
    ("begins with 0 or 1", "184729365"),
    ("digits repeat or count up or down", "8472777"),
    ("digits repeat or count up or down", "8472345"),
    ("digits repeat or count up or down", "8479876"),
    ("a block of digits repeats", "84747296"),
    ("it holds a blocked sequence", "842092"),
]


@pytest.mark.parametrize(("reason", "digits"), FLAWS)
def test_a_number_with_a_pattern_is_not_given_out(reason: str, digits: str) -> None:
    assert numbers.flaw(digits + numbers.check_digit(digits), RULE) == reason


def test_a_number_whose_check_digit_is_wrong_is_not_given_out() -> None:
    good = numbers.make_uin(RULE)
    assert numbers.flaw(good[:-1] + str((int(good[-1]) + 1) % 10), RULE) is not None


# what the halves make of a number, how the second half follows from the first
HALVES = [
    ("its halves are alike", lambda half: half + half),
    ("its halves are alike", lambda half: half + half[::-1]),
    ("a half reads the same backwards", lambda half: half[:3] + half[1::-1] + "40718"),
]


@pytest.mark.parametrize(("reason", "whole"), HALVES)
def test_a_number_whose_halves_rhyme_is_not_given_out(reason: str, whole: Callable[[str], str]) -> None:
    made = {whole(str(half)) for half in range(20000, 99999)}
    flaws = {numbers.flaw(number, RULE) for number in made if numbers.is_checked(number)}
    assert reason in flaws
    assert None not in flaws


@settings(deadline=None)
@given(st.integers())
def test_every_number_that_is_made_passes_its_own_rules(seed: int) -> None:
    digit = random.Random(seed).randrange
    for make, length in ((numbers.make_uin, 10), (numbers.make_vid, 16)):
        number = make(RULE, digit)
        assert len(number) == length
        assert numbers.flaw(number, RULE) is None
        assert numbers.kind_of(number) == ("UIN" if length == 10 else "VID")


def test_rules_that_leave_no_number_are_a_fault_and_no_endless_search() -> None:
    blocked = NumberRule.model_construct(blocked_sequences=tuple("0123456789"))
    with pytest.raises(ValueError, match="leave none"):
        numbers.make_uin(blocked)


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("2298571191", "UIN"),
        ("2298 571 191", "UIN"),
        ("9103536583829033", "VID"),
        ("T12345", "HANDLE"),
        ("12345", "HANDLE"),
        ("", "HANDLE"),
    ],
)
def test_what_a_number_is_shows_in_its_looks(written: str, kind: str) -> None:
    assert numbers.kind_of(written) == kind


def test_blanks_and_the_case_of_a_handle_do_not_matter() -> None:
    assert numbers.normalised("UIN", "2298 571 191") == "2298571191"
    assert numbers.normalised("HANDLE", " t12345 ") == numbers.normalised("HANDLE", "T12345")
