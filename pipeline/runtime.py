"""What every room needs, opened once per process and handed down: settings, database, clock, master data, vault, files."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import text

from pipeline.clock import Clock, SystemClock
from pipeline.database.connect import open_database
from pipeline.database.engine import Database
from pipeline.errors import AppError
from pipeline.filestore.store import FileStore
from pipeline.masterdata.store import MasterDataStore
from pipeline.settings import Settings
from pipeline.vault.keys import Keyring, open_keyring
from pipeline.vault.persons import Vault

log = logging.getLogger(__name__)

_DEMO_ACCOUNTS = text("SELECT count(*) FROM access.account WHERE demo AND active")


@dataclass(frozen=True)
class Runtime:
    """The open parts of one process. Threads share it."""

    settings: Settings
    database: Database
    clock: Clock
    masterdata: MasterDataStore
    keyring: Keyring
    vault: Vault
    files: FileStore


def assemble(settings: Settings, database: Database, clock: Clock) -> Runtime:
    """Put the parts together around an open database."""
    keyring = open_keyring(settings)
    return Runtime(
        settings=settings,
        database=database,
        clock=clock,
        masterdata=MasterDataStore(database),
        keyring=keyring,
        vault=Vault(keyring),
        files=FileStore(settings, keyring),
    )


@contextmanager
def open_runtime(
    settings: Settings, clock: Clock | None = None, pool_size: int = 8, say: Callable[[str], None] = log.debug
) -> Iterator[Runtime]:
    """Start or adopt the database and open the rest; everything is closed at the end.

    Raises what `open_database` raises, and in production SDCRS_UNSAFE_SETTINGS for a database with demo accounts.
    """
    with open_database(settings, pool_size=pool_size, progress=say) as database:
        if settings.production:
            _refuse_demo_accounts(database)
        yield assemble(settings, database, clock or SystemClock())


def _refuse_demo_accounts(database: Database) -> None:
    """Everybody knows the demo's password. Raises SDCRS_UNSAFE_SETTINGS."""
    with database.worker() as conn:
        number = conn.execute(_DEMO_ACCOUNTS).scalar_one()
    if number:
        why = f"DATABASE_URL names a database with {number} demo accounts that can sign in; give production one of its own"
        raise AppError("SDCRS_UNSAFE_SETTINGS", settings=["DATABASE_URL"], why=why)
