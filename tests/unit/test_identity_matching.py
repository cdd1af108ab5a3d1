"""Who is who by what they say: a table of what matches a credential and what does not."""

import pytest

from pipeline.identity.backoff import ACKNOWLEDGING, STORING
from pipeline.identity.ida.matching import matches

KNOWN = {
    "fullName": [{"language": "fra", "value": "Aïcha Éléonore O’Hara-Diallo"}, {"language": "ara", "value": "عائشة ديالو"}],
    "dateOfBirth": "1988/04/17",
    "phone": "077812345",
}


@pytest.mark.parametrize(
    ("field", "said", "expected"),
    [
        ("name", "Aïcha Éléonore O’Hara-Diallo", True),
        ("name", "diallo  aicha eleonore o hara", True),  # order, case, accents and marks
        ("name", "عائشة ديالو", True),  # any of the languages
        ("name", "Aicha Diallo", False),  # a part is not the whole
        ("name", "Aicha Eleonore Hara Diallo", False),
        ("name", "...", False),
        ("birthYear", "1988", True),
        ("birthYear", "1989", False),
        ("birthYear", "04/1", False),
        ("phone", "77812345", True),
        ("phone", "+253 77 81 23 45", True),  # with the country's code
        ("phone", "77812346", False),
        ("phone", "812345", False),  # the end of a number is not the number
        ("phone", "", False),
    ],
)
def test_a_field_matches_as_people_write_it(field, said, expected) -> None:
    assert matches(KNOWN, field, said) is expected


@pytest.mark.parametrize("known", [{}, {"fullName": None, "dateOfBirth": 1988, "phone": 7}, {"fullName": ["no entry"], "dateOfBirth": ""}])
def test_what_the_credential_does_not_say_matches_nothing(known) -> None:
    for field, said in (("name", "Aicha"), ("birthYear", "1988"), ("phone", "77812345")):
        assert matches(known, field, said) is False


def test_storing_is_tried_ten_times_in_some_six_minutes_and_answering_for_ever() -> None:
    waits = [STORING.after(failures).total_seconds() for failures in range(1, STORING.tries)]
    assert (waits[0], waits[1], max(waits)) == (5, 7.5, 120)
    assert 300 < sum(waits) < 400
    assert ACKNOWLEDGING.after(100_000).total_seconds() == 600
