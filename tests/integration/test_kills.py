"""Nothing is lost and nothing happens twice, whoever is killed when: SIGKILL for worker, sandbox, API and Postgres."""

from pathlib import Path

import pytest

from tests.bench import havoc
from tests.bench.havoc import Outcome


def test_a_run_with_six_kills_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    compare(tmp_path, reports=40, kills=6, seed=7)


@pytest.mark.long
def test_a_run_of_300_reports_with_thirty_kills_ends_like_an_undisturbed_one(tmp_path: Path) -> None:
    wild = compare(tmp_path, reports=300, kills=30, seed=1)
    assert wild.repeats > 0, "nobody noticed the kills, so they proved nothing"


def compare(folder: Path, reports: int, kills: int, seed: int) -> Outcome:
    """Play both runs and return the disturbed one. Of a few kills, all may fall between requests: only many must be noticed."""
    calm = havoc.run(folder / "calm", reports, 0, seed)
    wild = havoc.run(folder / "wild", reports, kills, seed)
    assert sum(wild.kills.values()) == kills
    for outcome in (calm, wild):
        check(outcome)
    for index, (quiet, disturbed) in enumerate(zip(calm.ends, wild.ends, strict=True)):
        assert disturbed == quiet, f"report {index}"
    assert wild.caps == calm.caps
    assert {end.status for end in calm.ends} >= {"RESOLVED", "PAYOUT_FAILED", "AUTO_REJECTED", "REJECTED", "UNABLE_TO_LOCATE"}
    return wild


def check(outcome: Outcome) -> None:
    """What must hold of any run by itself."""
    assert not outcome.faults
    for end in outcome.ends:
        assert [version for version, _, _ in end.history] == list(range(1, end.version + 1)), end
        assert end.history[-1][2] == end.status, end
        paid = [status for status in end.at_provider if status == "processed"]
        assert len(end.at_provider) <= 1, end
        assert bool(paid) == (end.payout_status == "SUCCESS"), end
    for counter, ledger in outcome.caps.values():
        assert counter == ledger
