"""`backup`: the database as one encrypted file."""

import argparse
import sys
from pathlib import Path

from pipeline.database.backup import backup
from pipeline.database.connect import checked_prefix, urls
from pipeline.database.server import quiet
from pipeline.database.server_install import programs
from pipeline.settings import Settings
from pipeline.vault.keys import open_keyring

EXAMPLES = """examples:
  python -m pipeline backup sdcrs-2026-11-21.backup

The keys in KEYS_FILE (or DATA_DIR/keys) and the photos in the filestore are not in it: keep both apart from it.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the file to write; must not exist")


def run(args: argparse.Namespace, settings: Settings) -> int:
    keyring = open_keyring(settings)
    with urls(settings) as found:
        size = backup(found.app, checked_prefix(found.app), programs(None, quiet), args.file, keyring.backup_key)
    print(f"{args.file}: {size:,} bytes, encrypted with key {keyring.current}", file=sys.stderr)
    return 0
