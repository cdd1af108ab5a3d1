"""`migrate`: schema, roles and policies, partitions, then the shipped master data."""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing

from pipeline.clock import SystemClock
from pipeline.database.connect import urls
from pipeline.database.engine import Database
from pipeline.database.migrate import migrate
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.store import publish
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline migrate
  DATABASE_OWNER_URL=postgresql://owner@db/sdcrs DATABASE_URL=postgresql://login@db/sdcrs python -m pipeline migrate
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace, settings: Settings) -> int:
    def say(line: str) -> None:
        if not args.quiet:
            print(line, file=sys.stderr)

    bring_current(settings, say)
    return 0


def bring_current(settings: Settings, say: Callable[[str], None]) -> None:
    """Migrate the database and publish the shipped master data. Raises SDCRS_BAD_SETTING without the owner's address.

    In production the sandbox's own books are taken out of a new database.
    """
    clock = SystemClock()
    with urls(settings, say) as found:
        report = migrate(found.owner, found.login, clock, settings.role_prefix, say, with_sandbox=not settings.production)
        with closing(Database(found.app, report.role_prefix, pool_size=1)) as database, database.worker() as conn:
            published = publish(conn, read_folder(), clock.now(), "migrate")
    say(f"schema {report.head}, {len(report.applied)} migrations applied, {len(published)} master data documents published")
