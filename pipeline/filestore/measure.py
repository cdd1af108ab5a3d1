"""Looking at uploaded bytes: is this a photo, how large, how sharp, what does it look like, what does it say of itself.

Pure: no database, no storage. A photo is decoded once, small: a JPEG to an eighth of its sides by its own mathematics, a
large PNG strip by strip. How much memory that takes is known from the header before anything is unfolded.
"""

import hashlib
import io
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from datetime import datetime

import imagehash
import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pipeline.errors import AppError
from pipeline.filestore.exif import facts, orientation, read_exif
from pipeline.filestore.formats import content_type_of, passes_of
from pipeline.filestore.quality import quality_of

MAX_BYTES = 10 * 1024 * 1024  # a phone's photo of 50 megapixels at full quality is about that
MAX_MEGABYTES = 10
MAX_PIXELS = 40_000_000  # more than the phones in use take; a small file can unfold to far more
MAX_UNFOLDED_BYTES = 96 * 1024 * 1024  # while decoding: PNGs of 25 megapixels, and JPEGs in passes of 33; others take a megabyte
MAX_ASPECT = 20  # times as long as wide; a panorama is at most ten, and what is drawn of a longer one is a line
MIN_JPEG_BYTES = 1 / 512  # a pixel: one bit for each of its squares of 8 by 8; with less the rest was cut off
MAX_PASSES = 64  # over a JPEG's picture; programs write up to thirteen, and each costs time
STRIP_PIXELS = 1_000_000  # of a large PNG at a time: 4 MB
HASH_SOURCE_PX = 256  # eight times what the hash looks at: decoding a JPEG down to that changes two bits at most

# What Pillow raises on bytes made to confuse it, gathered by fuzzing; anything else is a fault of ours and may surface.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, ArithmeticError, struct.error,
    zlib.error, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip

Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)  # Pillow only warns up to twice the limit
warnings.filterwarnings(
    "ignore", category=UserWarning, module=r"PIL\."
)  # it remarks on damaged files, which a sender could fill our log with

_decoding = threading.BoundedSemaphore(2)  # large photos take 100 MB each while they are decoded
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
    exif_make: str | None = None
    exif_model: str | None = None
    exif_device: str | None = None  # make and model as people say it
    exif_software: str | None = None
    blur_score: float | None = None  # 0 to 1, 1 is sharp: see `quality`; None in rows from before it was measured
    exposure_score: float | None = None  # 0 to 1, 1 is well lit
    brightness: float | None = None  # 0 is black, 1 is white
    faces: int | None = None  # None: not looked for


@dataclass(frozen=True)
class Look:
    """A measured photo with the small picture of it: upright, of mode RGB or L, at least 256 pixels where there were so many."""

    measured: Measured
    picture: Image.Image
    grey: Image.Image


def measure(data: bytes, file_name: str) -> Measured:
    """Check and measure one photo, all but faces; at most two at a time in this process.

    Raises SDCRS_FILE_TOO_LARGE, SDCRS_FILE_FORMAT for pictures of another kind, and SDCRS_FILE_NOT_AN_IMAGE for anything
    else that is not a whole JPEG or PNG of a sane size.
    """
    return look(data, file_name).measured


def look(data: bytes, file_name: str) -> Look:
    """The same with the picture that was measured. Raises what `measure` raises."""
    if len(data) > MAX_BYTES:
        raise AppError("SDCRS_FILE_TOO_LARGE", maxMegabytes=MAX_MEGABYTES)
    content_type = content_type_of(data, file_name)
    with _decoding:
        try:
            opened, (width, height) = _open(data, file_name, HASH_SOURCE_PX)
            opened.load()  # to its end, so a cut one raises; a PNG tells its EXIF only then
            written, exif = _exif(opened)
            turn = orientation(exif)
            picture = _upright(_flat(opened, HASH_SOURCE_PX), turn)
            grey = picture.convert("L")
            phash = int.from_bytes(np.packbits(imagehash.phash(grey).hash).tobytes(), "big", signed=True)
            quality = quality_of(grey)
        except DECODER_ERRORS as error:
            raise _not_an_image(file_name, _why(error)) from error
    if turn >= 5:  # those that lie on their side
        width, height = height, width
    digest = hashlib.sha256(data).digest()
    return Look(Measured(content_type, width, height, len(data), digest, phash, written, **facts(exif), **vars(quality)), picture, grey)


