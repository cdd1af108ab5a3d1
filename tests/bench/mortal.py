"""Lives of a worker that may end by SIGKILL at any breath: `python -m tests.bench.mortal [payouts|credentials|registrations]`.

Reads lines `NOW BREATHS` and answers each, when that life is over, with `killed` or `done`; with 0 breaths nothing kills it.
A breath is taken before and after every statement, every commit, every request to the provider and every file that is written
or read. Each life is a fork of this process, which has imported everything and opened nothing. The product's code knows
nothing of it.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from pipeline.clock import SettableClock
from pipeline.filestore.store import FileStore
from pipeline.identity.flow import credential_jobs
from pipeline.identity.stages.actions import pauses_job
from pipeline.identity.stages.runner import StagesJob
from pipeline.jobs.worker import run_until_idle
from pipeline.payouts import provider
from pipeline.payouts.jobs import payout_jobs
from pipeline.runtime import open_runtime
from pipeline.settings import load
from tests.registrations import UploadingClient

PLACES = ((psycopg.Cursor, "execute"), (psycopg.Connection, "commit"), (provider._Session, "send"), (FileStore, "put"), (FileStore, "get"))
WORK: dict[str, Callable[[Any], list[Any]]] = {
    "payouts": payout_jobs,
    "credentials": credential_jobs,
    "registrations": lambda rt: [UploadingClient(rt), pauses_job(rt), StagesJob(rt)],
}


def live(work: str, now: str, breaths: int) -> None:
    """Do all work of that kind that is due at `now`, or die at that breath."""
    with open_runtime(load(), SettableClock(datetime.fromisoformat(now)), pool_size=4) as rt:
        if breaths:
            count = itertools.count(1)  # shared by all threads
            for owner, name in PLACES:
                setattr(owner, name, _breathing(getattr(owner, name), count, breaths))
        run_until_idle(WORK[work](rt), rt.clock)


def _breathing(piece: Callable[..., Any], count: "itertools.count[int]", last: int) -> Callable[..., Any]:
    def breathe() -> None:
        if next(count) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def do(*args: Any, **kwargs: Any) -> Any:
        breathe()
        try:
            return piece(*args, **kwargs)
        finally:
            breathe()

    return do


def main(work: str = "payouts") -> None:
    """Live as often as asked for."""
    for line in sys.stdin:
        now, breaths = line.split()
        child = os.fork()
        if child == 0:
            try:
                live(work, now, int(breaths))
            except BaseException:  # noqa: BLE001 - a fork must not go on as its parent, whatever happened
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        print({0: "done", -signal.SIGKILL: "killed"}.get(code, f"ended with {code}"), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
