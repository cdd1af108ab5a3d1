"""Which columns outside the vault could hold a person's value: each is in columns.toml with what keeps it clean."""

import tomllib
from collections import Counter
from pathlib import Path

from sqlalchemy import text

from pipeline.runtime import Runtime

GROUPS = tomllib.loads((Path(__file__).parent / "columns.toml").read_text(encoding="utf-8"))["group"]
TEXTS = text("""
    SELECT n.nspname || '.' || c.relname || '.' || a.attname
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'vault', 'sandbox') AND n.nspname NOT LIKE 'pg\\_%'
      AND format_type(a.atttypid, a.atttypmod) ~ '(text|json|bytea|char|xml|hstore)'
""")


def listed() -> Counter[str]:
    return Counter(
        f"{table}.{column}"
        for group in GROUPS
        for entry in group["columns"]
        for table, columns in [entry.split(": ")]
        for column in columns.split()
    )


def test_every_column_that_could_hold_a_text_is_listed_once_with_its_reason(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        there = set(conn.execute(TEXTS).scalars())
    found = listed()
    assert set(found) == there
    assert [column for column, times in found.items() if times > 1] == []
    assert all(len(group["reason"]) > 20 for group in GROUPS)


def test_the_vault_keeps_a_value_sealed_and_by_a_keyed_hash_alone(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        columns = text("SELECT column_name FROM information_schema.columns WHERE table_schema = 'vault' AND table_name = 'person_field'")
        named = set(conn.execute(columns).scalars())
    ids_and_codes = {"person_id", "field", "tenant_id", "state_id", "key_id", "key_version", "written_at"}
    assert named - ids_and_codes == {"sealed", "lookup"}
