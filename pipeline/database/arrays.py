"""Columns of a batch as Postgres reads arrays, to be sent as one text each: the driver takes ten times as long over a list.

They are parameters like any other; the statement casts them.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any


def array(values: Iterable[Any]) -> str:
    """Numbers, ids and hex digits, none of which can hold a comma, a brace or a quote."""
    return "{" + ",".join(map(str, values)) + "}"


def moments(values: Iterable[datetime]) -> str:
    """Times with their offset."""
    return "{" + ",".join(map(datetime.isoformat, values)) + "}"


def texts(values: Iterable[str]) -> str:
    """Any texts, quoted."""
    return "{" + ",".join('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values) + "}"
