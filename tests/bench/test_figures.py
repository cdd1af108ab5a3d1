"""Figures as the bench prints them."""

import pytest

from pipeline.bench.figures import Result, as_data, as_text, spread


def test_percentiles_are_times_that_really_occurred() -> None:
    one = spread([n / 1000 for n in range(1, 101)])
    assert (one.count, one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms) == (100, 50.0, 95.0, 99.0, 100.0)


@pytest.mark.parametrize(("seconds", "p50", "p99"), [([0.003], 3.0, 3.0), ([0.001, 0.002], 1.0, 2.0), ([], None, None)])
def test_few_or_no_answers_have_percentiles_too(seconds: list[float], p50: float | None, p99: float | None) -> None:
    one = spread(seconds)
    assert (one.p50_ms, one.p99_ms) == (p50, p99)


def result(published: float | None = None) -> Result:
    return Result(
        "Title", "What was done", 10.0, 740, {"create": spread([0.01, 0.02], refused=1)}, published=published, errors={"503 X": 1}
    )


def test_a_published_figure_stands_beside_ours_with_the_ratio() -> None:
    assert any("74.0 lifecycles/s" in line and "37/s on 16 vCPU" in line and "2.0 times" in line for line in as_text(result(37.0)))
    assert not any("published" in line for line in as_text(result()))


def test_what_was_refused_is_said() -> None:
    assert "  refused: 503 X 1" in as_text(result())


def test_data_hold_what_the_table_shows() -> None:
    data = as_data(result(37.0))
    assert data["lifecycles_per_second"] == 74.0
    assert data["answers"]["create"] == {"count": 2, "p50_ms": 10.0, "p95_ms": 20.0, "p99_ms": 20.0, "max_ms": 20.0, "refused": 1}
