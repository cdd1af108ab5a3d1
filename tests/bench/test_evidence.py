"""The bench of photos measures both ways on the same photos, and says how much of the machine the programme's peak takes."""

from datetime import UTC, datetime

import pytest

from pipeline.bench import evidence
from pipeline.filestore.measure import measure

NOW = datetime(2026, 3, 10, 7, 0, tzinfo=UTC)


def test_its_photos_are_those_of_a_phone():
    data = evidence.phone_photo(1, NOW)
    found = measure(data, "a.jpg")
    assert (found.width, found.height) == (4000, 3000)
    assert 3 * evidence.MB < len(data) < 5 * evidence.MB
    assert found.exif_latitude == pytest.approx(evidence.PLACE[0], abs=1e-4)
    assert found.exif_gps_at == NOW
    assert found.blur_score > 0.2


def test_both_ways_find_the_same_and_are_compared(monkeypatch):
    monkeypatch.setattr(evidence, "SIZE", (1200, 900))  # quick: what is compared here is not how fast
    monkeypatch.setattr(evidence, "DIFFERENT", 2)
    said: list[str] = []
    found = evidence.measure_evidence(NOW, 0.3, 1, said.append)
    assert len(said) == 3
    assert found.apart <= 6
    assert found.pool.photos > 0
    assert found.plain.photos >= 2
    assert found.pool.cores_at_peak == pytest.approx(28 * found.pool.cpu_s / found.pool.photos)
    assert any("photos a second" in line for line in found.as_text())
    assert set(found.as_data()) == {"bytes_each", "peak_photos_per_second", "hash_bits_apart", "pool", "plain"}
