"""Holding back Python's cyclic garbage collector while millions of plain values are made, none of which can be in a cycle."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Pause the collector, which would walk over all that has been read again and again (a third of a large run's time, measured)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
