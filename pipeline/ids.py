"""Ids that the application makes before it inserts: UUID version 7, so that they sort by time of making."""

import secrets
import threading
from datetime import datetime
from uuid import UUID

COUNT_BITS = 12
BORROW_MS = 1000  # four million ids of one millisecond; a clock that was set further back starts anew

_lock = threading.Lock()
_last = 0


def uuid7(at: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of the given moment; ids made in one millisecond of one process stay in order."""
    global _last
    ms = int(at.timestamp() * 1000)
    with _lock:
        # 12 bits count within the millisecond; a bulk that needs more borrows from the milliseconds after it
        ahead_ms = (_last >> COUNT_BITS) - ms
        stamp = _last + 1 if 0 <= ahead_ms < BORROW_MS else ms << COUNT_BITS | secrets.randbits(COUNT_BITS - 4)
        _last = stamp
    value = (stamp >> COUNT_BITS) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
