"""How the hub reaches a callback: our own in the process, by the same code and with the same signature, others over HTTP.

Others are called only where the operator's list and the rules of pipeline/outbound/addresses.py let them be.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from pipeline.identity.effect import Failed
from pipeline.identity.messages import Delivered, Headers
from pipeline.identity.ports import Callbacks
from pipeline.outbound.addresses import Network
from pipeline.outbound.lines import Lines
from pipeline.outbound.wire import Line, WireError

CONNECT_S, READ_S = 3.0, 7.0  # a callback stores and answers; what it does with it is its own job
START_WITHIN_S = 20.0  # of a round: the other jobs wait for it
LINES = 8  # calls at once: one slow subscriber does not hold up the rest
MAX_CHALLENGE_BYTES = 1024  # ours has 43; whoever answers more answers something else


@dataclass(frozen=True)
class Call:
    """One delivery."""

    callback: str
    headers: Mapping[str, str]
    content: bytes


class Outward:
    """The hub's way out. For one thread at a time."""

    def __init__(self, callbacks: Callbacks, named: Sequence[Network]) -> None:
        self._callbacks = callbacks
        self._lines = Lines(named, LINES, "websub")

    def deliver(self, calls: Sequence[Call]) -> list[Delivered | Failed]:
        """Bring each to its callback; what a callback answered, or why there was none to answer."""
        outcomes: dict[int, Delivered | Failed] = {}
        by_callback: dict[str, list[int]] = {}
        for index, call in enumerate(calls):
            by_callback.setdefault(call.callback, []).append(index)
        outside: list[int] = []
        for callback, indexes in by_callback.items():
            own = self._callbacks.at(callback)
            if own is None:
                outside += indexes
            else:
                outcomes.update(zip(indexes, own.take([_arrival(calls[index]) for index in indexes]), strict=True))
        last_start = time.monotonic() + START_WITHIN_S
        answers = self._lines.run([partial(_post, call=calls[index], last_start=last_start) for index in outside])
        outcomes.update(zip(outside, answers, strict=True))
        return [outcomes[index] for index in range(len(calls))]

    def ask(self, callback: str, query: Mapping[str, str]) -> str | Failed:
        """What a callback answers to a question of the hub, when it says yes."""
        own = self._callbacks.at(callback)
        if own is not None:
            confirmed = own.confirm(query)
            return Failed("REFUSED", "the subscriber does not know of it", final=True) if confirmed is None else confirmed
        (answer,) = self._lines.run([partial(_get, callback=callback, query=query)])
        return answer

    def close(self) -> None:
        self._lines.close()


def _arrival(call: Call) -> tuple[Headers, bytes]:
    return {name.lower(): value for name, value in call.headers.items()}, call.content


def _post(line: Line, *, call: Call, last_start: float) -> Delivered | Failed:
    if time.monotonic() > last_start:
        return Failed("NOT_SENT", "others took the round's time")
    try:
        return Delivered(line.post(call.callback, list(call.headers.items()), call.content, CONNECT_S, READ_S).status)
    except WireError as error:
        return Failed(error.why, error.detail)


def _get(line: Line, *, callback: str, query: Mapping[str, str]) -> str | Failed:
    url = f"{callback}{'&' if '?' in callback else '?'}{urlencode(query)}"
    try:
        reply = line.send("GET", url, [], b"", CONNECT_S, READ_S, MAX_CHALLENGE_BYTES)
    except WireError as error:
        return Failed(error.why, error.detail)
    if not 200 <= reply.status < 300:
        return Failed("REFUSED", f"HTTP {reply.status}", final=True)
    return reply.body.decode("utf-8", "replace")
