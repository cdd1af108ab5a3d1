"""The two file locks of the embedded server: who needs it, and who starts it.

flock belongs to an open file, not to a process: the kernel lets it go when its holder dies, however it dies, and two
holders inside one process do not disturb each other.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_S = 0.02  # shorter than a start of the server, so that waiting for one adds nothing one would notice


def open_lock(path: Path) -> int:
    """A descriptor of the lock file, made when missing; children that are executed do not inherit it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, *, exclusive: bool) -> bool:
    """Take or change the lock if nobody stands in the way. A change that fails has given up the lock held before."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_lock(descriptor: int, *, exclusive: bool, waiting: Callable[[], None]) -> None:
    """Take the lock, calling `waiting` again and again meanwhile; what `waiting` raises ends the wait."""
    while not try_lock(descriptor, exclusive=exclusive):
        waiting()
        time.sleep(POLL_S)


@contextmanager
def exclusive_lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file alone for the length of the block."""
    descriptor = open_lock(path)
    try:
        wait_lock(descriptor, exclusive=True, waiting=waiting)
        yield
    finally:
        os.close(descriptor)
