"""`python -m pipeline.api`: the API on its port, by as many processes as API_PROCESSES says.

A process has one interpreter, so one process is one core of Python. Each listens on the port by itself and the kernel shares
the connections out. The first one keeps the others: one that dies is started again, and all end with the first.
"""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid
from pathlib import Path

import uvicorn

import pipeline
from pipeline.errors import AppError
from pipeline.settings import ROOT, Settings, load

BESIDE = "--beside"  # marks a process that the first one has started
GRACE_S = 5  # answers under way are finished
STOP_S = GRACE_S + 3.0
LOOK_S = 0.5
AGAIN_S = 1.0  # before a process that died is started again
STARTUP_FAILED = 3  # uvicorn's own code


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT; 3 when the app could not start, 2 when a setting cannot be used."""
    try:
        settings = load()
        listening = _listen(settings)
    except AppError as error:
        print(error.message, file=sys.stderr)  # noqa: T201 - the logs are not set up yet
        return 2
    # the server raises what ended it once more when it is done; the others are still to be ended then
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(
        uvicorn.Config(
            "pipeline.api.app:create_app",
            factory=True,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
            forwarded_allow_ips=list(settings.trusted_proxies),
        )
    )
    with _others(0 if BESIDE in arguments else settings.api_processes - 1):
        server.run(sockets=[listening])
    return 0 if server.started else STARTUP_FAILED


def _listen(settings: Settings) -> socket.socket:
    """A socket of this process on the port that all share. Raises SDCRS_PORT_BUSY."""
    host = settings.bind_address
    found = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.api_processes > 1:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind((host, settings.api_port))
    except OSError as error:
        found.close()
        raise AppError("SDCRS_PORT_BUSY", port=settings.api_port, setting="API_PORT") from error
    return found


@contextmanager
def _others(number: int) -> Iterator[None]:
    """Keep so many processes running beside this one for the length of the block, then end them."""
    stop = threading.Event()
    # a thread of its own, which lives as long as they may: Linux ends a child with the thread that started it
    keeper = threading.Thread(target=_keep, args=(number, stop), name="processes beside")
    if number:
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        if number:
            keeper.join()


def _keep(number: int, stop: threading.Event) -> None:
    running = [_start() for _ in range(number)]
    while not stop.wait(LOOK_S):
        for index, process in enumerate(running):
            if process.poll() is not None and not stop.wait(AGAIN_S):
                running[index] = _start()
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in running:
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start() -> "subprocess.Popen[bytes]":
    launcher = Path(pipeline.__file__).with_name("child.py")
    command = [sys.executable, "-I", "-S", str(launcher), str(getpid()), sys.executable, "-m", "pipeline.api", BESIDE]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