def render(data: bytes, longest_px: int) -> bytes:
    """The photo as a JPEG no longer than `longest_px`, turned upright, without EXIF or any other note of its camera.

    Raises SDCRS_FILE_NOT_AN_IMAGE.
    """
    with _decoding:
        try:
            opened, _ = _open(data, "photo", longest_px)
            opened.load()
            return shrunk(_upright(_flat(opened, longest_px), orientation(_exif(opened)[1])), longest_px)
        except DECODER_ERRORS as error:
            raise _not_an_image("photo", _why(error)) from error


def shrunk(picture: Image.Image, longest_px: int) -> bytes:
    """A picture as a JPEG no longer than `longest_px` that carries its pixels and nothing else."""
    shown = picture.convert("RGB")
    shown.thumbnail((longest_px, longest_px))
    out = io.BytesIO()
    Image.frombytes("RGB", shown.size, shown.tobytes()).save(out, "JPEG", quality=85)  # a new image carries nothing over
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


def _not_an_image(file_name: str, detail: str) -> AppError:
    return AppError("SDCRS_FILE_NOT_AN_IMAGE", fileName=file_name, detail=detail)


def _why(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"it has more than {MAX_PIXELS // 1_000_000} megapixels"
    return "it is damaged or cut off"


def _open(data: bytes, file_name: str, wanted_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """The file with its header read, set to be decoded no smaller than `wanted_px`; and its true size."""
    opened: Image.Image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    size = opened.size
    if max(size) > MAX_ASPECT * min(size):
        raise _not_an_image(file_name, f"{size[0]} × {size[1]} is a strip and no photo")
    if isinstance(opened, JpegImageFile):
        passes, kept_bytes = passes_of(data, opened.size, [(layer[1], layer[2]) for layer in opened.layer])
        if passes > MAX_PASSES:
            raise _not_an_image(file_name, f"its picture comes in {passes} passes, at most {MAX_PASSES} are decoded")
        if len(data) < size[0] * size[1] * MIN_JPEG_BYTES:
            raise _not_an_image(file_name, "it is damaged or cut off")
        opened.draft(None, (wanted_px, wanted_px))
    else:
        kept_bytes = 0
        if getattr(opened, "is_animated", False):
            raise _not_an_image(file_name, "it is an animation")
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()  # its checksums; leaves the object unusable
    unfolded = kept_bytes + opened.width * opened.height * _pixel_bytes(opened.mode)
    if unfolded > MAX_UNFOLDED_BYTES:
        most = MAX_UNFOLDED_BYTES // 1024**2
        raise _not_an_image(file_name, f"{size[0]} × {size[1]} of this kind unfold to {unfolded // 1024**2} MB, at most {most} are decoded")
    return opened, size


def _pixel_bytes(mode: str) -> int:
    """What a decoded pixel takes in Pillow's memory."""
    return 1 if mode in ("1", "L", "P") else 2 if mode.startswith("I;16") else 4


def _flat(image: Image.Image, wanted_px: int) -> Image.Image:
    """The picture as RGB or L on white; a large one strip by strip, shrunk by a whole factor while both sides stay `wanted_px`."""
    factor = min(image.width, image.height) // wanted_px
    if image.width * image.height <= 4 * STRIP_PIXELS or factor < 2:
        return _on_white(image)
    rows = factor * max(1, STRIP_PIXELS // (image.width * factor))
    flat: Image.Image | None = None
    for top in range(0, image.height, rows):
        strip = _on_white(image.crop((0, top, image.width, min(top + rows, image.height)))).reduce(factor)
        if flat is None:
            flat = Image.new(strip.mode, (strip.width, -(-image.height // factor)))
        flat.paste(strip, (0, top // factor))
    return flat if flat is not None else _on_white(image)


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGB", "L"):
        if "transparency" not in image.info:
            return image
    elif image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion makes all but the darkest white
        return Image.fromarray((np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8))
    if "A" in image.mode or "transparency" in image.info:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image, turn: int) -> Image.Image:
    return image if turn == 1 else image.transpose(_TURNS[turn])


def _exif(image: Image.Image) -> tuple[bool, dict[str, object]]:
    """Whether a loaded file has an EXIF block, and the tags of it that we look at."""
    block = image.info.get("exif")
    if block is None and "Raw profile type exif" in image.info:  # as ImageMagick writes it into a PNG: three lines, then hexadecimal
        block = bytes.fromhex("".join(str(image.info["Raw profile type exif"]).split("\n")[3:]))
    return (True, read_exif(block)) if isinstance(block, bytes) else (False, {})
