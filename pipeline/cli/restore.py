"""`restore`: a backup into an empty database."""

import argparse
import sys
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.database.backup import restore
from pipeline.database.connect import urls
from pipeline.database.migrate import migrate
from pipeline.database.server import quiet
from pipeline.database.server_install import programs
from pipeline.settings import Settings
from pipeline.vault.keys import open_keyring

EXAMPLES = """examples:
  DATA_DIR=/srv/drill KEYS_FILE=/srv/keys.json python -m pipeline restore sdcrs-2026-11-21.backup
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="what backup wrote")


def run(args: argparse.Namespace, settings: Settings) -> int:
    def say(line: str) -> None:
        print(line, file=sys.stderr)

    keyring = open_keyring(settings)
    with urls(settings, say) as found:
        restore(found.owner, programs(None, quiet), args.file, keyring.backup_key)
        report = migrate(found.owner, found.login, SystemClock(), settings.role_prefix, say)
    say(f"restored, schema {report.head}; start the worker, which rebuilds what follows from the history")
    return 0
