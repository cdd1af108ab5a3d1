"""A validator as they are outside: a real HTTP server that answers rightly, wrongly, slowly, hugely, or not at all."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Say:
    """One answer. `wait_s` before it; `drip_s` between its bytes; `cut`: the connection ends in its midst."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    drip_s: float = 0.0
    cut: bool = False


def say(answer: Any, **changes: Any) -> Say:
    """An answer of JSON."""
    return Say(body=json.dumps(answer).encode(), **changes)


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """The hands of a tester: what is to be said on each path, and what was asked."""

    def __init__(self, server: ThreadingHTTPServer, scheme: str) -> None:
        self.port = server.server_address[1]
        self.scheme = scheme
        self.asked: list[Asked] = []
        self.connections = 0
        self._script: dict[str, list[Say]] = {}
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def will(self, path: str, *answers: Say) -> None:
        """Say these on the path one after the other, the last one from then on."""
        self._script[path] = list(answers)

    def forget(self) -> None:
        """As if nothing had been asked."""
        self.asked.clear()
        self.connections = 0

    def on(self, path: str) -> list[Asked]:
        """What was asked on the path."""
        return [one for one in self.asked if one.path == path]

    def take(self, one: Asked) -> Say:
        with self._lock:
            self.asked.append(one)
            answers = self._script.get(one.path, [Say(status=404)])
            return answers.pop(0) if len(answers) > 1 else answers[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def setup(self) -> None:
        super().setup()
        self.service.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = self.service.take(Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        time.sleep(answer.wait_s)
        try:
            self._give(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _give(self, answer: Say) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(answer.body)), **answer.headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.cut:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
            return
        if not answer.drip_s:
            self.wfile.write(answer.body)
            return
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(answer.drip_s)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that leaves in the midst is what is tested."""


@contextmanager
def open_service(tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    """The service on a port of its own, for the length of the block."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    service = handler.service = Service(server, "https" if tls else "http")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
