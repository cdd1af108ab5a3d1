"""The packet of one registration: its components from the filestore, each read when a stage first asks for something in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.filestore.store import FileStore
from pipeline.identity.packet.component import Component

_PARTS = text("""
    SELECT id, name, size_bytes, sha256, sidecar FROM regprc.component
    WHERE registration_id = :registration_id AND upload_number = :upload_number ORDER BY id LIMIT 16
""")
_IDS = text("SELECT id FROM regprc.component WHERE id > :after ORDER BY id LIMIT :limit")
PERSON_COMPONENT = "id"  # where a field stands in several components, this one's counts


@dataclass(frozen=True)
class PartRow:
    """A component as its row has it; `id` is also the file's."""

    id: UUID
    name: str
    size_bytes: int
    sha256: bytes
    sidecar: dict[str, str]


class Packet:
    """The components of one upload. Fetched before a transaction begins, so that none waits for the filestore."""

    def __init__(self, parts: Sequence[PartRow], data: dict[str, bytes]) -> None:
        self.parts = {part.name: part for part in parts}
        self.data = data
        self._opened: dict[str, Component] = {}

    def component(self, name: str) -> Component:
        """One component. Raises KeyError when the packet has none of this name, and SDCRS_PACKET_… when it cannot be read."""
        if name not in self._opened:
            self._opened[name] = Component.of(name, self.data[name])
        return self._opened[name]

    @cached_property
    def _in_order(self) -> tuple[str, ...]:
        return tuple(sorted(self.parts, key=lambda name: (name != PERSON_COMPONENT, name)))

    def fields(self) -> dict[str, Any]:
        """Every field of every component's ID.json."""
        found: dict[str, Any] = {}
        for name in reversed(self._in_order):
            found |= self.component(name).identity
        return found

    def field(self, name: str) -> Any:
        """A field's value from the first component that has it; None when none does."""
        holder = self.holder(name)
        return None if holder is None else self.component(holder).identity[name]

    def holder(self, name: str) -> str | None:
        """Which component a field stands in."""
        return next((part for part in self._in_order if name in self.component(part).identity), None)

    def document(self, field: str) -> bytes | None:
        """The file that a field names, in whichever component it lies; None when it is in none."""
        value = self.field(field)
        named = value.get("value") if isinstance(value, dict) else None
        if not isinstance(named, str):
            return None
        return next((data for part in self._in_order if (data := self.component(part).document(named)) is not None), None)

    def meta(self) -> dict[str, Any]:
        """The meta info of the person's component."""
        return self.component(PERSON_COMPONENT).meta

    def labelled(self, group: str, label: str) -> str | None:
        """A value out of `metaData` or `operationsData`, which are lists of label and value."""
        entries = self.meta().get(group)
        found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        value = next((entry.get("value") for entry in found if entry.get("label") == label), None)
        return value if isinstance(value, str) else None


def parts_of(conn: Connection, registration_id: UUID, upload_number: int) -> list[PartRow]:
    """The components of one upload."""
    found = conn.execute(_PARTS, {"registration_id": registration_id, "upload_number": upload_number})
    return [PartRow(row.id, row.name, row.size_bytes, bytes(row.sha256), row.sidecar) for row in found]


def component_ids(conn: Connection, after: UUID, limit: int) -> list[UUID]:
    """The ids of stored components behind `after`, in order: a page of all that there are in the connection's scope."""
    return list(conn.execute(_IDS, {"after": after, "limit": limit}).scalars())


def fetch(files: FileStore, parts: Sequence[PartRow]) -> Packet:
    """Read the components' bytes. Raises SDCRS_NOT_FOUND and SDCRS_DECRYPT_FAILED."""
    return Packet(parts, {part.name: files.get(part.id, "original") for part in parts})
