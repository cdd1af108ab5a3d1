"""One client cannot keep the others out: floods are answered with 429 and how long to wait, by session or by address."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from pipeline.api import counters as counters_room
from pipeline.api import rates
from pipeline.api.app import build
from pipeline.api.counters import Counters
from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from tests.api import signed_in
from tests.factories import VILLE, People, people

SEARCH = "/sdcrs-services/v1/report/_search"


@pytest.fixture
def http(rt: Runtime) -> Iterator[TestClient]:
    with TestClient(build(rt), base_url="http://api.test") as client:
        yield client


@pytest.fixture
def who(rt: Runtime) -> People:
    return people(rt)


def test_the_public_page_is_open_a_hundred_times_a_minute_to_one_address(http: TestClient) -> None:
    codes = [http.get("/track/ABCDEFGH").status_code for _ in range(rates.PUBLIC.per_minute + 1)]
    assert set(codes[:-1]) == {404}
    assert codes[-1] == 429
    refused = http.post("/sdcrs-services/v1/report/_track", json={"trackingId": "ABCDEFGH"})
    assert (refused.status_code, refused.json()["Errors"][0]["code"]) == (429, "SDCRS_TOO_MANY_REQUESTS")
    assert refused.headers["retry-after"] == "60"
    assert refused.json()["Errors"][0]["params"] == {"perMinute": 100, "retryAfterSeconds": 60}


def test_a_session_that_floods_does_not_stop_another_of_the_same_address(
    rt: Runtime, http: TestClient, who: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "SESSION", rates.Rate("session", 5))
    with TestClient(build(rt), base_url="http://api.test") as http:
        flooding, calm = signed_in(rt, http, who.verifier), signed_in(rt, http, who.admin)
        criteria = {"searchCriteria": {"tenantId": VILLE, "limit": 1}}
        assert [flooding.post(SEARCH, criteria).status_code for _ in range(7)] == [200] * 5 + [429] * 2
        assert calm.post(SEARCH, criteria).status_code == 200


def test_a_flood_is_refused_before_its_body_is_read(rt: Runtime, who: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "SESSION", rates.Rate("session", 1))
    with TestClient(build(rt), base_url="http://api.test") as http:
        client = signed_in(rt, http, who.teacher)
        photo = {"file": ("a.jpg", b"x" * 4_000_000, "image/jpeg")}
        send = f"/filestore/v1/files?tenantId={VILLE}&module=SDCRS"
        assert http.post(send, files=photo, headers=client.headers).status_code == 400
        assert http.post(send, files=photo, headers=client.headers).status_code == 429


def test_health_is_never_refused(http: TestClient, monkeypatch: pytest.MonkeyPatch, rt: Runtime) -> None:
    monkeypatch.setattr(rates, "STRANGER", rates.Rate("stranger", 1))
    with TestClient(build(rt), base_url="http://api.test") as http:
        assert {http.get("/readyz").status_code for _ in range(5)} == {200}


@pytest.mark.parametrize(
    ("path", "signed", "rate"),
    [
        ("/track/ABCDEFGH", False, rates.PUBLIC),
        ("/sdcrs-services/v1/report/_track", True, rates.PUBLIC),
        ("/user/oauth/token", False, rates.SIGN_IN),
        ("/sso/v1/token-exchange", False, rates.SIGN_IN),
        ("/webhook/v1/razorpay", False, rates.WEBHOOK),
        (SEARCH, True, rates.SESSION),
        (SEARCH, False, rates.STRANGER),
    ],
)
def test_each_request_counts_against_its_own_limit(path: str, signed: bool, rate: rates.Rate) -> None:
    assert rates.rate_of(path, signed_in=signed) is rate


def test_counters_of_clients_that_stay_away_are_swept_without_a_thread(monkeypatch: pytest.MonkeyPatch, clock: SettableClock) -> None:
    monkeypatch.setattr(counters_room, "CLOCK", clock)
    counters = Counters()
    counters.timer.join()  # the library's first and only one
    assert [counters.incr("often", 120), counters.incr("often", 120)] == [1, 2]
    counters.incr("once", 60)
    clock.set(clock.now() + timedelta(seconds=counters_room.SWEEP_S + 1))
    assert counters.incr("often", 120) == 3
    assert (counters.get("often"), counters.get("once")) == (3, 0)
    clock.set(clock.now() + timedelta(seconds=2 * counters_room.SWEEP_S))
    assert counters.incr("often", 120) == 1
    assert not counters.timer.is_alive()


def test_processes_of_one_machine_count_together(tmp_path: Path) -> None:
    place = tmp_path / "rates.sqlite"
    one, other = rates.Rates(place), rates.Rates(place)
    turns = [one, other] * (rates.PUBLIC.per_minute // 2)
    for counting in turns:
        counting.check("/track/ABCDEFGH", "10.1.1.1", "")
    for counting in (one, other):
        with pytest.raises(AppError) as refused:
            counting.check("/track/ABCDEFGH", "10.1.1.1", "")
        assert refused.value.code == "SDCRS_TOO_MANY_REQUESTS"
    other.check("/track/ABCDEFGH", "10.1.1.2", "")
    assert b"10.1.1" not in b"".join(file.read_bytes() for file in tmp_path.iterdir()), "addresses are kept as hashes"


@pytest.mark.parametrize("damage", [b"no database at all, but long enough to be read as the head of one" * 40, b""])
def test_a_damaged_file_of_counts_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    place = tmp_path / "rates.sqlite"
    place.write_bytes(damage)
    counters = Counters(place)
    assert [counters.incr("x", 120), counters.incr("x", 120)] == [1, 2]


def test_a_file_that_cannot_be_used_refuses_nobody(tmp_path: Path) -> None:
    counting = rates.Rates(tmp_path / "rates.sqlite")
    counting.close()
    for _ in range(rates.PUBLIC.per_minute + 5):
        counting.check("/track/ABCDEFGH", "10.1.1.1", "")
