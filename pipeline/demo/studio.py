"""The demo's photos, drawn, measured and stored by a pool of processes while the main one writes rows."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from uuid import UUID

from pipeline.demo.darkroom import PhotoOrder, begin, shoot
from pipeline.filestore.measure import Measured
from pipeline.filestore.upload import StoredFile
from pipeline.runtime import Runtime

BATCH = 40  # photos a task: a tenth of a second of drawing
AHEAD = 60  # tasks waiting or done beyond the one wanted next: keeps the pool busy while rows are written


class Studio:
    """Delivers the ordered photos in their order."""

    def __init__(self, pool: ProcessPoolExecutor, orders: Sequence[PhotoOrder]) -> None:
        self._pool = pool
        self._batches = iter([orders[i : i + BATCH] for i in range(0, len(orders), BATCH)])
        self._under_way: deque[Future[list[tuple[PhotoOrder, Measured]]]] = deque()
        self._ready: dict[UUID, StoredFile] = {}
        self._fill()

    def take(self, wanted: Sequence[PhotoOrder]) -> list[StoredFile]:
        """The rows of these photos, whose bytes are stored; waits for them. They must be taken in about the order given."""
        found = []
        for order in wanted:
            while order.file_id not in self._ready:
                self._receive()
            found.append(self._ready.pop(order.file_id))
        return found

    def _receive(self) -> None:
        for order, measured in self._under_way.popleft().result():
            self._ready[order.file_id] = StoredFile(
                order.file_id, order.tenant_id, order.owner_id, "SDCRS", "demo", order.name, order.uploaded_at, measured
            )
        self._fill()

    def _fill(self) -> None:
        while len(self._under_way) < AHEAD and (batch := next(self._batches, None)):
            self._under_way.append(self._pool.submit(shoot, batch))


@contextmanager
def open_studio(rt: Runtime, orders: Sequence[PhotoOrder]) -> Iterator[Studio]:
    """Start the pool and its work; at the end, also on an error, it is gone."""
    workers = max(1, min(os.cpu_count() or 1, len(orders) // (4 * BATCH)))
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # forking a process with threads and connections may hang it
        initializer=begin,
        initargs=(rt.settings, rt.keyring),
    )
    try:
        yield Studio(pool, orders)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
