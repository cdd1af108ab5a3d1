"""The EXIF block that a phone writes, packed by hand: thousands of photos are made, and a general writer costs as much as the drawing."""

import struct
from datetime import UTC, datetime

Entry = tuple[int, int, int, bytes]  # tag, type, count, value

ASCII, LONG, RATIONAL = 2, 4, 5
MAKE, MODEL, SOFTWARE, DATE_TIME, EXIF_IFD, GPS_IFD = 0x010F, 0x0110, 0x0131, 0x0132, 0x8769, 0x8825
DATE_TIME_ORIGINAL, OFFSET_TIME, OFFSET_TIME_ORIGINAL = 0x9003, 0x9010, 0x9011
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE, TIME_STAMP, DATE_STAMP = 1, 2, 3, 4, 7, 29
HEADER = b"MM\x00\x2a\x00\x00\x00\x08"  # TIFF, most significant byte first, the first directory after these 8 bytes


def exif_block(
    make: str, model: str, software: str | None, latitude: float | None, longitude: float | None, taken_at: datetime | None
) -> bytes:
    """What goes into a JPEG's APP1 segment. `taken_at` needs a zone; the satellites' time is written where there is a place."""
    main = [_text(MAKE, make), _text(MODEL, model)]
    if software is not None:
        main.append(_text(SOFTWARE, software))
    camera: list[Entry] = []
    place: list[Entry] = []
    if taken_at is not None:
        written = f"{taken_at:%Y:%m:%d %H:%M:%S}"
        offset = f"{taken_at:%z}"
        offset = f"{offset[:3]}:{offset[3:5]}"
        main.append(_text(DATE_TIME, written))
        camera = [_text(DATE_TIME_ORIGINAL, written), _text(OFFSET_TIME, offset), _text(OFFSET_TIME_ORIGINAL, offset)]
    if latitude is not None and longitude is not None:
        place = [
            _text(LATITUDE_REF, "N" if latitude >= 0 else "S"),
            _rationals(LATITUDE, *_sexagesimal(latitude)),
            _text(LONGITUDE_REF, "E" if longitude >= 0 else "W"),
            _rationals(LONGITUDE, *_sexagesimal(longitude)),
        ]
        if taken_at is not None:
            utc = taken_at.astimezone(UTC)
            place += [_rationals(TIME_STAMP, (utc.hour, 1), (utc.minute, 1), (utc.second, 1)), _text(DATE_STAMP, f"{utc:%Y:%m:%d}")]
    return b"Exif\x00\x00" + HEADER + _directories(main, camera, place)


def _directories(main: list[Entry], camera: list[Entry], place: list[Entry]) -> bytes:
    """The main directory, which points to the other two, then these."""
    pointers = [tag for tag, entries in ((EXIF_IFD, camera), (GPS_IFD, place)) if entries]
    plain = _directory([*main, *((tag, LONG, 1, bytes(4)) for tag in pointers)], len(HEADER))
    camera_at = len(HEADER) + len(plain)
    camera_bytes = _directory(camera, camera_at) if camera else b""
    place_at = camera_at + len(camera_bytes)
    where = {EXIF_IFD: camera_at, GPS_IFD: place_at}
    pointed = [*main, *((tag, LONG, 1, struct.pack(">I", where[tag])) for tag in pointers)]
    return _directory(pointed, len(HEADER)) + camera_bytes + (_directory(place, place_at) if place else b"")


def _directory(entries: list[Entry], at: int) -> bytes:
    """A directory that begins at this offset, with the values that do not fit into its entries behind it."""
    values_at = at + 2 + 12 * len(entries) + 4
    head, values = [struct.pack(">H", len(entries))], b""
    for tag, kind, count, value in entries:
        if len(value) > 4:
            head.append(struct.pack(">HHII", tag, kind, count, values_at + len(values)))
            values += value + bytes(len(value) % 2)
        else:
            head.append(struct.pack(">HHI", tag, kind, count) + value.ljust(4, b"\x00"))
    return b"".join((*head, bytes(4), values))


def _text(tag: int, value: str) -> Entry:
    content = value.encode("ascii", "replace") + b"\x00"
    return tag, ASCII, len(content), content


def _rationals(tag: int, *values: tuple[int, int]) -> Entry:
    return tag, RATIONAL, len(values), b"".join(struct.pack(">II", *value) for value in values)


def _sexagesimal(degrees: float) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Degrees, minutes and seconds to a thousandth: 3 cm on the ground."""
    thousandths = round(abs(degrees) * 3_600_000)
    return (thousandths // 3_600_000, 1), (thousandths // 60_000 % 60, 1), (thousandths % 60_000, 1000)
