"""Measuring uploaded bytes, and keeping and linking them: everything in a file is its sender's choice."""

import io
import random
import struct
import zlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import imagehash
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageDraw
from PIL.TiffImagePlugin import IFDRational

from pipeline.errors import AppError
from pipeline.filestore import measure as measuring
from pipeline.filestore.measure import hamming, measure, phash_bands, phash_hex, render
from pipeline.filestore.store import FileStore
from pipeline.filestore.upload import safe_name
from pipeline.settings import load
from pipeline.vault.keys import open_keyring

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FILE_ID = UUID("019b76da-a800-70ca-bbce-538d9f9a55ad")


def drawing(seed=1, size=(320, 240), mode="RGB"):
    rng = random.Random(seed)
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = rng.randrange(size[0]), rng.randrange(size[1])
        draw.ellipse((x, y, x + rng.randrange(5, 120), y + rng.randrange(5, 90)), fill=tuple(rng.randrange(256) for _ in range(3)))
    return image.convert(mode)


def encoded(image, kind="JPEG", exif=None):
    out = io.BytesIO()
    image.save(out, kind, **({"exif": exif} if exif is not None else {}))
    return out.getvalue()


def exif_of(base=None, camera=None, gps=None):
    exif = Image.Exif()
    for tag, value in (base or {}).items():
        exif[tag] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(camera or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(gps or {})
    return exif


GPS = {1: "N", 2: (11.0, 35.0, 18.96), 3: "E", 4: (43.0, 8.0, 44.16), 29: "2026:03:02", 7: (9.0, 30.0, 45.0)}
PHONE = {ExifTags.Base.Make: "Samsung", ExifTags.Base.Model: "SM-A525F", ExifTags.Base.Software: "A525FXXU4"}
TAKEN = {ExifTags.Base.DateTimeOriginal: "2026:03:02 12:30:45", ExifTags.Base.OffsetTimeOriginal: "+03:00"}


def test_a_phones_photo_says_where_when_and_with_what_it_was_taken():
    found = measure(encoded(drawing(), exif=exif_of(PHONE, TAKEN, GPS)), "a.jpg")
    assert (found.content_type, found.width, found.height, found.exif_present) == ("image/jpeg", 320, 240, True)
    assert found.exif_latitude == pytest.approx(11.5886, abs=1e-6)
    assert found.exif_longitude == pytest.approx(43.1456, abs=1e-6)
    assert found.exif_gps_at == datetime(2026, 3, 2, 9, 30, 45, tzinfo=UTC)
    assert found.exif_taken_at == datetime(2026, 3, 2, 12, 30, 45)  # noqa: DTZ001 - the camera's clock has no zone
    assert found.exif_offset_min == 180
    assert found.exif_device == "Samsung SM-A525F"
    assert found.exif_software == "A525FXXU4"


def test_southern_and_western_places_are_negative():
    found = measure(encoded(drawing(), exif=exif_of(gps=GPS | {1: "S", 3: "W"})), "a.jpg")
    assert found.exif_latitude < 0
    assert found.exif_longitude < 0


def test_a_photo_without_exif_says_nothing_and_is_good():
    found = measure(encoded(drawing()), "a.jpg")
    assert not found.exif_present
    assert (found.exif_latitude, found.exif_gps_at, found.exif_taken_at, found.exif_device) == (None, None, None, None)


@pytest.mark.parametrize(
    "gps",
    [
        {2: (IFDRational(0, 0), 0.0, 0.0)},
        {2: (91.0, 0.0, 0.0)},
        {4: (180.0, 59.0, 59.0)},
        {2: (11.0, IFDRational(5, 0), 0.0)},
        {1: "X"},
        {3: ""},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},  # a camera without a fix
    ],
)
def test_an_absurd_place_in_exif_is_no_place(gps):
    found = measure(encoded(drawing(), exif=exif_of(gps=GPS | gps)), "a.jpg")
    assert (found.exif_latitude, found.exif_longitude) == (None, None)
    assert found.exif_present


