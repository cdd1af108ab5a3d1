"""`reconcile`: our payouts against the provider's."""

import argparse
import sys
from datetime import timedelta

from pipeline.payouts.reconcile import reconcile
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline reconcile                     the last 7 days, every state
  python -m pipeline reconcile --state dj --days 30
"""
MAX_DAYS = 400


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", metavar="STATE", help="one state only, such as dj")
    parser.add_argument("--days", type=int, default=7, choices=range(1, MAX_DAYS + 1), metavar="N", help="how far back (7)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, say=lambda line: print(line, file=sys.stderr)) as rt:
        until = rt.clock.now()
        states = [t.id for t in rt.masterdata.current().tenants() if t.parent_id is None and args.state in (None, t.id)]
        exceptions = 0
        for state in states:
            result = reconcile(rt, state, until - timedelta(days=args.days), until)
            exceptions += result.exceptions
            print(f"{state}: {result.ours} ours, {result.theirs} theirs, {result.matched} matched, {result.exceptions} exceptions")
    return 3 if exceptions else 0
