"""Sealing anew with the current key what an older one has sealed, some rows at a time, so that a rotation can be stopped and gone on with.

Rooms name their sealed columns; this module knows no table but the vault's own.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import Database
from pipeline.vault.keys import Keyring
from pipeline.vault.persons import field_place, field_purpose
from pipeline.vault.seal import seal, unseal

BATCH = 500  # rows a transaction: a moment's lock
NOBODY = UUID(int=0)  # below every id


@dataclass(frozen=True)
class Sealed:
    """A column of sealed values in a table whose key is `id`. `place_column`: what binds a value to its row."""

    table: str
    column: str
    purpose: str
    place_column: str
    key_type: Literal["uuid", "text"] = "uuid"

    @property
    def first(self) -> UUID | str:
        """Below every key of the table."""
        return NOBODY if self.key_type == "uuid" else ""

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"


# The vault's own column has two places to bind to and a key column of its own
_PERSONS_OLDER = text("SELECT count(*) FROM vault.person_field WHERE key_id <> :key")
_PERSONS = text("""
    SELECT person_id, field, state_id, sealed, key_id FROM vault.person_field
    WHERE (person_id, field) > (CAST(:person_id AS uuid), :field) ORDER BY person_id, field LIMIT :limit FOR NO KEY UPDATE
""")
_PERSONS_SEALED = text("""
    UPDATE vault.person_field p SET sealed = v.sealed, key_id = :key
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(person_id uuid, field text, sealed text)
    WHERE p.person_id = v.person_id AND p.field = v.field
""")


def older(conn: Connection, keyring: Keyring, columns: Sequence[Sealed]) -> dict[str, int]:
    """How many values of each column the current key has not sealed; columns without any are left out. Reads every row."""
    found = {"vault.person_field.sealed": conn.execute(_PERSONS_OLDER, {"key": keyring.current}).scalar_one()}
    for one in columns:
        statement = text(f"SELECT count(*) FROM {one.table} WHERE split_part({one.column}, ':', 2) <> :key")  # noqa: S608 - names of this program
        found[one.name] = conn.execute(statement, {"key": keyring.current}).scalar_one()
    return {name: int(count) for name, count in found.items() if count}


def reseal(database: Database, keyring: Keyring, columns: Sequence[Sealed]) -> Iterator[tuple[str, int]]:
    """Go once through everything and seal anew what needs it, a transaction a page; yields column and number of each page. Commits.

    Raises SDCRS_DECRYPT_FAILED for a value that no key opens; what was sealed before stays done.
    """
    yield from _persons(database, keyring)
    for one in columns:
        yield from _column(database, keyring, one)


def _persons(database: Database, keyring: Keyring) -> Iterator[tuple[str, int]]:
    person_id, field = NOBODY, ""
    while True:
        with database.worker() as conn:
            page = conn.execute(_PERSONS, {"person_id": person_id, "field": field, "limit": BATCH}).all()
            anew = [
                {"person_id": str(row.person_id), "field": row.field, "sealed": _person(keyring, row)}
                for row in page
                if row.key_id != keyring.current
            ]
            if anew:
                conn.execute(_PERSONS_SEALED, {"rows": json.dumps(anew), "key": keyring.current})
        if not page:
            return
        person_id, field = page[-1].person_id, page[-1].field
        yield "vault.person_field.sealed", len(anew)


def _person(keyring: Keyring, row: Row[Any]) -> str:
    purpose, place = field_purpose(row.state_id, row.field), field_place(row.state_id, row.field, row.person_id)
    return seal(keyring, purpose, place, unseal(keyring, purpose, place, row.sealed))


def _column(database: Database, keyring: Keyring, one: Sealed) -> Iterator[tuple[str, int]]:
    read = text(f"""
        SELECT id, {one.place_column} AS place, {one.column} AS sealed FROM {one.table}
        WHERE id > :after AND {one.column} IS NOT NULL ORDER BY id LIMIT :limit FOR NO KEY UPDATE
    """)  # noqa: S608 - names of this program
    write = text(f"""
        UPDATE {one.table} t SET {one.column} = v.sealed
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id {one.key_type}, sealed text) WHERE t.id = v.id
    """)  # noqa: S608 - names of this program
    after = one.first
    while True:
        with database.worker() as conn:
            page = conn.execute(read, {"after": after, "limit": BATCH}).all()
            anew = [
                {"id": str(row.id), "sealed": _anew(keyring, one.purpose, str(row.place), row.sealed)}
                for row in page
                if row.sealed.split(":")[1] != keyring.current
            ]
            if anew:
                conn.execute(write, {"rows": json.dumps(anew)})
        if not page:
            return
        after = page[-1].id
        yield one.name, len(anew)


def _anew(keyring: Keyring, purpose: str, place: str, sealed: str) -> str:
    return seal(keyring, f"blob|{purpose}", place, unseal(keyring, f"blob|{purpose}", place, sealed))
