"""The running balance of a statement: what holds together, what does not, and in which order lines may come."""

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.payouts.balance_chain import Balance, Chain

START = datetime(2026, 3, 12, 6, 0, tzinfo=UTC)
Row = tuple[str, int, int, int]  # name, second, amount (below zero: a debit), balance after


def follow(rows: list[Row]) -> Balance:
    chain = Chain()
    for name, second, amount, balance in rows:
        chain.add(name, START + timedelta(seconds=second), max(amount, 0), max(-amount, 0), balance)
    return chain.balance()


def broken(rows: list[Row]) -> list[str]:
    return [gap.line_id for gap in follow(rows).breaks]


DAY: list[Row] = [("a", 0, 1000, 1000), ("b", 10, -300, 700), ("c", 20, -300, 400), ("d", 30, 300, 700), ("e", 40, -100, 600)]


def test_opening_and_movements_make_the_closing():
    found = follow(DAY)
    assert (found.opening_paise, found.credited_paise, found.debited_paise, found.closing_paise, found.breaks) == (0, 1300, 700, 600, ())


def test_newest_first_is_the_same_statement():
    assert follow(DAY[::-1]) == follow(DAY)


def test_a_missing_line_is_told_once_and_where():
    (gap,) = follow([row for row in DAY if row[0] != "c"]).breaks
    assert (gap.line_id, gap.expected_paise, gap.stated_paise) == ("d", 700, 400)


def test_a_single_wrong_balance_is_told_once():
    wrong = [("c", 20, -300, 444) if row[0] == "c" else row for row in DAY]
    assert broken(wrong) == ["c"]
    assert follow(wrong).closing_paise == 600


def test_a_missing_line_at_the_end_or_the_beginning_cannot_be_seen_and_a_wrong_last_one_can():
    assert broken(DAY[1:]) == broken(DAY[:-1]) == []
    assert broken([*DAY[:-1], ("e", 40, -100, 601)]) == ["e"]


def test_lines_of_one_moment_come_in_any_order():
    rows = [("a", 0, 1000, 1000), ("b", 1, -300, 700), ("c", 1, -300, 400), ("d", 1, 300, 700), ("e", 2, -100, 600)]
    for seed in range(50):
        shuffled = rows[:]
        random.Random(seed).shuffle(shuffled)
        assert broken(shuffled) == [], shuffled


def test_a_statement_without_balances_has_no_chain():
    chain = Chain()
    chain.add("a", START, 0, 100, None)
    assert chain.balance() == Balance(None, 0, 100, None, ())


@settings(max_examples=200, deadline=None)
@given(
    amounts=st.lists(st.integers(1, 400).flatmap(lambda n: st.sampled_from([n, -n])), min_size=3, max_size=60),
    gap=st.integers(3, 90),
    missing=st.data(),
)
def test_a_whole_statement_holds_and_one_line_out_of_its_middle_is_always_noticed(amounts, gap, missing):
    rows, held = [], 100_000
    for number, amount in enumerate(amounts):
        held += amount
        rows.append((f"txn_{number}", number * gap, amount, held))
    assert broken(rows) == []
    out = missing.draw(st.integers(1, len(rows) - 2))
    assert broken(rows[:out] + rows[out + 1 :]) == [f"txn_{out + 1}"]
