"""Registration packets of people who do not exist, for the demo and for tests: valid in every part, the same for the same seed.

A packet has the layout of a registration client's: one zip and one JSON file for each component, hashes over their files, invented
demographics, papers that are PDFs of one line, and opaque bytes where biometrics would be.
"""

import base64
import hashlib
import io
import json
import random
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from pipeline.demo.names import ANY_NAMES, NAMES
from pipeline.identity.registration.sync import Announcement, ComponentSaid

SOURCE, PROCESS, SCHEMA = "REGISTRATION_CLIENT", "NEW", "0.1"
LANGUAGES = ("eng", "fra")
CENTRE, MACHINE = 10001, 10077
YOUNGEST, OLDEST = 22, 64  # years: teachers
FINGERS = ("rightIndex", "leftIndex", "rightThumb", "leftThumb", "face", "leftEye", "rightEye")
STREETS = ("Harbour Road", "Market Lane", "School Street", "Mosque Road", "Station Road", "Garden Lane", "Old Well Street")
MIDDLE = ("ba", "de", "fi", "go", "hu", "ka", "li", "mo", "nu", "ra", "se", "ti", "wa", "zo")
BIOMETRIC_BYTES = 3000  # as many as a test or a bench needs; a real file has a quarter of a megabyte
PAPERS = ("proofOfIdentity", "proofOfAddress", "proofOfRelationship")

_ZIP_TIME = (2026, 1, 1, 0, 0, 0)  # the same for every entry, so that equal packets have equal hashes


@dataclass(frozen=True)
class Applicant:
    """Somebody invented."""

    name: str
    born: date
    gender: str
    phone: str
    email: str
    address: str
    employee_id: str | None = None


@dataclass(frozen=True)
class MadePacket:
    """A packet with what its client would announce of it."""

    reg_id: str
    applicant: Applicant
    zips: Mapping[str, bytes]
    sidecars: Mapping[str, bytes]
    process: str = PROCESS
    source: str = SOURCE
    schema_version: str = SCHEMA
    supervisor_status: str = "APPROVED"

    @property
    def files(self) -> list[tuple[str, bytes]]:
        """Names and bytes as they are uploaded."""
        parts = [(f"{self.reg_id}_{name}.zip", data) for name, data in self.zips.items()]
        return parts + [(f"{self.reg_id}_{name}.json", data) for name, data in self.sidecars.items()]

    @property
    def announcement(self) -> Announcement:
        """What is synced before the upload."""
        parts = tuple(ComponentSaid(name, len(data), hashlib.sha256(data).digest()) for name, data in self.zips.items())
        return Announcement(self.reg_id, self.process, self.source, self.schema_version, parts, self.supervisor_status, None, LANGUAGES[0])

    def with_component(self, name: str, data: bytes) -> "MadePacket":
        """The same packet with other bytes for one component."""
        return replace(self, zips={**self.zips, name: data})


def applicant(seed: int, at: datetime, state: str = "dj", employee_id: str | None = None) -> Applicant:
    """The person of this number: name, birthday, gender, phone and address follow from it."""
    rng = random.Random(f"applicant-{state}-{seed}")
    first, last = NAMES.get(state, ANY_NAMES)
    middle = "".join(rng.choice(MIDDLE) for _ in range(3)).capitalize()
    name = f"{rng.choice(first)} {middle} {rng.choice(last)}"
    born = at.date() - timedelta(days=rng.randint(YOUNGEST * 366, OLDEST * 365))
    return Applicant(
        name=name,
        born=born,
        gender=rng.choice(("MLE", "FLE")),
        phone=f"77{rng.randrange(10**8):08d}",
        email=f"{middle.lower()}.{seed}@example.org",
        address=f"{rng.randint(1, 200)} {rng.choice(STREETS)}",
        employee_id=employee_id,
    )


def reg_id_of(seed: int, at: datetime) -> str:
    """29 digits: centre, machine, number and time. Seeds 100,000 apart share the number, not the machine."""
    return f"{CENTRE:05d}{(MACHINE + seed // 100_000) % 100_000:05d}{seed % 100_000:05d}{at:%Y%m%d%H%M%S}"


