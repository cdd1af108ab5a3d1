"""The bench of expressions: what it tells, and that an engine that is not there is said to be so."""

from pathlib import Path

from pipeline.bench.rules import Engine, Rules, measure, programme_expressions, spring


def test_all_eighteen_expressions_of_the_programme_are_measured():
    found = measure(rounds=1, round_s=0.01)
    assert found.expressions == len(programme_expressions()) == 18
    assert all(engine.per_second or engine.note for engine in found.engines)
    assert not any(engine.differs for engine in found.engines)


def test_without_springs_jars_the_bench_says_so(tmp_path: Path):
    engine = spring(["1 == 1"], [True], 1, tmp_path)
    assert engine.per_second is None
    assert "libspring-expression-java" in engine.note


def test_figures_are_told_as_ratios_of_ours():
    found = Rules(18, (Engine("ours", 200.0), Engine("theirs", 100.0, differs=1), Engine("absent", None, "not here")))
    assert found.as_text()[-2:] == [
        f"  {'theirs':<44} {100:>11}/s   ours is 2.00 times that, 1 answers differ",
        f"  {'absent':<44} not measured: not here",
    ]
    assert [row["ours_is_times"] for row in found.as_data()["evaluations_per_second"]] == [1.0, 2.0, None]
