"""The API as `up` starts it: two processes with a runtime each, 16 clients at once, senders of nonsense, and an end when told."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from pipeline.api.rates import PUBLIC
from pipeline.clock import SystemClock
from pipeline.database.engine import Database, psycopg_url
from pipeline.database.urls import Urls
from pipeline.runtime import Runtime, assemble
from pipeline.settings import ROOT, Settings
from tests.api import create_body
from tests.conftest import ROLE_PREFIX
from tests.factories import PASSWORD, VILLE, account

CLIENTS = 16  # as the bench has
SEARCH = "/sdcrs-services/v1/report/_search"


@dataclass
class Served:
    """The running process and its address."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def processes(self) -> list[psutil.Process]:
        """Those that listen on the port."""
        return [one for one in psutil.process_iter() if self._listens(one)]

    def _listens(self, one: psutil.Process) -> bool:
        try:
            return any(line.status == psutil.CONN_LISTEN and line.laddr.port == self.port for line in one.net_connections("tcp"))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def say(self, raw: bytes) -> bytes:
        """Send bytes that no proper client would send, and read what comes back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer


@pytest.fixture(scope="module")
def live(urls: Urls, settings: Settings) -> Iterator[Runtime]:
    """A runtime beside the process, with the machine's clock as it has."""
    database = Database(urls.app, ROLE_PREFIX, pool_size=4)
    yield assemble(settings, database, SystemClock())
    database.close()


@pytest.fixture(scope="module")
def served(urls: Urls, settings: Settings, live: Runtime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "pipeline.api"]
    environment = {**os.environ, "DATABASE_URL": psycopg_url(urls.app), "DATA_DIR": str(settings.data_dir), "APP_ENV": "demo"}
    environment |= {"API_PORT": str(port), "API_PROCESSES": "2"}
    log = tmp_path_factory.mktemp("api") / "log"
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out) as process:
        one = Served(process, port)
        _wait(one, log)
        try:
            yield one
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
            assert one.processes() == []
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()


def _wait(one: Served, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert one.process.poll() is None, log.read_text()
        try:
            if httpx.get(f"{one.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_it_is_ready_and_answers_unknown_paths_in_the_error_shape(served: Served) -> None:
    assert httpx.get(f"{served.url}/livez").json() == {"status": "alive"}
    answer = httpx.get(f"{served.url}/no/such/path")
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (404, "SDCRS_UNKNOWN_PATH")
    assert httpx.get(f"{served.url}/openapi.json").json()["info"]["title"] == "SDCRS"


def test_two_processes_serve_the_port_and_one_that_dies_is_replaced(served: Served) -> None:
    def both() -> set[int]:
        return {one.pid for one in served.processes()}

    _until(lambda: len(both()) == 2)
    (other,) = both() - {served.process.pid}
    os.kill(other, signal.SIGKILL)
    _until(lambda: len(both()) == 2 and other not in both())
    assert {httpx.get(f"{served.url}/livez", timeout=10).status_code for _ in range(20)} == {200}


def test_the_limit_of_the_public_page_counts_in_all_processes(served: Served) -> None:
    somebody = {"X-Forwarded-For": "203.0.113.9"}
    most = PUBLIC.per_minute * 3 // 2  # two that counted for themselves would let nearly twice as many pass
    asked: list[int] = []
    while 429 not in asked and len(asked) < most:
        asked.append(httpx.get(f"{served.url}/track/ABCDEFGH", headers=somebody, timeout=10).status_code)
    assert (set(asked[:90]), asked[-1]) == ({404}, 429)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_sixteen_clients_at_once_are_all_answered_and_share_no_report_number(served: Served, live: Runtime) -> None:
    teachers = [account(live, f"T{uuid4().hex[:8]}", "TEACHER") for _ in range(CLIENTS)]
    bodies = [create_body(live, teacher) for teacher in teachers]

    def run(index: int) -> list[str]:
        with httpx.Client(base_url=served.url, timeout=30) as http:
            form = {"grant_type": "password", "username": teachers[index].username, "password": PASSWORD, "tenantId": VILLE}
            signed_in = http.post("/user/oauth/token", data=form)
            assert signed_in.status_code == 200, signed_in.text
            http.headers["Authorization"] = f"Bearer {signed_in.json()['access_token']}"
            made = http.post("/sdcrs-services/v1/report/_create", json=bodies[index])
            assert made.status_code == 201, made.text
            number = str(made.json()["DogReports"][0]["reportNumber"])
            for _ in range(5):
                found = http.post(SEARCH, json={"searchCriteria": {"tenantId": VILLE}}).json()
                assert [report["reportNumber"] for report in found["DogReports"]] == [number]
            return [number]

    with ThreadPoolExecutor(CLIENTS) as pool:
        numbers = [number for found in pool.map(run, range(CLIENTS)) for number in found]
    assert len(set(numbers)) == CLIENTS


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST /webhook/v1/razorpay HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /webhook/v1/razorpay HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /sdcrs-services/v1/report/_search HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /track/ZZZZZZZZ HTTP/1.1\r\nHost: [::\r\nConnection: close\r\n\r\n",
        b"POST /sdcrs-services/v1/report/_search HTTP/1.1\r\nHost: \xff\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"GET /track/%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /filestore/v1/files/../../etc/passwd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_no_proper_client_sends_is_never_a_fault_of_ours(served: Served, raw: bytes) -> None:
    answer = served.say(raw)
    assert b" 500 " not in answer[:20]
    assert b"Traceback" not in answer
    assert httpx.get(f"{served.url}/livez").status_code == 200


def test_a_body_that_never_ends_is_cut_off_at_the_cap(served: Served) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 65536

    try:
        answer = httpx.post(f"{served.url}/webhook/v1/razorpay", content=endless())
        assert answer.status_code == 413
    except httpx.WriteError:
        pass  # the answer came and the connection was closed while we were still sending
    assert httpx.get(f"{served.url}/livez").status_code == 200


def test_the_address_of_a_tracking_link_is_the_one_that_the_client_used(served: Served, live: Runtime) -> None:
    teacher = account(live, f"T{uuid4().hex[:8]}", "TEACHER")
    with httpx.Client(base_url=served.url) as http:
        form = {"grant_type": "password", "username": teacher.username, "password": PASSWORD}
        token = http.post("/user/oauth/token", data=form).json()["access_token"]
        body = create_body(live, teacher)
        made = http.post("/sdcrs-services/v1/report/_create", json=body, headers={"Authorization": f"Bearer {token}"}).json()
        link = made["DogReports"][0]["trackingUrl"]
        assert link.startswith(f"{served.url}/track/")
        page = http.get(link)
        assert page.status_code == 200
        assert "Report Submitted" in page.text
        photo = http.get(made["DogReports"][0]["evidence"][0]["url"])
        assert (photo.status_code, photo.headers["content-type"]) == (200, "image/jpeg")
