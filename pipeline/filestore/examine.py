"""Everything that an upload learns of a photo, from one decoding: its measures, the faces on it and its thumbnail."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.filestore.measure import Measured, look, shrunk

THUMBNAIL_PX = 256  # a row of a list, twice for fine displays


@dataclass(frozen=True)
class Examined:
    """A photo's measures, faces included, and its thumbnail as a JPEG without any note of its camera."""

    measured: Measured
    thumbnail: bytes


Examine = Callable[[bytes, str], Examined]  # file content and safe name; raises what `measure` raises


def examine(data: bytes, file_name: str) -> Examined:
    """Check and measure a photo in this process. Raises what `measure` raises."""
    from pipeline.filestore.faces import count_faces  # noqa: PLC0415 - loads OpenCV, which a process that leaves this to others does not need

    seen = look(data, file_name)
    return Examined(replace(seen.measured, faces=count_faces(seen.grey)), shrunk(seen.picture, THUMBNAIL_PX))
