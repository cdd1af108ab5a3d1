"""The ladder of penalties as a table: which step the last strike calls for, with the spans' first and last days in the tenant's zone."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.fraud.penalties import words
from pipeline.fraud.penalties.ladder import Strike, due
from pipeline.masterdata.files import load_folder

DJIBOUTI = ZoneInfo("Africa/Djibouti")  # UTC+3
DELHI = ZoneInfo("Asia/Kolkata")  # UTC+5:30
NOON = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)  # in Djibouti
MD = load_folder()
STEPS, ESCALATION = MD.penalties("dj.djibouti-ville"), MD.penalty_escalation("dj.djibouti-ville")


def strike(number: int, at: datetime, kind: str = "REJECTION") -> Strike:
    return Strike(UUID(int=number), number, UUID(int=1000 + number), kind, at)  # type: ignore[arg-type]


def strikes(*days_ago: float) -> list[Strike]:
    return [strike(number, NOON - timedelta(days=days)) for number, days in enumerate(sorted(days_ago, reverse=True))]


def spread(count: int, first: float) -> list[float]:
    """So many, the first this many days ago and the last today, evenly between."""
    return [first * n / (count - 1) for n in range(count)]


# days ago of each counted rejection, the last one today; the step that it calls for
LADDER = [
    ([0], "WARNING"),
    ([0, 0], "WARNING"),
    ([1, 0], "WARNING"),
    ([300, 0], "WARNING"),
    ([0, 0, 0], "COOLDOWN"),
    ([30, 15, 0], "COOLDOWN"),  # the thirtieth day before still counts
    ([31, 15, 0], "WARNING"),
    ([31, 30, 0], "WARNING"),
    ([30, 20, 10, 0], "COOLDOWN"),
    (spread(5, 90), "SUSPENSION"),
    ([91, 60, 40, 10, 0], "WARNING"),  # four in 90 days, and only two in 30
    ([91, 25, 20, 10, 0], "COOLDOWN"),
    ([60, 20, 10, 5, 0], "SUSPENSION"),
    (spread(9, 80), "SUSPENSION"),
    (spread(10, 365), "BAN"),
    (spread(10, 366), "WARNING"),  # nine in 365 days, and they lie 40 days apart
    ([0] * 10, "BAN"),
    ([0] * 12, "BAN"),
]


@pytest.mark.parametrize(("days_ago", "code"), LADDER)
def test_the_last_rejection_calls_for_the_severest_step_that_is_reached(days_ago: list[float], code: str) -> None:
    assert due(strikes(*days_ago), STEPS, ESCALATION, DJIBOUTI)[-1].step.code == code


# when the first of three came, when the last, the zone: whether they lie within 30 days of that zone's calendar
BORDERS = [
    ("2026-03-01T21:00:00Z", "2026-04-01T20:59:59Z", DJIBOUTI, True),  # from 2 March 00:00 to 1 April 23:59
    ("2026-03-01T20:59:59Z", "2026-04-01T20:59:59Z", DJIBOUTI, False),  # the first a second earlier is 1 March
    ("2026-03-01T21:00:00Z", "2026-04-01T21:00:00Z", DJIBOUTI, False),  # the last a second later is 2 April
    ("2026-03-01T18:30:00Z", "2026-04-01T18:29:59Z", DELHI, True),
    ("2026-03-01T18:29:59Z", "2026-04-01T18:29:59Z", DELHI, False),
    ("2026-03-01T18:30:00Z", "2026-04-01T18:30:00Z", DELHI, False),
    ("2026-03-01T21:00:00Z", "2026-04-01T20:59:59Z", DELHI, False),  # there it is 2 April already
]


@pytest.mark.parametrize(("first", "last", "zone", "within"), BORDERS)
def test_days_are_those_of_the_tenants_calendar(first: str, last: str, zone: ZoneInfo, within: bool) -> None:
    begins, ends = datetime.fromisoformat(first), datetime.fromisoformat(last)
    three = [strike(1, begins), strike(2, begins + timedelta(days=15)), strike(3, ends)]
    assert due(three, STEPS, ESCALATION, zone)[-1].step.code == ("COOLDOWN" if within else "WARNING")


@pytest.mark.parametrize(
    ("days_ago", "ends_after"),
    [([0], timedelta(days=90)), ([2, 1, 0], timedelta(hours=24)), ([4, 3, 2, 1, 0], timedelta(days=7)), ([0] * 10, None)],
)
def test_a_step_lasts_as_the_programme_says(days_ago: list[float], ends_after: timedelta | None) -> None:
    assert due(strikes(*days_ago), STEPS, ESCALATION, DJIBOUTI)[-1].until == (None if ends_after is None else NOON + ends_after)


def test_one_confirmed_fraud_bans_and_rejections_do_not_add_to_it() -> None:
    found = due([*strikes(20), strike(99, NOON, "FRAUD")], STEPS, ESCALATION, DJIBOUTI)
    assert [(one.step.code, one.by_fraud, len(one.counted)) for one in found] == [("WARNING", False, 1), ("BAN", True, 1)]


def test_every_strike_has_its_own_step_and_names_what_counted() -> None:
    found = due(strikes(4, 3, 2, 1, 0), STEPS, ESCALATION, DJIBOUTI)
    assert [one.step.code for one in found] == ["WARNING", "WARNING", "COOLDOWN", "COOLDOWN", "SUSPENSION"]
    assert [len(one.counted) for one in found] == [1, 2, 3, 4, 5]
    assert all(one.counted[-1] == one.cause for one in found)


def test_nothing_that_counts_means_no_step() -> None:
    assert due([], STEPS, ESCALATION, DJIBOUTI) == []


def test_the_order_of_arrival_changes_nothing() -> None:
    some = strikes(40, 12, 5, 0)
    expected = due(some, STEPS, ESCALATION, DJIBOUTI)
    assert all(due(order, STEPS, ESCALATION, DJIBOUTI) == expected for order in permutations(some))


@given(st.lists(st.floats(0, 800), min_size=1, max_size=25))
def test_taking_one_back_never_makes_anything_severer(days_ago: list[float]) -> None:
    some = strikes(*days_ago)
    before = {one.cause.id: one.step.level for one in due(some, STEPS, ESCALATION, DJIBOUTI)}
    after = due(some[1:], STEPS, ESCALATION, DJIBOUTI)
    assert all(one.step.level <= before[one.cause.id] for one in after)
    assert len(before) == len(some)


@pytest.mark.parametrize(
    ("code", "count", "by_fraud", "english"),
    [
        ("WARNING", 1, False, "1 rejected report"),
        ("WARNING", 2, False, "2 rejected reports"),
        ("COOLDOWN", 3, False, "3 rejected reports within 30 days"),
        ("BAN", 1, True, "a fraud that two administrators confirmed"),
    ],
)
def test_the_reason_is_said_in_words(code: str, count: int, by_fraud: bool, english: str) -> None:
    step = next(step for step in STEPS if step.code == code)
    assert words.reason(step, count, by_fraud, "en_IN") == english
    assert any("\u0900" <= letter <= "\u097f" for letter in words.reason(step, count, by_fraud, "hi_IN"))
