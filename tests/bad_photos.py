"""Photos that are none, that lie, or that are made to hurt: each with what becomes of it, for the tests that send them."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageDraw

GPS = {1: "N", 2: (11.0, 35.0, 18.96), 3: "E", 4: (43.0, 8.0, 44.16), 29: "2026:03:02", 7: (9.0, 30.0, 45.0)}
PAYLOAD = b"<?php system($_GET['c']); ?><script>alert(1)</script>"
NOT_AN_IMAGE, FORMAT = "SDCRS_FILE_NOT_AN_IMAGE", "SDCRS_FILE_FORMAT"


@dataclass(frozen=True)
class BadPhoto:
    """A file, the name it is sent under, and the code that refuses it; None: it is taken."""

    name: str
    file_name: str
    make: Callable[[], bytes]
    code: str | None


def picture(width=320, height=240, mode="RGB"):
    """A street of coloured circles: sharp, well lit."""
    rng = random.Random(7)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y = rng.randrange(width), rng.randrange(height)
        draw.ellipse((x, y, x + rng.randrange(5, 120), y + rng.randrange(5, 90)), fill=tuple(rng.randrange(256) for _ in range(3)))
    return image.convert(mode)


def saved(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def exif(orientation=None, gps=GPS, comment=None):
    block = Image.Exif()
    if orientation is not None:
        block[ExifTags.Base.Orientation] = orientation
    if comment is not None:
        block[ExifTags.Base.ImageDescription] = comment
    block.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    return block


def png(width, height, depth, colour, rows, extra=b"", ends=True):
    """A PNG by hand: `rows` is the picture as it is before compression."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    end = chunk(b"IEND", b"") if ends else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, 9)) + end


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def resized(jpeg, width, height):
    """The same JPEG with another size written into its header."""
    for marker in (b"\xff\xc0\x00\x11", b"\xff\xc2\x00\x11"):
        at = jpeg.find(marker)
        if at >= 0:
            return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]
    raise AssertionError("no frame header of three colours")


def heif(brand):
    return struct.pack(">I", 24) + b"ftyp" + brand + b"\0\0\0\0mif1" + brand + b"\0" * 2000


