"""Taking personal values out of a body before it is stored, and putting them back when a reader may see them.

A stored body says `{"$person": <id>, "field": <kind>}` where a name, phone, VPA, e-mail or bank value stood; secrets
(tokens, codes) are dropped. Which fields are personal is the catalogue's to say; no other room decides that for itself.
"""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from pipeline.packets.catalogue import PersonalKind, get

MARK = "$person"  # an object, not a text, so that nobody can type a reference into a description
ANYBODY = "*"  # the key in `persons` for every path that has no entry of its own

Resolve = Callable[[str, str], str | None]


def without_personal(packet_id: str, body: Mapping[str, Any], persons: Mapping[str, UUID]) -> dict[str, Any]:
    """A copy of a body with references in place of personal values, fit to be stored; remarks (keys with `_`) are left out.

    `persons` says whose a value is: by path of the catalogue, and under "*" for every other path. A value of nobody known
    becomes a reference that nobody resolves. In an exchange the paths hold for `request` and for `response`.
    """
    packet = get(packet_id)
    copied = _copy(body)
    roots = [copied[part] for part in ("request", "response") if packet.kind == "exchange" and isinstance(copied.get(part), dict)]
    for path, kind in packet.personal.items():
        owner = persons.get(path, persons.get(ANYBODY))
        for root in [copied, *roots]:
            _walk(root, path.removeprefix("$.").split("."), kind, {MARK: str(owner) if owner else None, "field": kind})
    return copied


def with_personal(body: Any, resolve: Resolve) -> Any:
    """A copy of a stored body with each reference replaced by `resolve(person id, kind)`: what this reader may see, or None."""
    if isinstance(body, dict):
        if body.keys() == {MARK, "field"}:
            return resolve(body[MARK], body["field"]) if body[MARK] else None
        return {key: with_personal(value, resolve) for key, value in body.items()}
    if isinstance(body, list):
        return [with_personal(value, resolve) for value in body]
    return body


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items() if not key.startswith("_")}
    if isinstance(value, list | tuple):
        return [_copy(inner) for inner in value]
    return value


def _walk(node: Any, steps: list[str], kind: PersonalKind, reference: dict[str, str | None]) -> None:
    """Replace what the path leads to, in place; a path that the body does not have leads to nothing."""
    step, rest = steps[0], steps[1:]
    key = step.removesuffix("[*]")
    if not isinstance(node, dict) or key not in node:
        return
    if not rest:
        if kind == "secret":
            del node[key]
        elif node[key] is not None:
            node[key] = reference
        return
    for child in node[key] if step.endswith("[*]") and isinstance(node[key], list) else [node[key]]:
        _walk(child, rest, kind, reference)
