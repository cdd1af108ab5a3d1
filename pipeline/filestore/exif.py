"""Reading what a camera wrote about its photo: a dozen tags of the EXIF block, taken out one by one and not believed.

Pure. Everything in the block is its sender's choice: lengths, offsets and types are checked against the bytes that are
there, nothing is followed twice, and what cannot be read is absent. Only these tags are looked at, so a maker's private
notes, a forged directory of a million entries or a ring of pointers cost nothing.
"""

import math
import re
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_ENTRIES = 512  # of one directory; a phone writes about forty in the largest
MAX_TEXT_BYTES = 512  # looked at of one text
MAX_TEXT = 128  # characters kept of a maker's name; longer ones are somebody's joke
EARLIEST_YEAR, LATEST_YEAR = 1990, 2099  # no EXIF is older; a date outside says nothing
MAX_OFFSET_MIN = 840  # the world's zones end at +14:00

_PREFIX = b"Exif\x00\x00"
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_IMAGE = {0x010F: "Make", 0x0110: "Model", 0x0112: "Orientation", 0x0131: "Software", _EXIF_IFD: "exif", _GPS_IFD: "gps"}
_CAMERA = {0x9003: "DateTimeOriginal", 0x9010: "OffsetTime", 0x9011: "OffsetTimeOriginal"}
_SATELLITES = {
    1: "GPSLatitudeRef",
    2: "GPSLatitude",
    3: "GPSLongitudeRef",
    4: "GPSLongitude",
    7: "GPSTimeStamp",
    29: "GPSDateStamp",
}
_TEXTS = (1, 2, 7)  # BYTE and UNDEFINED are written for ASCII by some cameras
_NUMBERS = {3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d"}
_FRACTIONS = {5: "I", 10: "i"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_DATE_TIME = re.compile(r"([0-9]{4}):([0-9]{2}):([0-9]{2}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")
_OFFSET = re.compile(r"Z|([+-])([0-9]{2}):?([0-5][0-9])")


def read_exif(block: bytes) -> dict[str, Any]:
    """The tags that we look at, by name: texts as bytes, numbers as tuples of floats; empty where the block cannot be read."""
    tiff = block.removeprefix(_PREFIX)
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return {}
    found = _directory(tiff, order, struct.unpack_from(f"{order}I", tiff, 4)[0], _IMAGE)
    for pointer, names in (("exif", _CAMERA), ("gps", _SATELLITES)):
        place = found.pop(pointer, None)
        if isinstance(place, tuple) and place[0] >= 8:  # before that is the header
            found |= _directory(tiff, order, int(place[0]), names)
    return found


def orientation(exif: Mapping[str, Any]) -> int:
    """How the photo is to be turned before it is shown: 1 to 8 as EXIF counts; 1, as it lies, also for nonsense."""
    value = exif.get("Orientation")
    return int(value[0]) if isinstance(value, tuple) and value[0] in range(1, 9) else 1


def facts(exif: Mapping[str, Any]) -> dict[str, Any]:
    """What the tags say, under the names that `Measured` has for it; None for whatever is absent or cannot be."""
    latitude = _degrees(exif.get("GPSLatitude"), exif.get("GPSLatitudeRef"), "NS", 90)
    longitude = _degrees(exif.get("GPSLongitude"), exif.get("GPSLongitudeRef"), "EW", 180)
    placed = latitude is not None and longitude is not None and (latitude, longitude) != (0.0, 0.0)
    make, model = _text(exif.get("Make")), _text(exif.get("Model"))
    taken_at = _date_time(_text(exif.get("DateTimeOriginal")))
    return {
        "exif_latitude": latitude if placed else None,
        "exif_longitude": longitude if placed else None,
        "exif_gps_at": _gps_at(exif.get("GPSDateStamp"), exif.get("GPSTimeStamp")),
        "exif_taken_at": taken_at,
        "exif_offset_min": None if taken_at is None else _offset(exif.get("OffsetTimeOriginal") or exif.get("OffsetTime")),
        "exif_make": make,
        "exif_model": model,
        "exif_device": _device(make, model),
        "exif_software": _text(exif.get("Software")),
    }


def clean_text(value: object, longest: int) -> str | None:
    """Text from a file or a client without control characters, spaces folded, cut to `longest`; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return " ".join(value.split())[:longest].strip() or None


def _directory(tiff: bytes, order: str, at: int, names: Mapping[int, str]) -> dict[str, Any]:
    """The named entries of one directory; the first of several with one tag counts. It is not followed any further."""
    found: dict[str, Any] = {}
    if not 0 <= at <= len(tiff) - 2:
        return found
    count = struct.unpack_from(f"{order}H", tiff, at)[0]
    entry = struct.Struct(f"{order}HHI")
    for index in range(min(count, MAX_ENTRIES, (len(tiff) - at - 2) // 12)):
        place = at + 2 + 12 * index
        tag, kind, number = entry.unpack_from(tiff, place)
        if tag not in names or kind not in _SIZES:
            continue
        value = _value(tiff, order, place + 8, kind, number)
        if value is not None:
            found.setdefault(names[tag], value)
    return found


def _value(tiff: bytes, order: str, place: int, kind: int, number: int) -> bytes | tuple[float, ...] | None:
    """An entry's value: at its place if it fits into four bytes, else where these point to."""
    if kind not in _TEXTS and not 1 <= number <= 3:
        return None  # no number that we ask for has more parts than degrees, minutes and seconds
    size = _SIZES[kind] * number
    at = place if size <= 4 else struct.unpack_from(f"{order}I", tiff, place)[0]
    if kind in _TEXTS:
        return tiff[at : at + min(size, MAX_TEXT_BYTES)].partition(b"\x00")[0]
    if at + size > len(tiff):
        return None
    if kind in _NUMBERS:
        return tuple(float(part) for part in struct.unpack_from(f"{order}{number}{_NUMBERS[kind]}", tiff, at))
    parts = struct.unpack_from(f"{order}{2 * number}{_FRACTIONS[kind]}", tiff, at)
    return tuple(above / below if below else math.inf for above, below in zip(parts[::2], parts[1::2], strict=True))


def _text(value: Any) -> str | None:
    return clean_text(value, MAX_TEXT) if isinstance(value, bytes) else None


def _device(make: str | None, model: str | None) -> str | None:
    if make and model and model.casefold().startswith(make.casefold()):
        return model  # "Redmi" and "Redmi Note 11"
    return clean_text(f"{make or ''} {model or ''}", MAX_TEXT)


def _numbers(value: Any) -> tuple[float, ...] | None:
    """Finite numbers of 0 or more; None when it is anything else (zero denominators are not finite)."""
    return value if isinstance(value, tuple) and all(math.isfinite(part) and part >= 0 for part in value) else None


def _degrees(value: Any, reference: Any, signs: str, limit: int) -> float | None:
    parts = _numbers(value)
    sign = _text(reference)
    if parts is None or sign is None or sign[0].upper() not in signs:
        return None
    degrees = sum(part / 60**place for place, part in enumerate(parts))
    return None if degrees > limit else -degrees if sign[0].upper() == signs[1] else degrees


def _date_time(value: str | None) -> datetime | None:
    parts = _DATE_TIME.fullmatch((value or "")[:19])
    if parts is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, parts.groups())
        found = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the camera's clock has no zone
    except ValueError:
        return None
    return found if EARLIEST_YEAR <= found.year <= LATEST_YEAR else None


def _gps_at(day: Any, time: Any) -> datetime | None:
    parts = _numbers(time)
    midnight = _date_time(f"{(_text(day) or '')[:10]} 00:00:00")
    if parts is None or len(parts) != 3 or midnight is None:
        return None
    seconds = parts[0] * 3600 + parts[1] * 60 + parts[2]
    return midnight.replace(tzinfo=UTC) + timedelta(seconds=seconds) if seconds <= 86_400 else None


def _offset(value: Any) -> int | None:
    parts = _OFFSET.fullmatch((_text(value) or "")[:6])
    if parts is None:
        return None
    minutes = 0 if parts[0] == "Z" else int(parts[2]) * 60 + int(parts[3])
    return None if minutes > MAX_OFFSET_MIN else -minutes if parts[1] == "-" else minutes
