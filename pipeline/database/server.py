"""The embedded server: one private Postgres per DATA_DIR, shared by every process that needs it.

Each holds a shared lock while it needs the server. The first starts it; whoever finds itself alone at the end stops it.
Nothing depends on anybody leaving properly: a lock dies with its holder, a server without holders is adopted by the next
one, and a server that was killed is started again by those who still hold it, on the same port.
"""

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from pipeline.database.server_install import DATABASE, LOGIN, OWNER, check_version, make_cluster, programs
from pipeline.database.server_locks import exclusive_lock, open_lock, try_lock, wait_lock
from pipeline.database.server_place import Place, locate, not_started
from pipeline.database.server_process import (
    HOST,
    MAINTENANCE_DATABASE,
    OPTIONS,
    POLL_S,
    Postmaster,
    alive,
    choose_port,
    complaint,
    find_postmaster,
    launch,
    prepare,
    server_processes,
    stop,
    store_port,
)
from pipeline.database.urls import Urls
from pipeline.errors import AppError

PROGRESS_FIRST_S = 1.0  # a shorter wait is not worth a line
PROGRESS_S = 5.0  # between two lines about one long wait
WATCH_S = 1.0  # how soon a killed server is noticed; one look at one process costs microseconds
WATCH_AGAIN_S = 5.0  # between attempts when it cannot be started again
MUTE_S = 60.0  # a server that says it is ready and yet refuses us this long will not change its mind
ORPHANS_S = 2.0  # sessions of a killed postmaster notice within moments, unless they compute
STARTS = 5  # each attempt takes another port when the one chosen was lost to somebody else

log = logging.getLogger(__name__)

Progress = Callable[[str], None]


def quiet(line: str) -> None:
    """Progress for those who show none."""
    log.debug("%s", line)


class _Left(Exception):  # noqa: N818 - not an error: the holder leaves while its watch still waits
    """Ends the waiting of a watch whose holder is leaving."""


class EmbeddedServer:
    """The server of one data folder. Cheap to make, starts nothing by itself, and may be shared by threads.

    `fsync=False` is for tests: killed processes still lose nothing, a power cut may. It counts for whoever starts the server.
    """

    def __init__(self, data_dir: Path, *, fsync: bool = True) -> None:
        self._data_dir = data_dir.absolute()
        self._fsync = fsync

    @contextmanager
    def hold(self, progress: Progress = quiet) -> Iterator[Urls]:
        """Keep the server running for the length of the block, starting it if needed; stop it afterwards if nobody else holds it.

        Start and recovery take as long as they need and tell `progress` so. Raises SDCRS_DATABASE_NOT_STARTED.
        """
        place = locate(self._data_dir, progress)
        own_pid = os.getpid()
        waiting = _Patience(progress)
        need = open_lock(place.folder / "need.lock")
        try:
            wait_lock(need, exclusive=False, waiting=lambda: waiting.tick("Waiting for the database to stop before starting it again"))
            with exclusive_lock(place.folder / "start.lock", lambda: waiting.tick("Waiting for another process that starts the database")):
                try:
                    running = _ensure(place, progress, fsync=self._fsync)
                except OSError as error:  # disk full, folder taken away
                    raise not_started(str(error)) from error
            with _watched(place, running, progress, fsync=self._fsync):
                yield _urls(place, running.port)
        finally:
            # a forked child that unwinds this block shares our lock and must leave it and the server alone
            if os.getpid() == own_pid and try_lock(need, exclusive=True):
                stop(place)
            os.close(need)

    def remove(self) -> None:
        """Delete the cluster with all its data and passwords: for tests and throw-away runs. Raises when somebody holds it."""
        place = locate(self._data_dir, quiet)
        need = open_lock(place.folder / "need.lock")
        try:
            if not try_lock(need, exclusive=True):
                raise not_started(f"{place.folder} is in use; it is not removed")
            stop(place)
            shutil.rmtree(place.folder)
            (self._data_dir / "keys" / "database.json").unlink()
        finally:
            os.close(need)


class _Patience:
    """Says what is being waited for, every few seconds and with the time it took so far."""

    def __init__(self, progress: Progress, leaving: threading.Event | None = None) -> None:
        self._progress = progress
        self._leaving = leaving
        self._what = ""
        self._began = 0.0
        self._next = 0.0

    def tick(self, what: str) -> None:
        if self._leaving is not None and self._leaving.is_set():
            raise _Left
        now = time.monotonic()
        if what != self._what:
            self._what, self._began, self._next = what, now, now + PROGRESS_FIRST_S
        elif now >= self._next:
            self._next = now + PROGRESS_S
            self._progress(f"{what} ({now - self._began:.0f} s)")

    def rest(self, what: str) -> None:
        self.tick(what)
        time.sleep(POLL_S)


