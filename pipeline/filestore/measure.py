"""Looking at uploaded bytes: is this a photo, how large, what does it look like, what does it say of itself.

Pure: no database, no storage. Everything in a file is what its sender chose to put there: EXIF is a signal and never a
proof, and whatever cannot be read in it is None and not an error.
"""

import hashlib
import io
import math
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import imagehash
import numpy as np
from PIL import ExifTags, Image

from pipeline.errors import AppError

MAX_BYTES = 10 * 1024 * 1024  # a phone's photo of 50 megapixels at full quality is about that
MAX_MEGABYTES = 10
MAX_PIXELS = 40_000_000  # 160 MB when decoded, and more than the phones in use take; a small file can unfold to far more
HASH_SOURCE_PX = 256  # eight times what the hash looks at: decoding a JPEG down to that changes two bits at most
MAX_TEXT = 128  # characters of a maker's name; longer ones are somebody's joke
EARLIEST_YEAR, LATEST_YEAR = 1990, 2099  # no EXIF is older; a date outside says nothing
MAX_OFFSET_MIN = 840  # the world's zones end at +14:00

# What Pillow raises on bytes made to confuse it, gathered by fuzzing; anything else is a fault of ours and may surface.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, ArithmeticError, struct.error,
    zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow only warns up to twice the limit
warnings.filterwarnings(
    "ignore", category=UserWarning, module=r"PIL\."
)  # it remarks on damaged EXIF, which a sender could fill our log with

