"""How sharp and how well lit a photo is: three numbers from 0 to 1, the same for every size of photo.

Pure. They say what can be computed and no more: a photo of fog is soft and a photo of snow is bright, rightly. They are
measured on the picture shrunk to `ANALYSIS_PX`, about what a list shows, so a low sharpness means that a person sees it.

Sharpness. The Laplacian (four times a pixel less its four neighbours) answers to edges; blur takes its variance V away.
V is put in relation to the variance S of the picture itself, so that dusk, which makes both small, is not taken for blur;
`CALM` keeps the noise of an empty picture from counting as edges. With r = V / (S + CALM) the score is r / (r + HALF):
0.5 and more for what is in focus, below 0.2 when the circle of blur is about a hundredth of the picture's length.

Exposure. min(1, m / DARK) × min(1, (1 - m) / BRIGHT) × (1 - c), where m is the mean brightness and c the share of pixels
that are black or white beyond recall. Below 0.3 hardly anything can be told apart.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

ANALYSIS_PX = 320  # of the longer side
CALM = 200.0  # grey levels squared: a spread of 14, an empty wall
HALF = 0.05  # r of a photo that is just sharp enough to be read
DARK = 0.35  # a mean below it loses by it: a third, well under the half that a camera aims at
BRIGHT = 0.25  # what must be left above the mean
BLACK, WHITE = 4, 251  # grey levels at and beyond which nothing is drawn any more
MIN_SHARPNESS, MIN_EXPOSURE = 0.2, 0.3  # below: not acceptable; the limits that the programme's own rules name
MIN_SIDE_PX = 200  # of the shorter side: below it one dog cannot be told from another


@dataclass(frozen=True)
class Quality:
    """0 is worst, 1 is best; `brightness` is 0 for black and 1 for white, and neither good nor bad."""

    blur_score: float
    exposure_score: float
    brightness: float


def quality_of(grey: Image.Image) -> Quality:
    """Measure a picture of mode L, of any size, upright or not."""
    longest = max(grey.size)
    if longest > ANALYSIS_PX:
        width, height = (max(1, round(side * ANALYSIS_PX / longest)) for side in grey.size)
        grey = grey.resize((width, height), Image.Resampling.BOX)
    counts = np.array(grey.histogram(), dtype=np.float64)
    levels = np.arange(256, dtype=np.float64)
    pixels = float(counts.sum())
    mean = float(counts @ levels) / pixels
    spread = float(counts @ (levels - mean) ** 2) / pixels
    clipped = float(counts[: BLACK + 1].sum() + counts[WHITE:].sum()) / pixels
    brightness = mean / 255
    edges = _edges(grey) / (spread + CALM)
    exposure = min(1.0, brightness / DARK) * min(1.0, (1 - brightness) / BRIGHT) * (1 - clipped)
    return Quality(round(edges / (edges + HALF), 3), round(max(exposure, 0.0), 3), round(brightness, 3))


def outputs(quality: Quality, width: int, height: int) -> dict[str, float | bool]:
    """The same under the names that rules know from a quality service."""
    overall = min(quality.blur_score, quality.exposure_score)
    acceptable = quality.blur_score >= MIN_SHARPNESS and quality.exposure_score >= MIN_EXPOSURE and min(width, height) >= MIN_SIDE_PX
    return {
        "overallQuality": overall,
        "blurScore": quality.blur_score,
        "exposureScore": quality.exposure_score,
        "isAcceptable": acceptable,
    }


def _edges(grey: Image.Image) -> float:
    """The variance of the Laplacian; its mean is zero but for the border, so the mean square is taken."""
    if min(grey.size) < 3:
        return 0.0
    level = np.asarray(grey).astype(np.int16)
    found = level[:-2, 1:-1] + level[2:, 1:-1]
    found += level[1:-1, :-2]
    found += level[1:-1, 2:]
    found -= level[1:-1, 1:-1] * 4
    flat = found.astype(np.float32).ravel()
    return float(np.einsum("i,i->", flat, flat)) / flat.size  # not `@`: a linear algebra library would start threads for it
