"""A worker that dies at a named place: `python -m tests.bench.failpoint MODULE:NAME before|after NOW`.

Runs every job until nothing is due, with its clock at NOW, and ends as by SIGKILL when it comes to the place: nothing is
rolled back, closed or told. The product's code knows nothing of it.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pipeline.clock import SettableClock
from pipeline.jobs.worker import run_until_idle
from pipeline.runtime import open_runtime
from pipeline.settings import load
from pipeline.work import all_jobs


def main(place: str, when: str, now: str) -> int:
    """Run the jobs; returns 0 only when the place was never reached."""
    module, _, path = place.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    setattr(owner, name, _deadly(getattr(owner, name), when))
    with open_runtime(load(), SettableClock(datetime.fromisoformat(now))) as rt:
        run_until_idle(all_jobs(rt), rt.clock)
    return 0


def _deadly(piece: Callable[..., Any], when: str) -> Callable[..., Any]:
    def die(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            piece(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return die


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
