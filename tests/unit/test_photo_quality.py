"""What is measured of a picture, and what its file says of itself, apart from any upload."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from pipeline.demo.photos import photo
from pipeline.errors import AppError
from pipeline.filestore.examine import THUMBNAIL_PX, examine
from pipeline.filestore.exif import facts, orientation, read_exif
from pipeline.filestore.faces import count_faces
from pipeline.filestore.formats import content_type_of, passes_of
from pipeline.filestore.measure import hamming, look, measure
from pipeline.filestore.quality import Quality, outputs, quality_of
from tests.bad_photos import exif, picture, saved

SEEN_AS_FACES = (45, 59, 64)  # drawn selfies that the cascade takes for a face


def grey(width=320, height=240):
    return picture(width, height).convert("L")


def blurred(image, share):
    return image.filter(ImageFilter.GaussianBlur(share * max(image.size)))


def test_blur_takes_sharpness_away_and_a_hundredth_of_the_length_is_too_much():
    scores = [quality_of(blurred(grey(1600, 1200), share)).blur_score for share in (0, 0.002, 0.005, 0.01)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5
    assert scores[3] < 0.2


@pytest.mark.parametrize("light", [0.35, 0.6, 1.0])
def test_dusk_is_not_taken_for_blur(light):
    dim = grey(1600, 1200).point(lambda level: level * light)
    assert quality_of(dim).blur_score > 0.5
    assert quality_of(blurred(dim, 0.02)).blur_score < 0.2


def test_a_picture_has_the_same_scores_at_every_size():
    large = quality_of(grey(3200, 2400))
    small = quality_of(grey(3200, 2400).resize((640, 480), Image.Resampling.BOX))
    assert small.blur_score == pytest.approx(large.blur_score, abs=0.05)
    assert small.exposure_score == pytest.approx(large.exposure_score, abs=0.02)


#    grey level of an even picture, exposure
LIGHT = [
    (0, 0.0), (4, 0.0), (9, 0.101), (26, 0.291), (27, 0.303), (50, 0.560), (89, 0.997), (90, 1.0), (128, 1.0), (191, 1.0), (230, 0.392),
    (236, 0.298), (250, 0.078), (251, 0.0), (255, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("level", "expected"), LIGHT)
def test_exposure_of_an_even_picture(level, expected):
    found = quality_of(Image.new("L", (100, 80), level))
    assert found.exposure_score == pytest.approx(expected, abs=0.002)
    assert found.brightness == pytest.approx(level / 255, abs=0.001)
    assert found.blur_score == 0


def test_what_is_black_or_white_beyond_recall_counts_against_the_light():
    half = Image.new("L", (100, 100), 128)
    half.paste(255, (0, 0, 25, 100))
    assert quality_of(half).exposure_score == pytest.approx(0.75, abs=0.01)


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_scores_lie_between_nothing_and_one_for_any_picture(width, height, seed):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    found = quality_of(Image.fromarray(levels))
    assert all(0 <= score <= 1 for score in vars(found).values())


@pytest.mark.parametrize(
    ("blur", "exposure", "side", "overall", "acceptable"),
    [
        (0.8, 0.9, 3000, 0.8, True),
        (0.2, 0.3, 200, 0.2, True),
        (0.19, 0.9, 3000, 0.19, False),
        (0.8, 0.29, 3000, 0.29, False),
        (0.8, 0.9, 199, 0.8, False),
    ],
)
def test_the_names_that_rules_know(blur, exposure, side, overall, acceptable):
    found = outputs(Quality(blur, exposure, 0.5), 4000, side)
    assert found == {"overallQuality": overall, "blurScore": blur, "exposureScore": exposure, "isAcceptable": acceptable}


# Faces -----------------------------------------------------------------------------------------------------------------


def selfie(seed):
    return Image.open(io.BytesIO(photo(seed, "selfie"))).convert("L")


@pytest.mark.parametrize("seed", SEEN_AS_FACES)
def test_a_face_is_counted(seed):
    assert count_faces(selfie(seed)) == 1
    assert measure(photo(seed, "selfie"), "a.jpg").faces is None  # measuring alone does not look for them
    assert examine(photo(seed, "selfie"), "a.jpg").measured.faces == 1


def test_two_faces_side_by_side_are_two():
    both = Image.new("L", (480, 220))
    for place, seed in enumerate(SEEN_AS_FACES[:2]):
        both.paste(selfie(seed).crop((40, 20, 280, 240)), (240 * place, 0))
    assert count_faces(both) == 2


@pytest.mark.parametrize(("size", "expected"), [((1, 1), None), ((23, 23), None), ((24, 24), 0), ((1000, 140), None), ((320, 240), 0)])
def test_an_even_picture_has_no_face_and_a_tiny_one_is_not_looked_at(size, expected):
    assert count_faces(Image.new("L", size, 128)) == expected


# Decoding --------------------------------------------------------------------------------------------------------------


def test_a_large_photo_is_decoded_small_and_looks_the_same():
    large = picture(4000, 3000)
    seen = look(saved(large), "a.jpg")
    assert seen.picture.size == (500, 375)
    assert (seen.measured.width, seen.measured.height) == (4000, 3000)
    assert hamming(seen.measured.phash, look(saved(large.resize((1000, 750))), "a.jpg").measured.phash) <= 6
    assert hamming(seen.measured.phash, look(saved(large, "PNG"), "a.png").measured.phash) <= 6


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "RGB"])
def test_a_large_png_taken_in_strips_is_the_small_one(mode):
    large, small = (picture(3000, 2100, mode).resize(size) for size in ((3000, 2100), (600, 420)))
    found = look(saved(large, "PNG"), "a.png")
    assert max(found.picture.size) < 600
    assert hamming(found.measured.phash, look(saved(small, "PNG"), "a.png").measured.phash) <= 6


def test_16_bits_of_grey_are_not_all_white():
    level = np.tile(np.linspace(0, 65535, 640).astype(np.uint16), (480, 1))
    found = measure(saved(Image.fromarray(level), "PNG"), "a.png")
    assert found.brightness == pytest.approx(0.5, abs=0.01)


def test_the_thumbnail_is_upright_small_and_says_nothing():
    found = examine(saved(picture(1600, 1200), exif=exif(6)), "a.jpg")
    shown = Image.open(io.BytesIO(found.thumbnail))
    assert shown.size == (THUMBNAIL_PX * 3 // 4, THUMBNAIL_PX)
    assert (shown.format, len(shown.getexif())) == ("JPEG", 0)


def test_jpegs_that_are_kept_whole_while_they_are_decoded_are_known_by_their_headers():
    size, full, half = (4000, 3000), [(1, 1)] * 3, [(2, 2), (1, 1), (1, 1)]
    once, often = saved(picture()), saved(picture(), progressive=True)
    assert passes_of(once, size, full) == (1, 0)
    passes, kept = passes_of(often, size, full)
    assert (passes > 5, kept) == (True, 4000 * 3000 * 3 * 2)
    assert passes_of(often, size, half)[1] == 4000 * 3000 * 3
    one_colour_first = once.replace(b"\xff\xda\x00\x0c\x03", b"\xff\xda\x00\x08\x01", 1)
    assert passes_of(one_colour_first, size, full)[1] == 4000 * 3000 * 3 * 2
    assert passes_of(b"\xff\xd8\xff", size, full)[1] > 0  # what cannot be followed is taken for the worst
    assert passes_of(b"\xff\xd8" + b"\xff" * 50, size, full)[1] > 0


@pytest.mark.parametrize(
    ("beginning", "named"),
    [
        (b"\0\0\0\x18ftypheic", "HEIC"), (b"\0\0\0\x18ftypmif1", "HEIC"), (b"\0\0\0\x18ftypavif", "AVIF"), (b"\0\0\0\x18ftypmp42", "video"),
        (b"RIFF\0\0\0\0WEBP", "WebP"), (b"GIF89a", "GIF"), (b"%PDF-1.4", "PDF"), (b"II*\0", "TIFF or a raw photo"),
        (b"\xff\x0a", "JPEG XL"),
    ],
)  # fmt: skip
def test_a_kind_that_is_not_taken_is_named(beginning, named):
    with pytest.raises(AppError) as caught:
        content_type_of(beginning + b"\0" * 100, "a.jpg")
    assert (caught.value.code, caught.value.params["format"]) == ("SDCRS_FILE_FORMAT", named)


# EXIF ------------------------------------------------------------------------------------------------------------------


def block(*entries, order="<", start=8):
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start)
    return head + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def entry(tag, kind, count, value, order="<"):
    return struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")[:4]


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_orders_of_bytes_are_read(order):
    found = read_exif(block(entry(0x010F, 2, 4, b"LG\0", order), entry(0x0112, 3, 1, struct.pack(f"{order}H", 6), order), order=order))
    assert found == {"Make": b"LG", "Orientation": (6.0,)}
    assert orientation(found) == 6
    assert facts(found)["exif_device"] == "LG"


@pytest.mark.parametrize(
    ("make", "model", "device"),
    [
        (b"Samsung", b"SM-A525F", "Samsung SM-A525F"), (b"Xiaomi", b"Xiaomi 13", "Xiaomi 13"), (None, b"Camon 19", "Camon 19"),
        (b"OPPO", None, "OPPO"), (b"", b" \x01 ", None), (None, None, None), (b"x" * 500, None, "x" * 128),
    ],
)  # fmt: skip
def test_make_model_and_what_people_say(make, model, device):
    assert facts({"Make": make, "Model": model})["exif_device"] == device


@pytest.mark.parametrize(
    "tiff",
    [
        b"", b"II*\0", b"XX*\0\x08\0\0\0", block(start=2**32 - 1), block(start=0), block(entry(0x8769, 4, 1, struct.pack("<I", 8))),
        block(entry(0x010F, 2, 2**32 - 1, struct.pack("<I", 2**32 - 1))), block(entry(0x0112, 5, 1, struct.pack("<I", 2**31))),
        block(entry(0x0112, 99, 1, b"\1")), block(*[entry(0x9999, 3, 1, b"\1")] * 600),
    ],
)  # fmt: skip
def test_a_block_that_cannot_be_followed_says_nothing(tiff):
    assert orientation(read_exif(tiff)) == 1
    assert not any(value for value in facts(read_exif(tiff)).values())


@given(st.binary(max_size=400), st.sampled_from(["<", ">"]), st.integers(0, 300))
def test_any_bytes_are_read_or_not_and_never_a_fault(noise, order, start):
    found = read_exif((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", start) + noise)
    assert set(facts(found)) >= {"exif_make", "exif_latitude"}
    assert 1 <= orientation(found) <= 8
