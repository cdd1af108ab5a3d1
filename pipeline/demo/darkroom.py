"""What a process of the demo's pool does. It imports little, since each process of the pool begins by importing it."""

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pipeline.demo.photos import Camera, Kind, photo
from pipeline.filestore.measure import Measured, measure
from pipeline.filestore.store import FileStore
from pipeline.settings import Settings
from pipeline.vault.keys import Keyring

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as malloc.h numbers them
KEPT_BYTES = 16 * 1024 * 1024  # a picture and what is computed of it take one or two

_store: list[FileStore] = []  # one per process of the pool


@dataclass(frozen=True)
class PhotoOrder:
    """A photo to be drawn and stored under an id that is known before."""

    file_id: UUID
    owner_id: UUID
    tenant_id: str
    sent_by: str | None  # None: the teacher's app
    uploaded_at: datetime
    name: str
    seed: int
    kind: Kind
    latitude: float
    longitude: float
    taken_at: datetime  # in the tenant's zone
    camera: Camera | None
    again: int = 0
    who: int | None = None


def begin(settings: Settings, keyring: Keyring) -> None:
    """Make a process of the pool ready, once."""
    _keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends us
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _store.append(FileStore(settings, keyring))


def _keep_memory() -> None:
    """What one picture gives back is kept for the next: to ask the system anew costs a sixth of the work. Needed with glibc alone."""
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            library.mallopt(option, KEPT_BYTES)


def _end_with(parent: "multiprocessing.process.BaseProcess") -> None:
    """However the main process dies, nobody stays behind."""
    parent.join()
    os._exit(1)


def shoot(orders: Sequence[PhotoOrder]) -> list[tuple[PhotoOrder, Measured]]:
    """Draw photos, measure them as every upload is measured, and store them."""
    done = []
    for order in orders:
        data = photo(
            order.seed, order.kind, order.latitude, order.longitude, order.taken_at, camera=order.camera, again=order.again, who=order.who
        )
        measured = measure(data, order.name)
        _store[0].put(order.file_id, data, durable=False)
        done.append((order, measured))
    return done
