"""Each finding as a table: what the client said, what the file says, and the code that is found, if any."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from pipeline.validation.findings import EDITORS, PHOTO_COLUMNS, Limits, PhotoClaims, ReportPlace, findings, photo_of

ZONE = ZoneInfo("Africa/Djibouti")
AT = datetime(2026, 3, 10, 6, 30, tzinfo=UTC)
HERE = (11.5886, 43.1456)
METRE = 1 / 111_194.93  # degrees of latitude
SHA, PHASH = bytes(range(32)), 0x0F0F_0F0F_0F0F_0F0F

DOG = PhotoClaims(
    "DOG_PHOTO", SHA, PHASH, exif_present=True, captured_at=AT, exif_latitude=HERE[0], exif_longitude=HERE[1], exif_gps_at=AT,
    exif_taken_at=AT.astimezone(ZONE).replace(tzinfo=None), exif_offset_min=180, exif_make="Samsung", exif_model="SM-A525F",
    exif_software="A525FXXU4CVJB", width_px=4000, height_px=3000, blur_score=0.8, exposure_score=0.9, brightness=0.5, faces=0,
)  # fmt: skip
SELFIE = replace(DOG, evidence_type="REPORTER_SELFIE", faces=1)
PLACE = ReportPlace(*HERE, ZONE, *HERE)


def north(metres):
    return HERE[0] + metres * METRE


def minutes(count):
    return AT + timedelta(minutes=count)


def codes(report=PLACE, dog=DOG, selfie=SELFIE, **limits):
    return [found.code for found in findings(report, [dog, selfie], Limits(**limits))]


def test_a_report_whose_photos_and_claims_agree_has_no_finding():
    assert codes() == []


CASES = [
    # a hash that was sent
    ({"claimed_hash": SHA.hex()}, []),
    ({"claimed_hash": f"sha256:{SHA.hex().upper()}"}, []),
    ({"claimed_hash": "ff" * 32}, ["HASH_DIFFERS"]),
    ({"claimed_hash": "0f0f0f0f0f0f0f0f"}, []),
    ({"claimed_hash": "0f0f0f0f0f0f0f30"}, []),  # 6 bits
    ({"claimed_hash": "0f0f0f0f0f0f0f70"}, ["HASH_DIFFERS"]),  # 7 bits
    ({"claimed_hash": "a1b2c3d4e5f6789012345678901234567890123456789012345678901234"}, []),  # 60 digits: of no kind that we know
    ({"claimed_hash": "not a hash"}, []),
    # the time that was claimed: the satellites' first, then the camera's
    ({"claimed_at": minutes(10)}, []),
    ({"claimed_at": minutes(-10)}, []),
    ({"claimed_at": minutes(10.1)}, ["TIME_DIFFERS"]),
    ({"claimed_at": minutes(-10.1), "exif_gps_at": None}, ["TIME_DIFFERS"]),
    ({"claimed_at": minutes(0), "exif_gps_at": None, "exif_offset_min": None}, []),  # in the tenant's zone
    ({"claimed_at": minutes(0), "exif_gps_at": None, "exif_offset_min": 0}, ["TIME_DIFFERS"]),
    ({"claimed_at": minutes(600), "exif_gps_at": None, "exif_taken_at": None}, []),  # the file says nothing
    # the file's own two clocks
    ({"exif_gps_at": minutes(60)}, []),
    ({"exif_gps_at": minutes(-60.1)}, ["EXIF_TIMES_DIFFER"]),
    # the place that was claimed
    ({"claimed_latitude": north(99.9), "claimed_longitude": HERE[1]}, []),
    ({"claimed_latitude": north(100.2), "claimed_longitude": HERE[1]}, ["PLACE_DIFFERS"]),
    # the phone
    ({"device_info": "Samsung SM-A525F"}, []),
    ({"device_info": "Galaxy A52, Android 13"}, []),
    ({"device_info": "sm-a525f"}, []),
    ({"device_info": "Android 13"}, []),  # names no maker
    ({"device_info": "Redmi Note 11"}, ["DEVICE_DIFFERS"]),
    ({"device_info": "Redmi Note 11", "exif_make": "Xiaomi", "exif_model": "2201117TG"}, []),
    ({"device_info": "Redmi Note 11", "exif_make": None, "exif_model": None}, []),
    # what the file lacks
    ({"exif_present": False}, ["NO_EXIF"]),
    ({"exif_latitude": None, "exif_longitude": None}, ["NO_EXIF_GPS"]),
    ({"exif_present": False, "exif_latitude": None, "exif_longitude": None}, ["NO_EXIF"]),  # said once
    # who wrote it last
    ({"exif_software": "Adobe Photoshop 25.0 (Windows)"}, ["EDITED_BY_SOFTWARE"]),
    ({"exif_software": "PicsArt"}, ["EDITED_BY_SOFTWARE"]),
    ({"exif_software": "HDR+ 1.0.540"}, []),
    ({"exif_software": "17.4.1"}, []),
    ({"exif_software": None}, []),
    # faces are looked for in selfies
    ({"faces": 5}, []),
    # quality
    ({"blur_score": 0.2}, []),
    ({"blur_score": 0.199}, ["TOO_BLURRY"]),
    ({"exposure_score": 0.3}, []),
    ({"exposure_score": 0.299, "brightness": 0.1}, ["TOO_DARK"]),
    ({"exposure_score": 0.299, "brightness": 0.95}, ["TOO_BRIGHT"]),
    ({"exposure_score": 0.1, "brightness": None}, ["TOO_DARK"]),
    ({"width_px": 200, "height_px": 3000}, []),
    ({"width_px": 3000, "height_px": 199}, ["TOO_SMALL"]),
    # rows from before these were measured
    ({"blur_score": None, "exposure_score": None, "brightness": None, "faces": None, "exif_make": None, "exif_model": None}, []),
]  # fmt: skip


@pytest.mark.parametrize(("differs", "expected"), CASES)
def test_findings_of_one_photo(differs, expected):
    # the report's pin and the other photo are left out: what is found is this photo's
    found = findings(PLACE, [replace(DOG, **differs)])
    assert [one.code for one in found] == expected
    assert all(one.evidence_type == "DOG_PHOTO" and one.reason.startswith("Dog photo: ") for one in found)


@pytest.mark.parametrize(("metres", "expected"), [(0, []), (99.9, []), (100.1, ["PIN_FAR_FROM_DEVICE"]), (6_800, ["PIN_FAR_FROM_DEVICE"])])
def test_pin_and_device(metres, expected):
    assert codes(replace(PLACE, gps_latitude=north(metres))) == expected


def test_without_a_device_the_pin_is_far_from_nothing():
    assert codes(ReportPlace(*HERE, ZONE)) == []


@pytest.mark.parametrize(("faces", "expected"), [(None, []), (0, ["NO_FACE"]), (1, []), (2, ["SEVERAL_FACES"])])
def test_faces_in_the_selfie(faces, expected):
    assert codes(selfie=replace(SELFIE, faces=faces)) == expected


@pytest.mark.parametrize(
    ("differs", "expected"),
    [
        ({"exif_latitude": north(499.9)}, []),
        ({"exif_latitude": north(500.2)}, ["SELFIE_FAR_FROM_PHOTO"]),
        ({"captured_at": minutes(10)}, []),
        ({"captured_at": minutes(-10)}, []),
        ({"captured_at": minutes(10.1)}, ["SELFIE_NOT_AT_THE_TIME"]),
        ({"captured_at": None}, []),
        # without EXIF the claimed place counts
        ({"exif_latitude": None, "exif_longitude": None}, ["NO_EXIF_GPS"]),
        (
            {"exif_latitude": None, "exif_longitude": None, "claimed_latitude": north(501), "claimed_longitude": HERE[1]},
            ["NO_EXIF_GPS", "SELFIE_FAR_FROM_PHOTO"],
        ),
    ],
)
def test_photo_and_selfie(differs, expected):
    assert codes(selfie=replace(SELFIE, **differs)) == expected


def test_a_report_without_a_selfie_is_compared_with_none():
    assert findings(PLACE, [DOG]) == ()
    assert findings(PLACE, []) == ()


def test_limits_of_a_tenant_count():
    assert codes(replace(PLACE, gps_latitude=north(150)), pin_m=200) == []
    assert codes(selfie=replace(SELFIE, captured_at=minutes(8)), apart_min=5) == ["SELFIE_NOT_AT_THE_TIME"]


def test_a_finding_tells_what_was_measured_and_the_limit_in_words():
    (found,) = findings(replace(PLACE, gps_latitude=north(6_800)), [])
    assert (found.severity, found.limit, found.unit) == ("MEDIUM", 100.0, "m")
    assert found.measured == pytest.approx(6_800, abs=1)
    assert found.reason == "Pin 6.8 km from the device, limit 100 m"
    (late,) = findings(PLACE, [replace(DOG, claimed_at=minutes(300))])
    assert late.reason == "Dog photo: claimed time 5.0 h from the file's, limit 10 min"


def test_editors_are_written_as_they_are_compared():
    assert all(name == name.casefold() for name in EDITORS)


def test_a_row_with_the_named_columns_is_a_photo():
    names = [column.split(" AS ")[-1].split(".")[-1].strip() for column in PHOTO_COLUMNS.split(",")]
    assert sorted(names) == sorted(PhotoClaims.__dataclass_fields__)
    assert photo_of(SimpleNamespace(**vars(DOG))) == DOG
