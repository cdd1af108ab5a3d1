"""The heads of the audit's chains, kept outside the database: whoever cuts off its newest rows cannot cut them off there.

One small JSON file per state and day, under AUDIT_ANCHOR_URL: a folder of this machine, or a store that keeps old versions.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import fsspec
from sqlalchemy import Connection, text

from pipeline.settings import Settings

DAYS_READ = 400  # as long as packet bodies are kept; older anchors stay where they are

_HEADS = text("SELECT DISTINCT ON (state_id) state_id, number, hash FROM audit.seal ORDER BY state_id, number DESC")


@dataclass(frozen=True)
class Head:
    """How far a state's chain went at some time."""

    state_id: str
    number: int
    hash: bytes


def heads(conn: Connection) -> list[Head]:
    """The newest seal of each state."""
    return [Head(row.state_id, row.number, bytes(row.hash)) for row in conn.execute(_HEADS)]


class Anchors:
    """The place outside the database."""

    def __init__(self, settings: Settings) -> None:
        url = settings.audit_anchor_url or (settings.data_dir / "audit").as_uri()
        self._files, self._root = fsspec.core.url_to_fs(url)
        self._written: dict[str, int] = {}

    def write(self, found: list[Head], now: datetime) -> int:
        """Write the heads that have grown since this process wrote last; how many. Raises OSError."""
        grown = [head for head in found if self._written.get(head.state_id, 0) < head.number]
        for head in grown:
            folder = f"{self._root}/{head.state_id}"
            self._files.makedirs(folder, exist_ok=True)
            content = {"state": head.state_id, "number": head.number, "hash": head.hash.hex(), "at": now.isoformat()}
            with self._files.open(f"{folder}/{now.date().isoformat()}.json", "wb") as file:
                file.write(json.dumps(content).encode())
            self._written[head.state_id] = head.number
        return len(grown)

    def read(self, state_id: str) -> Iterator[Head]:
        """The anchored heads of a state, oldest first; one a day. Raises ValueError naming a file that cannot be read."""
        folder = f"{self._root}/{state_id}"
        if not self._files.exists(folder):
            return
        for path in sorted(str(name) for name in self._files.ls(folder, detail=False) if str(name).endswith(".json"))[-DAYS_READ:]:
            with self._files.open(path, "rb") as file:
                yield _head(path, file.read())

    def states(self) -> list[str]:
        """The states of which there are anchors."""
        if not self._files.exists(self._root):
            return []
        return sorted(str(name).rstrip("/").rsplit("/", 1)[-1] for name in self._files.ls(self._root, detail=False))


def _head(path: str, raw: bytes) -> Head:
    try:
        content: Mapping[str, Any] = json.loads(raw)
        return Head(str(content["state"]), int(content["number"]), bytes.fromhex(content["hash"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not an anchor") from error
