"""`work`: the worker process, or one drain of every queue."""

import argparse
import gc
import os
import signal
import socket
import sys
import threading

from pipeline.jobs.job import Job, Periodic
from pipeline.jobs.worker import run_periodic, run_until_idle, work
from pipeline.payouts.standin import sandbox_at_hand
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings
from pipeline.work import all_jobs, all_tasks

EXAMPLES = """examples:
  python -m pipeline work                 until Ctrl-C; any number of workers may run
  python -m pipeline work --until-idle    drain every queue, say what waits for later, and end
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--until-idle", action="store_true", help="end when nothing is due now")


def run(args: argparse.Namespace, settings: Settings) -> int:
    with open_runtime(settings, say=lambda line: print(line, file=sys.stderr)) as rt:
        jobs, tasks = all_jobs(rt), all_tasks(rt)
        if args.until_idle:
            return drain(rt, settings, jobs, tasks)
        stop = threading.Event()
        keep_what_stays(rt)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        work(rt.database, jobs, tasks, rt.clock, f"{socket.gethostname()}:{os.getpid()}", stop)
    return 0


def keep_what_stays(rt: Runtime) -> None:
    """Boundaries, rules and models live as long as the process: no collection needs to walk them, which costs a tenth of all work."""
    rt.masterdata.current()
    gc.collect()
    gc.freeze()


def drain(rt: Runtime, settings: Settings, jobs: list[Job], tasks: list[Periodic]) -> int:
    """Run everything that is due, and say what waits for later."""
    with sandbox_at_hand(settings, rt.database):
        run_periodic(rt.database, tasks, rt.clock.now())
        for waiting in run_until_idle(jobs, rt.clock):
            print(f"{waiting.job}: {waiting.subjects} wait, the first until {waiting.due:%Y-%m-%d %H:%M:%S} UTC", file=sys.stderr)
    return 0
