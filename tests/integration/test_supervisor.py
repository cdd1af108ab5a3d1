"""The supervisor with small commands in the places of the real ones, and the real embedded server."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest

from pipeline.cli.parts import Part, check_ports, parts
from pipeline.cli.supervisor import up
from pipeline.database.server import EmbeddedServer
from pipeline.database.server_process import alive, find_postmaster, server_processes
from pipeline.errors import AppError
from pipeline.settings import ROOT, load
from tests.production import PRODUCTION

# A part that writes down when it begins and ends, listens when it has a port, and lasts as long as it is told.
PART = """
import os, signal, socket, subprocess, sys, time
name, port, lasts, journal = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
def note(what):
    with open(journal, "a") as file:
        file.write(f"{name} {what} {os.getpid()}\\n")
def leave(*_):
    note("ends")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else leave)
if port:
    server = socket.create_server(("127.0.0.1", port))
if "slow" in sys.argv:
    import http.server, threading
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(204)
            self.end_headers()
        def log_message(self, *_):
            pass
    service = http.server.HTTPServer(("", 0), Answer, bind_and_activate=False)
    service.socket.close()
    service.socket = server
    time.sleep(1)
    note("answers")
    threading.Thread(target=service.serve_forever, daemon=True).start()
if "pool" in sys.argv:
    note(f"pool-{subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)']).pid}")
