"""Keeping every worker still while a bulk load moves through past days with a clock of its own.

A worker would take the load's fresh rows and handle them now, weeks after their own time. The hold is an advisory lock of
the database: it ends with its holder, however that dies.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from pipeline.database.engine import Database
from pipeline.errors import AppError

HOLD = 7_353_002  # any constant that no one else on this database uses

WAIT_S = 5.0  # for workers that are just asking; another bulk load takes minutes
POLL_S = 0.05

_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_GIVE = text("SELECT pg_advisory_unlock(:key)")
_FREE = text("SELECT pg_try_advisory_xact_lock_shared(:key)")


@contextmanager
def hold_workers(database: Database) -> Iterator[None]:
    """For the length of the block no worker begins a round; what one has in hand it finishes. Needs a connection of its own.

    Raises SDCRS_BUSY when another bulk load holds them.
    """
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        give_up_at = time.monotonic() + WAIT_S
        while not conn.execute(_TAKE, {"key": HOLD}).scalar_one():
            if time.monotonic() > give_up_at:
                raise AppError("SDCRS_BUSY", retryAfterSeconds=60)
            time.sleep(POLL_S)
        try:
            yield
        finally:
            conn.execute(_GIVE, {"key": HOLD})


def held(database: Database) -> bool:
    """Whether a bulk load keeps the workers still."""
    with database.worker() as conn:
        return not conn.execute(_FREE, {"key": HOLD}).scalar_one()
