"""`verify-audit`: whether anything in the audit was changed, removed or slipped in."""

import argparse
import sys

from pipeline.audit.anchor import Anchors
from pipeline.audit.verify import verify
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

STATEMENT_S = 600  # to look for surplus rows every row is read once; ten minutes are some hundred million

EXAMPLES = """examples:
  python -m pipeline verify-audit

Exit code 0: every row is as it was sealed. 1: the first fault of each state is named. Rows of the last moments are counted as
waiting: a worker must run to seal them. AUDIT_ANCHOR_URL says where the heads outside the database are.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None: everything is verified."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, pool_size=1) as rt, rt.database.worker(statement_timeout_s=STATEMENT_S) as conn:
        verdict = verify(conn, rt.keyring, Anchors(settings))
    for fault in verdict.faults:
        print(f"{fault.kind}: {fault.sentence}")
    print(f"{verdict.sealed:,} rows verified, {verdict.waiting:,} wait to be sealed, {len(verdict.faults)} faults", file=sys.stderr)
    return 1 if verdict.faults else 0
