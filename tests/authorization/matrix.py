"""The matrix as the tests read it. It decides nothing itself."""

import tomllib
from pathlib import Path
from typing import Any

_READ: dict[str, Any] = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text(encoding="utf-8"))

ROLES: tuple[str, ...] = tuple(_READ["roles"])
ANYBODY = "anybody"
ROUTES: dict[str, dict[str, Any]] = {entry["call"]: entry for entry in _READ["route"]}
FILES: dict[str, dict[str, Any]] = {entry["kind"]: entry for entry in _READ["file"]}
STEPS: dict[str, dict[str, Any]] = {entry["action"]: entry for entry in _READ["step"]}
PAGES: dict[str, dict[str, Any]] = {entry["path"]: entry for entry in _READ["page"]}
CONSOLE_ROUTES: dict[str, dict[str, Any]] = {entry["call"]: entry for entry in _READ["console_route"]}
DOWNLOADS: dict[str, dict[str, Any]] = {entry["module"]: entry for entry in _READ["download"]}
OPERATIONS: dict[str, Any] = _READ["operations"]


def roles_of(said: Any) -> frozenset[str]:
    """The roles that an entry names."""
    return frozenset(ROLES if said == "everyone" else said)


def expected(route: dict[str, Any], role: str | None, *, own: bool) -> int | str:
    """What a role (None: nobody) gets from a route: a status, or "nothing" for an answer that tells nothing."""
    if route["who"] != ANYBODY:
        if role is None:
            return 401
        if role not in roles_of(route["who"]):
            return int(route.get("refusal", 403))
    elsewhere = route["elsewhere"]
    if own or elsewhere in ("no tenant", "public"):
        return int(route["own"])
    return elsewhere if elsewhere == "nothing" else int(elsewhere)


def step_expected(action: str, state: str, role: str, *, mine: bool) -> str:
    """DONE, REFUSED (403 or 404) or NOT NOW (409) for a step from a role; `mine`: the report is the teacher's or the officer's own."""
    states = STEPS[action]["states"]
    if not any(role in roles for roles in states.values()):
        return "REFUSED"
    if role in ("TEACHER", "MC_OFFICER") and not mine:
        return "REFUSED"
    if state not in states:
        return "NOT NOW"
    return "DONE" if role in states[state] else "REFUSED"
