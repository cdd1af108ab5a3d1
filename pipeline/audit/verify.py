"""Verifying the audit: every seal against its row, every row against its seal, and the chains against their anchors outside."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, text

from pipeline.audit.anchor import Anchors, Head
from pipeline.audit.seal import COLUMNS, FIRST, FOLLOWER, sealed_hash
from pipeline.vault.keys import Keyring

PAGE = 5_000  # rows in memory at once

Kind = Literal["BROKEN", "MISSING", "SURPLUS", "SEAL_MISSING", "CUT", "REWRITTEN"]

_STATES = text("SELECT DISTINCT state_id FROM audit.seal ORDER BY state_id")
_PAGE = text(f"""
    SELECT s.number, s.event_id, s.hash, s.key_id, {", ".join(f"e.{name}" for name in COLUMNS)}
    FROM audit.seal s LEFT JOIN audit.event e ON e.id = s.event_id
    WHERE s.state_id = :state_id AND s.number > :after ORDER BY s.number LIMIT :limit
""")  # noqa: S608 - column names of this program
# A row that the follower has passed without sealing it was not there when it came by
_SURPLUS = text("""
    SELECT e.id FROM audit.event e, jobs.follower f
    WHERE f.name = :follower AND (e.xid, e.id) <= (f.last_xid, f.last_id) AND NOT EXISTS (SELECT FROM audit.seal s WHERE s.event_id = e.id)
    ORDER BY e.recorded_at, e.id LIMIT 1
""")
_WAITING = text("SELECT (SELECT count(*) FROM audit.event) - (SELECT count(*) FROM audit.seal)")


@dataclass(frozen=True)
class Fault:
    """The first thing that is wrong in a state's chain."""

    kind: Kind
    state_id: str | None
    number: int | None
    event_id: str | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What verifying found. `sealed`: how many rows were checked; `waiting`: how many are too new to be sealed yet."""

    sealed: int
    waiting: int
    faults: tuple[Fault, ...]


def verify(conn: Connection, keyring: Keyring, anchors: Anchors) -> Verdict:
    """Read everything and name the first fault of each state. Changes nothing; the connection must see one snapshot.

    Raises ValueError for an anchor that cannot be read.
    """
    faults: list[Fault] = []
    sealed = 0
    states = set(conn.execute(_STATES).scalars()) | set(anchors.states())
    for state_id in sorted(states):
        anchored = {head.number: head for head in anchors.read(state_id)}
        count, fault = _chain(conn, keyring, state_id, anchored)
        sealed += count
        if fault is not None:
            faults.append(fault)
    surplus = conn.execute(_SURPLUS, {"follower": FOLLOWER}).scalar_one_or_none()
    if surplus is not None:
        faults.append(
            Fault("SURPLUS", None, None, str(surplus), f"Row {surplus} was slipped in: it was not there when its time was sealed.")
        )
    return Verdict(sealed, max(int(conn.execute(_WAITING).scalar_one()), 0), tuple(faults))


def _chain(conn: Connection, keyring: Keyring, state_id: str, anchored: Mapping[int, Head]) -> tuple[int, Fault | None]:
    before, number = FIRST, 0
    for row in _seals(conn, state_id):
        number += 1
        fault = _fault(keyring, state_id, number, before, row, anchored.get(number))
        if fault is not None:
            return number, fault
        before = bytes(row["hash"])
    beyond = [head for head in anchored.values() if head.number > number]
    if beyond:
        last = max(head.number for head in beyond)
        return number, Fault("CUT", state_id, number + 1, None, f"{state_id}: rows {number + 1} to {last} were sealed once and are gone.")
    return number, None


def _fault(keyring: Keyring, state_id: str, number: int, before: bytes, row: Mapping[str, Any], anchor: Head | None) -> Fault | None:
    event_id = str(row["event_id"])
    if row["number"] != number:
        return Fault("SEAL_MISSING", state_id, number, None, f"{state_id}: the seal number {number} is gone.")
    if row["id"] is None:
        return Fault("MISSING", state_id, number, event_id, f"{state_id}: row {event_id}, number {number}, is gone.")
    if sealed_hash(keyring, row["key_id"], before, row) != bytes(row["hash"]):
        return Fault("BROKEN", state_id, number, event_id, f"{state_id}: row {event_id}, number {number}, is not what was sealed.")
    if anchor is not None and anchor.hash != bytes(row["hash"]):
        return Fault(
            "REWRITTEN", state_id, number, event_id, f"{state_id}: number {number} differs from its anchor outside: rows were sealed anew."
        )
    return None


def _seals(conn: Connection, state_id: str) -> Iterator[Mapping[str, Any]]:
    after = 0
    while True:
        page = [row._asdict() for row in conn.execute(_PAGE, {"state_id": state_id, "after": after, "limit": PAGE})]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["number"]