def with_zip(data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.php", PAYLOAD)
    return data + out.getvalue()


def forged(entries, tail=b""):
    """A JPEG whose EXIF directory is these entries (tag, type, count, value) as they stand."""
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\0\0\0\0" + tail
    block = b"Exif\0\0II*\0\x08\0\0\0" + body
    jpeg = saved(picture())
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


def animation(kind):
    return saved(picture(), kind, save_all=True, append_images=[Image.new("RGB", (320, 240), "red")])


def passes(jpeg):
    """The same JPEG with a thousand empty scans more."""
    return jpeg[:-2] + b"\xff\xda\0\x02" * 1000 + jpeg[-2:]


def sixteen_bits():
    level = np.linspace(0, 65535, 640 * 480).reshape(480, 640).astype(np.uint16)
    return saved(Image.fromarray(level), "PNG")


def tall(width, height, mode):
    return saved(
        Image.new(mode, (width, height), 128 if mode in ("L", "I;16") else (90, 120, 90, 200)[: len(mode)]), "PNG", compress_level=1
    )


BAD_PHOTOS = (
    BadPhoto("no bytes", "a.jpg", lambda: b"", NOT_AN_IMAGE),
    BadPhoto("three bytes", "a.jpg", lambda: b"\xff\xd8\xff", NOT_AN_IMAGE),
    BadPhoto("a text with a photo's name", "a.jpg", lambda: b"It is a dog.", NOT_AN_IMAGE),
    BadPhoto("a page with a photo's name", "a.jpg", lambda: b"<html>" + PAYLOAD, NOT_AN_IMAGE),
    BadPhoto("a drawing in SVG", "a.png", lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", NOT_AN_IMAGE),
    BadPhoto("an archive", "a.jpg", lambda: with_zip(b""), NOT_AN_IMAGE),
    BadPhoto("a PDF", "a.jpg", lambda: b"%PDF-1.7\n" + b"0" * 500, FORMAT),
    BadPhoto("HEIC", "IMG_0001.HEIC", lambda: heif(b"heic"), FORMAT),
    BadPhoto("HEIC that calls itself a JPEG", "IMG_0001.jpg", lambda: heif(b"mif1"), FORMAT),
    BadPhoto("AVIF", "a.avif", lambda: heif(b"avif"), FORMAT),
    BadPhoto("a film", "a.jpg", lambda: heif(b"isom"), FORMAT),
    BadPhoto("an animation in GIF", "a.gif", lambda: animation("GIF"), FORMAT),
    BadPhoto("WebP", "a.webp", lambda: saved(picture(), "WEBP"), FORMAT),
    BadPhoto("TIFF", "a.tif", lambda: saved(picture(), "TIFF"), FORMAT),
    BadPhoto("BMP", "a.bmp", lambda: saved(picture(), "BMP"), FORMAT),
    BadPhoto("an animation in PNG", "a.png", lambda: animation("PNG"), NOT_AN_IMAGE),
    BadPhoto("a JPEG cut off", "a.jpg", lambda: saved(picture())[:-400], NOT_AN_IMAGE),
    BadPhoto("a JPEG of its headers only", "a.jpg", lambda: saved(picture())[:640], NOT_AN_IMAGE),
    BadPhoto("a PNG cut off", "a.png", lambda: saved(picture(), "PNG")[:-400], NOT_AN_IMAGE),
    BadPhoto("a PNG with a wrong checksum", "a.png", lambda: saved(picture(), "PNG").replace(b"IDAT", b"IDAU", 1), NOT_AN_IMAGE),
    BadPhoto("a bomb of 100 megapixels in PNG", "a.png", lambda: png(10_000, 10_000, 1, 0, b"\0" * 1251 * 10_000), NOT_AN_IMAGE),
    BadPhoto("a bomb of 39 megapixels with colours in PNG", "a.png", lambda: png(6_250, 6_250, 8, 6, bytes(25_001) * 100), NOT_AN_IMAGE),
    BadPhoto("a PNG of ten gigapixels in its header", "a.png", lambda: png(100_000, 100_000, 8, 2, b""), NOT_AN_IMAGE),
    BadPhoto(
        "a PNG with a text that unfolds to 100 MB", "a.png",
        lambda: png(8, 8, 8, 0, bytes(72), chunk(b"zTXt", b"a\0\0" + zlib.compress(b" " * 100_000_000, 9))), NOT_AN_IMAGE,
    ),
    BadPhoto("a bomb of 100 megapixels in JPEG", "a.jpg", lambda: resized(saved(picture()), 10_000, 10_000), NOT_AN_IMAGE),
    BadPhoto("a JPEG that says it has 39 megapixels", "a.jpg", lambda: resized(saved(picture()), 7_200, 5_400), NOT_AN_IMAGE),
    BadPhoto(
        "a bomb of 39 megapixels in a progressive JPEG", "a.jpg",
        lambda: resized(saved(picture(), progressive=True, subsampling=0), 7_200, 5_400) + bytes(100_000), NOT_AN_IMAGE,
    ),
    BadPhoto(
        "a large JPEG in a thousand passes", "a.jpg",
        lambda: passes(saved(Image.new("RGB", (4_000, 3_000), "gray"), progressive=True)), NOT_AN_IMAGE,
    ),
    BadPhoto("a small JPEG in a thousand passes", "a.jpg", lambda: passes(saved(picture())), NOT_AN_IMAGE),
    BadPhoto("a strip of 65,000 pixels", "a.jpg", lambda: saved(Image.new("L", (65_000, 511), 99)), NOT_AN_IMAGE),
    BadPhoto("a PNG that only says that it is a JPEG", "a.jpg", lambda: saved(picture(), "PNG"), None),
    BadPhoto("a photo and an archive in one", "a.jpg", lambda: with_zip(saved(picture())), None),
    BadPhoto("a photo with a program in its comment", "a.php.jpg", lambda: saved(picture(), comment=PAYLOAD), None),
    BadPhoto("a photo with a program in its EXIF", "a.jpg", lambda: saved(picture(), exif=exif(comment=PAYLOAD.decode())), None),
    BadPhoto("a PNG with a program behind it", "a.png", lambda: saved(picture(), "PNG") + PAYLOAD, None),
    BadPhoto("no EXIF", "a.jpg", lambda: saved(picture()), None),
    BadPhoto("lying on its side", "a.jpg", lambda: saved(picture(), exif=exif(6)), None),
    BadPhoto("a turn that does not exist", "a.jpg", lambda: saved(picture(), exif=exif(77)), None),
    BadPhoto("an EXIF block of noise", "a.jpg", lambda: forged([(7, 9, 2**31, 2**31)] * 40), None),
    BadPhoto("EXIF directories in a ring", "a.jpg", lambda: forged([(0x8769, 4, 1, 8), (0x8825, 4, 1, 8)]), None),
    BadPhoto("an EXIF text of four gigabytes", "a.jpg", lambda: forged([(0x010F, 2, 2**32 - 1, 30)]), None),
    BadPhoto("a place beyond the poles", "a.jpg", lambda: saved(picture(), exif=exif(gps=GPS | {2: (91.0, 0.0, 0.0)})), None),
    BadPhoto("a date that does not exist", "a.jpg", lambda: saved(picture(), exif=exif(gps=GPS | {29: "2026:13:45"})), None),
    BadPhoto("four inks", "a.jpg", lambda: saved(picture(mode="CMYK")), None),
    BadPhoto("16 bits of grey", "a.png", sixteen_bits, None),
    BadPhoto("one pixel", "a.png", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), None),
    BadPhoto("two pictures in one file, as some phones write them", "a.jpg", lambda: animation("MPO"), None),
    BadPhoto("a transparent PNG of 24 megapixels", "a.png", lambda: tall(4_900, 4_900, "RGBA"), None),
    BadPhoto("a grey PNG of 39 megapixels", "a.png", lambda: tall(6_200, 6_200, "L"), None),
    BadPhoto("a JPEG of 39 megapixels", "a.jpg", lambda: saved(Image.new("RGB", (7_200, 5_400), "gray")), None),
    BadPhoto("a JPEG of 12 megapixels in passes", "a.jpg", lambda: saved(Image.new("RGB", (4_000, 3_000), "gray"), progressive=True), None),
)  # fmt: skip
