"""The clients: threads in processes of their own, each with one connection that it keeps, as a proxy in front would.

They take errands from a queue, make the calls of each one after the other, and tell how long every answer took. Times are
those of the monotonic clock, which all processes of one machine share.
"""

import http.client
import json
import multiprocessing
import queue
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from typing import Any
from urllib.parse import urlsplit

from pipeline.bench.calls import Call

PROCESSES = 2  # so that no client waits for another's interpreter lock
ANSWER_S = 30.0
LOST = 0  # the status of a call that got no answer


@dataclass(frozen=True)
class Errand:
    """Calls to be made one after the other by one client; the rest is left out when one is refused.

    `due`: when it ought to begin, by the monotonic clock; 0: as soon as a client is free.
    """

    calls: tuple[Call, ...]
    tag: str = ""
    due: float = 0.0


@dataclass(frozen=True)
class Answer:
    """How one call went. `took_s` counts from when it was due. `error`: the code of a refusal."""

    kind: str
    tag: str
    ended: float
    took_s: float
    status: int
    ids: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    error: str = ""
    last: bool = False  # of its errand

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Clients:
    """The queues to and from the clients. Used by one thread."""

    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.count = count
        self.errands: Queue[Errand | None] = context.Queue()
        self.answers: Queue[Answer] = context.Queue()
        self.processes: list[SpawnProcess] = []

    def send(self, errand: Errand) -> None:
        """Hand an errand over; the next free client takes it."""
        self.errands.put(errand)

    def receive(self, wait_s: float) -> list[Answer]:
        """The answers that are there, after waiting up to `wait_s` for the first."""
        found: list[Answer] = []
        try:
            found.append(self.answers.get(timeout=max(wait_s, 0.0)))
            while True:
                found.append(self.answers.get_nowait())
        except queue.Empty:
            return found


@contextmanager
def open_clients(url: str, count: int) -> Iterator[Clients]:
    """`count` clients of the API at `url`, gone at the end."""
    clients = Clients(count)
    context = multiprocessing.get_context("spawn")
    processes = min(PROCESSES, count)
    for index in range(processes):
        threads = count // processes + (index < count % processes)
        process = context.Process(target=_serve, args=(url, threads, clients.errands, clients.answers), daemon=True)
        process.start()
        clients.processes.append(process)
    try:
        yield clients
    finally:
        for process in clients.processes:
            process.terminate()
            process.join()
        clients.errands.cancel_join_thread()
        clients.answers.cancel_join_thread()


def _serve(url: str, threads: int, errands: "Queue[Errand | None]", answers: "Queue[Answer]") -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the main process ends us
    running = [threading.Thread(target=_client, args=(url, errands, answers), daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def _client(url: str, errands: "Queue[Errand | None]", answers: "Queue[Answer]") -> None:
    line = Line(url)
    while (errand := errands.get()) is not None:
        due = errand.due or time.monotonic()
        for index, call in enumerate(errand.calls):
            status, body = line.send(call)
            ended = time.monotonic()
            ok = 200 <= status < 300
            reports = _reports(body) if ok and call.keeps_ids else ()
            answers.put(
                Answer(
                    kind=call.kind,
                    tag=errand.tag,
                    ended=ended,
                    took_s=ended - due,
                    status=status,
                    ids=tuple(report["id"] for report in reports),
                    numbers=tuple(report["reportNumber"] for report in reports),
                    error="" if ok else _error(body),
                    last=not ok or index == len(errand.calls) - 1,
                )
            )
            due = ended
            if not ok:
                break


class Line:
    """One connection to the API, made again when it breaks."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port
        self._conn: http.client.HTTPConnection | None = None

    def send(self, call: Call) -> tuple[int, bytes]:
        """Status and body of the answer; LOST when there was none."""
        headers = {"Authorization": f"Bearer {call.token}", "Content-Type": "application/json"}
        try:
            if self._conn is None:
                self._conn = http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_S)
                self._conn.connect()
                self._conn.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._conn.request("POST", call.path, call.body, headers)
            answer = self._conn.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return LOST, b""

    def close(self) -> None:
        """Hang up; the next call dials again."""
        if self._conn is not None:
            self._conn.close()
        self._conn = None


def _reports(body: bytes) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(body)["DogReports"])


def _error(body: bytes) -> str:
    try:
        return str(json.loads(body)["Errors"][0]["code"])
    except (ValueError, KeyError, IndexError, TypeError):
        return "no answer" if not body else "unreadable answer"
