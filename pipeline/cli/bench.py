"""`bench`: measure this machine."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pipeline
from pipeline.bench.api import Plan as ApiPlan
from pipeline.bench.api import run as measure_api
from pipeline.bench.api_figures import Scene
from pipeline.bench.duplicates import run as measure_duplicates
from pipeline.bench.evidence import QUICK_SECONDS, SECONDS, measure_evidence
from pipeline.bench.figures import Result, as_data, as_text
from pipeline.bench.house import Program
from pipeline.bench.identity import Plan as IdentityPlan
from pipeline.bench.identity import run as measure_identity
from pipeline.bench.lifecycle import Plan, surroundings
from pipeline.bench.lifecycle import run as run_lifecycle
from pipeline.bench.reconcile import measure as measure_reconciliation
from pipeline.bench.rules import measure as measure_rules
from pipeline.bench.validate import Plan as ValidatePlan
from pipeline.bench.validate import run as measure_validation
from pipeline.cli.parts import parts
from pipeline.clock import SystemClock
from pipeline.settings import Settings

EXAMPLES = """examples:
  python -m pipeline bench                              the whole: 100,000 and 1,000,000 existing reports, about ten minutes
  python -m pipeline bench lifecycle --quick            a first impression in about two minutes
  python -m pipeline bench lifecycle --existing 100000 --seconds 30 --json
  python -m pipeline bench rules                        expressions a second beside other engines, half a minute, no database
  python -m pipeline bench evidence                     photos a second and the memory they take, a minute, no database
  python -m pipeline bench validate                     reports a second through all checks and rules, about eight minutes
  python -m pipeline bench validate --existing 50000 --reports 5000
  python -m pipeline bench duplicates                   photo search over 9,000,000 hashes, half an hour and 5 GB of disk
  python -m pipeline bench duplicates --quick           the same over 200,000
  python -m pipeline bench api                          every call of the API on 1,000,000 reports, ten minutes
  python -m pipeline bench api --reports 50000 --seconds 3
  python -m pipeline bench identity                     registrations a second from upload to stored, with 100,000 in flight, five minutes
  python -m pipeline bench reconcile                    1,000,000 payouts on three sides, two minutes, no database

