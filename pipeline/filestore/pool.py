"""A few processes that examine photos for this one, so that a large or a hostile photo costs others nothing.

Threads share the pool and wait in it for a free process. A process is started when the first photo needs it, kept, and
replaced when it dies or takes too long: the photo it had is answered with an error, never with silence. No photo is tried
twice here: what killed one process would kill the next.
"""

import os
import socket
import subprocess
import sys
import threading
from collections import deque

from pipeline.errors import AppError
from pipeline.filestore.examine import Examined
from pipeline.filestore.worker import receive, send, unpacked
from pipeline.settings import ROOT

MOST = 4  # processes; a state's peak needs two, and each takes about 110 MB
TIME_LIMIT_S = 20.0  # for one photo with the start of a process: fifty times what the largest takes on a quiet machine
WAIT_S = 10.0  # for a free process; a person's upload has taken longer than that
RETRY_AFTER_S = 5
# What a Python needs to run. Addresses and secrets of the database are not among it.
_PASSED_ON = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # libraries start a thread a core, each with memory, for nothing here


def cores() -> int:
    """How many photos this machine examines at once."""
    return max(1, min(os.cpu_count() or 1, MOST))


class PhotoPool:
    """Examines photos in other processes. Threads share it; `close` it."""

    def __init__(self, processes: int | None = None, time_limit_s: float = TIME_LIMIT_S, wait_s: float = WAIT_S) -> None:
        self.processes = processes or cores()
        self._time_limit_s, self._wait_s = time_limit_s, wait_s
        self._free = threading.BoundedSemaphore(self.processes)
        self._idle: deque[_Process] = deque()  # the last one used is taken first: its memory is warm
        self._all: set[_Process] = set()
        self._lock = threading.Lock()
        self._closed = False

    def examine(self, data: bytes, file_name: str) -> Examined:
        """Check and measure a photo in another process.

        Raises what `measure` raises, SDCRS_PHOTO_NOT_EXAMINED when the process died or took too long, and SDCRS_BUSY when
        none became free in time.
        """
        if not self._free.acquire(timeout=self._wait_s):
            raise AppError("SDCRS_BUSY", retryAfterSeconds=RETRY_AFTER_S)
        try:
            return self._with_a_process(data, file_name)
        finally:
            self._free.release()

    def pids(self) -> list[int]:
        """The processes that run now, for those who measure or disturb them."""
        with self._lock:
            return [process.pid for process in self._all]

    def close(self) -> None:
        """End all processes; one that is at work loses it."""
        with self._lock:
            self._closed = True
            running = list(self._all)
            self._all.clear()
            self._idle.clear()
        for process in running:
            process.end()

    def _with_a_process(self, data: bytes, file_name: str) -> Examined:
        try:
            process = self._take()
        except OSError as error:
            raise AppError("SDCRS_PHOTO_NOT_EXAMINED", fileName=file_name, detail="no process can be started") from error
        try:
            head, thumbnail = process.ask(file_name, data, self._time_limit_s)
        except TimeoutError as error:
            self._drop(process)
            raise AppError(
                "SDCRS_PHOTO_NOT_EXAMINED", fileName=file_name, detail=f"it took more than {self._time_limit_s:g} seconds"
            ) from error
        except (OSError, EOFError) as error:
            self._drop(process)
            raise AppError("SDCRS_PHOTO_NOT_EXAMINED", fileName=file_name, detail="the process that looked at it ended") from error
        with self._lock:
            if not self._closed:
                self._idle.append(process)
        return unpacked(head, thumbnail)

    def _take(self) -> "_Process":
        """A process that lives, an idle one first."""
        while True:
            with self._lock:
                if self._closed:
                    raise AppError("SDCRS_BUSY", retryAfterSeconds=RETRY_AFTER_S)
                if not self._idle:
                    process = _Process()
                    self._all.add(process)
                    return process
                process = self._idle.pop()
            if process.lives():
                return process
            self._drop(process)  # it was killed while it had nothing to do: no photo is lost by that

    def _drop(self, process: "_Process") -> None:
        with self._lock:
            self._all.discard(process)
        process.end()


class _Process:
    """One worker and the socket to it. Used by one thread at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD
        try:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "pipeline.filestore.worker", str(theirs.fileno())),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                env=environment,
                cwd=ROOT,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._socket = ours
        self.pid = self._process.pid

    def lives(self) -> bool:
        return self._process.poll() is None

    def ask(self, file_name: str, data: bytes, time_limit_s: float) -> tuple[bytes, bytes]:
        """One photo's answer. Raises TimeoutError, and OSError or EOFError when the process is gone."""
        self._socket.settimeout(time_limit_s)  # of sending and of every wait for a part of the answer, which comes at once or not
        send(self._socket, file_name.encode(), data)
        return receive(self._socket)

    def end(self) -> None:
        """Kill it, also one that stands still; a thread that waits for its answer gets EOFError."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