@pytest.mark.parametrize(
    "written", ["0000:00:00 00:00:00", "2026:13:41 25:61:61", "    :  :     :  :  ", "9999:12:31 23:59:59", "yesterday", "\x00\xff"]
)
def test_an_absurd_time_in_exif_is_no_time(written):
    camera = TAKEN | {ExifTags.Base.DateTimeOriginal: written}
    found = measure(encoded(drawing(), exif=exif_of(camera=camera, gps=GPS | {29: written, 7: (99.0, 0.0, 0.0)})), "a.jpg")
    assert (found.exif_taken_at, found.exif_gps_at, found.exif_offset_min) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "minutes"), [("+05:30", 330), ("-03:00", -180), ("+14:00", 840), ("+23:00", None), ("Z", 0), ("junk", None)]
)
def test_offset_of_the_cameras_clock(written, minutes):
    found = measure(encoded(drawing(), exif=exif_of(camera=TAKEN | {ExifTags.Base.OffsetTimeOriginal: written})), "a.jpg")
    assert found.exif_offset_min == minutes


def test_makers_text_is_cut_and_cleaned_of_control_characters():
    found = measure(encoded(drawing(), exif=exif_of({ExifTags.Base.Make: "A\x00B\x1b[31m" + "x" * 500})), "a.jpg")
    assert len(found.exif_device) <= 128
    assert found.exif_device.isprintable()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "SDCRS_FILE_NOT_AN_IMAGE"),
        (b"GIF89a" + b"\0" * 100, "SDCRS_FILE_FORMAT"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SDCRS_FILE_NOT_AN_IMAGE"),
        (b"\xff\xd8\xff" + b"\0" * 100, "SDCRS_FILE_NOT_AN_IMAGE"),
        (encoded(drawing())[:-400], "SDCRS_FILE_NOT_AN_IMAGE"),
        (encoded(drawing(), "PNG")[:-400], "SDCRS_FILE_NOT_AN_IMAGE"),
        (b"\xff\xd8\xff" + b"\0" * (10 * 1024 * 1024), "SDCRS_FILE_TOO_LARGE"),
    ],
)
def test_what_is_not_a_whole_photo_of_sane_size_is_refused(data, code):
    with pytest.raises(AppError) as caught:
        measure(data, "a.jpg")
    assert caught.value.code == code


def test_a_small_png_that_unfolds_to_a_hundred_megapixels_is_refused_before_it_is_decoded():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress(b"\0" * 1251 * 10_000, 9)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 1, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
    assert len(bomb) < 100_000
    with pytest.raises(AppError) as caught:
        measure(bomb, "bomb.png")
    assert caught.value.code == "SDCRS_FILE_NOT_AN_IMAGE"


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "I;16", "1"])
def test_every_kind_of_png_is_measured(mode):
    image = drawing().convert("I").convert("I;16") if mode == "I;16" else drawing(mode=mode)
    assert measure(encoded(image, "PNG"), "a.png").content_type == "image/png"


def test_the_hash_is_the_one_that_imagehash_computes():
    data = encoded(drawing())
    assert phash_hex(measure(data, "a.jpg").phash) == str(imagehash.phash(Image.open(io.BytesIO(data))))


def test_a_recompressed_or_shrunk_photo_is_near_and_another_photo_is_far():
    original = measure(encoded(drawing(1, (1600, 1200))), "a.jpg").phash
    again = drawing(1, (1600, 1200)).resize((800, 600))
    assert hamming(original, measure(encoded(again), "b.jpg").phash) <= 6
    assert hamming(original, measure(encoded(drawing(2, (1600, 1200))), "c.jpg").phash) > 6