_decoding = threading.BoundedSemaphore(2)  # large photos take 160 MB each while they are decoded
_DATE_TIME = re.compile(r"([0-9]{4}):([0-9]{2}):([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_OFFSET = re.compile(r"Z|([+-])([0-9]{2}):?([0-5][0-9])")
_FORMATS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Measured:
    """What a photo is and what it says of itself. Width and height are as shown, after its own turn."""

    content_type: str
    width: int
    height: int
    size: int  # bytes
    sha256: bytes
    phash: int  # 64 bits as a signed number, of the photo as shown
    exif_present: bool
    exif_latitude: float | None = None  # degrees; None also where a camera without a fix wrote exactly 0, 0
    exif_longitude: float | None = None
    exif_gps_at: datetime | None = None  # UTC, from the satellites
    exif_taken_at: datetime | None = None  # without a zone, as the camera's own clock had it
    exif_offset_min: int | None = None  # that clock's offset from UTC; None: not written
    exif_device: str | None = None
    exif_software: str | None = None


def measure(data: bytes, file_name: str) -> Measured:
    """Check and measure one photo; at most two at a time in this process.

    Raises SDCRS_FILE_TOO_LARGE, and SDCRS_FILE_NOT_AN_IMAGE for anything that is not a whole JPEG or PNG of a sane size.
    """
    if len(data) > MAX_BYTES:
        raise AppError("SDCRS_FILE_TOO_LARGE", maxMegabytes=MAX_MEGABYTES)
    content_type = next((kind for magic, kind in _FORMATS.items() if data.startswith(magic)), None)
    if content_type is None:
        raise _not_an_image(file_name, "it begins like neither")
    with _decoding:
        try:
            opened = _open(data, file_name)
            if content_type == "image/png":  # its checksums; a JPEG has none, and is decoded to its end below
                opened.verify()  # leaves the object unusable, so it is opened anew
                opened = _open(data, file_name)
            raw_width, raw_height = opened.size
            written, exif = _exif(opened)
            phash, turned = _phash(opened, exif)
        except DECODER_ERRORS as error:
            raise _not_an_image(file_name, "it is damaged or cut off") from error
    width, height = (raw_height, raw_width) if turned else (raw_width, raw_height)
    return Measured(content_type, width, height, len(data), hashlib.sha256(data).digest(), phash, written, **_facts(exif))


def render(data: bytes, longest_px: int) -> bytes:
    """The photo as a JPEG no longer than `longest_px`, turned upright, without EXIF or any other note of its camera.

    Raises SDCRS_FILE_NOT_AN_IMAGE.
    """
    with _decoding:
        try:
            image = _open(data, "photo")
            _, exif = _exif(image)
            image.draft(None, (longest_px, longest_px))
            shown = _upright(_on_white(image), exif)
            shown.thumbnail((longest_px, longest_px))
            out = io.BytesIO()
            Image.frombytes("RGB", shown.size, shown.tobytes()).save(out, "JPEG", quality=85)  # a new image carries nothing over
        except DECODER_ERRORS as error:
            raise _not_an_image("photo", "it is damaged or cut off") from error
    return out.getvalue()


def phash_bands(phash: int) -> tuple[int, int, int, int]:
    """The hash in four parts of 16 bits, highest first, each 0 to 65535.

    Of two hashes that differ in at most 6 bits at least one part differs in at most 1 bit.
    """
    bits = phash & 0xFFFF_FFFF_FFFF_FFFF
    return bits >> 48, bits >> 32 & 0xFFFF, bits >> 16 & 0xFFFF, bits & 0xFFFF


def hamming(a: int, b: int) -> int:
    """In how many of 64 bits two hashes differ."""
    return ((a ^ b) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()


def phash_hex(phash: int) -> str:
    """The hash as 16 hex digits, as answers show it."""
    return f"{phash & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def clean_text(value: object, longest: int) -> str | None:
    """Text from a file or a client without control characters, spaces folded, cut to `longest`; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    printable = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(printable.split())[:longest].strip() or None


def _not_an_image(file_name: str, detail: str) -> AppError:
    return AppError("SDCRS_FILE_NOT_AN_IMAGE", fileName=file_name, detail=detail)


def _open(data: bytes, file_name: str) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    if image.width * image.height > MAX_PIXELS:
        raise _not_an_image(file_name, f"{image.width} × {image.height} is more than {MAX_PIXELS // 1_000_000} megapixels")
    return image


def _on_white(image: Image.Image) -> Image.Image:
    if "A" in image.mode or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image, exif: Mapping[str, Any]) -> Image.Image:
    turn = _TURNS.get(exif.get("Orientation", 1))
    return image if turn is None else image.transpose(turn)


def _phash(image: Image.Image, exif: Mapping[str, Any]) -> tuple[int, bool]:
    """The perceptual hash, and whether width and height change places. Decodes the whole file, so a cut one raises."""
    image.draft(None, (HASH_SOURCE_PX, HASH_SOURCE_PX))
    bits = imagehash.phash(_upright(_on_white(image), exif)).hash
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True), exif.get("Orientation", 1) in (5, 6, 7, 8)


def _exif(image: Image.Image) -> tuple[bool, dict[str, Any]]:
    """Whether the file has an EXIF block, and its tags by name: those of the image, the camera and the satellites in one."""
    found: dict[str, Any] = {}
    if "exif" not in image.info and not image.getexif():
        return False, found
    try:
        exif = image.getexif()
        parts = (
            (ExifTags.TAGS, exif),
            (ExifTags.TAGS, exif.get_ifd(ExifTags.IFD.Exif)),
            (ExifTags.GPSTAGS, exif.get_ifd(ExifTags.IFD.GPSInfo)),
        )
        for names, tags in parts:
            for tag, value in tags.items():
                found.setdefault(names.get(tag, str(tag)), value)
    except DECODER_ERRORS:
        found.clear()  # an EXIF block that cannot be read says nothing; that there is one is still told
    if not isinstance(found.get("Orientation", 1), int):
        del found["Orientation"]
    return True, found


def _facts(exif: Mapping[str, Any]) -> dict[str, Any]:
    latitude = _degrees(exif.get("GPSLatitude"), exif.get("GPSLatitudeRef"), "NS", 90)
    longitude = _degrees(exif.get("GPSLongitude"), exif.get("GPSLongitudeRef"), "EW", 180)
    placed = latitude is not None and longitude is not None and (latitude, longitude) != (0.0, 0.0)
    make, model = clean_text(exif.get("Make"), MAX_TEXT), clean_text(exif.get("Model"), MAX_TEXT)
    device = (
        model if make and model and model.casefold().startswith(make.casefold()) else clean_text(f"{make or ''} {model or ''}", MAX_TEXT)
    )
    taken_at = _date_time(exif.get("DateTimeOriginal"))
    return {
        "exif_latitude": latitude if placed else None,
        "exif_longitude": longitude if placed else None,
        "exif_gps_at": _gps_at(exif.get("GPSDateStamp"), exif.get("GPSTimeStamp")),
        "exif_taken_at": taken_at,
        "exif_offset_min": None if taken_at is None else _offset(exif.get("OffsetTimeOriginal") or exif.get("OffsetTime")),
        "exif_device": device,
        "exif_software": clean_text(exif.get("Software"), MAX_TEXT),
    }


def _numbers(value: Any, longest: int) -> list[float] | None:
    """Up to `longest` finite numbers of 0 or more; None when it is anything else (zero denominators are not finite)."""
    if not isinstance(value, tuple | list) or not 1 <= len(value) <= longest:
        return None
    try:
        found = [float(part) for part in value]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return found if all(math.isfinite(part) and part >= 0 for part in found) else None


def _degrees(value: Any, reference: Any, signs: str, limit: int) -> float | None:
    parts = _numbers(value, 3)
    sign = clean_text(reference, 1)
    if parts is None or sign is None or sign.upper() not in signs:
        return None
    degrees = sum(part / 60**place for place, part in enumerate(parts))
    return None if degrees > limit else -degrees if sign.upper() == signs[1] else degrees


def _date_time(value: Any) -> datetime | None:
    parts = _DATE_TIME.fullmatch(clean_text(value, 19) or "")
    if parts is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, parts.groups())
        found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the camera's clock has no zone
    except ValueError:
        return None
    return found if EARLIEST_YEAR <= found.year <= LATEST_YEAR else None


def _gps_at(day: Any, time: Any) -> datetime | None:
    parts = _numbers(time, 3)
    midnight = _date_time(f"{clean_text(day, 10)} 00:00:00")
    if parts is None or len(parts) != 3 or midnight is None:
        return None
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    return midnight.replace(tzinfo=UTC) + timedelta(seconds=seconds) if seconds <= 86_400 else None


def _offset(value: Any) -> int | None:
    parts = _OFFSET.fullmatch(clean_text(value, 6) or "")
    if parts is None:
        return None
    minutes = 0 if parts[0] == "Z" else int(parts[2]) * 60 + int(parts[3])
    return None if minutes > MAX_OFFSET_MIN else -minutes if parts[1] == "-" else minutes
