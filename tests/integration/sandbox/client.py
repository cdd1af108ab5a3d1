"""The provider's stand-in as a process of its own, a client that shows every byte, and our side's webhook."""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pipeline.payouts.sandbox.config import DEFAULT_ACCOUNT_NUMBER, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET

ROOT = Path(__file__).parents[3]
OPENING = 10_000_000  # paise; enough for 200 payouts of 500 rupees
AUTH = "Basic " + base64.b64encode(f"{DEFAULT_KEY_ID}:{DEFAULT_KEY_SECRET}".encode()).decode()
LIST = f"/v1/payouts?account_number={DEFAULT_ACCOUNT_NUMBER}"
STATEMENT = f"/v1/transactions?account_number={DEFAULT_ACCOUNT_NUMBER}"


@dataclass
class Hook:
    """Our side's webhook: remembers what came, and answers what the test wants."""

    port: int = 0
    seen: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def events(self) -> list[str]:
        return [json.loads(raw)["event"] for _, raw in self.seen]

    def statuses(self, payout_id: str) -> list[str]:
        bodies = [json.loads(raw) for _, raw in self.seen]
        entities = [body["payload"]["payout"]["entity"] for body in bodies if "payout" in body["payload"]]
        return [entity["status"] for entity in entities if entity["id"] == payout_id]


@contextmanager
def listening_hook() -> Iterator[Hook]:
    """A webhook on a free port of this machine, for the length of a block."""
    found = Hook()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            found.seen.append(({name.lower(): value for name, value in self.headers.items()}, raw))
            self.send_response(found.answers.pop(0) if found.answers else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


class Sandbox:
    """The process, and a client that shows every byte."""

    def __init__(self, database_url: str, role: str, hook_port: int) -> None:
        self._env = {**os.environ, "DATABASE_URL": database_url, "SANDBOX_OPENING_BALANCE_PAISE": str(OPENING)}
        self._arguments = ["--port", "0", "--role", role, "--webhook-url", f"http://127.0.0.1:{hook_port}/webhook/v1/razorpay"]
        self.port = 0
        self._local = threading.local()

    def start(self) -> None:
        command = [sys.executable, "-m", "pipeline.payouts.sandbox", *self._arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        line = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
        assert found, f"did not start: {line!r}"
        self.port = int(found[1])

    def end(self, how: int = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        code = self.process.wait(15)
        assert self.process.stdout
        self.process.stdout.close()
        return code

    def raw(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            conn.request(method, path, body, headers)
            answer = conn.getresponse()
            return answer.status, answer.read()
        finally:
            conn.close()

    def call(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Authorization": AUTH, "Content-Type": "application/json"}
        if key is not None:
            headers["X-Payout-Idempotency"] = key
        raw = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self.raw(method, path, raw, headers)
        return status, json.loads(answer)

    def good(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        status, answer = self.call(method, path, body, key)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, body: Any = None, key: str | None = None) -> tuple[int, str, str | None]:
        status, answer = self.call(method, path, body, key)
        assert status >= 400, answer
        assert {"code", "description", "source", "step", "reason", "metadata"} <= set(answer["error"])
        return status, answer["error"]["description"], answer["error"].get("field")

    def control(self, path: str, body: Any = None, method: str | None = None) -> Any:
        return self.good(method or ("GET" if body is None else "POST"), f"/_sandbox/{path}", body)

    def settle(self, **options: Any) -> Any:
        return self.control("settle", {"delay": 0, **options})

    def fund_account(self, address: str = "ravi@okaxis", name: str = "Ravi Kumar") -> str:
        contact = self.good("POST", "/v1/contacts", {"name": name, "type": "employee", "reference_id": "T12345"})
        body = {"contact_id": contact["id"], "account_type": "vpa", "vpa": {"address": address}}
        return self.good("POST", "/v1/fund_accounts", body)["id"]

    def pay(self, account: str, amount: int = 50_000, *, key: str | None = None, **fields: Any) -> Any:
        return self.good("POST", "/v1/payouts", wish(account, amount, **fields), key or str(uuid.uuid4()))

    def balance(self) -> int:
        return self.good("GET", "/v1/banking_balances")["items"][0]["amount"]

    def get(self, payout_id: str) -> Any:
        return self.good("GET", f"/v1/payouts/{payout_id}")

    def audit(self) -> None:
        found = self.control("audit")
        assert {name: number for name, number in found.items() if name != "lines" and number} == {}


def wish(account: str, amount: int = 50_000, **fields: Any) -> dict[str, Any]:
    return {
        "account_number": DEFAULT_ACCOUNT_NUMBER,
        "fund_account_id": account,
        "amount": amount,
        "currency": "INR",
        "mode": "UPI",
        "purpose": "payout",
        "queue_if_low_balance": True,
        "reference_id": "SDCRS-DR-DJ-2026-000001",
        **fields,
    }


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)
