"""Two names of one person agree however they are written, and two people of one family do not: as a table, the score last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.payouts.names import AGREES_FROM, agreement, best_agreement, fold

AGREE = [
    ("the same in other letters", "Amina Hassan", "AMINA HASSAN", 100),
    ("in another order", "Hassan Amina", "Amina Hassan", 100),
    ("with accents and without", "Élodie Bérubé", "Elodie Berube", 100),
    ("with a title", "Smt. Amina Hassan", "Amina Hassan", 100),
    ("a middle name that one leaves out", "Amina Hassan Ali", "Amina Hassan", 93),
    ("an initial for the first name", "A. Hassan", "Amina Hassan", 88),
    ("an initial in the middle", "Amina K Hassan", "Amina Kadra Hassan", 92),
    ("initials before a family name", "S R Gupta", "Sita Ram Gupta", 83),
    ("another transliteration", "Mohamed Ali", "Mohammed Ali", 97),
    ("a name written short", "Md. Ali", "Mohammed Ali", 100),
    ("another script", "अमिना हसन", "अमिना  हसन", 100),
    ("with an apostrophe", "O'Neil Mary", "ONeil Mary", 100),
    ("the only name on both sides", "Amina", "Amina", 100),
]
DIFFER = [
    ("another first name", "Omar Hassan", "Amina Hassan", 50),
    ("another family name", "Amina Omar", "Amina Hassan", 50),
    ("another initial", "B Hassan", "Amina Hassan", 50),
    ("initials alone", "A H", "Amina Hassan", 70),
    ("one of two names", "Amina", "Amina Hassan", 70),
    ("the same names after another first one", "Omar Hassan Ali", "Amina Hassan Ali", 67),
    ("another middle initial", "Amina K Hassan", "Amina P Hassan", 67),
    ("nobody", "", "Amina Hassan", 0),
    ("signs alone", "...", "Amina Hassan", 0),
]


@pytest.mark.parametrize(("what", "one", "other", "score"), AGREE, ids=[row[0] for row in AGREE])
def test_names_of_one_person_agree(what: str, one: str, other: str, score: int) -> None:
    assert agreement(one, other) == agreement(other, one) == score >= AGREES_FROM, what


@pytest.mark.parametrize(("what", "one", "other", "score"), DIFFER, ids=[row[0] for row in DIFFER])
def test_names_of_two_people_do_not(what: str, one: str, other: str, score: int) -> None:
    assert agreement(one, other) == agreement(other, one) == score < AGREES_FROM, what


def test_the_best_of_several_spellings_counts() -> None:
    assert best_agreement(["अमिना हसन", "Amina Hassan"], "AMINA HASSAN") == 100
    assert best_agreement([], "Amina") == 0


@given(st.lists(st.from_regex(r"[a-z]{3,9}", fullmatch=True), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_name_agrees_with_itself_in_any_order_and_the_score_has_no_side(parts: list[str], random) -> None:
    mixed = random.sample(parts, len(parts))
    one, other = " ".join(parts), " ".join(mixed).title()
    assert agreement(one, other) == agreement(other, one)
    assert agreement(one, other) == 100
    assert 0 <= agreement(one, parts[0]) <= 100
    assert fold(one) == fold(one.upper())
