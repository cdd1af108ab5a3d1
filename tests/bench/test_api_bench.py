"""The bench of the API asks every call and believes no answer; its times count from the moment when a request was due."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.bench import api
from pipeline.bench.api_figures import Scene, open_lines, verdict
from pipeline.bench.api_plain import Pages
from pipeline.bench.driver import Driver, Script, Sending, Told, open_driver
from pipeline.bench.requests import MIX
from pipeline.cli.bench import programs
from pipeline.settings import load

SLOW_S = 0.25
FEW = api.Plan(reports=300, closed_s=0.25, open_s=3.0, clients=4, photos=1)


class OneAtATime(BaseHTTPRequestHandler):
    """Answers /slow late, refuses /bad, hangs up on /gone; who comes meanwhile waits."""

    protocol_version = "HTTP/1.1"  # lines are kept
    turn = threading.Lock()

    def do_GET(self) -> None:
        if self.path == "/gone":
            self.close_connection = True
            return
        with self.turn:
            time.sleep(SLOW_S if self.path == "/slow" else 0)
        body = b'{"Errors":[{"code":"SDCRS_BUSY"}]}' if self.path == "/bad" else b"{}"
        self.send_response(503 if self.path == "/bad" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), OneAtATime)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with open_driver(f"http://127.0.0.1:{server.server_port}") as found:
        yield found
    server.shutdown()
    thread.join()
    server.server_close()


def sending(path: str) -> Sending:
    return Sending(path, f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())


def test_a_request_held_up_by_another_counts_from_the_moment_when_it_was_due(driver: Driver) -> None:
    told = driver.play(Script([sending("/slow"), sending("/fast")], 0.0, 1.0, due=[0.1, 0.12]))
    assert told.took["/fast"][0] >= SLOW_S - 0.1
    assert not told.refused


def test_what_is_refused_or_not_answered_is_told_with_its_code(driver: Driver) -> None:
    told = driver.play(Script([sending("/bad"), sending("/gone"), sending("/fast")], 0.0, 1.0, due=[0.1, 0.2, 0.3]))
    assert told.errors == {"/bad: 503 SDCRS_BUSY": 1, "/gone: 0 no answer": 1}
    assert {kind: len(times) for kind, times in told.took.items()} == {"/bad": 1, "/gone": 1, "/fast": 1}


def test_what_was_due_while_warming_up_is_not_counted(driver: Driver) -> None:
    told = driver.play(Script([sending("/fast")] * 3, 0.3, 0.3, due=[0.1, 0.2, 0.4]))
    assert (told.answered, len(told.took["/fast"])) == (3, 1)


def test_a_client_asks_again_only_when_it_was_answered(driver: Driver) -> None:
    told = driver.play(Script([sending("/slow")], 0.0, 4 * SLOW_S, clients=1, again=True))
    assert 2 <= len(told.took["/slow"]) <= 4
    assert driver.play(Script([sending("/fast")] * 5, 0.0, 1.0, clients=1)).answered == 5


def test_a_time_that_was_asked_for_is_kept_or_missed() -> None:
    told = Told(seconds=10.0)
    told.took["_track"] = [0.049] * 20
    told.took["_search: one"], told.took["_search: many"] = [0.01] * 9, [0.06] * 9
    lines = open_lines(told)
    assert [line.call for line in lines] == ["_search", "  _search: many", "  _search: one", "_track"]
    assert verdict(lines) == [
        "_search: p95 60.0 ms, under 50 asked: missed",
        "_track: p95 49.0 ms, under 50 asked: kept",
    ]


def test_the_whole_is_measured_on_a_few_reports_and_nothing_is_refused(tmp_path: Path) -> None:
    settings = load({"DATA_DIR": str(tmp_path), "EMBEDDED_FSYNC": "off"})
    closed, arrivals, plain = api.run(settings, programs, tmp_path / "house", FEW, lambda _: None)
    assert isinstance(closed, Scene)
    assert isinstance(arrivals, Scene)
    assert isinstance(plain, Pages)
    assert closed.errors == arrivals.errors == {}
    assert {*MIX, "_create", "_track", "GET /track/{id}", "/payout/v1/_search: one"} <= {line.call for line in closed.lines}
    assert all(line.took.count for line in closed.lines if line.call not in ("_update", "photo upload, 4 MB"))  # too few, too slow
    found = {line.call: line for line in arrivals.lines}
    for call in ("_search", "_track"):
        assert found[call].took.count == pytest.approx(api.PER_SECOND[call] * FEW.open_s, rel=0.5)
    assert found["_create"].took.count
    assert not (tmp_path / "house").exists()
