"""The console and the API as processes of their own over one database, and a browser in front of them that may leave nowhere."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from pipeline.runtime import Runtime
from pipeline.settings import Settings
from tests import factories
from tests.acceptance.test_map_offline import CHROMIUM, FLAGS

ROOT = Path(__file__).resolve().parents[2]
START_S = 90  # two imports of pandas and Streamlit at once on a busy two-core machine
STOP_S = 20
LOOKS, LOOK_MS = 4, 150  # so often in a row a page must be found at rest
WAIT_MS = 20_000  # of one step in the browser
DESKTOP, PHONE = (1280, 800), (360, 640)


@dataclass(frozen=True)
class House:
    """Where console and API answer, and a runtime over the same database with the machine's own clock."""

    console: str
    api: str
    rt: Runtime


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def house(
    settings: Settings, rt: Runtime, more: Mapping[str, str] | None = None, beside: Mapping[str, Sequence[str]] | None = None
) -> Iterator[House]:
    """Run console and API for the length of the block, with `more` settings, and `beside` them commands by the address that answers."""
    port, api_port = int((more or {}).get("PORT", 0)) or free_port(), free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": str(settings.database_url),
        "DATA_DIR": str(settings.data_dir),
        "PORT": str(port),
        "API_PORT": str(api_port),
        **(more or {}),
    }
    environment.pop("API_PUBLIC_URL", None)
    console = ("-m", "streamlit", "run", "dashboard/app.py", "--server.port", str(port))
    api = ("-m", "pipeline.api")
    with ExitStack() as stack:
        processes = [stack.enter_context(_running(command, environment)) for command in (api, console)]
        urls = [f"http://127.0.0.1:{api_port}/livez", f"http://127.0.0.1:{port}/auth/login"]
        for url, command in (beside or {}).items():
            processes.append(stack.enter_context(_running(command, environment)))
            urls.append(url)
        for process, url in zip(processes, urls, strict=True):
            _await(process, url)
        yield House(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{api_port}", rt)


@contextmanager
def _running(command: Sequence[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=STOP_S)


def _await(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return
        except httpx.TransportError:
            if process.poll() is not None:
                pytest.fail(process.stdout.read().decode() if process.stdout else "it ended")
        time.sleep(0.25)
    pytest.fail(f"{url} did not answer within {START_S} s")


@contextmanager
def browser(found: House, size: tuple[int, int], beyond: str | None = None) -> Iterator[Page]:
    """A browser of this size. At the end no request wanted to leave console and API, and no script failed.

    `beyond`: another site where people may go; what its own pages want from elsewhere is refused, and none of our concern.
    """
    outside: list[str] = []
    failed: list[str] = []

    def judge(route: Route) -> None:
        if route.request.url.startswith((found.console, found.api, "data:", "blob:", *([beyond] if beyond else []))):
            route.continue_()
        elif beyond and not route.request.is_navigation_request() and route.request.frame.url.startswith(beyond):
            route.abort()
        else:
            outside.append(route.request.url)
            route.abort()

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_page(viewport={"width": size[0], "height": size[1]})
        page.set_default_timeout(WAIT_MS)
        page.context.route("**/*", judge)
        page.on("pageerror", lambda error: failed.append(str(error)))
        yield page
        chromium.close()
    assert outside == []
    assert failed == []


def sign_in(page: Page, found: House, username: str, path: str = "/") -> None:
    """Sign in and arrive at a page that stands still."""
    page.goto(f"{found.console}/auth/login?next={path}")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    still(page)


def still(page: Page) -> None:
    """Wait until the page's run has ended, and none that it led to has begun: a click's run is often followed by another."""
    at_rest = 0
    for _ in range(WAIT_MS // LOOK_MS):
        at_rest = at_rest + 1 if page.locator("[data-testid='stApp'][data-test-script-state='notRunning']").count() else 0
        if at_rest == LOOKS:
            return
        page.wait_for_timeout(LOOK_MS)
    pytest.fail("the page does not come to rest")


def photos_are_loaded(page: Page, count: int) -> None:
    """At least so many photos came from the API, and none is broken; those of reports that may show the same stand beside them."""
    pictures = page.locator("[data-testid='stImage'] img")
    expect(pictures.nth(count - 1)).to_be_visible()
    for index in range(pictures.count()):
        expect(pictures.nth(index)).to_have_js_property("complete", True)
        assert pictures.nth(index).evaluate("image => image.naturalWidth") > 0


def nothing_is_cut_off(page: Page) -> None:
    """The page is as wide as the screen and no wider."""
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= page.viewport_size["width"]
