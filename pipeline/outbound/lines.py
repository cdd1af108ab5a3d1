"""Several calls in flight at once, each thread with a line of its own."""

import threading
import weakref
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
        weakref.finalize(self, _end, self._opened)  # whoever forgets to close leaves no connection behind

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
        _end(self._opened)
        self._local = threading.local()

    def _one(self, call: Callable[[Line], Value]) -> Value:
        line: Line | None = getattr(self._local, "line", None)
        if line is None:
            line = self._local.line = Line(self._named)
            self._opened.append(line)
        return call(line)


def _end(opened: list[Line]) -> None:
    for line in opened:
        line.close()
    opened.clear()
