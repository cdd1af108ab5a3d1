"""`demo`: demo data of any size."""

import argparse
import signal
import sys

from sqlalchemy import text

from pipeline.demo.run import load_demo, unfinished
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings

TERMINATED = 143  # as shells say it: 128 and the signal

EXAMPLES = """examples:
  python -m pipeline demo                          3,000 reports
  python -m pipeline demo --reports 50000 --seed 7
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reports", type=int, default=3000, metavar="N", help="how many reports (3000)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed makes the same data (1)")
    parser.add_argument("--if-empty", action="store_true", help="do nothing when there are accounts already")


def run(args: argparse.Namespace, settings: Settings) -> int:
    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # ends the sandbox and the pool with us; the next start goes on
    with open_runtime(settings, say=say) as rt:
        if args.if_empty and has_accounts(rt) and unfinished(rt) is None:
            return 0
        summary = load_demo(rt, args.reports, args.seed, say)
    say(str(summary))
    return 0


def has_accounts(rt: Runtime) -> bool:
    """Whether somebody uses this database already."""
    with rt.database.worker() as conn:
        return bool(conn.execute(text("SELECT EXISTS (SELECT FROM access.account)")).scalar_one())
