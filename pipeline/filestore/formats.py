"""Which kind of file some bytes are, by what they begin with and never by their name; and how a JPEG is laid out.

Pure; nothing is decoded here. What is refused is told by its own name, with what to do, where we know the kind: HEIC, above
all. Its decoder has no reduced scale (a 12-megapixel photo takes 330 ms instead of 20), comes with a GPL encoder of 23 MB, and
the phones that take it convert to JPEG by themselves when a page or a setting asks for that.
"""

from collections.abc import Sequence

from pipeline.errors import AppError

JPEG, PNG = "image/jpeg", "image/png"
SMALL_BYTES = 8 * 1024 * 1024  # a photo of one to three megapixels
SEND_JPEG = "Send the photo as the camera saved it, as JPEG."
HEIC_ADVICE = "Set the camera to JPEG (iPhone: Settings, Camera, Formats, Most Compatible; others: switch off HEIF) and take it again."

_BEGINNINGS = {b"\xff\xd8\xff": JPEG, b"\x89PNG\r\n\x1a\n": PNG}
_OTHERS = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF or a raw photo"),
    (b"MM\x00*", "TIFF or a raw photo"),
    (b"%PDF-", "PDF"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
)
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_SCAN, _END = 0xDA, 0xD9
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


def content_type_of(data: bytes, file_name: str) -> str:
    """The kind of a file that is taken. Raises SDCRS_FILE_FORMAT for a kind that we know, and SDCRS_FILE_NOT_AN_IMAGE."""
    for beginning, content_type in _BEGINNINGS.items():
        if data.startswith(beginning):
            return content_type
    name, advice = _other(data)
    if name is not None:
        raise AppError("SDCRS_FILE_FORMAT", fileName=file_name, format=name, advice=advice)
    detail = "it is empty" if not data else "it begins like neither"
    raise AppError("SDCRS_FILE_NOT_AN_IMAGE", fileName=file_name, detail=detail)


def passes_of(data: bytes, size: tuple[int, int], sampling: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """How often a JPEG's picture is gone over, and the bytes that are kept meanwhile: 0 for one that comes in one pass.

    A decoder keeps all coefficients, two bytes each, of a progressive JPEG and of one whose colours come one after another;
    of any other it reads the first pass only. What a small photo keeps is not counted.
    """
    widest = max((across * down for across, down in sampling), default=1) or 1
    samples = sum(across * down for across, down in sampling) / widest
    kept = round(size[0] * size[1] * samples * 2)
    large = kept > SMALL_BYTES
    if large and not _kept_whole(data, len(sampling)):
        return 1, 0
    return data.count(b"\xff\xda"), kept if large else 0  # within a picture 0xff is followed by 0; a preview in the EXIF may add one


def _other(data: bytes) -> tuple[str | None, str]:
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        if brand in _HEIC_BRANDS:
            return "HEIC", HEIC_ADVICE
        return ("AVIF", SEND_JPEG) if brand in (b"avif", b"avis") else ("video", "Send a photo, not a film.")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP", SEND_JPEG
    return next((name for beginning, name in _OTHERS if data.startswith(beginning)), None), SEND_JPEG


def _kept_whole(data: bytes, layers: int) -> bool:
    """Whether the first scan holds only a part of the picture; also when the headers cannot be followed."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return True
        marker = data[at + 1]
        if marker == 0xFF:  # a filler
            at += 1
            continue
        if marker in _PROGRESSIVE or marker == _END:
            return True
        if marker == _SCAN:
            return at + 5 > len(data) or data[at + 4] < layers
        at += 2 if marker in _ALONE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return True
