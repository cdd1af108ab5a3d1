"""The drawn photos of the demo are real photos to every part that judges photos."""

import io
import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from PIL import Image, ImageStat

from pipeline.demo.photos import PHONE, Camera, file_name, photo
from pipeline.filestore.measure import hamming, measure

DJIBOUTI = ZoneInfo("Africa/Djibouti")
NOON = datetime(2026, 3, 10, 12, 30, 45, tzinfo=DJIBOUTI)
KINDS = ["dog", "selfie", "capture"]


@pytest.mark.parametrize("kind", KINDS)
def test_photos_of_different_seeds_are_no_near_duplicates(kind):
    seeds = [*range(150), *random.Random(7).sample(range(10**12), 150)]
    hashes = np.array([measure(photo(seed, kind), "a.jpg").phash for seed in seeds], dtype=np.int64).view(np.uint64)
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None, :])
    assert distances[np.triu_indices(len(seeds), 1)].min() > 6


@pytest.mark.parametrize("kind", KINDS)
def test_another_shot_of_the_same_scene_is_a_near_duplicate_with_bytes_of_its_own(kind):
    for seed in range(30):
        first = measure(photo(seed, kind, 11.5886, 43.1456, NOON), "a.jpg")
        for again in (1, 2, 3):
            second = measure(photo(seed, kind, 11.5887, 43.1457, NOON + timedelta(minutes=5), again=again), "b.jpg")
            assert hamming(first.phash, second.phash) <= 6
            assert first.sha256 != second.sha256


@pytest.mark.parametrize(("latitude", "longitude"), [(11.5886, 43.1456), (28.6139, 77.209), (-33.9, -70.5), (0.00001, 179.99999)])
def test_place_time_and_phone_are_read_back_from_exif(latitude, longitude):
    found = measure(photo(1, "dog", latitude, longitude, NOON), "a.jpg")
    assert (found.width, found.height, found.content_type) == (320, 240, "image/jpeg")
    assert found.exif_latitude == pytest.approx(latitude, abs=1e-6)
    assert found.exif_longitude == pytest.approx(longitude, abs=1e-6)
    assert found.exif_gps_at == NOON.astimezone(UTC)
    assert found.exif_taken_at == NOON.replace(tzinfo=None)
    assert found.exif_offset_min == 180
    assert found.exif_device == "Samsung SM-A525F"


def test_zones_west_of_greenwich_and_off_the_hour_are_written_right():
    for minutes in (-210, 330):
        at = NOON.astimezone(timezone(timedelta(minutes=minutes)))
        assert measure(photo(1, taken_at=at), "a.jpg").exif_offset_min == minutes


def test_a_photo_through_a_messenger_has_no_exif_and_an_edited_one_names_the_program():
    assert not measure(photo(1, camera=None, taken_at=NOON), "a.jpg").exif_present
    edited = Camera(PHONE.make, PHONE.model, "Adobe Photoshop 25.0")
    assert measure(photo(1, taken_at=NOON, camera=edited), "a.jpg").exif_software == "Adobe Photoshop 25.0"


def test_a_photo_is_always_the_same_for_the_same_arguments():
    assert photo(5, "selfie", 1.0, 2.0, NOON, who=3) == photo(5, "selfie", 1.0, 2.0, NOON, who=3)
    assert photo(5, "selfie", who=3) != photo(5, "selfie", who=4)


def test_at_night_it_is_dark():
    def brightness(at):
        return ImageStat.Stat(Image.open(io.BytesIO(photo(1, taken_at=at))).convert("L")).mean[0]

    assert brightness(NOON) > 110
    assert brightness(NOON.replace(hour=23)) < 70


def test_names_are_those_of_phones():
    assert file_name("dog", NOON) == "IMG_20260310_123045.jpg"
    assert file_name("selfie", NOON) == "SELFIE_20260310_123045.jpg"
