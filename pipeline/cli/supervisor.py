"""`up`: the database and every part of SDCRS as a process of its own, started in order, restarted when one dies, stopped in order.

What the parts are is said in parts.py. Nothing is served from this process: it starts, watches, tells and stops.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

import pipeline
from pipeline.cli.parts import DEMO_ACCOUNTS, Part, Table, check_ports, parts
from pipeline.database.connect import urls
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.settings import ROOT, Settings

TEND_S = 0.1  # how often the supervisor looks at its children; a look costs microseconds
READY_PROBE_S = 0.5  # for an answer from this machine; also how late a Ctrl-C may be noticed meanwhile
READY_REMINDER_S = 15  # then say who is not ready yet
RESTART_FIRST_S = 0.5
RESTART_LAST_S = 30  # a part that cannot run is tried twice a minute, and its error stays readable
RESTART_FORGET_S = 60  # who ran this long starts afresh with the first delay
STOP_S = 15  # a worker finishes its batch, the console writes nothing; after that they are killed
DATABASE = "database"  # held by the supervisor itself, not a row of the table


def up(settings: Settings, only: Sequence[str] | None = None, *, table: Table | None = None, out: TextIO | None = None) -> int:
    """Run the parts (all, or `only` these) until Ctrl-C or SIGTERM, and return the exit code: 0, or 1 when a `first` part failed.

    Must run in the main thread. Raises SDCRS_PORT_BUSY before anything is started, SDCRS_DATABASE_NOT_STARTED, SDCRS_BAD_SETTING.
    """
    chosen = _choose(parts(settings) if table is None else table, only)
    check_ports(chosen)
    say = Voice(out or sys.stdout, width=max(len(name) for name in (*chosen, DATABASE)))
    began = time.monotonic()
    with _Signals() as signals, ExitStack() as stack:
        try:
            with signals.raising():
                found = stack.enter_context(urls(settings, lambda line: say(DATABASE, line)))
        except KeyboardInterrupt:
            return 0
        # relative paths in our environment would mean others in the children, who run in the root of the project
        places = {"DATA_DIR": str(settings.data_dir)} | ({"KEYS_FILE": str(settings.keys_file)} if settings.keys_file else {})
        team = _Team(chosen, found, places, say)
        try:
            code = _run_first(team, signals)
            if code is None:
                _serve(team, signals, lambda: _announce(settings, chosen, say, time.monotonic() - began))
        finally:
            team.stop(signals)
            if found.embedded:
                say(DATABASE, "stopping, unless another process uses it")
    return code or 0


class Voice:
    """One line at a time, each with the name of who says it. Falls silent when nobody listens any more (`up | head`)."""

    def __init__(self, out: TextIO, width: int) -> None:
        self._out = out
        self._width = width
        self._lock = threading.Lock()

    def __call__(self, name: str, line: str) -> None:
        with self._lock, contextlib.suppress(OSError, ValueError):
            self._out.write(f"{name:<{self._width}} | {line}\n" if line else "\n")
            self._out.flush()


class _Signals:
    """Ctrl-C, SIGTERM and a closed terminal ask to stop; asking again means at once."""

    def __init__(self) -> None:
        self.asked = 0
        self._raise = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "_Signals":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # nohup
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    @contextmanager
    def raising(self) -> Iterator[None]:
        """Within the block a signal raises KeyboardInterrupt: for waits that look at no flag."""
        self._raise = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._raise = False

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1
        if self._raise:
            self._raise = False
            raise KeyboardInterrupt


@dataclass
class _Child:
    """One part at work, or between two lives."""

    process: "subprocess.Popen[str] | None" = None
    reader: threading.Thread | None = None
    started: float = 0.0
    delay_s: float = RESTART_FIRST_S
    again_at: float | None = None  # when to start it again; None: it runs, or is not to run


class _Team:
    """The children. Only the main thread starts them: Linux ends a child with the thread that started it."""

    def __init__(self, table: Table, found: Urls, environment: Mapping[str, str], say: Voice) -> None:
        self.table = table
        self.say = say
        self._urls = found
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._children = {name: _Child() for name in table}

    def names(self, runs: str) -> list[str]:
        return [name for name, part in self.table.items() if part.runs == runs]

    def start(self, name: str) -> bool:
        """Start the part; when even that fails, say so and plan the next attempt."""
        part, child = self.table[name], self._children[name]
        launcher = Path(pipeline.__file__).with_name("child.py")
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(launcher), str(os.getpid()), *part.command],
                cwd=ROOT,
                env={**self._environment, **part.environment(self._urls)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # Ctrl-C in the terminal reaches us alone; we stop them in order
            )
        except (AppError, OSError) as error:
            self._plan(name, f"cannot be started: {error}")
            return False
        child.process, child.started, child.again_at = process, time.monotonic(), None
        child.reader = threading.Thread(target=self._read, args=(name, process), name=f"output of {name}", daemon=True)
        child.reader.start()
        return True

    def ended(self, name: str) -> int | None:
        """The exit code, negative for a signal; None while it runs or before it was started."""
        process = self._children[name].process
        return None if process is None else process.poll()

    def tend(self) -> None:
        """Start again, after a while that doubles, every service that died."""
        now = time.monotonic()
        for name in self.names("service"):
            child = self._children[name]
            if child.again_at is not None:
                if now >= child.again_at:
                    self.start(name)
            elif (code := self.ended(name)) is not None:
                if now - child.started > RESTART_FORGET_S:
                    child.delay_s = RESTART_FIRST_S
                self._sweep(child)
                self._plan(name, _how(code))

    def _plan(self, name: str, why: str) -> None:
        child = self._children[name]
        if self.table[name].runs != "service":
            self.say(name, why)
            return
        self.say(name, f"{why}; starting it again in {child.delay_s:g} s")
        child.again_at = time.monotonic() + child.delay_s
        child.delay_s = min(child.delay_s * 2, RESTART_LAST_S)

    def waiting_for(self) -> list[str]:
        """The services that do not answer on their port, or do not run."""
        return [name for name in self.names("service") if not self._answers(name)]

    def stop(self, signals: _Signals) -> None:
        """End every child, the last started first, each given time to finish; asked twice, all at once."""
        for name in reversed(list(self.table)):
            child = self._children[name]
            if child.process is None:
                continue
            if child.process.poll() is None:
                self.say(name, "stopping")
                child.process.terminate()
                deadline = time.monotonic() + STOP_S
                while child.process.poll() is None and time.monotonic() < deadline and signals.asked < 2:
                    time.sleep(TEND_S / 5)
                if child.process.poll() is None:
                    self.say(name, "does not stop; killed")
            self._sweep(child)

    def _answers(self, name: str) -> bool:
        part, process = self.table[name], self._children[name].process
        if process is None or process.poll() is not None:
            return False
        if part.port is None:
            return True
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(part.host, part.host)  # noqa: S104 - compared, not bound
        # the console's port is open seconds before it answers, so an open port alone proves little
        with contextlib.closing(http.client.HTTPConnection(host, part.port, timeout=READY_PROBE_S)) as probe:
            try:
                probe.connect()
                if part.ready_path is None:
                    return True
                probe.request("GET", part.ready_path)
                return probe.getresponse().status < 500
            except (OSError, http.client.HTTPException):
                return False

    def _sweep(self, child: _Child) -> None:
        """Kill what a child left behind in its session, such as a process pool, and take its last words."""
        if child.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        if child.reader is not None:
            child.reader.join(timeout=1)

    def _read(self, name: str, process: "subprocess.Popen[str]") -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                if line.strip():
                    self.say(name, line.rstrip())


def _choose(table: Table, only: Sequence[str] | None) -> dict[str, Part]:
    if not only:
        return dict(table)
    unknown = [name for name in only if name not in table and name != DATABASE]
    if unknown:
        raise AppError(
            "SDCRS_BAD_SETTING", setting="--only", detail=f"no part {', '.join(unknown)}; choose from {', '.join((DATABASE, *table))}"
        )
    return {name: part for name, part in table.items() if name in only}


def _run_first(team: _Team, signals: _Signals) -> int | None:
    """Run the `first` parts one after the other. None: all went well; else the exit code of `up`."""
    for name in team.names("first"):
        if not team.start(name):
            return 1
        while (code := team.ended(name)) is None:
            if signals.asked:
                return 0
            time.sleep(TEND_S / 5)
        if code != 0:
            team.say(name, f"{_how(code)}; nothing else is started")
            return 1
    return None


def _serve(team: _Team, signals: _Signals, announce: Callable[[], None]) -> None:
    """Keep the services running until asked to stop. Without services: until the `last` parts are done."""
    services, running = team.names("service"), []
    for name in services:
        team.start(name)
    began = reminded = time.monotonic()
    ready = False
    while not signals.asked:
        team.tend()
        missing = [] if ready else team.waiting_for()
        if not ready and not missing:
            ready = True
            if services or not team.table:
                announce()
            running = [name for name in team.names("last") if team.start(name)]
        elif missing and time.monotonic() - reminded > READY_REMINDER_S:
            reminded = time.monotonic()
            team.say("up", f"waiting for {', '.join(missing)} ({reminded - began:.0f} s)")
        for name in [name for name in running if team.ended(name) is not None]:
            running.remove(name)
            if code := team.ended(name):
                team.say(name, _how(code))
        if ready and team.table and not services and not running:
            return
        time.sleep(TEND_S)


def _announce(settings: Settings, chosen: Table, say: Voice, seconds: float) -> None:
    """Tell where everything is and who can sign in, once everything answers."""
    host = settings.bind_address if settings.bind_address not in ("127.0.0.1", "0.0.0.0", "::", "::1") else "localhost"  # noqa: S104
    lines = [f"Ready after {seconds:.1f} s."]
    if "console" in chosen:
        lines.append(f"  Console  http://{host}:{settings.port}")
    if "api" in chosen:
        lines.append(f"  API      http://{host}:{settings.api_port}  (what it offers: /openapi.json)")
    if "sandbox" in chosen:
        lines.append(f"  Payouts  go to a sandbox on port {settings.sandbox_port}: no money moves")
    if "hrms" in chosen:
        lines.append(f"  HRMS     a demo of the state's sign-in for teachers: http://localhost:{settings.hrms_port}")
    if "console" in chosen and not settings.production:
        lines.append(f"  Sign in  with the password {settings.demo_password!r} as")
        lines += [f"           {names:<18} {role}" for names, role in DEMO_ACCOUNTS]
    for line in (*lines, "  Ctrl-C stops everything."):
        say("up", line)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