def _ensure(place: Place, progress: Progress, *, fsync: bool, leaving: threading.Event | None = None) -> Postmaster:
    """Return when this cluster's server answers with our password. Needs the start lock and a share of the need lock."""
    patience = _Patience(progress, leaving)
    binaries: Path | None = None
    starts = 0
    while True:
        found = find_postmaster(place.cluster)
        if found is not None:
            if _answers(place, found, patience):
                return found
            continue
        _clear_stale(place, patience)
        if find_postmaster(place.cluster) is not None:
            continue  # it was just being started by a process that was killed before it could tell
        if starts == STARTS:
            raise not_started(complaint(place))
        starts += 1
        if binaries is None:
            binaries = programs(place.account, progress)
            if not place.cluster.exists():
                progress("Making the database (once)")
                make_cluster(place, binaries, fsync=fsync)
            check_version(place.cluster, binaries)
            progress("Starting the database")
        _start(place, binaries, patience, fsync=fsync)


def _start(place: Place, binaries: Path, patience: _Patience, *, fsync: bool) -> None:
    """Launch and wait until its pid file is there. Raises when it ended for a reason that another port does not cure."""
    port = choose_port(place)
    store_port(place, port)
    process = launch(place, binaries, port, fsync=fsync)
    try:
        while alive(process):
            found = find_postmaster(place.cluster)
            if found is not None and found.process.pid == process.pid:
                return
            patience.rest("Starting the database")
    except BaseException:  # Ctrl-C: nobody would find a server that has no pid file yet
        process.terminate()
        raise
    if find_postmaster(place.cluster) is None and choose_port(place) == port:
        raise not_started(complaint(place))


def _answers(place: Place, found: Postmaster, patience: _Patience) -> bool:
    """Whether the server answers; False when it is worth looking again. Recovery has no time limit, a deaf server has one."""
    deadline = time.monotonic() + MUTE_S
    while alive(found.process):
        seen = find_postmaster(place.cluster)
        if seen is None:
            return False
        if seen.status == "stopping":
            patience.rest("Waiting for the database to stop before starting it again")
            continue
        if seen.status != "ready":
            deadline = time.monotonic() + MUTE_S
            patience.rest("Recovering the database after a crash" if seen.status else "Starting the database")
            continue
        try:
            prepare(place, seen.port)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise not_started(f"it runs but refuses us: {error} (log: {place.log})") from error
            patience.rest("Waiting for the database to accept connections")
        else:
            return True
    return False


def _clear_stale(place: Place, patience: _Patience) -> None:
    """After a killed postmaster: wait until its sessions are gone, for they may still write, then remove its pid file.

    The pid may by now belong to another program, or to a zombie; Postgres itself would take either for a running server.
    """
    deadline = time.monotonic() + ORPHANS_S
    while orphans := server_processes(place.cluster):
        if find_postmaster(place.cluster) is not None:
            return
        if time.monotonic() > deadline:
            for orphan in orphans:
                _kill(orphan)
        patience.rest("Waiting for the last sessions of the killed database")
    (place.cluster / "postmaster.pid").unlink(missing_ok=True)


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):  # gone by itself meanwhile
        process.kill()  # what it had committed is in the log; what not, its client was never told


@contextmanager
def _watched(place: Place, running: Postmaster, progress: Progress, *, fsync: bool) -> Iterator[None]:
    """Start the server again when it is killed during the block."""
    leaving = threading.Event()
    watch = threading.Thread(target=_watch, args=(place, running, progress, leaving, fsync), name="database-watch", daemon=True)
    watch.start()
    try:
        yield
    finally:
        leaving.set()
        if watch.is_alive():  # in a forked child there is no such thread
            watch.join()


def _watch(place: Place, running: Postmaster, progress: Progress, leaving: threading.Event, fsync: bool) -> None:
    pause = WATCH_S
    while not leaving.wait(pause):
        if alive(running.process):
            continue
        try:
            with exclusive_lock(place.folder / "start.lock", lambda: _Patience(quiet, leaving).tick("start lock")):
                port = running.port
                running = _ensure(place, progress, fsync=fsync, leaving=leaving)
            pause = WATCH_S
            progress(f"The database had died and runs again on port {running.port}")
            if running.port != port:
                log.error("the database moved from port %s, which somebody else took; restart this process", port)
        except _Left:
            return
        except (AppError, OSError, psycopg.Error, psutil.Error) as error:
            log.exception("the database died and could not be started again; trying once more in %s s", WATCH_AGAIN_S)
            progress(f"The database died and did not start again: {error}")
            pause = WATCH_AGAIN_S


def _urls(place: Place, port: int) -> Urls:
    options = "&".join(f"{name}={value}" for name, value in OPTIONS.items())

    def url(user: str, password: str, database: str) -> str:
        return f"postgresql+psycopg://{user}:{password}@{HOST}:{port}/{database}?{options}"

    return Urls(
        app=url(LOGIN, place.secrets.login, DATABASE),
        owner_or_none=url(OWNER, place.secrets.owner, DATABASE),
        maintenance=url(OWNER, place.secrets.owner, MAINTENANCE_DATABASE),
        embedded=True,
    )
