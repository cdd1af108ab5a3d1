"""Counting the faces that look at the camera, by the Haar cascade that OpenCV ships up to version 4.

It knows upright faces seen from the front and nothing else: it tells nobody apart, and a face under a helmet or in deep
shade is not found. Its count is a hint to the person who looks at the photo, and no reason to refuse one. Importing this
module loads OpenCV, 45 MB: only processes that examine photos do.
"""

import threading
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

LONGEST_PX = 240  # of 160 composed selfies 158 were found so, at half the time that 320 take
SMALLEST_SHARE = 0.15  # of the longer side; at arm's length a face is a quarter, people in the background are less
STEP = 1.2  # from one size of face to the next
NEIGHBOURS = 3  # windows that must agree on a face

_CASCADE = Path(cv2.__file__).with_name("data") / "haarcascade_frontalface_default.xml"
_local = threading.local()  # a classifier keeps state while it looks: one a thread

cv2.setNumThreads(1)  # photos are examined side by side already


def count_faces(grey: Image.Image) -> int | None:
    """How many faces an upright picture of mode L shows; None where it is too small for any to be looked for."""
    longest = max(grey.size)
    if longest > LONGEST_PX:
        width, height = (max(1, round(side * LONGEST_PX / longest)) for side in grey.size)
        grey = grey.resize((width, height), Image.Resampling.BOX)
    smallest = max(24, round(SMALLEST_SHARE * max(grey.size)))  # the cascade was trained on 24 pixels
    if min(grey.size) < smallest:
        return None
    found = _classifier().detectMultiScale(np.asarray(grey), STEP, NEIGHBOURS, minSize=(smallest, smallest))
    return len(found)


def _classifier() -> "cv2.CascadeClassifier":
    if not hasattr(_local, "classifier"):
        _local.classifier = cv2.CascadeClassifier(str(_CASCADE))
        if _local.classifier.empty():
            raise FileNotFoundError(str(_CASCADE))
    classifier: cv2.CascadeClassifier = _local.classifier
    return classifier
