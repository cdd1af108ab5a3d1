"""`demo`: demo data of any size."""

import argparse
import sys

from pipeline.demo.run import load_demo
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

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

    with open_runtime(settings, say=say) as rt:
        summary = load_demo(rt, args.reports, args.seed, say)
    say(str(summary))
    return 0
