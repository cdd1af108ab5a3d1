"""`up`: the supervisor of all processes."""

import argparse

from pipeline.cli.supervisor import up
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline up                  everything, until Ctrl-C
  python -m pipeline up --only api       one part, on a machine of its own
  PORT=9000 python -m pipeline up        console on 9000, API on 9001, sandbox on 9002
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", action="append", metavar="PART", help="run only this part; may be given several times")


def run(args: argparse.Namespace, settings: Settings) -> int:
    return up(settings, args.only)
