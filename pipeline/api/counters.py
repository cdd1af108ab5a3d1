"""The counts behind the rate limits, in one small SQLite file that all API processes of a machine share.

They are worth nothing after two minutes, so nothing is forced to the disk. When the file cannot be used for a moment, a
request is let through uncounted: a limit protects the service and must not be what stops it.
"""

import hashlib
import logging
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from limits.storage import MemoryStorage

from pipeline.clock import Clock, SystemClock

LOGGER = logging.getLogger(__name__)

CLOCK: Clock = SystemClock()
MEMORY = ":memory:"  # for one process: tests and benches
BUSY_S = 0.1  # another process counts: microseconds; longer means that the file is stuck
SWEEP_S = 60.0  # counters live for two minutes; some hundred thousand clients of a minute take some tens of megabytes
KEY_BYTES = 16  # two clients with one hash will not be met

_TABLE = "CREATE TABLE IF NOT EXISTS counter (key BLOB PRIMARY KEY, hits INTEGER NOT NULL, ends REAL NOT NULL) WITHOUT ROWID"
_COUNT = "INSERT INTO counter VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET hits = counter.hits + excluded.hits RETURNING hits"
_READ = "SELECT hits FROM counter WHERE key = ? AND ends > ?"
_SWEEP = "DELETE FROM counter WHERE ends <= ?"


class Counters(MemoryStorage):
    """The library's sliding windows over a file. Threads and processes share it; `close` it.

    The library names a window by client and time, so that a count never has to be begun anew. Only hashes of names are kept.
    """

    def __init__(self, place: Path | str = MEMORY) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._sweep_at = 0.0
        try:
            self._file = _opened(place)
        except sqlite3.DatabaseError:  # half written when the power went
            for ending in ("", "-wal", "-shm"):
                Path(f"{place}{ending}").unlink(missing_ok=True)
            self._file = _opened(place)

    def get(self, key: str) -> int:
        """The count of a window; 0 when nobody has counted."""
        row = self._ask(_READ, (_hash(key), CLOCK.now().timestamp()))
        return int(row[0]) if row else 0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and return the new count of the window, which is forgotten after `expiry` seconds."""
        now = CLOCK.now().timestamp()  # as the library counts
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_S
            self._ask(_SWEEP, (now,))
        row = self._ask(_COUNT, (_hash(key), amount, now + expiry))
        return int(row[0]) if row else 0

    def decr(self, key: str, amount: int = 1) -> int:
        """Take a count back."""
        return self.incr(key, 0, -amount)

    def clear(self, key: str) -> None:
        """Forget a window."""
        self._ask("DELETE FROM counter WHERE key = ?", (_hash(key),))

    def close(self) -> None:
        """Let go of the file."""
        with self._lock, suppress(sqlite3.Error):
            self._file.close()

    def _ask(self, statement: str, values: tuple[object, ...]) -> tuple[int, ...] | None:
        try:
            with self._lock:
                found: tuple[int, ...] | None = self._file.execute(statement, values).fetchone()
        except sqlite3.Error as error:
            LOGGER.warning("A request is not counted: %s", type(error).__name__)
            return None
        return found


def _opened(place: Path | str) -> sqlite3.Connection:
    file = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = OFF")
    file.execute(_TABLE)
    return file


def _hash(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=KEY_BYTES).digest()
