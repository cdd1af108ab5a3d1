"""The one Runtime of this process, opened in the background, so that the console answers while the database starts.

Pages ask `BACKEND.runtime()`; what it raises until then is shown to people as it is. A test hands in its own runtime.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import httpx

import queries
from pipeline.cli.migrate import bring_current
from pipeline.errors import AppError
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings

LOGGER = logging.getLogger(__name__)

PROBE_EVERY_S = 5  # how old the banner about API and worker may be
PROBE_TIMEOUT_S = 2
RETRY_EVERY_S = 3  # after a database that could not be reached
WORKER_SILENT_AFTER = timedelta(seconds=60)  # a worker says that it lives every few seconds; a minute is not a hiccup
CLOSE_WAIT_S = 60  # the embedded server writes out its memory when it stops
POOL_SIZE = 8  # reruns hold a connection for milliseconds; beyond this the console sheds


@dataclass(frozen=True)
class Health:
    """What the last look found. None: not looked yet."""

    api: bool | None = None
    worker: bool | None = None


class Backend:
    """Opens the runtime in a thread of its own and keeps it until `stop`."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None
        self._error: AppError | None = None
        self._progress = "Starting"
        self._health = Health()
        self._stop = threading.Event()
        self._settled = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, settings: Settings) -> None:
        """Begin to open the runtime; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._keep, args=(settings,), name="backend", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the runtime and wait until it is closed, the embedded server included when we are its last user."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(CLOSE_WAIT_S)
            self._thread = None
        self._runtime = None

    @contextmanager
    def adopted(self, runtime: Runtime, health: Health = Health()) -> Iterator[None]:
        """Use a runtime that somebody else opened and will close: for tests."""
        before = (self._runtime, self._health)
        self._runtime, self._health = runtime, health
        try:
            yield
        finally:
            self._runtime, self._health = before

    def runtime(self) -> Runtime:
        """The open runtime. Raises SDCRS_STARTING while it is being opened, or the error that prevents it."""
        if self._runtime is not None:
            return self._runtime
        if self._error is not None:
            raise self._error
        raise AppError("SDCRS_STARTING", step=self._progress)

    def wait(self, timeout_s: float) -> Runtime:
        """The runtime once it is open, or what `runtime` raises after this long."""
        self._settled.wait(timeout_s)
        return self.runtime()

    @property
    def health(self) -> Health:
        return self._health

    def _keep(self, settings: Settings) -> None:
        laid = False
        while not self._stop.is_set():
            try:
                with open_runtime(settings, pool_size=POOL_SIZE, say=self._say) as runtime:
                    self._runtime, self._error = runtime, None
                    self._settled.set()
                    self._watch(runtime)
            except AppError as error:
                if error.code == "SDCRS_NOT_MIGRATED" and settings.database_url is None and not laid:
                    laid = True  # a new embedded database is ours to lay; another database is its owner's
                    self._lay(settings)
                    continue
                LOGGER.error("The console cannot open its parts: %s", error)
                self._error = error
            except Exception:  # the thread's own border: whatever it is, people must see that and under which reference
                reference = uuid4().hex[:8]
                LOGGER.exception("The console cannot open its parts (reference %s)", reference)
                self._error = AppError("SDCRS_INTERNAL", reference=reference)
            finally:
                self._runtime = None
            self._settled.set()
            self._stop.wait(RETRY_EVERY_S)

    def _lay(self, settings: Settings) -> None:
        try:
            bring_current(settings, self._say)
        except AppError as error:
            LOGGER.error("The schema cannot be laid: %s", error)
            self._error = error

    def _say(self, line: str) -> None:
        self._progress = line

    def _watch(self, runtime: Runtime) -> None:
        base = runtime.settings.api_public_url or f"http://127.0.0.1:{runtime.settings.api_port}"
        with httpx.Client(timeout=PROBE_TIMEOUT_S, trust_env=False) as client:
            while True:
                self._health = Health(api=_answers(client, f"{base}/livez"), worker=_worker_lives(runtime, runtime.clock.now()))
                if self._stop.wait(PROBE_EVERY_S):
                    return


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.HTTPError:
        return False


def _worker_lives(runtime: Runtime, now: datetime) -> bool | None:
    """None when the database itself does not answer: then that is what people are told."""
    try:
        with runtime.database.begin(()) as conn:
            row = queries.one(conn, "shell.worker_last_seen")
    except AppError:
        return None
    return row is not None and row["seen_at"] is not None and now - row["seen_at"] < WORKER_SILENT_AFTER


BACKEND = Backend()