print("hello from", name, "in", os.environ["DATA_DIR"])
note("begins")
time.sleep(lasts)
note("done")
sys.exit(3 if "fails" in sys.argv else 0)
"""

SUPERVISOR = """
import json, sys
from pipeline.cli.parts import Part
from pipeline.cli.supervisor import up
from pipeline.settings import load
table = {name: Part(tuple(row.pop("command")), **row) for name, row in json.loads(sys.argv[1]).items()}
sys.exit(up(load(), json.loads(sys.argv[2]), table=table))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def eventually(condition: Callable[[], object], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@dataclass
class World:
    """One data folder, one journal, and the supervisors started on them."""

    data_dir: Path
    journal: Path
    output: Path
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def row(self, name: str, *flags: str, port: int = 0, lasts: float = 60, **more: object) -> dict[str, object]:
        command = [sys.executable, "-S", "-c", PART, name, str(port), str(lasts), str(self.journal), *flags]
        return {"command": command, "port": port or None, "port_setting": f"{name.upper()}_PORT", **more}

    def start(self, table: dict[str, dict[str, object]], only: list[str] | None = None) -> "subprocess.Popen[bytes]":
        environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "DATABASE_OWNER_URL")}
        environment |= {"DATA_DIR": os.path.relpath(self.data_dir), "EMBEDDED_FSYNC": "off", "DEMO_PASSWORD": "dogs"}
        command = [sys.executable, "-c", SUPERVISOR, json.dumps(table), json.dumps(only)]
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                command,
                env={**environment, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    def noted(self) -> list[str]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return [line.rsplit(" ", 1)[0] for line in lines]

    def pids(self) -> list[int]:
        return [int(line.rsplit(" ", 1)[1]) for line in self.journal.read_text().splitlines()]

    def said(self) -> str:
        return self.output.read_text()

    def postmaster(self) -> psutil.Process | None:
        found = find_postmaster(self.data_dir / "postgres" / "cluster")
        return None if found is None else found.process


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sdcrs-test-"))
    folder.chmod(0o755)  # as root the server's account must reach it
    try:
        with EmbeddedServer(folder / "data", fsync=False).hold():
            pass
        yield folder / "data"
    finally:
        for process in server_processes(folder / "data" / "postgres" / "cluster"):
            process.kill()
        shutil.rmtree(folder)


@pytest.fixture
def world(data_dir: Path, tmp_path: Path) -> Iterator[World]:
    world = World(data_dir, tmp_path / "journal", tmp_path / "output")
    yield world
    left = [process for process in world.started if process.poll() is None]
    for process in left:
        finish(process)
    assert left == []
    if world.journal.exists():
        assert [pid for pid in world.pids() if psutil.pid_exists(pid) and alive(psutil.Process(pid))] == []
    assert world.postmaster() is None


def finish(process: "subprocess.Popen[bytes]", sign: signal.Signals = signal.SIGINT) -> int:
    process.send_signal(sign)
    return process.wait(timeout=30)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_parts_start_in_order_tell_where_they_are_and_stop_in_reverse(world: World, sign: signal.Signals) -> None:
    api, console = free_port(), free_port()
    table = {
        "migrate": world.row("migrate", lasts=0.2, runs="first"),
        "worker": world.row("worker"),
        "api": world.row("api", port=api),
        "console": world.row("console", port=console),
        "demo": world.row("demo", lasts=0, runs="last"),
    }
    process = world.start(table)
    assert eventually(lambda: "demo done" in world.noted())
    assert finish(process, sign) == 0
    noted = world.noted()
    assert noted[:2] == ["migrate begins", "migrate done"]
    assert set(noted[2:5]) == {"worker begins", "api begins", "console begins"}
    assert noted[5:] == ["demo begins", "demo done", "console ends", "api ends", "worker ends"]
    said = world.said()
    assert re.search(r"^api +\| hello from api in /", said, re.MULTILINE), "output has the name of its part; paths are absolute"
    assert (
        said.index("Starting the database") < said.index("hello from migrate") < said.index("Ready after") < said.index("hello from demo")
    )
    for told in ("http://localhost:8501", "http://localhost:8502", "'dogs'", "T12345", "SUP001", "Ctrl-C stops everything"):
        assert told in said


def test_open_port_that_does_not_answer_yet_is_not_ready(world: World) -> None:
    table = {
        "console": world.row("console", "slow", port=free_port(), ready_path="/health"),
        "demo": world.row("demo", lasts=0, runs="last"),
    }
    process = world.start(table)
    assert eventually(lambda: "demo done" in world.noted())
    assert finish(process) == 0
    assert world.noted() == ["console answers", "console begins", "demo begins", "demo done", "console ends"]


def test_part_that_dies_is_started_again_and_the_delay_grows(world: World) -> None:
    process = world.start({"worker": world.row("worker", "fails", lasts=0.1), "api": world.row("api")})
    assert eventually(lambda: world.noted().count("worker begins") >= 3)
    assert finish(process) == 0
    assert "worker   | ended with code 3; starting it again in 0.5 s" in world.said()
    assert "worker   | ended with code 3; starting it again in 1 s" in world.said()
    assert world.noted().count("api begins") == 1


def test_killed_part_is_started_again_with_its_descendants_swept_away(world: World) -> None:
    process = world.start({"worker": world.row("worker", "pool")})
    assert eventually(lambda: "worker begins" in world.noted())
    pool = psutil.Process(int(world.noted()[0].split("pool-")[1]))
    psutil.Process(world.pids()[0]).kill()
    assert eventually(lambda: world.noted().count("worker begins") == 2)
    assert not alive(pool)
    second = psutil.Process(int(world.noted()[2].split("pool-")[1]))
    assert finish(process) == 0
    assert not alive(second)
    assert "worker   | killed by SIGKILL; starting it again" in world.said()


def test_asking_twice_stops_a_part_that_does_not_listen(world: World) -> None:
    process = world.start({"worker": world.row("worker", "deaf")})
    assert eventually(lambda: "worker begins" in world.noted())
    process.send_signal(signal.SIGINT)
    assert eventually(lambda: "| stopping" in world.said())
    assert finish(process) == 0
    assert "worker   | does not stop; killed" in world.said()


def test_children_of_a_killed_supervisor_end_and_the_next_start_works(world: World) -> None:
    table = {"worker": world.row("worker"), "api": world.row("api", port=free_port())}
    process = world.start(table)
    assert eventually(lambda: "Ready" in world.said())
    server = world.postmaster()
    process.kill()
    process.wait(timeout=10)
    assert eventually(lambda: {"worker ends", "api ends"} <= set(world.noted()))
    assert world.postmaster() == server, "nobody was left to stop it"
    world.output.unlink()
    again = world.start(table)
    assert eventually(lambda: "Ready" in world.said())
    assert world.postmaster() == server, "and it is adopted"
    assert finish(again) == 0


def test_killed_database_server_comes_back_under_the_running_parts(world: World) -> None:
    process = world.start({"worker": world.row("worker")})
    assert eventually(lambda: "Ready" in world.said())
    server = world.postmaster()
    assert server is not None
    server.kill()
    assert eventually(lambda: "The database had died and runs again" in world.said())
    assert finish(process) == 0
    assert world.noted().count("worker begins") == 1


def test_failed_first_part_starts_nothing_else_and_is_the_exit_code(world: World) -> None:
    table = {"migrate": world.row("migrate", "fails", lasts=0, runs="first"), "worker": world.row("worker")}
    assert world.start(table).wait(timeout=30) == 1
    assert world.noted() == ["migrate begins", "migrate done"]
    assert "migrate  | ended with code 3; nothing else is started" in world.said()


def test_stopping_during_the_first_part_is_no_failure(world: World) -> None:
    process = world.start({"migrate": world.row("migrate", runs="first"), "worker": world.row("worker")})
    assert eventually(lambda: "migrate begins" in world.noted())
    assert finish(process) == 0
    assert world.noted() == ["migrate begins", "migrate ends"]


def test_only_the_chosen_parts_run(world: World) -> None:
    table = {"migrate": world.row("migrate", lasts=0, runs="first"), "worker": world.row("worker"), "api": world.row("api")}
    assert world.start(table, ["migrate"]).wait(timeout=30) == 0
    assert world.noted() == ["migrate begins", "migrate done"]
    process = world.start(table, ["database", "worker"])
    assert eventually(lambda: "Ready" in world.said())
    assert finish(process) == 0
    assert "api begins" not in world.noted()
    with pytest.raises(AppError, match="no part wrker; choose from database, worker"):
        up(load({}), ["wrker"], table={"worker": Part(("true",))})


def test_database_alone_serves_until_it_is_stopped(world: World) -> None:
    process = world.start({"worker": world.row("worker")}, ["database"])
    assert eventually(lambda: "Ready" in world.said())
    with EmbeddedServer(world.data_dir, fsync=False).hold() as found, psycopg.connect(found.app.replace("+psycopg", "")) as conn:
        assert conn.execute("SELECT current_user").fetchone() == ("sdcrs_login",)
    assert world.postmaster() is not None
    assert finish(process) == 0
    assert world.noted() == []


def test_busy_port_is_named_with_its_setting_before_anything_starts(world: World) -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        with pytest.raises(AppError, match=f"Port {taken} is in use. Stop the other program or set API_PORT"):
            up(load({"DATA_DIR": str(world.data_dir)}), table={"api": Part(("true",), port=taken, port_setting="API_PORT")})
    assert world.postmaster() is None


def test_two_parts_with_one_port_and_an_address_that_is_not_ours_are_refused() -> None:
    port = free_port()
    twice = {"api": Part(("true",), port=port, port_setting="API_PORT"), "console": Part(("true",), port=port, port_setting="PORT")}
    with pytest.raises(AppError, match="set PORT"):
        check_ports(twice)
    with pytest.raises(AppError, match="BIND_ADDRESS"):
        check_ports({"api": Part(("true",), port=port, port_setting="API_PORT", host="192.0.2.1")})


def test_table_of_the_real_parts_follows_the_settings() -> None:
    assert list(parts(load({}))) == ["migrate", "sandbox", "worker", "api", "console", "hrms", "demo"]
    assert list(parts(load(PRODUCTION))) == ["worker", "api", "console"]
    ports = {name: (part.port_setting, part.port) for name, part in parts(load({"PORT": "9000"})).items() if part.port}
    assert ports == {
        "console": ("PORT", 9000),
        "api": ("API_PORT", 9001),
        "sandbox": ("SANDBOX_PORT", 9002),
        "hrms": ("HRMS_PORT", 9003),
    }
    assert parts(load({"BIND_ADDRESS": "0.0.0.0"}))["sandbox"].host == "127.0.0.1", "the sandbox stays on the loopback"
