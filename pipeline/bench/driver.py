"""One process that sends requests to the API and tells how long each answer took: at the pace of the answers, or at given moments.

Requests come ready as bytes, so that a client costs little beside the server on the same cores; what it did cost is told.
Knows nothing of what the requests mean.
"""

import asyncio
import gc
import multiprocessing
import re
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from urllib.parse import urlsplit

ANSWER_S = 30.0
IDLE_S = 4.0  # uvicorn hangs up after five: a line that lay idle for longer is not used again
MOST_LINES = 256  # of arrivals that do not wait for each other; the API sends away what is more than its threads can serve soon
START_S = 0.2  # from the order to the first arrival
LOST = 0  # the status of a request that got no answer
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CODE = re.compile(rb'"code": ?"([A-Z_]+)"')


@dataclass(frozen=True)
class Sending:
    """One request, head and body as they go over the line. `kind` names it in the figures."""

    kind: str
    data: bytes


@dataclass(frozen=True)
class Script:
    """What is to be sent, and for how long it counts.

    With `due`, seconds after the start in rising order, each request goes out at its moment; without, `clients` send one
    after the other, from the beginning again with `again` set, else until all were sent.
    """

    sendings: Sequence[Sending]
    warm_s: float
    seconds: float
    clients: int = 1
    due: Sequence[float] | None = None
    again: bool = False


@dataclass
class Told:
    """What was answered to one script within the span that counts. Times in seconds, of open scripts from the moment due."""

    seconds: float = 0.0
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[str] = field(default_factory=Counter)  # by kind
    errors: Counter[str] = field(default_factory=Counter)  # by kind, status and code
    late: list[float] = field(default_factory=list)  # how long after its moment a request went out
    own_share: float = 0.0  # of one processor, taken by this process
    answered: int = 0  # within the span or not


class Driver:
    """The process, from outside. Used by one thread."""

    def __init__(self, process: SpawnProcess, line: Connection) -> None:
        self.process, self._line = process, line

    def play(self, script: Script) -> Told:
        """Send what the script says and wait until all is answered. Raises EOFError when the process is gone."""
        self._line.send(script)
        told: Told = self._line.recv()
        return told


@contextmanager
def open_driver(url: str) -> Iterator[Driver]:
    """A process that sends to the API at `url`, gone at the end."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(url, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Driver(process, ours)
    finally:
        ours.close()
        process.terminate()
        process.join()


def _serve(url: str, line: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends us
    gc.disable()  # nothing here makes circles worth a pause
    with suppress(EOFError):
        while True:
            line.send(asyncio.run(_Play(url, line.recv()).run()))


class _Line(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._needed = 0
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self.used_at = 0.0

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, data: bytes) -> tuple[int, bytes]:
        """Status and whole answer; LOST when there is none."""
        if self._transport is None or self._transport.is_closing():
            return LOST, b""
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        self._buffer, self._needed = bytearray(), 0
        self._transport.write(data)
        alarm = loop.call_later(ANSWER_S, self.close)
        try:
            return await answer
        finally:
            alarm.cancel()
            self.used_at = loop.time()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._end(LOST)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            if length is None:
                self.close()
                return
            self._needed = end + 4 + int(length[1])
        if len(self._buffer) >= self._needed:
            self._end(int(self._buffer[9:12]))

    def _end(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((status, bytes(self._buffer)))


class _Play:
    """One script being played, in the process's event loop."""

    def __init__(self, url: str, script: Script) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._script = script
        self._idle: list[_Line] = []
        self._lines = asyncio.Semaphore(MOST_LINES)
        self._told = Told()
        self._opens = self._closes = 0.0
        self._used = 0.0

    async def run(self) -> Told:
        loop = asyncio.get_running_loop()
        begins = loop.time() + START_S
        self._opens = begins + self._script.warm_s
        self._closes = self._opens + self._script.seconds
        loop.call_at(self._opens, self._mark)
        if self._script.due is None:
            sendings = iter(cycle(self._script.sendings) if self._script.again else self._script.sendings)
            await asyncio.gather(*(self._client(sendings) for _ in range(self._script.clients)))
        else:
            await self._arrivals(begins, self._script.due)
        ended = min(loop.time(), self._closes)
        self._told.seconds = max(ended - self._opens, 0.0)
        if self._told.seconds:
            self._told.own_share = (time.process_time() - self._used) / (loop.time() - self._opens)
        for line in self._idle:
            line.close()
        return self._told

    def _mark(self) -> None:
        self._used = time.process_time()

    async def _client(self, sendings: Iterator[Sending]) -> None:
        loop = asyncio.get_running_loop()
        line = await self._dial()
        for sending in sendings:
            began = loop.time()
            if began >= self._closes:
                break
            if not line.open:
                line = await self._dial()
            self._note(sending.kind, began, *await line.ask(sending.data))
        line.close()

    async def _arrivals(self, begins: float, due: Sequence[float]) -> None:
        loop = asyncio.get_running_loop()
        under_way: set[asyncio.Task[None]] = set()
        for sending, after in zip(self._script.sendings, due, strict=True):
            at = begins + after
            if (wait := at - loop.time()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._arrival(sending, at))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way)

    async def _arrival(self, sending: Sending, at: float) -> None:
        async with self._lines:
            line = await self._free()
            self._told.late.append(asyncio.get_running_loop().time() - at)
            self._note(sending.kind, at, *await line.ask(sending.data))
            self._idle.append(line)

    async def _free(self) -> _Line:
        """The line that was used last, so that the others may grow cold; a new one where none is fresh."""
        oldest = asyncio.get_running_loop().time() - IDLE_S
        while self._idle:
            line = self._idle.pop()
            if line.open and line.used_at > oldest:
                return line
            line.close()
        return await self._dial()

    async def _dial(self) -> _Line:
        with suppress(OSError):
            _, line = await asyncio.get_running_loop().create_connection(partial(_Line), self._host, self._port)
            return line
        return _Line()

    def _note(self, kind: str, began: float, status: int, answer: bytes) -> None:
        """Count an answer: of arrivals those that were due within the span, of a closed loop those that ended in it."""
        now = asyncio.get_running_loop().time()
        self._told.answered += 1
        counted = began if self._script.due is not None else now
        if not self._opens <= counted < self._closes:
            return
        self._told.took[kind].append(now - began)
        if not 200 <= status < 300:
            found = _CODE.search(answer)
            self._told.refused[kind] += 1
            self._told.errors[f"{kind}: {status} {found[1].decode() if found else 'no answer' if status == LOST else ''}".strip()] += 1
