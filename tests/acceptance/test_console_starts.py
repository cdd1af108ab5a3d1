"""The console as people start it: `streamlit run dashboard/app.py` from the root, met by a real browser."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from tests import factories
from tests.acceptance.test_map_offline import CHROMIUM, FLAGS

ROOT = Path(__file__).resolve().parents[2]
START_S = 60  # imports on a busy two-core machine, several times over
STOP_S = 20

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(settings, port: int) -> subprocess.Popen[bytes]:
    """The console on this port, over the database of these settings."""
    environment = {**os.environ, "DATABASE_URL": settings.database_url, "DATA_DIR": str(settings.data_dir), "PORT": str(port)}
    command = [sys.executable, "-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port)]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@contextmanager
def running(settings) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with start(settings, port) as process:
        try:
            deadline = time.monotonic() + START_S
            while time.monotonic() < deadline:
                try:
                    if httpx.get(f"{address}/auth/login", trust_env=False).is_success:
                        break
                except httpx.TransportError:
                    if process.poll() is not None:
                        pytest.fail(process.stdout.read().decode())
                time.sleep(0.25)
            yield address, process
        finally:
            process.terminate()
            process.communicate(timeout=STOP_S)


@pytest.fixture(scope="module")
def console(settings) -> Iterator[str]:
    with running(settings) as (address, _):
        yield address


@pytest.fixture(params=[(1280, 800), (360, 640)], ids=["desktop", "phone"])
def page(request, console):
    """A browser of this size that may reach this machine only; at the end no request wanted more, and no script failed."""
    width, height = request.param
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        outside: list[str] = []
        failed: list[str] = []

        def judge(route) -> None:
            if route.request.url.startswith((console, "data:", "blob:")):
                route.continue_()
            else:
                outside.append(route.request.url)
                route.abort()

        page.context.route("**/*", judge)
        page.on("pageerror", lambda error: failed.append(str(error)))
        yield page
        browser.close()
    assert outside == []
    assert failed == []


def test_a_person_signs_in_meets_the_first_page_and_signs_out(console, page, rt):
    supervisor = factories.people(rt).supervisor
    page.goto(console)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("User name").fill(supervisor.username)
    page.get_by_label("Password").fill("not this")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Assignment")).to_be_visible()
    expect(page).to_have_url(f"{console}/assignment")
    expect(page.get_by_text("Municipal supervisor")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.go_back()
    page.goto(f"{console}/assignment")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_started_alone_it_says_that_api_and_worker_do_not_run(console, page, rt):
    page.goto(f"{console}/auth/login?next=/trace")
    page.get_by_label("User name").fill(factories.people(rt).auditor.username)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{console}/trace")
    expect(page.get_by_text("API and worker do not run")).to_be_visible()


def test_a_busy_port_is_an_error_and_not_the_next_free_one(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start(settings, taken.getsockname()[1]) as process:
            output, _ = process.communicate(timeout=START_S)
    assert process.returncode != 0
    assert "is not available" in output.decode()


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_when_told_to(settings, sent):
    with running(settings) as (_, process):
        process.send_signal(sent)
        output, _ = process.communicate(timeout=STOP_S)
    assert "Traceback" not in output.decode()
    assert process.returncode in (0, 1, -sent)  # 1: what the command line library makes of Ctrl-C
