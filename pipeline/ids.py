"""Ids that the application makes before it inserts: UUID version 7, so that they sort by time of making."""

import os
import threading
from datetime import datetime
from uuid import UUID

COUNT_BITS = 12
BORROW_MS = 1000  # four million ids of one millisecond; a clock that was set further back starts anew
RANDOM_BYTES = 10  # for one id: two to start the count, eight for the tail
REFILL_IDS = 256  # asking the system costs as much for one id's randomness as for hundreds

_lock = threading.Lock()
_last = 0
_random = memoryview(b"")


def uuid7(at: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of the given moment; ids made in one millisecond of one process stay in order."""
    global _last, _random
    ms = int(at.timestamp() * 1000)
    with _lock:
        if len(_random) < RANDOM_BYTES:
            _random = memoryview(os.urandom(RANDOM_BYTES * REFILL_IDS))
        start, tail = int.from_bytes(_random[:2], "big"), int.from_bytes(_random[2:RANDOM_BYTES], "big")
        _random = _random[RANDOM_BYTES:]
        # 12 bits count within the millisecond; a bulk that needs more borrows from the milliseconds after it
        ahead_ms = (_last >> COUNT_BITS) - ms
        stamp = _last + 1 if 0 <= ahead_ms < BORROW_MS else ms << COUNT_BITS | start >> 8
        _last = stamp
    value = (stamp >> COUNT_BITS) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | tail >> 2
    return UUID(int=value)


def _forget() -> None:
    """A forked process must not make its parent's ids again."""
    global _random
    _random = memoryview(b"")


os.register_at_fork(after_in_child=_forget)
