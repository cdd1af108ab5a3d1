"""A throw-away installation: a database of its own, and the real processes over it, started, killed and stopped by name.

Knows no workload. What the processes are, its caller says: the command line stands above this room.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import httpx
import psutil  # type: ignore[import-untyped]
import psycopg

from pipeline.clock import SystemClock
from pipeline.database.engine import Database, psycopg_url
from pipeline.database.migrate import migrate
from pipeline.database.server import EmbeddedServer
from pipeline.database.server_place import locate
from pipeline.database.server_process import find_postmaster
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.store import publish
from pipeline.runtime import Runtime, assemble
from pipeline.settings import ROOT, Settings

READY_S = 60.0  # a cold start of Python on a busy machine; more means that it will not come
STOP_S = 20.0  # a worker finishes its batch
LOOK_S = 0.05
PORTS = range(32_000, 60_000, 8)  # above those of embedded servers; three in a row are needed
POOL_SIZE = 4  # the bench's own connections: preparing, verifying, watching
OURS = ("DATABASE_", "SANDBOX_", "RAZORPAYX_")  # settings of the surroundings that the house has its own of

Say = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A process of the house: its command, what it wants in the environment, and the address that answers once it is ready."""

    command: tuple[str, ...]
    environment: Callable[[Urls], Mapping[str, str]]
    ready_url: str | None = None


Programs = Callable[[Settings], Mapping[str, Program]]


