"""Whether what somebody says of themselves is what their credential says: yes or no for each field, and never the value."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Literal

Field = Literal["name", "birthYear", "phone"]
SHORTEST_PHONE = 7  # digits of a national number; less than that is the end of many
# Marks that people write or leave out in a name
_NO_MARKS = dict.fromkeys(map(ord, ".,'’‘`´-_"), " ")


def matches(known: Mapping[str, Any], field: Field, said: str) -> bool:
    """Compare one field with the demographics of a credential; a field that the credential does not have matches nothing."""
    return {"name": _name, "birthYear": _birth_year, "phone": _phone}[field](known, said)


def folded(name: str) -> tuple[str, ...]:
    """A name's words without case, accents and marks, in the order of the alphabet: people write either name first."""
    plain = unicodedata.normalize("NFKD", name.translate(_NO_MARKS))
    return tuple(sorted("".join(c for c in plain if not unicodedata.combining(c)).casefold().split()))


def _name(known: Mapping[str, Any], said: str) -> bool:
    names = known.get("fullName") or []
    values = [names] if isinstance(names, str) else [entry.get("value") for entry in names if isinstance(entry, dict)]
    wanted = folded(said)
    return bool(wanted) and any(folded(value) == wanted for value in values if isinstance(value, str))


def _birth_year(known: Mapping[str, Any], said: str) -> bool:
    birth = known.get("dateOfBirth")
    return isinstance(birth, str) and len(birth) >= 4 and birth[:4] == said


def _phone(known: Mapping[str, Any], said: str) -> bool:
    """Equal digits, with or without the country's code on one side."""
    phone = known.get("phone")
    ours, theirs = _digits(phone if isinstance(phone, str) else ""), _digits(said)
    shorter, longer = sorted((ours, theirs), key=len)
    return len(shorter) >= SHORTEST_PHONE and longer.endswith(shorter)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isdigit()).lstrip("0")
