"""How alike two people are, by which keys they are found, and whether fields fit a schema: pure comparison, as tables and as laws."""

import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.identity.stages.alike import Compared, compared, jaro_winkler, keys, likeness, name_likeness, phonetic, tokens
from pipeline.identity.stages.quality import forced_share, level
from pipeline.identity.stages.validator import age_of, birth_date, check_fields
from pipeline.masterdata.files import load_folder

MD = load_folder()
SCHEMA = MD.id_schemas("dj.djibouti-ville")["0.1"]
AMINA = Compared({"eng": "Amina Hassan Ali"}, date(1990, 4, 3), "FLE", "77123456")
NAMES = st.text(alphabet=string.ascii_letters + " éüñ", max_size=30)
PEOPLE = st.builds(
    Compared,
    names=st.fixed_dictionaries({"eng": NAMES}),
    born=st.none() | st.dates(),
    gender=st.none() | st.sampled_from(["MLE", "FLE"]),
    phone=st.none() | st.text(alphabet=string.digits, min_size=6, max_size=12),
)

# who else it may be, score, what the birthday says
OTHERS: list[tuple[Compared, int, str]] = [
    (AMINA, 100, "SAME"),
    (replace(AMINA, phone="77999999"), 85, "SAME"),
    (replace(AMINA, names={"eng": "Ali Amina Hassan"}), 100, "SAME"),
    (replace(AMINA, names={"eng": "AMÍNA  hassan ali"}), 100, "SAME"),
    (replace(AMINA, born=date(1990, 3, 4)), 90, "SWAPPED"),
    (replace(AMINA, born=date(1990, 8, 9)), 82, "SAME_YEAR"),
    (replace(AMINA, born=date(1971, 4, 3)), 75, "OTHER"),
    (replace(AMINA, gender="MLE"), 90, "SAME"),
    (Compared({"eng": "Robleh Waberi"}, date(1955, 1, 1), "MLE", None), 16, "OTHER"),
]


@pytest.mark.parametrize(("other", "score", "birthday"), OTHERS)
def test_a_score_is_the_sum_of_its_parts(other: Compared, score: int, birthday: str) -> None:
    found = likeness(AMINA, other)
    assert (found.score, found.birth_date) == (score, birthday)


@settings(deadline=None)
@given(PEOPLE, PEOPLE)
def test_likeness_is_the_same_both_ways_and_between_nothing_and_all(one: Compared, other: Compared) -> None:
    there, back = likeness(one, other), likeness(other, one)
    assert there == back
    assert 0 <= there.score <= 100
    assert 0 <= there.name <= 100


@settings(deadline=None)
@given(PEOPLE.filter(lambda one: None not in (one.born, one.gender, one.phone) and tokens(one.names["eng"])))
def test_everybody_is_wholly_like_themselves(one: Compared) -> None:
    assert likeness(one, one).score == 100


@settings(deadline=None)
@given(st.lists(st.text(alphabet=string.ascii_lowercase, min_size=1, max_size=8), min_size=1, max_size=5), st.randoms())
def test_the_order_of_the_words_of_a_name_does_not_matter(words: list[str], rng: Any) -> None:
    shuffled = list(words)
    rng.shuffle(shuffled)
    assert name_likeness(" ".join(words), " ".join(shuffled)) == pytest.approx(1.0)
    assert phonetic(" ".join(words)) == phonetic(" ".join(shuffled))


# two words and how alike they are: examples of the literature
WORDS = [("martha", "marhta", 0.961), ("dwayne", "duane", 0.84), ("dixon", "dicksonx", 0.813), ("abc", "xyz", 0.0), ("", "", 1.0)]


@pytest.mark.parametrize(("one", "other", "alike"), WORDS)
def test_words_are_compared_as_jaro_and_winkler_do(one: str, other: str, alike: float) -> None:
    assert jaro_winkler(one, other) == pytest.approx(alike, abs=0.001)


@pytest.mark.parametrize(
    ("one", "other"), [("Hassan", "Hasan"), ("Mohamed", "Mohammed"), ("Youssouf", "Yousouf"), ("Abdi", "Abdy"), ("Fatouma", "Fatuma")]
)
def test_names_that_sound_alike_have_one_key(one: str, other: str) -> None:
    assert phonetic(one) == phonetic(other)


def test_names_that_sound_otherwise_have_other_keys() -> None:
    assert len({phonetic(name) for name in ("Hassan", "Robleh", "Kadra", "Guelleh", "Omar", "Idriss")}) == 6


def test_a_person_is_found_by_three_keys_and_by_fewer_when_less_is_known() -> None:
    assert set(keys(AMINA)) == {"PHONETIC_NAME_BIRTH_YEAR", "PHONE", "BIRTH_DATE_GENDER"}
    assert set(keys(replace(AMINA, phone=None))) == {"PHONETIC_NAME_BIRTH_YEAR", "BIRTH_DATE_GENDER"}
    assert keys(replace(AMINA, born=None, phone=None)) == {}
    assert keys(replace(AMINA, names={"eng": "Ali Hasan Amina"})) == keys(AMINA)


def test_what_is_told_of_a_comparison_holds_no_value_of_either() -> None:
    told = repr(likeness(AMINA, replace(AMINA, phone="77999999")).as_json())
    assert not any(part in told for part in ("Amina", "1990", "77123456", "77999999"))