def make_packet(
    seed: int,
    at: datetime,
    state: str = "dj",
    person: Applicant | None = None,
    *,
    biometric_bytes: int = BIOMETRIC_BYTES,
    meta: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
) -> MadePacket:
    """A packet that passes every check. `fields` replaces fields of ID.json (None leaves one out), `meta` keys of the meta info."""
    rng = random.Random(f"packet-{state}-{seed}")
    who = person or applicant(seed, at, state)
    reg_id = reg_id_of(seed, at)
    identity = _identity(who) | dict(fields or {})
    identity = {name: value for name, value in identity.items() if value is not None}
    papers = {f"{name}.pdf": pdf(f"{name} of a demo registration") for name in PAPERS}
    biometrics = {"individualBiometrics_bio_CBEFF.xml": cbeff(rng.randbytes(biometric_bytes))}
    exception = {"format": "pdf", "type": "COE", "value": "proofOfException"}
    small = {"IDSchemaVersion": 0.1, "proofOfException": exception}
    info = _meta(reg_id, at, dict(meta or {}))
    zips = {
        "id": component(identity, {**biometrics, **papers}, info),
        "evidence": component(small, {"proofOfException.pdf": pdf("proofOfException of a demo registration")}, info),
        "optional": component(small, {}, info),
    }
    sidecars = {name: sidecar(reg_id, name, at) for name in zips}
    return MadePacket(reg_id, who, zips, sidecars)


def component(identity: Mapping[str, Any], files: Mapping[str, bytes], meta: Mapping[str, Any]) -> bytes:
    """A component's zip: ID.json, the files, and the meta info and hashes that belong to them."""
    content = {"ID.json": _json({"identity": identity}), **files}
    bio = [name.rpartition(".")[0] for name in files if name.endswith(".xml")]
    rest = ["ID", *(name.rpartition(".")[0] for name in files if not name.endswith(".xml"))]
    groups = [{"label": "biometricSequence", "value": bio}] if bio else []
    groups.append({"label": "demographicSequence", "value": rest})
    stems = {name.rpartition(".")[0]: name for name in content}
    digest = hashlib.sha256(b"".join(content[stems[stem]] for stem in (*bio, *rest))).hexdigest().upper()
    info = {"identity": {**meta, "hashSequence1": groups, "hashSequence2": []}}
    return zipped(
        {
            **content,
            "packet_data_hash.txt": digest.encode(),
            "packet_meta_info.json": _json(info),
            "packet_operations_hash.txt": hashlib.sha256(b"").hexdigest().upper().encode(),
        }
    )


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of plain files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def sidecar(reg_id: str, name: str, at: datetime, **changes: Any) -> bytes:
    """The JSON file beside a component's zip."""
    return _json(
        {
            "process": PROCESS,
            "creationdate": _moment(at),
            "encryptedhash": "",
            "signature": "",
            "source": SOURCE,
            "providerversion": "v1.0",
            "id": reg_id,
            "schemaversion": float(SCHEMA),
            "packetname": f"{reg_id}_{name}",
            "providername": "demo",
        }
        | changes
    )


def pdf(line: str) -> bytes:
    """A page with one line."""
    text = f"BT /F1 12 Tf 72 720 Td ({line}) Tj ET".encode("ascii", "replace")
    return b"%PDF-1.4\n1 0 obj<</Length " + str(len(text)).encode() + b">>stream\n" + text + b"\nendstream endobj\ntrailer<<>>\n%%EOF\n"


def cbeff(opaque: bytes) -> bytes:
    """The frame in which biometrics come, around bytes that mean nothing."""
    return b'<?xml version="1.0"?><BIR><BIR><BDB>' + base64.b64encode(opaque) + b"</BDB></BIR></BIR>"


def _identity(who: Applicant) -> dict[str, Any]:
    def words(value: str) -> list[dict[str, str]]:
        return [{"language": language, "value": value} for language in LANGUAGES]

    named = {name: {"format": "pdf", "type": "DOC001", "value": name} for name in PAPERS}
    return {
        **named,
        "fullName": words(who.name),
        "dateOfBirth": f"{who.born:%Y/%m/%d}",
        "gender": words(who.gender),
        "addressLine1": words(who.address),
        "city": words("Demo Town"),
        "postalCode": "10114",
        "phone": who.phone,
        "email": who.email,
        "employeeId": who.employee_id,
        "individualBiometrics": {"format": "cbeff", "version": 1, "value": "individualBiometrics_bio_CBEFF"},
        "IDSchemaVersion": float(SCHEMA),
    }


def _meta(reg_id: str, at: datetime, changes: dict[str, Any]) -> dict[str, Any]:
    captured = {finger: {"birindex": f"bir-{finger}", "forceCaptured": False, "numRetry": 1} for finger in FINGERS}
    metadata = {"creationDate": _moment(at), "centerId": reg_id[:5], "machineId": reg_id[5:10], "registrationId": reg_id}
    return {
        "exceptionBiometrics": {},
        "biometrics": {"introducer": {}, "applicant-auth": {}, "applicant": captured},
        "metaData": [{"label": label, "value": value} for label, value in metadata.items()],
        "documents": [{"documentCategory": "POI", "documentOwner": "Applicant", "documentName": "proofOfIdentity", "refNumber": None}],
        "registrationId": reg_id,
        "capturedRegisteredDevices": [],
        "creationDate": _moment(at),
        "operationsData": [{"label": "officerId", "value": "110125"}, {"label": "supervisorId", "value": "110126"}],
    } | changes


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.000Z}"


def _json(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
