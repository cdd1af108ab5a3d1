"""One HTTP call to a machine of others: to a checked address, over verified TLS, within its time, with a bounded answer.

No redirect is followed, no proxy of the environment is used, no compressed answer is unpacked, and nothing is repeated.
A connection is kept for the next call to the same host. One line is for one thread at a time.
"""

import queue
import re
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import httpcore
import httpx

from pipeline.outbound.addresses import Address, Network, RefusedError, reachable

MAX_ANSWER_BYTES = 256 * 1024  # a hundred detections are 20 KB
KEEP_S = 15.0  # a validator's own keep-alive is rarely shorter
KEPT = 8  # connections of a line: a host each for the validators and where their tokens come from
WRITE_BYTES = 16 * 1024  # between two looks at the time
SENT_AS_IT_IS = (b"", b"identity")
_RECEIVED = re.compile(r"""\b(?:bytearray\()?b["'].*""", re.DOTALL)  # how h11 quotes what it cannot read

Why = Literal["REFUSED", "UNREACHABLE", "TLS", "TIMEOUT", "BROKEN", "TOO_LARGE", "ENCODED"]


@dataclass(frozen=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes = field(repr=False)


class WireError(Exception):
    """No whole answer came; `why` says what happened and `detail` the rest for the operator."""

    def __init__(self, why: Why, detail: str) -> None:
        super().__init__(f"{why}: {detail}")
        self.why: Why = why
        self.detail = detail


class Line:
    """Connections for one thread at a time."""

    def __init__(self, named: Sequence[Network]) -> None:
        self._backend = _Backend(named)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(), network_backend=self._backend, max_connections=KEPT, keepalive_expiry=KEEP_S, retries=0
        )

    def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, connect_s: float, read_s: float) -> Reply:
        """Send a question and read the whole answer; see `send`."""
        return self.send("POST", url, headers, body, connect_s, read_s)

    def send(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
        connect_s: float,
        read_s: float,
        max_bytes: int = MAX_ANSWER_BYTES,
    ) -> Reply:
        """Send and read it all. With the look-up of the name the call takes at most `connect_s + read_s`. Raises WireError."""
        self._backend.end = time.monotonic() + connect_s + read_s
        self._backend.encrypted = url.startswith("https:")
        timeouts = {"connect": connect_s, "read": read_s, "write": read_s, "pool": connect_s}
        sent = [(b"Accept", b"application/json" if method == "POST" else b"*/*"), (b"Accept-Encoding", b"identity")]
        if method == "POST":
            sent.append((b"Content-Length", str(len(body)).encode()))
        sent += [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        try:
            with self._pool.stream(
                method, url, headers=[(b"Host", _host(url)), *sent], content=body, extensions={"timeout": timeouts}
            ) as answer:
                received = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
                return Reply(answer.status, received, self._read(answer, max_bytes))
        except RefusedError as error:
            raise WireError("REFUSED", str(error)) from error
        except (httpcore.ConnectTimeout, httpcore.ConnectError) as error:
            untrusted = isinstance(error.__cause__ or error.__context__, ssl.SSLError)
            raise WireError("TLS" if untrusted else "UNREACHABLE", _words(error)) from error
        except httpcore.TimeoutException as error:
            raise WireError("TIMEOUT", f"no whole answer within {connect_s + read_s:g} s") from error
        except httpcore.LocalProtocolError as error:  # its words could repeat a header
            raise WireError("BROKEN", "the request cannot be sent as it is") from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise WireError("BROKEN", _words(error)) from error

    def close(self) -> None:
        self._pool.close()

    def _read(self, answer: httpcore.Response, max_bytes: int) -> bytes:
        encodings = {value.lower().strip() for name, value in answer.headers if name.lower() == b"content-encoding"}
        if not encodings.issubset(SENT_AS_IT_IS):
            raise WireError("ENCODED", "the answer is compressed, which was not asked for")
        whole = bytearray()
        for chunk in answer.iter_stream():
            whole += chunk
            if len(whole) > max_bytes:
                raise WireError("TOO_LARGE", f"the answer is larger than {max_bytes} bytes")
            self._backend.check_time()
        return bytes(whole)


class _Backend(httpcore.NetworkBackend):
    """Opens connections to checked addresses, and ends the call that is under way at its time however the bytes drip."""

    def __init__(self, named: Sequence[Network]) -> None:
        self._named = named
        self._plain = httpcore.SyncBackend()
        self.end = 0.0  # of the call under way, by time.monotonic
        self.encrypted = True

    def check_time(self) -> None:
        """Raises ReadTimeout when the call's time is up."""
        self.left(None)

    def left(self, timeout: float | None) -> float:
        """How long one more step may take. Raises ReadTimeout when the call's time is up."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the call's time is up")
        return left if timeout is None else min(timeout, left)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._reachable(host.strip("[]"), port, self.left(timeout))
        last: Exception = httpcore.ConnectError("no address")
        for number, address in enumerate(addresses):
            share = self.left(timeout) / (len(addresses) - number)
            try:
                return _Stream(self, self._plain.connect_tcp(str(address), port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    def _reachable(self, host: str, port: int, within_s: float) -> list[Address]:
        """The checked addresses. The system's resolver knows no limit of ours, so it is waited for and, if need be, left behind."""
        found: queue.SimpleQueue[list[Address] | Exception] = queue.SimpleQueue()
        encrypted = self.encrypted

        def look() -> None:
            try:
                found.put(reachable(host, port, self._named, encrypted=encrypted))
            except Exception as error:  # noqa: BLE001 - handed to the thread that waits, whatever it is
                found.put(error)

        threading.Thread(target=look, name="resolver", daemon=True).start()
        try:
            told = found.get(timeout=within_s)
        except queue.Empty:
            raise httpcore.ConnectTimeout("its name was not looked up in time") from None
        if isinstance(told, Exception):
            raise told
        return told


class _Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the call that it serves."""

    def __init__(self, backend: _Backend, inner: httpcore.NetworkStream) -> None:
        self._backend = backend
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            self._inner.write(buffer[start : start + WRITE_BYTES], self._backend.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._backend, self._inner.start_tls(ssl_context, server_hostname, self._backend.left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@cache
def _tls() -> ssl.SSLContext:
    """Certificates are verified against the public authorities, or those of SSL_CERT_FILE. Made once: it reads them all."""
    return httpx.create_ssl_context()


def _host(url: str) -> bytes:
    """The Host header: name and, where the address has one, port."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].encode("ascii")


def _words(error: Exception) -> str:
    """What happened, for the log; without what was received, which may hold what we sent."""
    return _RECEIVED.sub("...", str(error))[:200] or type(error).__name__
