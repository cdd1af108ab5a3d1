"""`rotate-keys`: a new master key, and everything sealed anew with it."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from uuid import UUID

from sqlalchemy import Connection

from pipeline.audit.log import record
from pipeline.filestore.upload import file_ids
from pipeline.identity.packet.manager import component_ids
from pipeline.runtime import Runtime, open_runtime
from pipeline.sealed import SEALED
from pipeline.settings import Settings
from pipeline.vault.keys import add_key
from pipeline.vault.rotation import older, reseal

EXAMPLES = """examples:
  python -m pipeline rotate-keys            a new key, then everything is sealed anew with it
  python -m pipeline rotate-keys --resume   no new key: go on with what an interrupted rotation has left
  python -m pipeline rotate-keys --check    only count what an older key has sealed (exit code 3 when there is any)

Everything may run meanwhile: processes read the key file again when they meet the new key. Keep the file's older keys: they make
the keyed hashes, verify the audit's seals and open photos and older backups. Photos and registration packets are sealed anew
with --photos, which reads and writes each of them. Copy the key file to where its backup is before you go on.
"""
STATEMENT_S = 600  # counting reads every row once
SAY_EVERY = 10_000  # rows
FILES_PAGE = 500

Ids = Callable[[Connection, UUID, int], list[UUID]]


def arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="make no new key; go on with the last one")
    what.add_argument("--check", action="store_true", help="change nothing; count what an older key has sealed")
    parser.add_argument("--photos", action="store_true", help="also seal the stored photos and registration packets anew")


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, pool_size=2) as rt:
        if not args.check:
            if not args.resume:
                _say(f"The new key is {add_key(rt.keyring)}.")
                _record(rt)
            _reseal(rt)
            if args.photos:
                _files(rt, "photos", file_ids)
                _files(rt, "registration packets", component_ids)
        with rt.database.worker(statement_timeout_s=STATEMENT_S) as conn:
            left = older(conn, rt.keyring, SEALED)
    for name, count in left.items():
        print(f"{name}: {count:,} values are sealed with an older key")
    if not left:
        _say(f"Everything in the database is sealed with {rt.keyring.current}.")
    return 3 if left else 0


def _record(rt: Runtime) -> None:
    with rt.database.worker() as conn:
        for tenant in rt.masterdata.current().tenants():
            if tenant.is_state:
                record(conn, tenant.id, None, None, "KEYS_ROTATED", "KEY", rt.keyring.current, rt.clock.now())


def _reseal(rt: Runtime) -> None:
    done: Counter[str] = Counter()
    for name, count in reseal(rt.database, rt.keyring, SEALED):
        before = done[name] // SAY_EVERY
        done[name] += count
        if done[name] // SAY_EVERY > before:
            _say(f"{name}: {done[name]:,} sealed anew")
    for name, count in done.items():
        _say(f"{name}: {count:,} sealed anew, done")


def _files(rt: Runtime, what: str, ids: Ids) -> None:
    done, after = 0, UUID(int=0)
    while True:
        with rt.database.worker() as conn:
            page = ids(conn, after, FILES_PAGE)
        if not page:
            break
        done += sum(rt.files.reseal(file_id) for file_id in page)
        after = page[-1]
        _say(f"{what}: {done:,} sealed anew")
    _say(f"{what}: {done:,} sealed anew, done")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
