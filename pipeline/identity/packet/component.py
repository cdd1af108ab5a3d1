"""One component of a packet: what its meta info says, its fields, and whether its hashes and its sidecar agree with it."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import AppError
from pipeline.identity.packet.archive import Archive
from pipeline.packets.contracts.common import read_json

ID, META = "ID.json", "packet_meta_info.json"
DATA_HASH, OPERATIONS_HASH = "packet_data_hash.txt", "packet_operations_hash.txt"
UNHASHED = frozenset({META, DATA_HASH, OPERATIONS_HASH})
MAX_MISMATCH = 512  # as the column takes it
SIDECAR_TEXT = 64  # none of the keys that are kept says more

# A sidecar's keys, and the announcement's names for those that must agree with it
AGREEING = {"id": "reg_id", "process": "process", "source": "source", "schemaversion": "schema_version"}
SIDECAR_KEYS = (*AGREEING, "packetname", "creationdate")
ONLY_ENCRYPTED = ("encryptedhash", "signature")  # they speak of the encrypted upload: ours come in clear
_SHOWN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")  # a client's word that may stand in a mismatch; anything else may be anything


@dataclass(frozen=True)
class Announced:
    """What the sync said of a registration, as far as a component must agree with it."""

    reg_id: str
    process: str
    source: str
    schema_version: str


@dataclass(frozen=True)
class Verdict:
    """What verifying a component found. `checks`: each check by name, VERIFIED, MISMATCH or NOT_CHECKED."""

    mismatches: tuple[str, ...]
    checks: Mapping[str, str] = field(default_factory=dict)

    @property
    def verified(self) -> bool:
        return not self.mismatches

    @property
    def mismatch(self) -> str | None:
        """What differs, with both values; None when nothing does."""
        return "; ".join(self.mismatches)[:MAX_MISMATCH] or None


class Component:
    """A component's archive, read entry by entry as it is needed."""

    def __init__(self, name: str, archive: Archive) -> None:
        self.name = name
        self.archive = archive
        self._parsed: dict[str, dict[str, Any]] = {}

    @classmethod
    def of(cls, name: str, data: bytes) -> "Component":
        """Raises the SDCRS_PACKET_… errors of an archive that is not safe."""
        return cls(name, Archive(name, data))

    @property
    def identity(self) -> dict[str, Any]:
        """The fields of ID.json. Raises SDCRS_PACKET_CONTENT when it is missing or no JSON object."""
        return self._object(ID)

    @property
    def meta(self) -> dict[str, Any]:
        """What the registration client noted of the capture. Raises SDCRS_PACKET_CONTENT."""
        return self._object(META)

    def document(self, name: str) -> bytes | None:
        """The file that a field of ID.json names, whatever its ending; None when the component has none."""
        entry = self.entry(name)
        return None if entry is None else self.archive.read(entry)

    def entry(self, name: str) -> str | None:
        """The archive's entry of this name, or the only one of this name with an ending."""
        if name in self.archive.names:
            return name
        found = [entry for entry in self.archive.names if entry.rpartition(".")[0] == name]
        return found[0] if len(found) == 1 else None

    def verify(self, announced: Announced, sidecar: Mapping[str, Any]) -> Verdict:
        """Compare both hashes with the files, and the sidecar with the announcement. Raises SDCRS_PACKET_CONTENT and
        SDCRS_PACKET_NOT_A_ZIP."""
        first, second = self._sequence("hashSequence1"), self._sequence("hashSequence2")
        checks: dict[str, str] = {}
        mismatches: list[str] = []
        found = {
            "dataHash": self._compare(DATA_HASH, first),
            "operationsHash": self._compare(OPERATIONS_HASH, second),
            "coverage": self._uncovered((*first, *second)),
            "sidecar": self._sidecar(announced, sidecar),
            "registrationId": _differs("registrationId of the meta info", self.meta.get("registrationId"), announced.reg_id),
        }
        for check, wrong in found.items():
            checks[check] = "VERIFIED" if wrong is None else "MISMATCH"
            mismatches += [] if wrong is None else [wrong]
        checks |= dict.fromkeys(ONLY_ENCRYPTED, "NOT_CHECKED")
        return Verdict(tuple(mismatches), checks)

    def _compare(self, file: str, names: Iterable[str]) -> str | None:
        digest = hashlib.sha256()
        for name in names:
            entry = self.entry(name)
            if entry is None:
                return f"{file} speaks of {name if _SHOWN.fullmatch(name) else 'a file'}, which is not there"
            digest.update(self.archive.read(entry))
        if file not in self.archive.names:
            return f"{file} is missing"
        said = self.archive.read(file)[:128].decode("ascii", "replace").strip()
        return _differs(file, said, digest.hexdigest().upper(), "the files make")

    def _uncovered(self, names: Iterable[str]) -> str | None:
        covered = {self.entry(name) for name in names}
        loose = [name for name in self.archive.names if name not in covered and name not in UNHASHED]
        return f"{loose[0]} stands in no hash sequence" if loose else None

    def _sidecar(self, announced: Announced, sidecar: Mapping[str, Any]) -> str | None:
        wanted = {key: getattr(announced, attribute) for key, attribute in AGREEING.items()}
        wanted["packetname"] = f"{announced.reg_id}_{self.name}"
        wrong = [_differs(f"{key} of the sidecar", sidecar.get(key), value) for key, value in wanted.items()]
        return next((said for said in wrong if said is not None), None)

    def _sequence(self, name: str) -> tuple[str, ...]:
        groups = self.meta.get(name)
        if not isinstance(groups, list):
            raise self._wrong(f"{META} has no {name}")
        names: list[str] = []
        for group in groups:
            values = group.get("value") if isinstance(group, dict) else None
            if not isinstance(values, list) or not all(isinstance(value, str) and 0 < len(value) <= 128 for value in values):
                raise self._wrong(f"{name} of {META} is not a list of names")
            names += values
        return tuple(names)

    def _object(self, entry: str) -> dict[str, Any]:
        """`identity` of one of the two JSON files, read once."""
        if entry not in self._parsed:
            if entry not in self.archive.names:
                raise self._wrong(f"{entry} is missing")
            try:
                content = read_json(self.archive.read(entry))
            except AppError as error:
                if error.code != "SDCRS_INVALID_JSON":
                    raise
                raise self._wrong(f"{entry} is not JSON: {error.params['detail']}") from error
            identity = content.get("identity") if isinstance(content, dict) else None
            if not isinstance(identity, dict):
                raise self._wrong(f"{entry} holds no identity")
            self._parsed[entry] = identity
        return self._parsed[entry]

    def _wrong(self, detail: str) -> AppError:
        return AppError("SDCRS_PACKET_CONTENT", component=self.name, detail=detail)


def read_sidecar(component: str, data: bytes) -> dict[str, str]:
    """A sidecar's known keys as text. Raises SDCRS_SIDECAR_UNREADABLE."""
    try:
        content = read_json(data)
    except AppError as error:
        raise AppError("SDCRS_SIDECAR_UNREADABLE", component=component) from error
    if not isinstance(content, dict):
        raise AppError("SDCRS_SIDECAR_UNREADABLE", component=component)
    values = {key: content[key] for key in SIDECAR_KEYS if content.get(key) is not None}
    if not all(isinstance(value, str | int | float) and len(str(value)) <= SIDECAR_TEXT for value in values.values()):
        raise AppError("SDCRS_SIDECAR_UNREADABLE", component=component)
    return {key: str(value) for key, value in values.items()}


def _differs(what: str, said: Any, wanted: str, by: str = "announced is") -> str | None:
    if str(said) == wanted:
        return None
    shown = "missing" if said is None else str(said) if _SHOWN.fullmatch(str(said)) else "something else"
    return f"{what} is {shown}, {by} {wanted}"
