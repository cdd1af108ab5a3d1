"""What people ask: one .sql file per screen or question, each a list of named statements, and the loader for them.

A file holds blocks that begin with `-- name: <name>`; the comment lines below it say what the rows are. Comment lines are
dropped before the statement is prepared, since SQLAlchemy takes `:word` inside a comment for a parameter. A line
`-- with: <other>` puts another block of the file before the statement as `WITH <other> AS (...)`: so one predicate stands
once and serves list, count and chart alike.
"""

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, TextClause, text

from pipeline.database.engine import Command
from pipeline.database.engine import dicts as driver_dicts

if TYPE_CHECKING:
    import pandas

FOLDER = Path(__file__).parent
MAX_ROWS = 10_000  # no screen shows more; a statement that can return more needs a limit of its own
_NAME = re.compile(r"^-- name: ([a-z0-9_]+)\s*$", re.MULTILINE)
_WITH = re.compile(r"^-- with: ([a-z0-9_]+)\s*$", re.MULTILINE)


@cache
def statements(screen: str) -> dict[str, TextClause]:
    """The statements of queries/<screen>.sql by name. Raises KeyError for a screen that does not exist."""
    path = FOLDER / f"{screen}.sql"
    if not path.is_file():
        raise KeyError(f"queries/{screen}.sql does not exist")
    parts = _NAME.split(path.read_text(encoding="utf-8"))
    blocks: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in blocks:
            raise KeyError(f"{screen}.{name} stands twice")
        blocks[name] = body
    return {name: text(_assembled(blocks, body)) for name, body in blocks.items()}


def _assembled(blocks: dict[str, str], body: str) -> str:
    """The statement without its comments, after the blocks that it names. NOT MATERIALIZED: the planner sees through them."""
    named = [f"{name} AS NOT MATERIALIZED (\n{_plain(blocks[name])}\n)" for name in _WITH.findall(body)]
    return (f"WITH {', '.join(named)}\n" if named else "") + _plain(body)


def _plain(body: str) -> str:
    lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
    return "\n".join(lines).strip().rstrip(";")


def statement(name: str) -> TextClause:
    """The statement called `screen.name`."""
    screen, _, block = name.partition(".")
    return statements(screen)[block]


def rows(conn: Connection, name: str, **params: Any) -> list[RowMapping]:
    """All rows of a statement. Raises ValueError past MAX_ROWS: the statement lacks a limit."""
    result = conn.execute(statement(name), params).mappings().fetchmany(MAX_ROWS + 1)
    if len(result) > MAX_ROWS:
        raise ValueError(f"{name} returned more than {MAX_ROWS} rows")
    return list(result)


def dicts(conn: Connection, name: str, **params: Any) -> list[dict[str, Any]]:
    """All rows as dicts straight from the driver, in the same transaction: for lists that are asked for many times a second.

    Raises ValueError past MAX_ROWS.
    """
    result = driver_dicts(conn, statement(name), params, MAX_ROWS + 1)
    if len(result) > MAX_ROWS:
        raise ValueError(f"{name} returned more than {MAX_ROWS} rows")
    return result


def command(name: str, **params: Any) -> Command:
    """A statement with its parameters, for `at_once`; it needs a limit of its own."""
    return statement(name), params


def one(conn: Connection, name: str, **params: Any) -> RowMapping | None:
    """The single row of a statement, or None."""
    return conn.execute(statement(name), params).mappings().one_or_none()


def frame(conn: Connection, name: str, **params: Any) -> "pandas.DataFrame":
    """The rows as a DataFrame with the statement's columns, also when there are none."""
    import pandas  # noqa: PLC0415 - half a second and 40 MB that a process without charts does not pay

    result = conn.execute(statement(name), params)
    columns = list(result.keys())
    found = result.fetchmany(MAX_ROWS + 1)
    if len(found) > MAX_ROWS:
        raise ValueError(f"{name} returned more than {MAX_ROWS} rows")
    return pandas.DataFrame([tuple(row) for row in found], columns=columns)
