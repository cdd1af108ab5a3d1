"""The table of what `up` runs: one row for each process. Knows commands, ports and order; starts nothing."""

import errno
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal

from pipeline.database.connect import checked_prefix
from pipeline.database.engine import psycopg_url
from pipeline.database.urls import Urls
from pipeline.errors import AppError
from pipeline.settings import Settings

DEMO_ACCOUNTS = (
    ("T12345", "teacher"),
    ("V001, V002", "verifiers"),
    ("SV001", "senior verifier"),
    ("SUP001", "supervisor"),
    ("MCO001 to MCO003", "officers"),
    ("DADMIN001", "district admin"),
    ("ADMIN001, ADMIN002", "state admins"),
    ("AUD001", "auditor"),
)


def _nothing(_: Urls) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Part:
    """One row of the table: a command and when it runs.

    `first` runs to its end before any service starts, `service` is kept running, `last` runs once when the services answer.
    """

    command: tuple[str, ...]
    runs: Literal["first", "service", "last"] = "service"
    port: int | None = None
    port_setting: str = ""
    host: str = "127.0.0.1"
    ready_path: str | None = None  # answers HTTP below 500 when ready; None: ready when the port is open
    environment: Callable[[Urls], Mapping[str, str]] = field(default=_nothing)  # asked at the start, beside our own environment


Table = Mapping[str, Part]


def parts(settings: Settings) -> dict[str, Part]:
    """The parts in starting order; they stop in the reverse of it."""
    python, host = sys.executable, settings.bind_address
    api, console, sandbox, hrms = settings.api_port, settings.port, settings.sandbox_port, settings.hrms_port

    def sandbox_environment(found: Urls) -> Mapping[str, str]:
        return {
            "DATABASE_URL": psycopg_url(found.app),
            "SANDBOX_ROLE": f"{checked_prefix(found.app)}_worker",
            "SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{api}/webhook/v1/razorpay",
        }

    serve_console = ("-m", "streamlit", "run", "dashboard/app.py", "--server.address", host, "--server.port", str(console))
    table = {
        "migrate": Part((python, "-m", "pipeline", "migrate"), "first"),
        "sandbox": Part(
            (python, "-m", "pipeline.payouts.sandbox", "--port", str(sandbox)),
            port=sandbox,
            port_setting="SANDBOX_PORT",
            ready_path="/_sandbox/health",
            environment=sandbox_environment,
        ),
        "worker": Part((python, "-m", "pipeline", "work")),
        "api": Part((python, "-m", "pipeline.api"), port=api, port_setting="API_PORT", host=host, ready_path="/livez"),
        "console": Part((python, *serve_console), port=console, port_setting="PORT", host=host, ready_path="/_stcore/health"),
        "hrms": Part((python, "-m", "pipeline.hrms"), port=hrms, port_setting="HRMS_PORT", ready_path="/"),
        "demo": Part((python, "-m", "pipeline", "demo", "--if-empty"), "last"),
    }
    if settings.database_url and not settings.database_owner_url:
        del table["migrate"]  # this process may not change the schema; the parts say so when it is not current
    if not settings.sandboxed:
        del table["sandbox"]
    if not settings.demo_hrms:
        del table["hrms"]
    if settings.production:
        del table["demo"]
    return table


def check_ports(table: Table) -> None:
    """Raise SDCRS_PORT_BUSY, naming the setting, unless every part could listen on its port at this moment."""
    with ExitStack() as stack:
        for part in table.values():
            if part.port is None:
                continue
            probe = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in part.host else socket.AF_INET))
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections closed a moment ago do not count
            try:
                probe.bind((part.host, part.port))
                probe.listen()  # kept until all are checked, so that two parts with one port are found too
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise AppError("SDCRS_BAD_SETTING", setting="BIND_ADDRESS", detail=f"{part.host}: {error.strerror}") from error
                raise AppError("SDCRS_PORT_BUSY", port=part.port, setting=part.port_setting) from error
