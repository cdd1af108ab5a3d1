"""Reading and writing persons' fields. Callers say which fields they need; what they show is masked unless revealed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.engine import Command, dicts
from pipeline.vault.keys import Keyring
from pipeline.vault.seal import keyed_hash, seal, unseal

FIELDS = ("name", "phone", "email", "vpa", "bank_account", "ifsc")
MAX_PERSONS = 10_000  # one page, one batch or one export; more at once is a mistake

_PUT = text("""
    INSERT INTO vault.person_field (person_id, field, tenant_id, state_id, sealed, lookup, key_id, written_at)
    SELECT v.person_id, v.field, v.tenant_id, v.state_id, v.sealed, decode(v.lookup, 'hex'), v.key_id, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(person_id uuid, field text, tenant_id text, state_id text, sealed text, lookup text, key_id text)
    ON CONFLICT (person_id, field) DO UPDATE
    SET sealed = excluded.sealed, lookup = excluded.lookup, key_id = excluded.key_id, written_at = excluded.written_at
""")
_GET = text("""
    SELECT person_id, field, state_id, sealed FROM vault.person_field
    WHERE person_id = ANY (:persons) AND field = ANY (:fields)
""")
_FIND = text("SELECT person_id FROM vault.person_field WHERE state_id = :state_id AND field = :field AND lookup = :lookup LIMIT 100")

PersonFields = dict[str, str]


class Vault:
    """Persons' fields, encrypted with keys of their state and field."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring

    def put(self, conn: Connection, persons: Iterable[tuple[UUID, str, Mapping[str, str]]], now: datetime) -> None:
        """Write fields of persons given as (person id, home tenant, fields); existing fields are replaced."""
        rows: list[dict[str, Any]] = []
        for person_id, tenant_id, fields in persons:
            state_id = tenant_id.split(".")[0]
            for field, value in fields.items():
                sealed = seal(self.keyring, field_purpose(state_id, field), field_place(state_id, field, person_id), value.encode())
                rows.append(
                    {
                        "person_id": str(person_id),
                        "field": field,
                        "tenant_id": tenant_id,
                        "state_id": state_id,
                        "sealed": sealed,
                        "lookup": keyed_hash(self.keyring, field_purpose(state_id, field), normalise(field, value)).hex(),
                        "key_id": sealed.split(":", 2)[1],
                    }
                )
        if rows:
            conn.execute(_PUT, {"rows": json.dumps(rows), "now": now})

    def get(self, conn: Connection, persons: Sequence[UUID], fields: Sequence[str]) -> dict[UUID, PersonFields]:
        """The clear fields of each person; an unknown person or field is absent. Only what the caller's scope may see."""
        if not persons:
            return {}
        return self.opened(dicts(conn, *self.asked(persons, fields), MAX_PERSONS * len(FIELDS)))

    def asked(self, persons: Sequence[UUID], fields: Sequence[str]) -> Command:
        """The statement of `get`, for a room that sends it along with others of its own; its rows go to `opened`."""
        if len(persons) > MAX_PERSONS:
            raise ValueError(f"{len(persons)} persons at once; the limit is {MAX_PERSONS}")
        return _GET, {"persons": list(persons), "fields": list(fields)}

    def opened(self, rows: Iterable[Mapping[str, Any]]) -> dict[UUID, PersonFields]:
        """The clear fields of each person in the rows of `asked`."""
        found: dict[UUID, PersonFields] = {}
        for row in rows:
            person_id, field, state_id = row["person_id"], row["field"], row["state_id"]
            value = unseal(self.keyring, field_purpose(state_id, field), field_place(state_id, field, person_id), row["sealed"])
            found.setdefault(person_id, {})[field] = value.decode()
        return found

    def find(self, conn: Connection, state_id: str, field: str, value: str) -> list[UUID]:
        """Persons of a state with exactly this value after normalising; at most 100."""
        lookup = keyed_hash(self.keyring, field_purpose(state_id, field), normalise(field, value))
        return [row.person_id for row in conn.execute(_FIND, {"state_id": state_id, "field": field, "lookup": lookup})]

    def lookup(self, state_id: str, field: str, value: str) -> bytes:
        """The keyed hash under which a value is stored."""
        return keyed_hash(self.keyring, field_purpose(state_id, field), normalise(field, value))

    def seal(self, purpose: str, place: str, value: bytes) -> str:
        """Seal another room's exact bytes, such as a payout request; `place` binds them to their row."""
        return seal(self.keyring, f"blob|{purpose}", place, value)

    def unseal(self, purpose: str, place: str, sealed: str) -> bytes:
        """Open what `seal` made. Raises SDCRS_DECRYPT_FAILED."""
        return unseal(self.keyring, f"blob|{purpose}", place, sealed)


def normalise(field: str, value: str) -> str:
    """One spelling per value, so that equal values have equal hashes: phones as digits, addresses in lower case."""
    if field == "phone":
        return "".join(c for c in value if c.isdigit())
    return " ".join(value.casefold().split())


def mask_phone(phone: str | None) -> str | None:
    """First two and last two digits: 98••••••10."""
    if phone is None:
        return None
    return phone[:2] + "•" * max(len(phone) - 4, 0) + phone[-2:] if len(phone) > 4 else "•" * len(phone)


def mask_vpa(vpa: str | None) -> str | None:
    """First letter and the handle: r•••@okaxis."""
    if vpa is None:
        return None
    user, _, handle = vpa.partition("@")
    return f"{user[:1]}•••@{handle}"


def field_purpose(state_id: str, field: str) -> str:
    """For which key a field is sealed."""
    return f"vault|{state_id}|{field}"


def field_place(state_id: str, field: str, person_id: UUID) -> str:
    """What a sealed field is bound to."""
    return f"{state_id}|vault.person_field|{field}|{person_id}"
