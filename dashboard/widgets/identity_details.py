"""What a stage has measured, in words: each detail of a transaction by its name, with its unit; what says nothing is left out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dashboard import formats

GENDERS: Mapping[str, str] = {"MLE": "Male", "FLE": "Female", "OTH": "Other"}
LISTED = 8  # of problems and such; more nobody reads in a line

Said = Callable[[Any], str | None]


def details_of(details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The details in the order of the table, as names and values; a detail that the table does not have is shown as it is."""
    known = [(label, said(details[key])) for key, (label, said) in _DETAILS.items() if key in details]
    others = [(formats.words(key), str(value)) for key, value in details.items() if key not in _DETAILS and isinstance(value, str | int)]
    return [(label, value) for label, value in [*known, *others] if value]


def _components(value: Any) -> str | None:
    """Which components hold, and of the others what differs; what was not checked is said once."""
    if not isinstance(value, dict):
        return None
    whole, wrong, unchecked = [], [], set()
    for name, checks in value.items():
        found = checks.items() if isinstance(checks, dict) else [(name, checks)]
        bad = [str(check) for check, said in found if said not in ("VERIFIED", "NOT_CHECKED")]
        unchecked |= {str(check) for check, said in found if said == "NOT_CHECKED"}
        (wrong.append(f"{name} differs in {', '.join(bad)}") if bad else whole.append(name))
    parts = [f"{', '.join(whole)}: every check holds" if whole else "", *wrong]
    parts.append(f"not checked: {', '.join(sorted(unchecked))}" if unchecked else "")
    return "; ".join(part for part in parts if part)


def _number(unit: str = "") -> Said:
    return lambda value: f"{formats.count(value)}{unit}" if isinstance(value, int) and value else None


def _list(value: Any) -> str | None:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None if value in (None, "") else str(value)
    return ", ".join(_entry(one) for one in value[:LISTED]) + (f" and {len(value) - LISTED} more" if len(value) > LISTED else "")


def _entry(value: Any) -> str:
    return " ".join(str(part) for part in value.values()) if isinstance(value, dict) else str(value)


def _best(value: Any) -> str | None:
    """How alike the likeliest candidates are."""
    scores = [str(one.get("score")) for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    return f"{', '.join(scores)} of 100" if scores else None


_DETAILS: Mapping[str, tuple[str, Said]] = {
    "components": ("Components", _components),
    "fields": ("Fields", _number()),
    "adult": ("Age", lambda value: "adult" if value else "child"),
    "problems": ("Problems", _list),
    "documents": ("Documents", lambda value: formats.count(value) if isinstance(value, int) else _list(value)),
    "biometricBytes": ("Biometrics file", _number(" bytes")),
    "biometricLevel": ("Capture quality", lambda value: formats.words(str(value)).lower()),
    "forcedShare": ("Forced captures", lambda value: f"{100 * float(value):.0f} %" if value else "none"),
    "candidates": ("Candidates", lambda value: formats.count(value) if value else "none"),
    "more": ("More candidates", lambda value: "more than were looked at" if value else None),
    "best": ("Alike by", _best),
    "pending": ("To decide", _number()),
    "decided": ("Decided", _number()),
    "new": ("Number", lambda value: "a new one" if value else "the one that it had"),
    "handles": ("Handles", _number()),
    "requests": ("Credentials wanted", _number()),
    "rule": ("Rule", lambda value: formats.words(str(value)).lower()),
    "fact": ("Because of", lambda value: formats.words(str(value)).lower()),
    "from": ("Before", lambda value: formats.words(str(value)).lower()),
    "code": ("Code", str),
    "error": ("Error", str),
    "at": ("In", str),
    "identityId": ("Identity", lambda value: f"{str(value)[-12:]}"),
}
