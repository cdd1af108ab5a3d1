"""Parsing the command line and turning errors into sentences and exit codes.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 partly done, 130 interrupted. Data goes to stdout, everything else to stderr.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from pipeline import logs
from pipeline.errors import AppError
from pipeline.settings import load

# name -> what it is for; each is a module of this package with EXAMPLES, arguments(parser) and run(args, settings)
COMMANDS = {
    "up": "run everything: database, API, worker, console and, without RAZORPAYX_KEY_ID, the payment sandbox",
    "migrate": "bring the database to the schema and the master data of this code",
    "demo": "load believable demo data by driving the real code",
    "work": "run the jobs, until stopped or until nothing is due",
    "replay": "run packet files through the real code and compare every answer",
    "reconcile": "compare our payouts with the provider's",
    "backup": "write the database to one encrypted file",
    "restore": "bring a backup into an empty database",
    "verify-audit": "check that nothing in the audit was changed, removed or slipped in",
    "rotate-keys": "make a new master key and seal everything anew with it",
    "sign-out": "end every session of an account, on all its devices",
    "bench": "measure this machine: lifecycles a second, latency, waiting times",
}
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="python -m pipeline", description="SDCRS: from a teacher's report to a settled payout.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, purpose in COMMANDS.items():
        wanted = name in arguments[:1]
        # only the wanted command's module is imported: `up` must not pay for the demo's libraries
        module = importlib.import_module(f"pipeline.cli.{name.replace('-', '_')}") if wanted else None
        command = commands.add_parser(
            name,
            help=purpose,
            description=purpose[0].upper() + purpose[1:] + ".",
            epilog=None if module is None else module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module is not None:
            module.arguments(command)
            command.set_defaults(run=module.run)
    args = parser.parse_args(arguments)
    logs.set_up(as_json=False)
    try:
        settings = load()
        logs.set_up(as_json=settings.log_json)
        return int(args.run(args, settings))
    except AppError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
