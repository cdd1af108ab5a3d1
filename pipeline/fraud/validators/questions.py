"""What a validator is sent about a report, as its input mapping says, and what two equal questions have in common.

A text that begins with one of ROOTS is a path to a fact; any other value is sent as it is, and `parameters` always is.
`fileStoreId` leads to a photo, which is sent as bytes or as a link. A fact that there is not is sent as null.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pipeline.fraud.validators.paths import MISSING, parse, read
from pipeline.masterdata.fraud_models import ExternalValidator

LITERAL = ("parameters", "imageFormat")  # inputs that are never paths
# What can be named. A field leads to its own fields, or to None where a value stands
_METADATA = dict.fromkeys(("gpsLatitude", "gpsLongitude", "timestamp", "deviceId", "deviceInfo", "exifPresent", "contentHash"))
ROOTS: Mapping[str, Any] = {
    "createdTime": dict.fromkeys(("epochMs", "hour", "dayOfWeek")),
    "locationData": dict.fromkeys(
        ("latitude", "longitude", "altitude", "accuracy", "speed", "bearing", "timestamp", "locality", "ward", "district")
    ),
    "evidences": {"type": None, "fileStoreId": None, "purpose": None, "metadata": _METADATA},
    "additionalData": dict.fromkeys(("dogCount", "isAggressive", "reportType")),
    "applicant": dict.fromkeys(("recentCount", "avgIntervalMinutes", "recentLocations", "profilePhotoId")),
}


@dataclass(frozen=True)
class Image:
    """A stored photo in place of its bytes; `sha256` in hex, of the original."""

    file_id: UUID
    sha256: str


@dataclass(frozen=True)
class Question:
    """A body in which photos still stand as Image, and what makes an equal question: None when it is not to be remembered."""

    body: Mapping[str, Any]
    key: bytes | None


def question(validator: ExternalValidator, address: str, document: Mapping[str, Any]) -> Question:
    """The question about a report to the service at `address`. `document` has the shape of ROOTS, with Image at fileStoreId."""
    body = {name.removesuffix("Field") or name: _fill(name, value, document) for name, value in validator.input_mapping.items()}
    return Question(body, _key(validator, address, body))


def written(body: Mapping[str, Any], photo: Callable[[UUID], str]) -> bytes:
    """The bytes to send; `photo` gives what stands for an image."""

    def put(value: Any) -> Any:
        if isinstance(value, Image):
            return photo(value.file_id)
        if isinstance(value, Mapping):
            return {name: put(item) for name, item in value.items()}
        return [put(item) for item in value] if isinstance(value, list) else value

    return json.dumps(put(body), ensure_ascii=False, allow_nan=False).encode()


def in_base64(data: bytes) -> str:
    """Bytes as JSON carries them."""
    return base64.b64encode(data).decode("ascii")


def sends_links(validator: ExternalValidator) -> bool:
    """Whether photos are sent as links, not as bytes."""
    return validator.input_mapping.get("imageFormat") == "URL"


def paths_of(mapping: Mapping[str, Any]) -> Iterator[str]:
    """Every path that an input mapping names. Raises ValueError for one that leads nowhere."""
    for name, value in mapping.items():
        yield from _paths(name, value)


def _paths(name: str, value: Any) -> Iterator[str]:
    if name in LITERAL:
        return
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _paths(inner, item)
    elif is_path(value):
        _check(value)
        yield value


def is_path(value: Any) -> bool:
    """Whether an input's value names a fact."""
    return isinstance(value, str) and value.partition(".")[0].partition("[")[0] in ROOTS


def _check(path: str) -> None:
    shape: Any = ROOTS
    for position, step in enumerate(parse(path)):
        if shape is None or step.name not in shape:
            raise ValueError(f"{path!r} leads to nothing: there is no {step.name!r}")
        if step.selects != (position == 0 and step.name == "evidences"):
            raise ValueError(f"{path!r}: [ ] belongs behind evidences, and only there")
        shape = shape[step.name]


def _fill(name: str, value: Any, document: Mapping[str, Any]) -> Any:
    if name in LITERAL:
        return value
    if isinstance(value, Mapping):
        return {inner: _fill(inner, item, document) for inner, item in value.items()}
    if not is_path(value):
        return value
    found = read(value, document)
    steps = parse(value)
    if found is MISSING:
        return None
    if isinstance(found, list) and steps[0].key is not None:  # [purpose=DOG_PHOTO] means the first of them, [*] all
        return found[0] if found else None
    return found


def _key(validator: ExternalValidator, address: str, body: Mapping[str, Any]) -> bytes | None:
    """SHA-256 over the cache's key fields and everything that decides how they are answered."""
    if not (validator.cache.enabled and validator.cache.ttl_seconds and validator.cache.key_fields):
        return None
    parts: list[Any] = [address, validator.input_mapping, validator.output_mapping]
    for name in validator.cache.key_fields:
        part = _key_part(name, body)
        if part is None:
            return None
        parts.append([name, part])
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).digest()


def _key_part(name: str, body: Mapping[str, Any]) -> Any:
    """`imageHash`: the hashes of all photos; `sourceImageHash`: of those in `sourceImage`; else the input of this name."""
    if name == "imageHash":
        return [image.sha256 for image in _images(body)] or None
    input_name = name.removesuffix("Hash")
    if input_name != name and input_name in body:
        return [image.sha256 for image in _images(body[input_name])] or None
    value = body.get(name)
    return None if any(True for _ in _images(value)) else value


def _images(value: Any) -> Iterator[Image]:
    if isinstance(value, Image):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _images(item)
    elif isinstance(value, list):
        for item in value:
            yield from _images(item)