def test_the_schemas_first_language_names_a_person() -> None:
    fields = {"fullName": [{"language": "fra", "value": "B"}, {"language": "eng", "value": "A"}], "phone": "77 12-34"}
    found = compared(fields, SCHEMA.languages)
    assert (list(found.names), found.phone, found.gender, found.born) == (["eng", "fra"], "771234", None, None)


# born, full years on 10 March 2026
AGES = [
    ("2008/03/10", 18),
    ("2008/03/11", 17),
    ("2026/03/10", 0),
    ("2026/03/11", -1),
    ("2004/02/29", 22),
    ("1990/13/01", None),
    ("1990/02/30", None),
    ("1990-01-01", None),
    ("90/1/1", None),
    (19900101, None),
    (None, None),
]


@pytest.mark.parametrize(("born", "years"), AGES)
def test_an_age_is_counted_in_full_years(born: Any, years: int | None) -> None:
    assert age_of(born, date(2026, 3, 10)) == years


GOOD: Mapping[str, Any] = {
    "IDSchemaVersion": 0.1,
    "fullName": [{"language": "eng", "value": "Amina"}],
    "dateOfBirth": "1990/04/03",
    "gender": [{"language": "eng", "value": "FLE"}],
    "addressLine1": [{"language": "eng", "value": "Harbour Road"}],
    "individualBiometrics": {"format": "cbeff", "value": "bio"},
}

# a field's value, and what is wrong with it
FIELDS: list[tuple[str, Any, str | None]] = [
    ("fullName", None, "FIELD_MISSING"),
    ("fullName", "Amina", "FIELD_INVALID"),
    ("fullName", [], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": " "}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "x" * 201}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "A\u202eB"}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "A\nB"}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": 7}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "A"}] * 2, "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "A"}, {"language": "zzz", "value": "B"}], "FIELD_INVALID"),
    ("fullName", [{"language": "eng", "value": "A"}, {"language": "ara", "value": "أمينة"}], None),
    ("gender", [{"language": "eng", "value": "CAT"}], "FIELD_INVALID"),
    ("phone", "+253771234", None),
    ("phone", "77 12 34", "FIELD_INVALID"),
    ("phone", 77, "FIELD_INVALID"),
    ("email", "a@b.example", None),
    ("email", "a b@c", "FIELD_INVALID"),
    ("employeeId", "T-12345", None),
    ("employeeId", "../T1", "FIELD_INVALID"),
    ("IDSchemaVersion", True, "FIELD_INVALID"),
    ("IDSchemaVersion", "0.1", "FIELD_INVALID"),
    ("individualBiometrics", {"value": ""}, "FIELD_INVALID"),
    ("proofOfIdentity", {"format": "pdf"}, "FIELD_INVALID"),
    ("favourite", "blue", "FIELD_UNKNOWN"),
]


@pytest.mark.parametrize(("name", "value", "code"), FIELDS)
def test_a_field_fits_its_schema_or_is_named(name: str, value: Any, code: str | None) -> None:
    fields = {**GOOD, name: value}
    assert [(problem.code, problem.field) for problem in check_fields(SCHEMA, fields, 36)] == ([] if code is None else [(code, name)])


def test_a_field_name_that_may_be_anything_is_not_repeated() -> None:
    (problem,) = check_fields(SCHEMA, {**GOOD, "Amina Hassan": 1}, 36)
    assert (problem.code, problem.field) == ("FIELD_UNKNOWN", "a field")


@pytest.mark.parametrize(("age", "wrong"), [(-1, True), (0, False), (120, False), (121, True)])
def test_an_age_that_cannot_be_is_a_problem(age: int, wrong: bool) -> None:
    assert ("AGE_INVALID" in [problem.code for problem in check_fields(SCHEMA, GOOD, age)]) == wrong


@pytest.mark.parametrize(
    ("age", "papers"), [(5, {"proofOfRelationship"}), (17, {"proofOfRelationship"}), (18, {"proofOfIdentity", "proofOfAddress"})]
)
def test_mandatory_documents_go_by_age(age: int, papers: set[str]) -> None:
    assert SCHEMA.documents_for(age) == papers


@settings(deadline=None)
@given(st.text(max_size=12))
def test_whatever_is_written_for_a_date_is_a_date_or_nothing(written: str) -> None:
    assert isinstance(birth_date(written), date | None)


# captures of which so many were forced, the level
CAPTURES = [(0, 4, "HIGH"), (1, 4, "MEDIUM"), (2, 4, "MEDIUM"), (3, 4, "LOW"), (0, 0, "HIGH")]


@pytest.mark.parametrize(("forced", "of", "said"), CAPTURES)
def test_the_level_goes_by_the_share_of_forced_captures(forced: int, of: int, said: str) -> None:
    captures = {f"finger{n}": {"forceCaptured": n < forced} for n in range(of)}
    meta = {"biometrics": {"applicant": captures}}
    assert level(MD.identity_stages("dj.djibouti-ville").quality, forced_share(meta)) == said


@pytest.mark.parametrize("meta", [{}, {"biometrics": []}, {"biometrics": {"applicant": [1]}}, {"biometrics": {"applicant": {"a": 1}}}])
def test_meta_info_without_captures_forces_nothing(meta: dict[str, Any]) -> None:
    assert forced_share(meta) == 0
