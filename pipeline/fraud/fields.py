"""Reading the fields that a rule names, such as `evidences[purpose=DOG_PHOTO].metadata.timestamp`, from a case's document.

A path that the document's shape does not have is an error and never a silent null: a misspelt rule must be noticed.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.fraud.case import METADATA, Case

# The shape of a case's document: a field leads to its own fields, or to None where a value stands
_EVIDENCE = {"type": None, "fileStoreId": None, "purpose": None, "metadata": dict.fromkeys(METADATA)}
SHAPE: dict[str, Any] = {
    "applicantId": None,
    "contentHash": None,
    "createdTime": None,
    "deviceId": None,
    "locationData": dict.fromkeys(("latitude", "longitude", "locality", "ward", "district")),
    "applicantInfo": dict.fromkeys(("applicantId", "userUuid", "name", "mobileNumber", "deviceId", "ipAddress")),
    "evidences": _EVIDENCE,
    "additionalData": {},  # any
}
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)(?:\[(\*|(purpose)=([A-Z_]+))\])?")
KEPT = 256  # paths; a rule set names about a dozen


class Found(NamedTuple):
    """One value that a path led to, and the purpose of the photo that it is of (None: not of a photo)."""

    value: Any
    purpose: str | None


class _Path(NamedTuple):
    root: str
    purpose: str | None  # None: of every photo
    of_photos: bool
    rest: tuple[str, ...]


def read(path: str, case: Case) -> Sequence[Found]:
    """The values at the path: one for each photo that it names, else one. Raises ValueError for a path that leads nowhere."""
    found = parse(path)
    if not found.of_photos:
        return (Found(_down(_root(found.root, case), found.rest), None),)
    photos = case.document["evidences"] or ()
    rest = found.rest
    if len(rest) == 2:
        outer, inner = rest
        return [
            Found(photo[outer][inner], photo["purpose"]) for photo in photos if found.purpose is None or photo["purpose"] == found.purpose
        ]
    return [Found(_down(photo, rest), photo["purpose"]) for photo in photos if found.purpose is None or photo["purpose"] == found.purpose]


@lru_cache(maxsize=KEPT)
def parse(path: str) -> _Path:
    """The path's parts. Raises ValueError naming what is wrong."""
    steps: list[re.Match[str]] = []
    for part in path.split("."):
        match = _STEP.fullmatch(part)
        if match is None:
            raise ValueError(f"{path!r} is not a field")
        steps.append(match)
    root, selector, _, purpose = steps[0].groups()
    if any(step[2] is not None for step in steps[1:]) or (root == "evidences") != (selector is not None):
        raise ValueError(f"{path!r}: [ ] belongs to evidences, and only there")
    shape: Any = SHAPE
    for step in steps:
        if shape == {}:
            break  # anything may stand below additionalData
        if shape is None or step[1] not in shape:
            raise ValueError(f"{path!r} leads to nothing: there is no {step[1]!r}")
        shape = shape[step[1]]
    return _Path(root, purpose, selector is not None, tuple(step[1] for step in steps[1:]))


def purpose_of(path: str) -> str | None:
    """The purpose that the path asks of photos; None when it names all, or none."""
    return parse(path).purpose


def _root(name: str, case: Case) -> Any:
    document = case.document
    match name:
        case "applicantId" | "deviceId":
            return document["applicantInfo"][name]
        case "contentHash":  # the report's content is its dog photo: the photo is what a report claims
            photos = document["evidences"] or ()
            return next((photo["metadata"]["contentHash"] for photo in photos if photo["purpose"] == "DOG_PHOTO"), None)
        case _:
            return document[name]


def _down(value: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if value is None:
            return None
        value = value.get(step)
    return value
