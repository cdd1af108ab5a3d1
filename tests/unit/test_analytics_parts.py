"""Periods and what goes before them, figures, and query files whose statements share a block."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

import queries
from dashboard.widgets import figures, period

DELHI = ZoneInfo("Asia/Kolkata")
NOON = datetime(2026, 3, 10, 6, 31, tzinfo=UTC)  # 12:01 on a Tuesday in Delhi


def days(found):
    ends = [found.from_at, found.to_at, *(found.before or ())]
    return [at.astimezone(DELHI).strftime("%Y-%m-%d %H:%M") for at in ends]


# choice, from, until, before from, before until; all in Delhi's time
PERIODS = [
    ("Today", ["2026-03-10 00:00", "2026-03-10 12:01", "2026-03-09 00:00", "2026-03-09 12:01"]),
    ("Last 7 days", ["2026-03-04 00:00", "2026-03-10 12:01", "2026-02-25 00:00", "2026-03-03 12:01"]),
    ("Last 30 days", ["2026-02-09 00:00", "2026-03-10 12:01", "2026-01-10 00:00", "2026-02-08 12:01"]),
    ("This month", ["2026-03-01 00:00", "2026-03-10 12:01", "2026-02-01 00:00", "2026-02-10 12:01"]),
    ("Last month", ["2026-02-01 00:00", "2026-03-01 00:00", "2026-01-01 00:00", "2026-02-01 00:00"]),
    ("This financial year", ["2025-04-01 00:00", "2026-03-10 12:01", "2024-04-01 00:00", "2025-03-10 12:01"]),
]


@pytest.mark.parametrize(("choice", "expected"), PERIODS)
def test_a_period_is_compared_with_as_much_of_the_one_before(choice, expected):
    assert days(period.CHOICES[choice](NOON, DELHI)) == expected


def test_all_time_has_nothing_before_it():
    assert period.CHOICES["All time"](NOON, DELHI).before is None


def test_the_month_before_a_long_one_ends_where_this_one_begins():
    last_of_march = datetime(2026, 3, 31, 12, tzinfo=UTC)
    found = period.this_month(last_of_march, DELHI)
    assert found.before is not None
    assert found.before[1] == found.from_at


def test_the_end_of_a_period_belongs_to_the_day_before():
    midnight = datetime(2026, 3, 10, 18, 30, tzinfo=UTC)  # 00:00 of the 11th in Delhi
    assert days(period.last_days(1)(midnight, DELHI))[0] == "2026-03-10 00:00"


def test_chosen_days_are_both_included():
    found = period.between(date(2026, 3, 1), date(2026, 3, 5), DELHI)
    assert days(found) == ["2026-03-01 00:00", "2026-03-06 00:00", "2026-02-24 00:00", "2026-03-01 00:00"]
    assert found.words(DELHI) == "1 Mar 2026 to 5 Mar 2026"


@pytest.mark.parametrize(
    ("unit", "first", "last", "expected"),
    [
        ("day", date(2026, 2, 27), date(2026, 3, 1), [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]),
        ("week", date(2026, 3, 5), date(2026, 3, 10), [date(2026, 3, 2), date(2026, 3, 9)]),
        ("month", date(2025, 11, 20), date(2026, 1, 2), [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]),
    ],
)
def test_a_curve_has_a_point_for_every_day_week_or_month(unit, first, last, expected):
    assert period.buckets(unit, first, last) == expected


@pytest.mark.parametrize(("number", "unit"), [(1, "day"), (92, "day"), (93, "week"), (731, "week"), (732, "month")])
def test_long_curves_are_told_by_weeks_and_months(number, unit):
    assert period.unit_for(number) == unit


@pytest.mark.parametrize(("value", "expected"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (6, 10), (11, 20), (26_000, 50_000)])
def test_axis_steps_are_round(value, expected):
    assert figures._round_up(value) == expected


def test_texts_in_tables_are_harmless():
    table = figures.table([figures.Column("Name <b>"), figures.Column("N", number=True)], [("<script>", "1 & 2")], "A & B", ["/x?a=1&b=2"])
    assert "<script>" not in table
    assert "&lt;script&gt;" in table
    assert 'href="/x?a=1&amp;b=2"' in table
    legend = figures.legend([figures.Slice("<i>", 3, "#fff"), figures.Slice("b", 1, "#000", "/y")], "C")
    assert "&lt;i&gt;" in legend
    assert "75.0 %" in legend


def test_a_statement_takes_over_the_block_that_it_names(tmp_path, monkeypatch):
    (tmp_path / "shared.sql").write_text(
        "-- name: matching\n-- all of them\nSELECT 1 AS one;\n\n"
        "-- name: count\n-- how many: never :parsed\n-- with: matching\nSELECT count(*) FROM matching\n"
    )
    monkeypatch.setattr(queries, "FOLDER", tmp_path)
    queries.statements.cache_clear()
    try:
        assert str(queries.statement("shared.count")) == (
            "WITH matching AS NOT MATERIALIZED (\nSELECT 1 AS one\n)\nSELECT count(*) FROM matching"
        )
        (tmp_path / "broken.sql").write_text("-- name: count\n-- with: nothing\nSELECT 1\n")
        with pytest.raises(KeyError):
            queries.statements("broken")
    finally:
        queries.statements.cache_clear()
