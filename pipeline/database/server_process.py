"""The postmaster as a process: find it, ask it, launch it, stop it. Takes no locks: server.py decides who may do what when."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
from psycopg import sql

from pipeline.database.server_install import DATABASE, LOGIN, OWNER, SCRAM_ITERATIONS, last_complaint
from pipeline.database.server_place import Place, not_started, server_environment

HOST = "127.0.0.1"
MAINTENANCE_DATABASE = "postgres"  # made by initdb, left empty by us
# No TLS on the loopback, no Kerberos look-up (15 ms), and never hand the password itself to a stranger on our port.
OPTIONS = {"sslmode": "disable", "gssencmode": "disable", "require_auth": "scram-sha-256"}
# Below the ports that the kernel lends to outgoing connections (from 32768): ours is then still free at the next start.
PORTS = range(20_000, 32_000)
CONNECT_TIMEOUT_S = 5
STOP_S = 120  # a fast stop writes all dirty buffers first; a slow disk needs a while for 1 GB
STOP_HARD_S = 20  # an immediate stop only ends processes; the next start recovers
POLL_S = 0.01
LOG_BYTES = 10_000_000  # kept twice: the current log and the one before

_MB = 1024 * 1024


@dataclass(frozen=True)
class Postmaster:
    """A live server process of a cluster: from its pid file, and proven by its working folder."""

    process: psutil.Process
    port: int
    status: str  # starting, ready, stopping, standby; empty while the file is being written


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The live postmaster of this cluster; None when its pid file is missing, stale, or names a zombie or a stranger."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="ascii", errors="replace").splitlines()
        process = psutil.Process(int(lines[0]))
    except (FileNotFoundError, psutil.NoSuchProcess, ValueError, IndexError):
        return None
    if not _serves(process, os.path.realpath(cluster)):
        return None
    port = int(lines[3]) if len(lines) > 3 and lines[3].isdecimal() else 0
    return Postmaster(process, port, lines[7].strip() if len(lines) > 7 else "")


def server_processes(cluster: Path) -> list[psutil.Process]:
    """Every live server process of this cluster, with or without a postmaster: they may still write to its files."""
    folder = os.path.realpath(cluster)
    return [process for process in psutil.process_iter() if _serves(process, folder)]


def alive(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie does not, and neither does another process that got its number."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _serves(process: psutil.Process, folder: str) -> bool:
    # a Postgres process works in its data folder; a person's shell may stand there too, hence the name
    try:
        return bool(process.name() == "postgres" and process.status() != psutil.STATUS_ZOMBIE and process.cwd() == folder)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def connect(place: Place, port: int, database: str = MAINTENANCE_DATABASE) -> psycopg.Connection:
    """A connection as the owner, outside any pool. Raises psycopg.OperationalError."""
    options: dict[str, Any] = dict(OPTIONS)  # psycopg's own keywords have types that a plain dict does not show
    return psycopg.connect(
        host=HOST,
        port=port,
        user=OWNER,
        password=place.secrets.owner,
        dbname=database,
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name="sdcrs-server",
        **options,
    )


def prepare(place: Place, port: int) -> None:
    """Prove that this very cluster answers, and make the login and the database when missing. Raises psycopg.OperationalError."""
    with connect(place, port) as conn:
        row = conn.execute(
            "SELECT current_setting('data_directory'), EXISTS (SELECT FROM pg_roles WHERE rolname = %s),"
            " EXISTS (SELECT FROM pg_database WHERE datname = %s)",
            (LOGIN, DATABASE),
        ).fetchone()
        folder, has_login, has_database = row or ("", False, False)
        if os.path.realpath(folder) != os.path.realpath(place.cluster):
            raise psycopg.OperationalError(f"port {port} is the server of {folder}")
        if not has_login:
            secret = conn.pgconn.encrypt_password(place.secrets.login.encode(), LOGIN.encode(), b"scram-sha-256")
            statement = sql.SQL("CREATE ROLE {} LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}")
            conn.execute(statement.format(sql.Identifier(LOGIN), sql.Literal(secret.decode())))
        if not has_database:
            statement = sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
            conn.execute(statement.format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))


def launch(place: Place, binaries: Path, port: int, *, fsync: bool) -> psutil.Process:
    """Start the server as nobody's child and return at once; whether it answers is another question.

    In between stands a shell that ends immediately: the server survives us, gets no Ctrl-C of our terminal, and leaves
    no zombie of ours when it is killed.
    """
    _rotate(place.log)
    command = [str(binaries / "postgres"), "-D", str(place.cluster)]
    for name, value in _configuration(port, fsync=fsync).items():
        command += ["-c", f"{name}={value}"]
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        started = subprocess.run(
            ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh", *command],
            user=None if place.account is None else place.account.uid,
            group=None if place.account is None else place.account.gid,
            extra_groups=None if place.account is None else [],
            umask=0o077,
            cwd="/",
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            timeout=CONNECT_TIMEOUT_S,
            check=True,
        )
        return psutil.Process(int(started.stdout))
    except PermissionError as error:
        raise not_started(f"this process may not start a program as another user: {error}") from error
    except psutil.NoSuchProcess as error:
        raise not_started(complaint(place)) from error
    except subprocess.SubprocessError as error:
        raise not_started(f"the shell that launches the server failed: {error}") from error
    finally:
        os.close(log)


def stop(place: Place) -> None:
    """Stop the server if it runs: fast, and if that takes too long, at once (the next start then recovers)."""
    found = find_postmaster(place.cluster)
    if found is None:
        return
    # fast: end sessions, write a checkpoint, leave; immediate: leave; the last one nobody can refuse
    for sign, patience_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, STOP_HARD_S), (signal.SIGKILL, STOP_HARD_S)):
        try:
            found.process.send_signal(sign)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if not alive(found.process):
                return
            time.sleep(POLL_S)
    raise not_started(f"process {found.process.pid} of {place.cluster} does not end")


def choose_port(place: Place) -> int:
    """The port of the last start if it is free, since pools and links of running processes know it; else any free one."""
    stored = stored_port(place)
    if stored is not None and _is_free(stored):
        return stored
    random = Random()
    for _ in range(200):  # of 12,000 ports: only a machine with nearly all of them taken gets past this
        port = random.choice(PORTS)
        if _is_free(port):
            return port
    raise not_started(f"no free port found from {PORTS.start} to {PORTS.stop}")


def stored_port(place: Place) -> int | None:
    """The port of the last start; None before the first."""
    try:
        return int(place.port_file.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return None


def store_port(place: Place, port: int) -> None:
    """Remember the port for the next start, whole or not at all."""
    temporary = place.port_file.with_suffix(".new")
    temporary.write_text(f"{port}\n", encoding="ascii")
    temporary.replace(place.port_file)


def complaint(place: Place) -> str:
    """The last error in the server's log, with the name of the log."""
    try:
        with place.log.open("rb") as file:
            file.seek(max(0, place.log.stat().st_size - 8192))  # the last screenful
            tail = file.read().decode(errors="replace")
    except FileNotFoundError:
        tail = ""
    return f"{last_complaint(tail)} (log: {place.log})"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: closed connections do not block it
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _rotate(log: Path) -> None:
    try:
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    except FileNotFoundError:
        pass  # the first start