def test_a_photo_turned_by_its_orientation_tag_is_the_same_as_one_turned_in_its_pixels():
    lying = encoded(drawing(), exif=exif_of({ExifTags.Base.Orientation: 6}))
    found = measure(lying, "a.jpg")
    assert (found.width, found.height) == (240, 320)
    upright = encoded(Image.open(io.BytesIO(render(lying, 320))))
    assert hamming(found.phash, measure(upright, "b.jpg").phash) <= 6


def test_bands_put_together_are_the_hash():
    for phash in (0, -1, 1, -(2**63), 2**63 - 1, -5870447559287970935):
        high, second, third, low = phash_bands(phash)
        assert f"{high:04x}{second:04x}{third:04x}{low:04x}" == phash_hex(phash)
    assert hamming(-1, 0) == 64


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\Users\\x\\a.jpg", "a\x00b.jpg", "", "/", "x" * 300, "\ud800.jpg"])
def test_file_names_lose_their_folders_and_control_characters(name):
    safe = safe_name(name)
    assert 1 <= len(safe) <= 255
    assert "/" not in safe
    assert "\\" not in safe
    assert safe.isprintable()
    safe.encode()


def test_the_copy_that_people_see_says_nothing_of_its_camera():
    data = encoded(drawing(size=(3000, 2000)), exif=exif_of(PHONE | {ExifTags.Base.Orientation: 6}, TAKEN, GPS))
    shown = Image.open(io.BytesIO(render(data, 256)))
    assert max(shown.size) == 256
    assert shown.height > shown.width
    assert not shown.getexif()
    assert b"Samsung" not in render(data, 2048)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # its remarks about damaged EXIF
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_measured_and_never_anything_else(data):
    base = _SAMPLES[data.draw(st.integers(0, len(_SAMPLES) - 1))]
    bad = bytearray(base)
    for _ in range(data.draw(st.integers(1, 20))):
        # most damage in the first kilobyte, where headers and EXIF are
        place = data.draw(st.integers(3, min(1000, len(bad) - 1)) | st.integers(3, len(bad) - 1))
        bad[place] = data.draw(st.integers(0, 255))
    try:
        measure(bytes(bad), "a.jpg")
    except AppError as error:
        code = error.code
    else:
        assert render(bytes(bad), 64).startswith(b"\xff\xd8")
        return
    assert code == "SDCRS_FILE_NOT_AN_IMAGE"


_SAMPLES = [
    encoded(drawing(), exif=exif_of(PHONE | {ExifTags.Base.Orientation: 6}, TAKEN, GPS)),
    encoded(drawing(), "PNG", exif=exif_of(PHONE, TAKEN, GPS)),
    encoded(drawing(mode="P"), "PNG"),
]


# The store ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    configuration = load({"DATA_DIR": str(tmp_path / "data with space%20")})
    return FileStore(configuration, open_keyring(configuration))


def stored_objects(store):
    return [path for path in store._fs.find(store._root) if "/." not in path]


def test_the_original_comes_back_byte_for_byte_and_lies_sealed_on_the_disk(store):
    data = encoded(drawing(), exif=exif_of(PHONE))
    store.put(FILE_ID, data)
    assert store.get(FILE_ID, "original") == data
    (path,) = stored_objects(store)
    assert b"Samsung" not in store._fs.cat_file(path)
    assert store._fs.info(path)["mode"] & 0o077 == 0


def test_copies_are_drawn_when_first_asked_for_and_kept(store):
    store.put(FILE_ID, encoded(drawing(size=(1000, 500)), exif=exif_of(PHONE)))
    first = store.get(FILE_ID, "thumbnail")
    assert Image.open(io.BytesIO(first)).size == (256, 128)
    assert store.get(FILE_ID, "photo") == store.get(FILE_ID)
    assert len(stored_objects(store)) == 3
    assert store.get(FILE_ID, "thumbnail") == first


