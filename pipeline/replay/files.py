"""Reading packet files: their ids, their own time, and the shift that makes the newest of them happen now."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipeline.clock import from_epoch_ms
from pipeline.errors import AppError

MS_RANGE = range(1_600_000_000_000, 2_000_000_000_000)  # 2020 to 2033 in epoch milliseconds
SECONDS_RANGE = range(1_600_000_000, 2_000_000_000)  # the provider counts in seconds
OWN_TIME = ("ts", "currentTime", "timestamp", "processedAt", "created_at", "uploadedAt", "iat")  # when the packet itself was sent
MAX_FILE_BYTES = 5_000_000  # a packet is a few kilobytes


@dataclass(frozen=True)
class PacketFile:
    """One file: catalogue id (`02/07`), its name, and its content with all times shifted."""

    id: str
    name: str
    content: dict[str, Any]
    at: datetime

    def find(self, key: str) -> Any:
        """The first value under this key anywhere in the content, outermost first; None when there is none."""
        return next((value for found, value in walk(self.content) if found == key), None)


def read_packets(folder: Path, now: datetime) -> list[PacketFile]:
    """All packets below the folder in stage order, shifted by one amount so that the newest is `now`.

    Raises SDCRS_INVALID_REQUEST naming a file that is not a packet.
    """
    raw: list[tuple[str, str, dict[str, Any]]] = []
    for path in sorted(folder.glob("*/*.json")):
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise ValueError(f"larger than {MAX_FILE_BYTES} bytes")
            content = json.loads(path.read_text(encoding="utf-8"))
            stage = str(content["_meta"]["stage"])[:2]
            step = int(content["_meta"]["step"])
        except (ValueError, KeyError, TypeError) as error:
            raise AppError("SDCRS_INVALID_REQUEST", field=f"{path.parent.name}/{path.name}", detail=f"not a packet: {error}") from error
        if not re.fullmatch(r"\d\d", stage):
            raise AppError("SDCRS_INVALID_REQUEST", field=path.name, detail="_meta.stage does not begin with its number")
        raw.append((f"{stage}/{step:02d}", path.stem, content))
    if not raw:
        raise AppError("SDCRS_INVALID_REQUEST", field=str(folder), detail="no packet files below it (NN-stage/NN-name.json)")
    newest = max((at for at in (own_time(content) for _, _, content in raw) if at is not None), default=now)
    shift = now - newest
    packets, before = [], None
    for packet_id, name, content in raw:
        moved = shifted(content, shift)
        at = own_time(moved) or before or now
        before = at
        packets.append(PacketFile(packet_id, name, moved, at))
    return packets


def shifted(value: Any, by: timedelta) -> Any:
    """The value with every epoch time in it moved, whether in milliseconds or in seconds."""
    if isinstance(value, dict):
        return {k: shifted(v, by) for k, v in value.items()}
    if isinstance(value, list):
        return [shifted(v, by) for v in value]
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if value in MS_RANGE:
        return value + round(by.total_seconds() * 1000)
    return value + round(by.total_seconds()) if value in SECONDS_RANGE else value


def own_time(content: dict[str, Any]) -> datetime | None:
    """When the packet was sent: the time it carries of itself; None when it carries none."""
    for key in OWN_TIME:
        for found, value in walk({k: v for k, v in content.items() if k != "_meta"}):
            if found == key and isinstance(value, int) and not isinstance(value, bool):
                if value in MS_RANGE:
                    return from_epoch_ms(value)
                if value in SECONDS_RANGE:
                    return from_epoch_ms(value * 1000)
    return None


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, outermost first."""
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                yield from item.items()
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = [v for v in below if isinstance(v, dict | list)]