It builds a database and processes of its own and removes them at the end; the configured database is not touched. With
DATABASE_URL and DATABASE_OWNER_URL set its database is made on that server.
"""
FULL = Plan((100_000, 1_000_000), 40, 75)
QUICK = Plan((10_000,), 10, 15)
API = ApiPlan(1_000_000, 5, 75)
API_QUICK = ApiPlan(20_000, 2, 20)
SERVICES = ("sandbox", "worker", "api")
PROGRAMS = (*SERVICES, "console")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        default="lifecycle",
        choices=["lifecycle", "api", "rules", "evidence", "validate", "duplicates", "reconcile", "identity"],
        help="what to measure (lifecycle)",
    )
    parser.add_argument("--existing", type=_sizes, metavar="N[,N…]", help="existing reports, rising (100000,1000000)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length of each closed loop (40; api: 5); the open one lasts longer")
    parser.add_argument("--reports", type=int, metavar="N", help="validate: reports to be judged (100000); api: reports there (1000000)")
    parser.add_argument("--workers", type=int, metavar="N", help="validate: worker processes (one a core)")
    parser.add_argument("--hashes", type=int, metavar="N", help="duplicates: photos in the window (9000000)")
    parser.add_argument("--payouts", type=int, metavar="N", help="reconcile: payouts on each side (1000000)")
    parser.add_argument("--registrations", type=int, metavar="N", help="identity: registrations of each run (600)")
    parser.add_argument("--vectors", type=int, default=400_000, metavar="N", help="duplicates: how many of them for pgvector (400000)")
    parser.add_argument("--ours-only", action="store_true", help="duplicates: without the designs not chosen and pgvector")
    parser.add_argument("--quick", action="store_true", help="10,000 existing reports, 10 seconds")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the arrivals and the photos (1)")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")


def run(args: argparse.Namespace, settings: Settings) -> int:
    if args.what == "rules":
        return _rules(args)
    if args.what == "api":
        return _api(args, settings)
    if args.what == "evidence":
        return _evidence(args)
    if args.what == "validate":
        return _validate(args, settings)
    if args.what == "duplicates":
        return _duplicates(args, settings)
    if args.what == "reconcile":
        return _reconcile(args)
    if args.what == "identity":
        return _identity(args, settings)
    base = QUICK if args.quick else FULL
    seconds = args.seconds or base.seconds
    plan = Plan(args.existing or base.existing, seconds, base.arrivals_s if args.seconds is None else 2 * seconds, args.seed)
    folder = settings.data_dir / f"bench-{os.getpid()}"
    began = time.monotonic()

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if not args.json:
        print(surroundings())
    signal.signal(signal.SIGTERM, _interrupt)  # ends like Ctrl-C: everything is taken away again
    results = []
    for result in run_lifecycle(settings, tended, folder, plan, say):
        results.append(result)
        if not args.json:
            print("\n".join(as_text(result) if isinstance(result, Result) else result.as_text()), flush=True)
    say(f"Done in {time.monotonic() - began:.0f} s")
    if args.json:
        scenes = [as_data(result) if isinstance(result, Result) else result.as_data() for result in results]
        print(json.dumps({"surroundings": surroundings(), "cores": os.cpu_count(), "scenes": scenes}, indent=2))
    return 1 if any(isinstance(result, Result) and result.errors for result in results) else 0


def _api(args: argparse.Namespace, settings: Settings) -> int:
    base = API_QUICK if args.quick else API
    seconds = args.seconds or base.closed_s
    plan = ApiPlan(args.reports or base.reports, seconds, base.open_s if args.seconds is None else 15 * seconds, args.seed)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = settings.data_dir / f"bench-{os.getpid()}"
    results = []
    for result in measure_api(settings, tended, folder, plan, lambda line: print(line, file=sys.stderr, flush=True)):
        results.append(result)
        if not args.json:
            print("\n".join(result.as_text()), flush=True)
    if args.json:
        print(json.dumps({"cores": os.cpu_count(), "scenes": [result.as_data() for result in results]}, indent=2))
    return 1 if any(isinstance(result, Scene) and result.errors for result in results) else 0


def _rules(args: argparse.Namespace) -> int:
    found = measure_rules()
    print(json.dumps(found.as_data(), indent=2) if args.json else "\n".join(found.as_text()))
    return 1 if any(engine.differs for engine in found.engines) else 0


def _evidence(args: argparse.Namespace) -> int:
    seconds = args.seconds or (QUICK_SECONDS if args.quick else SECONDS)
    found = measure_evidence(SystemClock().now(), seconds, args.seed, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps({"cores": os.cpu_count(), **found.as_data()}, indent=2) if args.json else "\n".join(found.as_text()))
    return 0


def _validate(args: argparse.Namespace, settings: Settings) -> int:
    existing, reports = (50_000, 5_000) if args.quick else (1_000_000, 100_000)
    plan = ValidatePlan(args.existing[-1] if args.existing else existing, args.reports or reports, args.workers or os.cpu_count() or 1)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = settings.data_dir / f"bench-{os.getpid()}"
    found = measure_validation(settings, folder, plan, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps({"cores": os.cpu_count(), **found.as_data()}, indent=2) if args.json else "\n".join(found.as_text()))
    return 0


def _duplicates(args: argparse.Namespace, settings: Settings) -> int:
    hashes = args.hashes or (200_000 if args.quick else 9_000_000)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = settings.data_dir / f"bench-{os.getpid()}"

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    found = measure_duplicates(settings, folder, hashes, args.seed, say, beside=not args.ours_only, vectors=args.vectors)
    print(json.dumps({"cores": os.cpu_count(), **found.as_data()}, indent=2) if args.json else "\n".join(found.as_text()))
    return 1 if found.missed else 0


def _reconcile(args: argparse.Namespace) -> int:
    payouts = args.payouts or (50_000 if args.quick else 1_000_000)
    found = measure_reconciliation(payouts, args.seed, lambda line: print(line, file=sys.stderr, flush=True))
    print(json.dumps({"cores": os.cpu_count(), **found.as_data()}, indent=2) if args.json else "\n".join(found.as_text()))
    return 0 if found.right else 1


def _identity(args: argparse.Namespace, settings: Settings) -> int:
    plan = IdentityPlan(registrations=60, in_flight=2_000, singly=5) if args.quick else IdentityPlan()
    if args.registrations:
        plan = replace(plan, registrations=args.registrations)
    signal.signal(signal.SIGTERM, _interrupt)
    folder = settings.data_dir / f"bench-{os.getpid()}"
    results = []
    for result in measure_identity(settings, tended, folder, plan, lambda line: print(line, file=sys.stderr, flush=True)):
        results.append(result)
        if not args.json:
            print("\n".join(result.as_text()), flush=True)
    if args.json:
        print(json.dumps({"cores": os.cpu_count(), "scenes": [result.as_data() for result in results]}, indent=2))
    return 0


def programs(settings: Settings) -> Mapping[str, Program]:
    """The real processes, as `up` runs them."""
    table = parts(settings)
    return {
        name: Program(part.command, part.environment, f"http://127.0.0.1:{part.port}{part.ready_path}" if part.ready_path else None)
        for name, part in table.items()
        if name in PROGRAMS
    }


def tended(settings: Settings) -> Mapping[str, Program]:
    """The same, ended by the system when this process dies, however it dies; they must be started by its main thread."""
    launcher = Path(pipeline.__file__).with_name("child.py")
    before = (sys.executable, "-I", "-S", str(launcher), str(os.getpid()))
    return {name: replace(program, command=(*before, *program.command)) for name, program in programs(settings).items()}


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _sizes(value: str) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in value.split(","))
    if not sizes or min(sizes) < 1 or list(sizes) != sorted(set(sizes)):
        raise argparse.ArgumentTypeError("numbers above zero in rising order")
    return sizes
