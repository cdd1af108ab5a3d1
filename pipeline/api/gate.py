"""The threads that carry requests out, and the door before them: who waits too long is sent away, never queued without end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline.errors import AppError

MAX_WAIT_S = 2.0  # a client has given up on a page by then, and a provider's webhook may wait five seconds
WAITING_PER_THREAD = 16  # a thread's share of waiting requests is served within the wait; more would only grow old here
RETRY_AFTER_S = 2

Value = TypeVar("Value")


class Gate:
    """A bounded pool of threads; as many requests run at once as there are connections for them. Used from one event loop."""

    def __init__(self, threads: int, name: str, max_wait_s: float = MAX_WAIT_S, max_waiting: int | None = None) -> None:
        self._max_wait_s = max_wait_s
        self._max_waiting = threads * WAITING_PER_THREAD if max_waiting is None else max_waiting
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(threads)
        self.waiting = 0
        self.shed = 0  # requests sent away since the start

    async def run(self, work: Callable[[], Value]) -> Value:
        """Carry out `work` in a thread. Raises SDCRS_BUSY when no thread becomes free in time."""
        await self._enter()
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        future.add_done_callback(lambda _: self._slots.release())
        return await asyncio.shield(future)  # a client that goes away does not free the thread that still works for it

    async def _enter(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # at once
            return
        if self.waiting >= self._max_waiting:
            self._refuse()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._max_wait_s):
                await self._slots.acquire()
        except TimeoutError:
            self._refuse()
        finally:
            self.waiting -= 1

    def _refuse(self) -> None:
        self.shed += 1
        raise AppError("SDCRS_BUSY", retryAfterSeconds=RETRY_AFTER_S)

    def close(self) -> None:
        """Let running work end; nothing new is taken."""
        self._executor.shutdown(wait=True, cancel_futures=True)