def _configuration(port: int, *, fsync: bool) -> dict[str, str]:
    """Settings on the command line: the files in the cluster stay as initdb wrote them, and code alone says how we run.

    Made for two cores and a handful of processes with small pools, on a machine that does other things too.
    """
    memory = psutil.virtual_memory().total
    buffers = min(max(memory // 8, 128 * _MB), 1024 * _MB)  # an eighth, since API, worker and console want theirs; pages are touched on use
    settings = {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": "",  # a socket saves 3 of 25 µs a statement (measured) and costs a stale lock and a length limit
        "max_connections": "120",  # four processes with pools of 8 to 20, tests in parallel, a psql
        "shared_buffers": f"{buffers // _MB}MB",
        "effective_cache_size": f"{memory // 2 // _MB}MB",
        "work_mem": "16MB",  # a sort of a full inbox or a rollup stays in memory
        "maintenance_work_mem": "256MB",  # indexes of the bulk loads
        "max_wal_size": "2GB",  # a demo or benchmark load without a checkpoint every few seconds; bounds recovery to a minute or so
        "checkpoint_timeout": "15min",
        "wal_level": "minimal",  # no replication from here: less to write in bulk loads
        "max_wal_senders": "0",
        "random_page_cost": "1.1",  # solid-state disks
        "jit": "off",  # our statements are short; compiling them costs more than it saves
        "max_parallel_workers_per_gather": "0",  # one chart must not take both cores from everybody else
        "io_workers": "2",  # reads ahead for two cores
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %a ",
        "log_error_verbosity": "terse",  # DETAIL lines quote rows, and rows hold personal values
        "log_parameter_max_length": "0",  # the same of bound values
        "log_parameter_max_length_on_error": "0",
        "scram_iterations": str(SCRAM_ITERATIONS),
    }
    if not fsync:
        # Tests only. A killed process still loses nothing, a power cut may lose everything.
        settings |= {"fsync": "off", "full_page_writes": "off"}
    return settings
