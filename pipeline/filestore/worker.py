"""A process that examines photos for another: it reads one after another from a socket and answers each.

It holds no key, no database and no setting, so bytes made to break a decoder break nothing but this. Started by `pool` as
`python -m pipeline.filestore.worker <socket>`; it ends when the other side closes, and when it meets a fault of ours.

A question is two lengths, name and content. An answer is two lengths, JSON and thumbnail; JSON of an error has `code`.
"""

import json
import signal
import socket
import struct
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.errors import AppError
from pipeline.filestore.examine import Examined, examine
from pipeline.filestore.measure import Measured

LENGTHS = struct.Struct(">II")
_TIMES = ("exif_gps_at", "exif_taken_at")


def receive(connection: socket.socket) -> tuple[bytes, bytes]:
    """Two byte strings that were sent together. Raises EOFError when the other side is gone, and TimeoutError by the socket's own limit."""
    first, second = LENGTHS.unpack(_exactly(connection, LENGTHS.size))
    return bytes(_exactly(connection, first)), bytes(_exactly(connection, second))


def send(connection: socket.socket, first: bytes, second: bytes) -> None:
    """Send two byte strings. Raises OSError when the other side is gone."""
    connection.sendall(LENGTHS.pack(len(first), len(second)) + first)
    connection.sendall(second)


def packed(examined: Examined) -> tuple[bytes, bytes]:
    """An answer as it travels."""
    facts = asdict(examined.measured) | {"sha256": examined.measured.sha256.hex()}
    facts |= {name: facts[name].isoformat() for name in _TIMES if facts[name] is not None}
    return json.dumps(facts).encode(), examined.thumbnail


def unpacked(head: bytes, thumbnail: bytes) -> Examined:
    """The answer again. Raises the AppError that it is."""
    facts: dict[str, Any] = json.loads(head)
    if "code" in facts:
        raise AppError(facts["code"], **facts["params"])
    facts["sha256"] = bytes.fromhex(facts["sha256"])
    facts |= {name: datetime.fromisoformat(facts[name]) for name in _TIMES if facts[name] is not None}
    return Examined(Measured(**facts), thumbnail)


def serve(connection: socket.socket) -> None:
    """Answer until the other side closes."""
    while True:
        try:
            name, data = receive(connection)
        except EOFError:
            return
        try:
            answer = packed(examine(data, name.decode("utf-8", "replace")))
        except AppError as error:
            answer = json.dumps({"code": error.code, "params": error.params}).encode(), b""
        try:
            send(connection, *answer)
        except OSError:
            return  # nobody waits for it any more


def _exactly(connection: socket.socket, length: int) -> bytearray:
    found = bytearray(length)
    view, have = memoryview(found), 0
    while have < length:
        got = connection.recv_into(view[have:])
        if got == 0:
            raise EOFError
        have += got
    return found


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started us; its end ends us
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        serve(asked)
