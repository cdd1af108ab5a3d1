"""The bench of the photo search: on a small database its ways agree with brute force, and a miss would be told."""

from uuid import UUID

import pytest

from pipeline.bench.duplicates import DISTANCE, Photos, _missed, run
from pipeline.bench.duplicates_beside import DESIGNS, THIRDS, as_bits


def test_every_exact_way_finds_what_brute_force_finds(settings, tmp_path, monkeypatch):
    for name, small in {"SINGLES": 20, "BATCHES": 2, "SCANS": 5}.items():
        monkeypatch.setattr(f"pipeline.bench.duplicates.{name}", small)
    found = run(settings, tmp_path / "house", 3_000, 1, lambda _: None, beside=True, vectors=500)
    exact = [way for way in found.ways if not way.name.startswith("pgvector")]
    assert [way.missed for way in exact] == [0] * len(exact)
    assert {design.name for design in DESIGNS} < {way.name for way in exact}
    assert sum(way.expected for way in exact) > 0
    assert found.missed == 0


def test_a_miss_is_counted_and_an_invention_stops_the_bench():
    probe = type("Probe", (), {"report_id": UUID(int=1)})()
    photos = Photos([probe], {probe.report_id: frozenset({7, 8})})
    assert _missed(photos, [probe], {probe.report_id: {UUID(int=7)}}) == 1
    with pytest.raises(AssertionError, match="not there"):
        _missed(photos, [probe], {probe.report_id: {UUID(int=9)}})


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_a_designs_radii_reach_the_distance(design):
    assert sum(design.radii) + len(design.parts) > DISTANCE
    assert sum(part.bits for part in design.parts) == 64


def test_parts_reach_every_value_within_their_radius():
    assert len(THIRDS[0].near(2)) == 1 + 22 + 231
    assert as_bits(-1) == "1" * 64
