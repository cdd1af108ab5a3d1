"""Faults by switch, kills and restarts: what was confirmed stays, what was lost is healed by the same key."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import razorpay

from pipeline.payouts.sandbox.config import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET
from tests.integration.sandbox.client import AUTH, LIST, OPENING, ROOT, Hook, Sandbox, wait_until, wish

# Faults ---------------------------------------------------------------------------------------------------------------


@contextmanager
def cut_connection() -> Iterator[None]:
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        yield


@pytest.mark.parametrize(
    ("kind", "seen", "made"),
    [
        ("drop_before_commit", "cut", 0),
        ("drop_after_commit", "cut", 1),
        ("5xx_before", 500, 0),
        ("5xx_after", 500, 1),
        ("html_502_before", "html", 0),
        ("html_502", "html", 1),
        ("429", 429, 0),
        ("unauthorized", 401, 0),
        ("ip_refused", 400, 0),
        ("truncated_200", "half", 1),
        ("cut_200", "cut", 1),
        ("slow", 200, 1),
    ],
)
def test_a_fault_is_seen_as_named_and_the_same_key_heals_it(sandbox: Sandbox, kind: str, seen: int | str, made: int) -> None:
    account = sandbox.fund_account()
    headers = {"Authorization": AUTH, "X-Payout-Idempotency": "faulty"}
    body = json.dumps(wish(account)).encode()
    sandbox.control("faults", {"kind": kind, "seconds": 0.2})
    if seen == "cut":
        with cut_connection():
            sandbox.raw("POST", "/v1/payouts", body, headers)
    else:
        status, raw = sandbox.raw("POST", "/v1/payouts", body, headers)
        if seen == "html":
            assert (status, raw[:6]) == (502, b"<html>")
        elif seen == "half":
            assert status == 200
            with pytest.raises(ValueError, match=r"delimiter|Unterminated|Expecting"):
                json.loads(raw)
        else:
            assert (status, "error" in json.loads(raw)) == (seen, seen != 200)
    assert sandbox.good("GET", LIST)["count"] == made
    assert sandbox.good("POST", "/v1/payouts", body, "faulty")["status"] == "processing"
    assert sandbox.good("GET", LIST)["count"] == 1
    assert sandbox.balance() == OPENING - 50_000
    hit = sandbox.control("journal/faults")["items"]
    assert [(one["kind"], one["idempotency_key"]) for one in hit] == [(kind, "faulty")]


def test_a_delayed_commit_appears_after_the_client_has_looked_in_vain(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("faults", {"kind": "delayed_commit", "seconds": 600})
    with cut_connection():
        sandbox.call("POST", "/v1/payouts", wish(account), "late-commit")
    sandbox.settle()
    assert sandbox.good("GET", LIST + "&reference_id=SDCRS-DR-DJ-2026-000001")["count"] == 0
    sandbox.settle(late=True)
    found = sandbox.good("GET", LIST + "&reference_id=SDCRS-DR-DJ-2026-000001")
    assert found["count"] == 1
    assert sandbox.pay(account, key="late-commit")["id"] == found["items"][0]["id"]
    sandbox.audit()


def test_a_delayed_commit_overtaken_by_its_repeat_pays_once_and_by_a_new_key_twice(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("faults", {"kind": "delayed_commit", "count": 2, "seconds": 600})
    for key in ("careful", "careless"):
        with cut_connection():
            sandbox.call("POST", "/v1/payouts", wish(account, reference_id=key), key)
    sandbox.pay(account, key="careful", reference_id="careful")
    sandbox.pay(account, key="careless-2", reference_id="careless")
    sandbox.settle(late=True)
    counts = [sandbox.good("GET", f"{LIST}&reference_id={reference}")["count"] for reference in ("careful", "careless")]
    assert counts == [1, 2]


def test_faults_wait_for_their_reference_their_operation_and_their_count(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("faults", {"kind": "5xx_before", "reference_id": "the-one"})
    sandbox.control("faults", {"kind": "5xx_after", "operation": "payout.list", "count": 2})
    assert sandbox.pay(account)["status"] == "processing"
    assert sandbox.refused("POST", "/v1/payouts", wish(account, reference_id="the-one"), "key-1")[0] == 500
    assert sandbox.pay(account, reference_id="the-one", key="key-1")["status"] == "processing"
    assert [sandbox.call("GET", LIST)[0] for _ in range(3)] == [500, 500, 200]
    sandbox.control("faults", {"kind": "429", "count": 5})
    assert sandbox.control("faults", None, "DELETE") == {"cleared": 1}
    assert sandbox.pay(account)["status"] == "processing"


def test_forty_threads_meet_exactly_as_many_faults_as_were_set(sandbox: Sandbox) -> None:
    account = sandbox.fund_account()
    sandbox.control("faults", {"kind": "5xx_before", "count": 13})
    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(lambda n: sandbox.call("POST", "/v1/payouts", wish(account, 100), f"many-{n}")[0], range(40)))
    assert statuses == {200: 27, 500: 13}


# The process ----------------------------------------------------------------------------------------------------------


def test_the_official_client_drives_it(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    base = f"http://127.0.0.1:{sandbox.port}"
    client = razorpay.Client(auth=(DEFAULT_KEY_ID, DEFAULT_KEY_SECRET), base_url=base)
    try:
        account = sandbox.fund_account()
        headers = {"X-Payout-Idempotency": "sdk-key"}
        made = client.post("/v1/payouts", wish(account), headers=headers, timeout=5)
        assert client.get(f"/v1/payouts/{made['id']}", {}, timeout=5)["status"] == "processing"
        with pytest.raises(razorpay.errors.BadRequestError, match="Different request body"):
            client.post("/v1/payouts", wish(account, 200), headers={"X-Payout-Idempotency": "sdk-key"}, timeout=5)
    finally:
        client.session.close()


def test_a_killed_provider_remembers_every_payout_it_confirmed_and_delivers_the_rest(
    sandbox: Sandbox, urls: Any, role: str, hook: Hook
) -> None:
    account = sandbox.fund_account()
    victim = Sandbox(urls.app, role, hook.port)
    confirmed: dict[str, str] = {}
    for generation in range(3):
        victim.start()
        deadly = threading.Timer(0.4, victim.end, (signal.SIGKILL,))
        deadly.start()

        def pay(number: int, generation: int = generation) -> None:
            key = f"kill-{generation}-{number}"
            try:
                confirmed[key] = victim.pay(account, 100, key=key)["id"]
            except (http.client.HTTPException, ConnectionError):
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(pay, range(400)))
        deadly.join()
    victim.start()
    try:
        assert confirmed
        for key, payout_id in confirmed.items():
            assert victim.pay(account, 100, key=key)["id"] == payout_id
        assert victim.settle()["settled"] is True
        victim.audit()
        for payout_id in confirmed.values():
            assert {"processing", "processed"} <= set(hook.statuses(payout_id))
    finally:
        assert victim.end() == 0


def test_a_restart_remembers_switches_clock_and_waiting_faults(sandbox: Sandbox, urls: Any, role: str, hook: Hook) -> None:
    sandbox.control("settings", {"delay_seconds": 77})
    sandbox.control("clock", {"fixed": "2026-03-10T07:00:00+00:00"})
    sandbox.control("faults", {"kind": "429", "count": 3})
    other = Sandbox(urls.app, role, hook.port)
    other.start()
    try:
        assert other.control("settings")["delay_seconds"] == 77
        assert other.control("clock")["fixed"] == "2026-03-10T07:00:00+00:00"
        assert other.control("faults")["waiting"][0]["remaining"] == 3
    finally:
        assert other.end() == 0


def test_a_busy_port_is_a_clear_error(sandbox: Sandbox, urls: Any) -> None:
    command = [sys.executable, "-m", "pipeline.payouts.sandbox", "--port", str(sandbox.port)]
    env = {**os.environ, "DATABASE_URL": urls.app}
    done = subprocess.run(command, check=False, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "cannot listen on 127.0.0.1" in done.stderr


def test_it_imports_nothing_of_ours() -> None:
    code = (
        "import pkgutil, sys, importlib, pipeline.payouts.sandbox as s\n"
        "[importlib.import_module(m.name) for m in pkgutil.iter_modules(s.__path__, s.__name__ + '.') if not m.name.endswith('__main__')]\n"
        "import pipeline.payouts.sandbox.__main__\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('pipeline', 'queries', 'dashboard') "
        "and m not in ('pipeline', 'pipeline.payouts') and not m.startswith('pipeline.payouts.sandbox')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"


def test_a_database_that_goes_away_is_a_500_that_the_same_key_heals(sandbox: Sandbox, urls: Any, hook: Hook) -> None:
    account = sandbox.fund_account()
    sandbox.control("settings", {"delay_seconds": 0, "webhooks": "auto"})
    everyone = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sdcrs-sandbox' AND datname = current_database()"
    )
    with psycopg.connect(urls.app.replace("postgresql+psycopg:", "postgresql:"), autocommit=True) as conn:
        seen = Counter[int]()
        for number in range(60):
            if number % 20 == 10:
                conn.execute(everyone)
            status, answer = sandbox.call("POST", "/v1/payouts", wish(account, 100), f"outage-{number}")
            seen[status] += 1
            if status != 200:
                assert (status, answer["error"]["code"]) == (500, "SERVER_ERROR")
            assert sandbox.pay(account, 100, key=f"outage-{number}")["amount"] == 100
    assert seen[200] >= 50
    wait_until(lambda: hook.events().count("payout.processed") >= 60)
    assert sandbox.good("GET", LIST + "&count=100")["count"] == 60
    sandbox.audit()


def test_the_control_surface_wants_json_and_says_what_is_wrong(sandbox: Sandbox) -> None:
    assert sandbox.raw("POST", "/_sandbox/reset", b"", {})[0] == 415
    assert sandbox.call("GET", "/_sandbox/nothing")[0] == 404
    assert sandbox.good("GET", "/_sandbox/settings?life=manual")["life"] == "auto"  # a link changes nothing
    for path, body in (
        ("settings", {"colour": 1}),
        ("settings", {"life": "slow"}),
        ("settings", {"delay_seconds": -1}),
        ("settings", {"fee_paise": 1.5}),
        ("settings", {"events": ["payout.eaten"]}),
        ("faults", {"kind": "rain"}),
        ("faults", {"kind": "429", "count": 0}),
        ("faults", {"kind": "webhook_lost", "operation": "payout.create"}),
        ("funds", {"amount_paise": 0}),
        ("balance", {"amount_paise": -1}),
        ("settle", {"delay": 5}),
        ("webhooks/redeliver", {}),
    ):
        status, answer = sandbox.call("POST", f"/_sandbox/{path}", body)
        assert (status, bool(answer["error"])) == (400, True), (path, body)
