"""Ids that the application makes before it inserts: UUID version 7, so that they sort by time of making."""

import secrets
import threading
from datetime import datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7(at: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of the given moment; ids made in one millisecond of one process stay in order."""
    global _last
    ms = int(at.timestamp() * 1000)
    with _lock:
        # 12 bits of rand_a count within the millisecond; overflow borrows from the next one
        stamp = max(ms << 12 | secrets.randbits(8), _last + 1) if (_last >> 12) == ms else ms << 12 | secrets.randbits(8)
        _last = stamp
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return UUID(int=value)
