"""Planted exceptions of every kind are all found and none is invented, however they are mixed; the bench counts them one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.bench import reconcile as bench


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), hundreds=st.integers(1, 15))
def test_all_that_is_planted_is_found_and_nothing_is_invented(seed: int, hundreds: int) -> None:
    way = bench.by_matcher(100 * hundreds, seed)
    assert (way.missed, way.invented) == ({}, {})
    assert way.found == len(bench.PLANTED) * hundreds


def test_the_bench_would_notice_what_is_missed_and_what_is_invented() -> None:
    way = bench._way("x", 0, 0, 0, 0, {("STUCK", "a"), ("STUCK", "b")}, {("STUCK", "a"), ("UTR_REUSED", "c")}, 3)
    assert (way.found, way.missed, way.invented) == (1, {"UTR_REUSED": 1}, {"STUCK": 1, "told twice": 1})


def test_a_merge_sees_only_what_two_columns_side_by_side_show() -> None:
    way = bench.by_pandas(5_000, 1)
    assert set(way.missed) == {"BALANCE_BROKEN", "DUPLICATE_AT_PROVIDER", "IN_FLIGHT", "STUCK", "UTR_REUSED"}
    assert set(way.invented) == {"MISSING_IN_LEDGER"}


def test_its_figures_are_text_and_data() -> None:
    ways = bench.by_matcher(1_000, 1), bench.by_pandas(1_000, 1)
    found = bench.Reconciled(1_000, 110, *ways)
    assert found.right
    assert "missed: nothing; invented: nothing" in found.as_text()[1]
    assert found.as_data()["ours"]["found"] == 110
