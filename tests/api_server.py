"""The API of a runtime on a socket of its own, for tests of what goes over the wire."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from pipeline.api.app import build
from pipeline.runtime import Runtime


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(rt: Runtime, certificate: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """The API on the settings' port for the length of the block, over TLS where a certificate is given; yields its address."""
    config = uvicorn.Config(
        build(rt), host="127.0.0.1", port=rt.settings.api_port, log_level="warning", ssl_certfile=certificate, ssl_keyfile=key
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the API does not start"
        time.sleep(0.02)
    try:
        host = "http://127.0.0.1" if certificate is None else "https://localhost"  # the name that the certificate is for
        yield f"{host}:{rt.settings.api_port}"
    finally:
        server.should_exit = True
        thread.join(10)
