"""A bulk load keeps workers still, and no longer than it lives."""

import threading
from datetime import datetime

from pipeline.jobs.hold import held, hold_workers
from pipeline.jobs.worker import work


class Counting:
    """A job that only counts how often it is asked."""

    name = "counting"

    def __init__(self):
        self.asked = threading.Event()

    def run_once(self, now: datetime) -> int:
        self.asked.set()
        return 0

    def waits_for(self, now: datetime) -> None:
        return None


def test_a_worker_begins_no_round_while_it_is_held_and_goes_on_afterwards(rt):
    job, stop = Counting(), threading.Event()
    worker = threading.Thread(target=work, args=(rt.database, [job], [], rt.clock, "held", stop))
    try:
        with hold_workers(rt.database):
            assert held(rt.database)
            worker.start()
            assert not job.asked.wait(1)  # four times the worker's pause
        assert job.asked.wait(5)
        assert not held(rt.database)
    finally:
        stop.set()
        worker.join()