@dataclass
class House:
    """The running installation. One thread starts and stops; reading is free for all."""

    settings: Settings
    urls: Urls
    rt: Runtime
    programs: Mapping[str, Program]
    environment: Mapping[str, str]
    logs: Path
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    _used_s: dict[str, float] = field(default_factory=dict)  # by lives that ended

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api_port}"

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.settings.sandbox_port}"

    def start(self, *names: str) -> None:
        """Start these programs, without waiting for them."""
        for name in names:
            program = self.programs[name]
            environment = {**self.environment, **program.environment(self.urls)}
            with self._log(name) as out:
                self._running[name] = subprocess.Popen(
                    program.command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )

    def wait_ready(self, *names: str) -> None:
        """Return when all of these answer. Raises SDCRS_STARTING with the program's last words when one does not."""
        deadline = time.monotonic() + READY_S
        for name in names:
            while not self.answers(name):
                if time.monotonic() > deadline or self._running[name].poll() is not None:
                    raise AppError("SDCRS_BAD_SETTING", setting="bench", detail=f"{name} does not answer: {self.last_words(name)}")
                time.sleep(LOOK_S)

    def answers(self, name: str) -> bool:
        """Whether the program runs and, if it serves, answers."""
        process = self._running.get(name)
        if process is None or process.poll() is not None:
            return False
        url = self.programs[name].ready_url
        if url is None:
            return True
        try:
            return httpx.get(url, timeout=1.0, trust_env=False).status_code < 500
        except httpx.HTTPError:
            return False

    def alive(self, name: str) -> bool:
        """Whether the program's process exists."""
        process = self._running.get(name)
        return process is not None and process.poll() is None

    def kill(self, name: str) -> None:
        """SIGKILL, as the kernel does when memory runs out: nothing is finished, nothing is told."""
        process = self._running.get(name)
        if process is None or process.poll() is not None:
            return
        self._used_s[name] = self._used_s.get(name, 0.0) + _cpu_s(process.pid)
        process.kill()
        process.wait()

    def stop(self, *names: str) -> None:
        """End these programs in order, each given time to finish."""
        for name in names:
            process = self._running.get(name)
            if process is None or process.poll() is not None:
                continue
            self._used_s[name] = self._used_s.get(name, 0.0) + _cpu_s(process.pid)
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def stop_all(self) -> None:
        """End every program, the last started first."""
        self.stop(*reversed(list(self._running)))

    def postmaster(self) -> int | None:
        """The pid of the embedded server; None while it is down, and for an external one."""
        if not self.urls.embedded:
            return None
        found = find_postmaster(locate(self.settings.data_dir, lambda _: None).cluster)
        return None if found is None else int(found.process.pid)

    def kill_postgres(self) -> bool:
        """SIGKILL the postmaster; whether there was one to kill. Those who hold the server start it again."""
        pid = self.postmaster()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def cpu_s(self) -> dict[str, float]:
        """Seconds of processor time that each program and the database have used so far; an external database is not seen."""
        used = dict(self._used_s)
        for name, process in self._running.items():
            if process.poll() is None:
                used[name] = used.get(name, 0.0) + _cpu_s(process.pid)
        pid = self.postmaster()
        if pid is not None:
            used["postgres"] = _cpu_s(pid)
        return used

    def last_words(self, name: str) -> str:
        """The end of a program's output."""
        try:
            return (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").strip()[-600:]
        except OSError:
            return ""

    def _log(self, name: str) -> BinaryIO:
        return (self.logs / f"{name}.log").open("ab")


@contextmanager
def open_house(settings: Settings, programs: Programs, folder: Path, say: Say, changes: Mapping[str, str] | None = None) -> Iterator[House]:
    """A fresh, migrated installation in `folder`, gone at the end with all its data; starts no program.

    With DATABASE_OWNER_URL set its database is made on that server, else on an embedded server of its own. `changes` are
    added to the environment of every program.
    """
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        found = stack.enter_context(_external(settings) if settings.database_owner_url else _embedded(settings, folder, say))
        port = _free_ports()
        own = replace(
            settings,
            data_dir=folder,
            database_url=None if found.embedded else found.app,
            database_owner_url=None if found.embedded else found.owner,
            filestore_url=None,
            razorpayx_base_url=None,
            razorpayx_key_id=None,
            port=port,
            api_port=port + 1,
            sandbox_port=port + 2,
        )
        say("Making the schema")
        clock = SystemClock()
        report = migrate(found.owner, found.login, clock, own.role_prefix)
        database = stack.enter_context(closing(Database(found.app, report.role_prefix, pool_size=POOL_SIZE)))
        with database.worker() as conn:
            publish(conn, read_folder(), clock.now(), "bench")
        logs = folder / "logs"
        logs.mkdir()
        house = House(own, found, assemble(own, database, clock), programs(own), {**_environment(own), **(changes or {})}, logs)
        stack.callback(house.stop_all)
        yield house


def _environment(own: Settings) -> dict[str, str]:
    """What the programs find: the surroundings without their database and provider, and the house's own places."""
    found = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    found |= {"DATA_DIR": str(own.data_dir), "PORT": str(own.port), "API_PORT": str(own.api_port), "PYTHONUNBUFFERED": "1"}
    found |= {"SANDBOX_PORT": str(own.sandbox_port), "EMBEDDED_FSYNC": "on" if own.embedded_fsync else "off"}
    for name in ("FILESTORE_URL", "API_PUBLIC_URL", "SMS_GATEWAY_URL"):
        found.pop(name, None)
    if own.database_url and own.database_owner_url:
        found |= {"DATABASE_URL": psycopg_url(own.database_url), "DATABASE_OWNER_URL": psycopg_url(own.database_owner_url)}
    return found


@contextmanager
def _embedded(settings: Settings, folder: Path, say: Say) -> Iterator[Urls]:
    server = EmbeddedServer(folder, fsync=settings.embedded_fsync)
    try:
        with server.hold(say) as found:
            yield found
    finally:
        server.remove()  # as root it lives outside the folder


@contextmanager
def _external(settings: Settings) -> Iterator[Urls]:
    if settings.database_url is None or settings.database_owner_url is None:
        raise AppError("SDCRS_BAD_SETTING", setting="DATABASE_URL", detail="missing, though DATABASE_OWNER_URL is set")
    owner = psycopg_url(settings.database_owner_url)
    server = Urls(app=psycopg_url(settings.database_url), owner_or_none=owner, maintenance=owner, embedded=False)
    name = f"sdcrs_bench_{secrets.token_hex(4)}"
    with psycopg.connect(owner, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'".encode())
    try:
        yield server.for_database(name)
    finally:
        with psycopg.connect(owner, autocommit=True) as conn:
            conn.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


def _free_ports() -> int:
    """The first of three free ports in a row, for console, API and sandbox. Raises SDCRS_PORT_BUSY."""
    for first in secrets.SystemRandom().sample(PORTS, len(PORTS)):
        if all(_free(first + offset) for offset in range(3)):
            return first
    raise AppError("SDCRS_PORT_BUSY", port=PORTS[0], setting="PORT")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _cpu_s(pid: int) -> float:
    """User and system time of a process, of its living children, and of those it has waited for."""
    try:
        root = psutil.Process(pid)
        total = _times(root) + root.cpu_times().children_user + root.cpu_times().children_system
        return float(total + sum(_times(child) for child in _children(root)))
    except psutil.NoSuchProcess:
        return 0.0


def _children(root: psutil.Process) -> Sequence[psutil.Process]:
    return list(root.children(recursive=True))


def _times(process: psutil.Process) -> float:
    try:
        used = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(used.user + used.system)
