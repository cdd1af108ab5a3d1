"""`reconcile`: our payouts against the provider's and the account statement."""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from pipeline.errors import AppError
from pipeline.payouts.reconcile import Run, Strictness, reconcile_state, reconcile_state_file
from pipeline.payouts.standin import sandbox_at_hand
from pipeline.runtime import open_runtime
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline reconcile                     the last 7 days, every state
  python -m pipeline reconcile --state dj --days 30
  python -m pipeline reconcile --statement march.xlsx      beside a statement, CSV or XLSX; the provider is not asked
"""
MAX_DAYS = 400
PARTLY_DONE = 3  # the run is kept, and somebody must look at its exceptions


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", metavar="STATE", help="one state only, such as dj")
    parser.add_argument("--days", type=int, default=7, choices=range(1, MAX_DAYS + 1), metavar="N", help="how far back (7)")
    parser.add_argument("--statement", type=Path, metavar="FILE", help="an account statement as CSV or XLSX, for the time that it covers")
    parser.add_argument("--settling", type=int, default=30, metavar="MIN", help="minutes in which a difference may pass by itself (30)")
    parser.add_argument("--tolerance", type=int, default=0, metavar="PAISE", help="how far amounts may lie apart (0)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    strictness = Strictness(timedelta(minutes=args.settling), args.tolerance)
    data = _read(args.statement) if args.statement is not None else None
    with open_runtime(settings, say=lambda line: print(line, file=sys.stderr)) as rt, sandbox_at_hand(settings, rt.database):
        now = rt.clock.now()
        states = [t.id for t in rt.masterdata.current().tenants() if t.is_state and args.state in (None, t.id)]
        if not states:
            raise AppError("SDCRS_NOT_FOUND", kind="State", id=args.state)
        exceptions = 0
        for state in states:
            if data is None:
                result = reconcile_state(rt, state, now - timedelta(days=args.days), now, now, strictness)
            else:
                result = reconcile_state_file(rt, state, args.statement.name, data, now, strictness)
            exceptions += result.exceptions
            print(_told(state, result))
    return PARTLY_DONE if exceptions else 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="--statement", detail=str(error)) from None


def _told(state: str, result: Run) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.counts.items()) if count)
    lines = f", {result.lines} statement lines" if result.lines is not None else ""
    return f"{state}: {result.ours} ours, {result.theirs} theirs{lines}: {kinds or 'nothing to compare'}"
