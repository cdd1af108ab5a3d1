"""Several calls in flight at once, each thread with a line of its own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline.outbound.addresses import Network
from pipeline.outbound.wire import Line

Value = TypeVar("Value")


class Lines:
    """So many threads with connections; made when they are first needed."""

    def __init__(self, named: Sequence[Network], lines: int, name: str) -> None:
        self._named, self._lines, self._name = tuple(named), lines, name
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None
        self._opened: list[Line] = []

    def run(self, calls: Sequence[Callable[[Line], Value]]) -> list[Value]:
        """Make all calls and give their results in order. A single one is made by the caller's own thread."""
        if len(calls) == 1:
            return [self._one(calls[0])]
        if not calls:
            return []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._lines, thread_name_prefix=self._name)
        return list(self._pool.map(self._one, calls))

    def close(self) -> None:
        """End the threads and close their connections; the next call opens new ones."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for line in self._opened:
            line.close()
        self._opened.clear()
        self._local = threading.local()

    def _one(self, call: Callable[[Line], Value]) -> Value:
        line: Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = Line(self._named)
            self._opened.append(line)
        return call(line)
