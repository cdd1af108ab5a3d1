"""Starts the payment sandbox for commands that need one and find none: a replay, a drain, the demo, a test."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from pipeline.database.engine import BULK_OPTIONS, Database, psycopg_url
from pipeline.errors import AppError
from pipeline.settings import ROOT, Settings

ANSWER_S = 2.0  # a health question on loopback
STOP_S = 10.0  # it finishes the answers under way


def sandbox_url(settings: Settings) -> str:
    """Where the sandbox of this installation is expected."""
    return settings.razorpayx_base_url or f"http://127.0.0.1:{settings.sandbox_port}"


def sandbox_answers(url: str) -> bool:
    """Whether a sandbox listens at the address."""
    try:
        return httpx.get(f"{url}/_sandbox/health", timeout=ANSWER_S, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def sandbox_at_hand(settings: Settings, database: Database) -> Iterator[None]:
    """While the block runs a sandbox answers where this installation expects it; nothing is started for a real provider."""
    if not settings.sandboxed or settings.razorpayx_base_url or sandbox_answers(sandbox_url(settings)):
        yield
        return
    with own_sandbox(database, f"http://127.0.0.1:{settings.api_port}/webhook/v1/razorpay", settings.sandbox_port):
        yield


@contextmanager
def own_sandbox(database: Database, webhook_url: str | None, port: int = 0) -> Iterator[str]:
    """Run a sandbox on the database's own books for the length of the block; its address (`port` 0: any free one).

    Raises SDCRS_PORT_BUSY when it cannot listen.
    """
    command = [sys.executable, "-m", "pipeline.payouts.sandbox", "--port", str(port), "--role", f"{database.role_prefix}_worker"]
    command += ["--webhook-url", webhook_url] if webhook_url else []
    environment = {**os.environ, "DATABASE_URL": psycopg_url(database.url)}
    environment.pop("SANDBOX_WEBHOOK_URL", None)
    if database.bulk:
        environment["PGOPTIONS"] = BULK_OPTIONS
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\d.]+:\d+", line)
            if found is None:
                raise AppError("SDCRS_PORT_BUSY", port=port, setting="SANDBOX_PORT")
            yield found[0]
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
