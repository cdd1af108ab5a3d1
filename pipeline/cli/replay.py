"""`replay`: packet files through the real code, and a table of verdicts."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from pipeline.replay.run import replay
from pipeline.replay.verdict import Verdict
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline replay DIR            in a database of its own
  python -m pipeline replay DIR --here     in the configured database, which keeps the reports
  python -m pipeline replay DIR --json     one object a packet, for other programs

DIR holds packet files by stage, such as DIR/02-report-submission/07-report-create-request.json. All their times are moved by
one amount, so that the newest packet happens now. Exit code 1: a packet differs in what binds.
"""
EXPECTED_WIDTH = 58


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of packets")
    parser.add_argument("--here", action="store_true", help="use the configured database instead of one of its own")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(args: argparse.Namespace, settings: Settings) -> int:
    verdicts = replay(settings, args.folder, args.here, lambda line: print(line, file=sys.stderr))
    for verdict in verdicts:
        if args.json:
            print(json.dumps(asdict(verdict)))
        else:
            print(_line(verdict))
    counted = {kind: sum(v.kind == kind for v in verdicts) for kind in ("match", "ruling", "not ours", "differs")}
    print(f"{len(verdicts)} packets: " + ", ".join(f"{count} {kind}" for kind, count in counted.items()), file=sys.stderr)
    return 1 if counted["differs"] else 0


def _line(verdict: Verdict) -> str:
    expected = f"{verdict.expected:<{EXPECTED_WIDTH}.{EXPECTED_WIDTH}}"
    line = f"{verdict.packet}  {verdict.name:<36.36}  {expected}  {verdict.got:<14.14}  {verdict.kind}"
    if verdict.ruling:
        return f"{line}: {verdict.ruling}"
    return line + "".join(f"\n         {difference}" for difference in verdict.differences)
