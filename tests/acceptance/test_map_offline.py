"""A map of the console, in a real browser that may reach this machine and nothing else."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The map fits its view more than once while the page settles: asked until it gives the same answer twice.
STANDS_STILL_AT = """async ([lat, lng]) => {
  for (let last = null; ; ) {
    const point = window.map.latLngToContainerPoint([lat, lng]);
    if (last && last.equals(point)) return [point.x, point.y];
    last = point;
    await new Promise(resolve => setTimeout(resolve, 400));
  }
}"""
START_S = 40  # an import of Streamlit and pandas on a busy two-core machine, several times over

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")


@pytest.fixture(scope="module")
def map_console():
    """The address of a console that shows one map."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parent / "map_console"), "--port", str(port), "app:app"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        address = f"http://127.0.0.1:{port}"
        try:
            with httpx.Client(transport=httpx.HTTPTransport(retries=0), trust_env=False) as client:
                for _ in range(START_S * 4):
                    try:
                        if client.get(f"{address}/_stcore/health").is_success:
                            break
                    except httpx.TransportError:
                        if process.poll() is not None:
                            pytest.fail(process.stdout.read().decode())
                    try:
                        process.wait(0.25)
                    except subprocess.TimeoutExpired:
                        continue
            yield address
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture
def visit(map_console):
    """A page on the map, with the requests that wanted to leave this machine and the errors of its console."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        outside: list[str] = []
        errors: list[str] = []

        def judge(route: Route) -> None:
            url = route.request.url
            if url.startswith((map_console, "data:", "blob:")):
                route.continue_()
            else:
                outside.append(url)
                route.abort()

        page.context.route("**/*", judge)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: (errors.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.goto(map_console)
        page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']")
        yield page, outside, errors
        browser.close()


def leaflet(page: Page):
    return page.frame_locator("iframe[title*='streamlit_folium']")


def test_the_map_draws_and_no_request_leaves_the_host(visit):
    page, outside, errors = visit
    expect(leaflet(page).locator(".leaflet-draw-draw-rectangle")).to_be_visible()
    expect(leaflet(page).locator(".leaflet-container canvas")).to_be_visible()
    drawn = (
        leaflet(page)
        .locator(".leaflet-container canvas")
        .evaluate("canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(value => value !== 0)")
    )
    assert drawn
    icon = leaflet(page).locator(".leaflet-draw-draw-rectangle").evaluate("button => getComputedStyle(button).backgroundImage")
    assert "/leaflet/draw/images/" in icon
    assert outside == []
    assert errors == []


def test_a_click_on_a_marker_selects_it_and_its_label_runs_no_script(visit):
    page, outside, errors = visit
    x, y = point_of(page, 11.59, 43.12)
    leaflet(page).locator(".leaflet-container").hover(position={"x": x, "y": y})
    expect(leaflet(page).locator(".leaflet-tooltip").filter(has_text="DR-1 <script>alert(1)</script>")).to_be_visible()
    leaflet(page).locator(".leaflet-container").click(position={"x": x, "y": y})
    expect(page.get_by_text("chosen: one", exact=True)).to_be_visible()
    assert outside == []
    assert errors == []


def test_a_drawn_rectangle_selects_the_markers_inside(visit):
    page, _, _ = visit
    left, top = point_of(page, 11.594, 43.115)
    right, bottom = point_of(page, 11.564, 43.145)
    leaflet(page).locator(".leaflet-draw-draw-rectangle").click()
    box = page.locator("iframe[title*='streamlit_folium']").bounding_box()
    page.mouse.move(box["x"] + left, box["y"] + top)
    page.mouse.down()
    page.mouse.move(box["x"] + right, box["y"] + bottom, steps=5)
    page.mouse.move(box["x"] + right + 1, box["y"] + bottom + 1)
    page.mouse.up()
    expect(page.get_by_text("chosen: one, two by area", exact=True)).to_be_visible()


def point_of(page: Page, latitude: float, longitude: float) -> tuple[float, float]:
    """Where a place stands on the map, in pixels from its upper left corner."""
    expect(leaflet(page).locator(".leaflet-draw-draw-rectangle")).to_be_visible()
    frame = page.locator("iframe[title*='streamlit_folium']").element_handle().content_frame()
    left, top = frame.evaluate(STANDS_STILL_AT, [latitude, longitude])
    return left, top