def test_a_deleted_file_is_gone_with_its_copies_and_deleting_again_is_no_error(store):
    store.put(FILE_ID, encoded(drawing()))
    store.get(FILE_ID, "thumbnail")
    store.delete(FILE_ID)
    store.delete(FILE_ID)
    assert stored_objects(store) == []
    with pytest.raises(AppError) as caught:
        store.get(FILE_ID, "thumbnail")
    assert caught.value.code == "SDCRS_NOT_FOUND"


def test_bytes_moved_to_another_id_or_altered_do_not_open(store):
    other = UUID(int=FILE_ID.int + 1)
    store.put(FILE_ID, encoded(drawing()))
    sealed = store._fs.cat_file(store._path(FILE_ID, "original"))
    store._fs.makedirs(store._fs._parent(store._path(other, "original")), exist_ok=True)
    for bad in (sealed, sealed[:-1], b"", b"SDF1", b"SDF1\xff", sealed[:9], b"JFIF" + sealed):
        store._fs.pipe_file(store._path(other, "original"), bad)
        with pytest.raises(AppError) as caught:
            store.get(other, "original")
        assert caught.value.code == "SDCRS_DECRYPT_FAILED"


def test_a_bucket_without_a_disk_serves_as_well(tmp_path):
    configuration = load({"DATA_DIR": str(tmp_path), "FILESTORE_URL": f"memory://{tmp_path.name}"})
    bucket = FileStore(configuration, open_keyring(configuration))
    bucket.put(FILE_ID, encoded(drawing()))
    assert bucket.get(FILE_ID, "original") == encoded(drawing())
    assert len(bucket.get(FILE_ID, "thumbnail")) > 500
    bucket.delete(FILE_ID)
    with pytest.raises(AppError):
        bucket.get(FILE_ID)


def test_an_unknown_filestore_is_named_as_a_bad_setting(tmp_path):
    configuration = load({"DATA_DIR": str(tmp_path), "FILESTORE_URL": "nowhere://x"})
    with pytest.raises(AppError) as caught:
        FileStore(configuration, open_keyring(configuration))
    assert caught.value.code == "SDCRS_BAD_SETTING"


def link_parts(link):
    path, _, query = link.partition("?")
    return path, dict(part.split("=") for part in query.split("&"))


def test_a_link_opens_for_a_minute_and_then_no_more(store):
    path, query = link_parts(store.sign(FILE_ID, "thumbnail", NOW))
    assert path == f"/filestore/v1/files/{FILE_ID}"
    assert store.verify_signature(FILE_ID, now=NOW + timedelta(seconds=59), **query) == "thumbnail"
    with pytest.raises(AppError) as caught:
        store.verify_signature(FILE_ID, now=NOW + timedelta(seconds=61), **query)
    assert caught.value.code == "SDCRS_LINK_EXPIRED"


@pytest.mark.parametrize(
    "change",
    [
        {"variant": "original"},
        {"variant": "nothing"},
        {"expires": "99999999999"},
        {"expires": "-1"},
        {"expires": "٣"},
        {"expires": "9" * 5000},
        {"expires": ""},
        {"signature": ""},
        {"signature": "é" * 64},
        {"signature": "\ud800"},
        {"signature": "0" * 64},
    ],
)
def test_a_link_altered_in_any_part_does_not_open(store, change):
    _, query = link_parts(store.sign(FILE_ID, "photo", NOW))
    with pytest.raises(AppError) as caught:
        store.verify_signature(FILE_ID, now=NOW, **(query | change))
    assert caught.value.code == "SDCRS_LINK_EXPIRED"


def test_a_link_of_one_file_does_not_open_another(store):
    _, query = link_parts(store.sign(FILE_ID, "photo", NOW))
    with pytest.raises(AppError):
        store.verify_signature(UUID(int=FILE_ID.int + 1), now=NOW, **query)


def test_the_pixel_limit_is_pillows_own_limit_too():
    assert Image.MAX_IMAGE_PIXELS == measuring.MAX_PIXELS
