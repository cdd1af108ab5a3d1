"""Photos for the demo and for tests: small real JPEGs with the EXIF that a phone writes, drawn and not taken.

Each seed has a picture of its own. What is drawn hardly differs in brightness from what is behind it, so that the hash of
a picture is made by its light and shade: a pattern of the seed, as far from another seed's as chance puts two hashes,
and kept by a second shot of the same scene. This module knows no database and no file store.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from random import Random
from typing import Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from pipeline.demo.exif import exif_block

Kind = Literal["dog", "selfie", "capture"]
Colour = tuple[int, int, int]  # brightness and two of hue, as a JPEG stores them: nothing is converted, and light touches one band

WIDTH, HEIGHT = 320, 240
QUALITY = 80  # about 12 KB: like a phone's, no ringing that the hash could see
SHADE = 6.5  # grey levels of each of the 63 waves of light and shade: above what the drawing adds, below what hides it
SHADE_ZERO = 128
COARSE = 8  # the fastest wave still has eleven points: drawn small and enlarged, it is the same for a quarter of the work
WAVES = 8  # the hash looks at the 8 by 8 slowest waves
NIGHT_LIGHT = 0.35  # what is left of the light between dusk and dawn
DUSK, DAWN = 19, 5  # local hours
NEUTRAL = 128  # of a hue: grey
DEVICES = (("Samsung", "SM-A525F"), ("Samsung", "SM-A135F"), ("Xiaomi", "Redmi Note 11"), ("TECNO", "Camon 19"), ("OPPO", "CPH2269"))


def _ink(red: int, green: int, blue: int) -> Colour:
    """A colour as people name it, as a JPEG stores it."""
    return (
        round(0.299 * red + 0.587 * green + 0.114 * blue),
        round(NEUTRAL - 0.1687 * red - 0.3313 * green + 0.5 * blue),
        round(NEUTRAL + 0.5 * red - 0.4187 * green - 0.0813 * blue),
    )


# All of about the same brightness (150 of 255), told apart by hue alone.
SKIES = (_ink(110, 165, 200), _ink(130, 158, 185), _ink(165, 145, 140))
WALLS = (_ink(200, 132, 118), _ink(176, 148, 100), _ink(130, 160, 150), _ink(186, 138, 160), _ink(160, 150, 130))
GROUNDS = (_ink(172, 146, 112), _ink(150, 150, 150), _ink(160, 150, 128))
COATS = (_ink(150, 98, 48), _ink(110, 84, 62), _ink(196, 164, 116), _ink(96, 96, 100), _ink(205, 190, 170))
SKINS = (_ink(176, 128, 96), _ink(150, 108, 82), _ink(198, 150, 118))
SHIRTS = (_ink(90, 160, 190), _ink(196, 120, 130), _ink(120, 165, 110), _ink(170, 150, 90))
HAIRS = (_ink(92, 78, 70), _ink(110, 90, 74), _ink(120, 112, 108))
OUTLINE, PANE, ROAD, MARKING = _ink(120, 110, 104), _ink(104, 128, 144), _ink(146, 146, 150), _ink(206, 200, 170)
CAGE, FRAME, BARS = _ink(152, 150, 140), _ink(90, 90, 96), _ink(96, 98, 104)
EYE, IRIS, NOSE, MOUTH = _ink(240, 240, 236), _ink(40, 28, 20), _ink(130, 90, 70), _ink(150, 70, 70)
DOG_EYE, LABEL = _ink(20, 20, 20), _ink(235, 235, 235)


@dataclass(frozen=True)
class Camera:
    """What a phone writes of itself; None: this photo lost its EXIF, as messengers do."""

    make: str
    model: str
    software: str | None = None


PHONE = Camera(*DEVICES[0])


def photo(
    seed: int,
    kind: Kind = "dog",
    latitude: float | None = None,
    longitude: float | None = None,
    taken_at: datetime | None = None,
    *,
    camera: Camera | None = PHONE,
    again: int = 0,
    who: int | None = None,
) -> bytes:
    """A JPEG of 320 × 240 pixels, always the same for the same arguments.

    `taken_at` must have a zone: EXIF gets its local time with offset, and the satellites' time in UTC where there is a
    place. `again` > 0 is another shot of the same scene: other bytes, a hash at most 6 bits away. `who` gives a selfie the
    face of this person; None: the seed's own. At night it is dark.
    """
    draw_seed = Random(f"{kind}:{seed}")
    image = Image.new("YCbCr", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    if kind == "dog":
        _draw_dog(draw, draw_seed)
    elif kind == "selfie":
        _draw_selfie(draw, draw_seed, Random(f"face:{seed if who is None else who}"))
    else:
        _draw_capture(draw, draw_seed)
    draw.bitmap((4, HEIGHT - 14), _label(), fill=LABEL)
    shade = _shade(draw_seed)
    light = 1.0
    if taken_at is not None and not DAWN <= taken_at.hour < DUSK:
        light = NIGHT_LIGHT
    if again:
        shot = Random(f"{kind}:{seed}:{again}")
        light *= shot.uniform(0.9, 1.06)
        shade = ImageChops.offset(shade, shot.randint(-2, 2), shot.randint(-1, 1))
    brightness, *hues = image.split()
    brightness = ImageChops.add(brightness, shade, 1, -SHADE_ZERO)
    if light != 1.0:
        brightness = brightness.point([min(255, round(level * light)) for level in range(256)])
        hues = [hue.point([round(NEUTRAL + (level - NEUTRAL) * light) for level in range(256)]) for hue in hues]
    shown = Image.merge("YCbCr", (brightness, *hues))
    out = io.BytesIO()
    exif = b"" if camera is None else exif_block(camera.make, camera.model, camera.software, latitude, longitude, taken_at)
    shown.save(out, "JPEG", quality=QUALITY, dpi=(72, 72), exif=exif)
    return out.getvalue()


def file_name(kind: Kind, taken_at: datetime) -> str:
    """The name that a phone gives: prefix and local time."""
    prefix = {"dog": "IMG", "selfie": "SELFIE", "capture": "CAPTURE"}[kind]
    return f"{prefix}_{taken_at:%Y%m%d_%H%M%S}.jpg"


@cache
def _waves(length: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """The slowest cosine waves over so many pixels, one a column."""
    place = (np.arange(length, dtype=np.float32) + 0.5) * np.float32(np.pi / length)
    return np.cos(np.outer(place, np.arange(WAVES, dtype=np.float32))).astype(np.float32)


def _shade(random: Random) -> Image.Image:
    """Light and shade, SHADE_ZERO being neither: 63 waves of one strength, half of them this way and half that.

    So the median that the hash compares with lies between the two halves, far from both.
    """
    signs = [1.0] * 31 + [-1.0] * 32
    random.shuffle(signs)
    # a wave along one side only has twice the strength of one along both, in what the hash computes
    strength = np.full((WAVES, WAVES), SHADE, dtype=np.float32)
    strength[0, :] /= 2
    strength[:, 0] /= 2
    waves = np.array([0.0, *signs], dtype=np.float32).reshape(WAVES, WAVES) * strength
    # not `@`: for matrices this small the threads of a linear algebra library cost ten times the work
    shade = np.einsum("yk,xk->yx", np.einsum("yl,lk->yk", _waves(HEIGHT // COARSE), waves), _waves(WIDTH // COARSE))
    small = Image.fromarray((shade + SHADE_ZERO).clip(0, 255).astype(np.uint8))
    return small.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)


@cache
def _label() -> Image.Image:
    """DEMO, as a mask: nobody shall take these for evidence."""
    mask = Image.new("1", (34, 11))
    ImageDraw.Draw(mask).text((1, 0), "DEMO", fill=1)
    return mask


def _street(draw: ImageDraw.ImageDraw, random: Random) -> int:
    """Sky, houses with windows and a road; returns where the ground begins."""
    horizon = random.randint(90, 130)
    draw.rectangle((0, 0, WIDTH, horizon), fill=random.choice(SKIES))
    draw.rectangle((0, horizon, WIDTH, HEIGHT), fill=random.choice(GROUNDS))
    left = random.randint(-40, 0)
    while left < WIDTH:
        width, top = random.randint(50, 110), random.randint(20, 70)
        wall = random.choice(WALLS)
        draw.rectangle((left, top, left + width, horizon), fill=wall, outline=OUTLINE)
        for x in range(left + 9, left + width - 12, 22):
            for y in range(top + 10, horizon - 14, 26):
                draw.rectangle((x, y, x + 9, y + 12), fill=PANE)
        left += width + random.choice((0, 0, 6, 24))
    vanishing = random.randint(80, 240)
    draw.polygon(((vanishing - 12, horizon), (vanishing + 12, horizon), (vanishing + 190, HEIGHT), (vanishing - 190, HEIGHT)), fill=ROAD)
    for step in range(4):
        y = horizon + 8 + step * step * 11
        draw.line((vanishing, y, vanishing, y + 4 + step * 4), fill=MARKING, width=1 + step // 2)
    return horizon


def _dog(draw: ImageDraw.ImageDraw, random: Random, x: int, y: int, size: float) -> None:
    """A dog from the side, standing on y."""
    coat = random.choice(COATS)
    dark = (coat[0] * 3 // 4, *coat[1:])
    facing = random.choice((-1, 1))

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        a, b = x + facing * left * size, x + facing * right * size
        return min(a, b), y - top * size, max(a, b), y - bottom * size

    for leg in (-26, -18, 16, 24):
        draw.rectangle(box(leg - 3, 22, leg + 3, 0), fill=dark)
    draw.ellipse(box(-34, 46, 32, 16), fill=coat)
    draw.polygon(tuple((x + facing * dx * size, y - dy * size) for dx, dy in ((10, 42), (28, 58), (42, 46), (28, 22))), fill=coat)
    draw.ellipse(box(22, 62, 46, 38), fill=coat)
    draw.ellipse(box(40, 54, 56, 44), fill=dark)
    for ear in (24, 36):
        draw.polygon(tuple((x + facing * dx * size, y - dy * size) for dx, dy in ((ear, 58), (ear + 4, 72), (ear + 9, 58))), fill=dark)
    draw.line(
        (x - facing * 30 * size, y - 36 * size, x - facing * 44 * size, y - random.randint(40, 64) * size),
        fill=coat,
        width=max(2, int(5 * size)),
    )
    draw.ellipse(box(36, 56, 39, 53), fill=DOG_EYE)


def _draw_dog(draw: ImageDraw.ImageDraw, random: Random) -> None:
    horizon = _street(draw, random)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _dog(draw, random, random.randint(60, 260), random.randint(horizon + 65, HEIGHT - 10), random.uniform(0.9, 1.4))


def _draw_capture(draw: ImageDraw.ImageDraw, random: Random) -> None:
    """The dog in a transport cage."""
    _street(draw, random)
    left, top = random.randint(60, 110), random.randint(110, 135)
    draw.rectangle((left, top, left + 150, top + 95), fill=CAGE, outline=FRAME, width=3)
    _dog(draw, random, left + 75, top + 88, random.uniform(0.9, 1.05))
    for x in range(left + 15, left + 150, 15):
        draw.line((x, top, x, top + 95), fill=BARS, width=2)


def _draw_selfie(draw: ImageDraw.ImageDraw, random: Random, face: Random) -> None:
    """Head and shoulders before a street: the same face in every photo of a person, another place and shirt."""
    _street(draw, random)
    skin, hair, r = face.choice(SKINS), face.choice(HAIRS), face.randint(40, 50)
    shirt, x, y = random.choice(SHIRTS), random.randint(125, 195), random.randint(100, 125)
    draw.ellipse((x - 2 * r, y + 1.35 * r, x + 2 * r, y + 4.5 * r), fill=shirt)
    draw.rectangle((x - 0.35 * r, y + 0.8 * r, x + 0.35 * r, y + 1.6 * r), fill=skin)
    draw.ellipse((x - 0.95 * r, y - 1.3 * r, x + 0.95 * r, y + 0.9 * r), fill=hair)
    draw.ellipse((x - 0.8 * r, y - r, x + 0.8 * r, y + 1.2 * r), fill=skin)
    for side in (-1, 1):
        eye = x + side * 0.33 * r
        draw.ellipse((eye - 5, y - 4, eye + 5, y + 3), fill=EYE)
        draw.ellipse((eye - 2, y - 3, eye + 2, y + 2), fill=IRIS)
        draw.arc((eye - 8, y - 14, eye + 8, y - 2), 200, 340, fill=hair, width=2)
    draw.line((x, y, x - 3, y + 0.4 * r, x + 3, y + 0.4 * r), fill=NOSE, width=1)
    draw.arc((x - 0.35 * r, y + 0.35 * r, x + 0.35 * r, y + 0.8 * r), 20, 160, fill=MOUTH, width=3)
