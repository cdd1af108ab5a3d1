"""`reconcile`: our payouts against the provider's."""

import argparse
import sys
from datetime import timedelta

from pipeline.errors import AppError
from pipeline.payouts.reconcile import reconcile_state
from pipeline.payouts.standin import sandbox_at_hand
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline reconcile                     the last 7 days, every state
  python -m pipeline reconcile --state dj --days 30
"""
MAX_DAYS = 400
PARTLY_DONE = 3  # the run is kept, and somebody must look at its exceptions


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", metavar="STATE", help="one state only, such as dj")
    parser.add_argument("--days", type=int, default=7, choices=range(1, MAX_DAYS + 1), metavar="N", help="how far back (7)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, say=lambda line: print(line, file=sys.stderr)) as rt, sandbox_at_hand(settings, rt.database):
        now = rt.clock.now()
        states = [t.id for t in rt.masterdata.current().tenants() if t.is_state and args.state in (None, t.id)]
        if not states:
            raise AppError("SDCRS_NOT_FOUND", kind="State", id=args.state)
        exceptions = 0
        for state in states:
            result = reconcile_state(rt, state, now - timedelta(days=args.days), now, now)
            exceptions += result.exceptions
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.counts.items()) if count)
            print(f"{state}: {result.ours} ours, {result.theirs} theirs: {kinds or 'nothing to compare'}")
    return PARTLY_DONE if exceptions else 0
