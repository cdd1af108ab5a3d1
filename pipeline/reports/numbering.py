"""Report numbers and tracking ids, from blocks taken in a short transaction of their own.

A counter row inside the create transaction would make every intake of a state wait for the one before it. Gaps are
allowed and order is not promised. A tracking id is a keyed permutation of a serial: unique by construction, and the next
one cannot be guessed from the last.
"""

import hmac
import secrets
import threading
from dataclasses import dataclass, field

from sqlalchemy import text

from pipeline.database.engine import Database
from pipeline.vault.keys import Keyring

BLOCK = 50  # numbers a process takes at once; at most so many are lost when it ends
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # 32 characters without the look-alikes 0 O 1 I
TRACKING_LENGTH = 8  # 40 bits: enough for a million reports a year for a million years
HALF_BITS = 20
ROUNDS = 6  # of a balanced Feistel network; four already hide the order
ALL_STATES = "*"  # the serial behind tracking ids is one for the whole installation

_TAKE = text("""
    INSERT INTO sdcrs.number_block AS b (state_id, year, next_serial) VALUES (:state_id, :year, 1 + :count)
    ON CONFLICT (state_id, year) DO UPDATE SET next_serial = b.next_serial + :count
    RETURNING next_serial - :count AS first
""")


@dataclass(frozen=True)
class ReportName:
    """How a report is called: its number, its tracking id for people, its token for the public link."""

    report_number: str
    tracking_id: str
    tracking_token: str


@dataclass
class _Block:
    next: int = 0
    end: int = 0


@dataclass
class Numbering:
    """One per process; threads share it."""

    database: Database
    keyring: Keyring
    _blocks: dict[tuple[str, int], _Block] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, state_id: str, state_code: str, year: int, count: int) -> list[ReportName]:
        """Names for `count` new reports of a state; `year` is the tenant's local year."""
        serials = self._serials(state_id, year, count)
        trackings = self._serials(ALL_STATES, 0, count)
        return [
            ReportName(f"DR-{state_code}-{year}-{serial:06d}", self.tracking_id(tracking), secrets.token_urlsafe(16))
            for serial, tracking in zip(serials, trackings, strict=True)
        ]

    def tracking_id(self, serial: int) -> str:
        """The 8 characters of a serial: a bijection of 40 bits, so no two serials share one."""
        value = permute(self.keyring.lookup_key("tracking"), serial)
        return "".join(ALPHABET[value >> 5 * i & 31] for i in reversed(range(TRACKING_LENGTH)))

    def _serials(self, state_id: str, year: int, count: int) -> list[int]:
        with self._lock:
            block = self._blocks.setdefault((state_id, year), _Block())
            if block.end - block.next < count:
                size = max(BLOCK, count)
                with self.database.worker() as conn:
                    first = conn.execute(_TAKE, {"state_id": state_id, "year": year, "count": size}).scalar_one()
                block.next, block.end = first, first + size
            taken = list(range(block.next, block.next + count))
            block.next += count
            return taken


def permute(key: bytes, serial: int) -> int:
    """A keyed permutation of 0 … 2^40 - 1. Raises ValueError outside that range."""
    if not 0 <= serial < 1 << 2 * HALF_BITS:
        raise ValueError(f"serial {serial} does not fit into {2 * HALF_BITS} bits")
    mask = (1 << HALF_BITS) - 1
    left, right = serial >> HALF_BITS, serial & mask
    for i in range(ROUNDS):
        digest = hmac.digest(key, bytes([i]) + right.to_bytes(3, "big"), "sha256")
        left, right = right, left ^ int.from_bytes(digest[:3], "big") & mask
    return left << HALF_BITS | right
