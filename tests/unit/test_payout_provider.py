"""Answers of the provider as types: only a certain refusal counts as one; all else is unknown, or a pause for everybody."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.errors import AppError
from pipeline.payouts import provider as room
from pipeline.payouts.answers import Accepted, Paused, Refused, Reply, Unknown, judge
from pipeline.payouts.compared import Window
from pipeline.payouts.provider import Ambiguous, Lines, NoneFound, Paid, Provider, Target, target_of
from pipeline.payouts.provider_state import pause_s
from pipeline.payouts.sandbox import config as theirs
from pipeline.payouts.sandbox import refusals
from pipeline.payouts.sources import pull_payouts, pull_statement
from pipeline.payouts.throttle import Throttle
from pipeline.settings import load


def error(description: str, code: str = "BAD_REQUEST_ERROR", reason: str | None = None, field: str | None = None) -> bytes:
    return json.dumps({"error": {"code": code, "description": description, "reason": reason, "field": field}}).encode()


ANSWERS = [
    (200, b'{"id":"pout_1"}', Accepted, None),
    (200, b'{"id":"pou', Unknown, "UNREADABLE_ANSWER"),
    (200, b"[]", Unknown, "UNREADABLE_ANSWER"),
    (200, b"<html>", Unknown, "UNREADABLE_ANSWER"),
    (204, b"", Unknown, "UNREADABLE_ANSWER"),
    (302, b"", Unknown, "SERVER_ERROR"),
    (400, error("The id provided does not exist"), Refused, None),
    (400, error("Different request body sent for the same Idempotency Header."), Unknown, "KEY_REUSED"),
    (400, error("Transactions from this IP are not allowed. Contact support for help."), Paused, "IP_REFUSED"),
    (400, error("The requested URL was not found on the server."), Paused, "NOT_ENABLED"),
    (400, error("The RazorpayX Account number is invalid."), Paused, "WRONG_ACCOUNT"),
    (400, b"<html>Bad Request</html>", Unknown, "UNREADABLE_ANSWER"),
    (400, b'{"error":null}', Unknown, "UNREADABLE_ANSWER"),
    (400, error("?", "GATEWAY_ERROR"), Unknown, "UNREADABLE_ANSWER"),
    (401, error("Authentication failed"), Paused, "UNAUTHORISED"),
    (404, b"not found", Unknown, "UNREADABLE_ANSWER"),
    (408, error("slow"), Unknown, "IN_PROGRESS"),
    (409, error("in progress"), Unknown, "IN_PROGRESS"),
    (429, b'{"message":"slow down"}', Paused, "THROTTLED"),
    (500, error("We are facing some trouble", "SERVER_ERROR"), Unknown, "SERVER_ERROR"),
    (502, b"<html>", Unknown, "SERVER_ERROR"),
    (503, error("The id provided does not exist"), Unknown, "SERVER_ERROR"),
]


@pytest.mark.parametrize(("status", "body", "kind", "why"), ANSWERS)
def test_what_an_answer_means(status: int, body: bytes, kind: type, why: str | None) -> None:
    answer = judge(Reply(status, {}, body))
    assert type(answer) is kind
    assert getattr(answer, "why", None) == why


def test_every_sentence_of_the_sandbox_about_ourselves_pauses_the_queue() -> None:
    for refusal in (refusals.bad_url(), refusals.unauthorized(), refusals.throttled(), refusals.key_missing(), refusals.ip_refused()):
        assert isinstance(judge(Reply(refusal.status, {}, json.dumps(refusal.body).encode())), Paused), refusal


def test_a_refusal_keeps_reason_and_field_but_not_the_text_null() -> None:
    said = judge(Reply(400, {}, error("Invalid VPA", reason="null", field="vpa.address")))
    assert isinstance(said, Refused)
    assert (said.reason, said.field, said.description) == (None, "vpa.address", "Invalid VPA")


def test_a_wish_to_wait_is_heard_up_to_ten_minutes() -> None:
    for header, wait in (("7", 7.0), ("86400", 600.0), ("soon", None)):
        answer = judge(Reply(429, {"retry-after": header}, b""))
        assert isinstance(answer, Paused)
        assert answer.wait_s == wait


def test_pauses_grow_to_a_minute_and_our_own_faults_wait_for_a_person() -> None:
    assert [pause_s("SERVER_ERROR", pauses, None) for pauses in (0, 1, 2, 5, 6, 50)] == [1, 2, 4, 32, 60, 60]
    assert pause_s("UNAUTHORISED", 0, None) == 300
    assert pause_s("THROTTLED", 0, 30) == 30


def test_our_idea_of_the_sandbox_is_the_sandboxs_own() -> None:
    target = target_of(load({}))
    assert (target.base_url, target.sandboxed) == ("http://127.0.0.1:8503", True)
    assert target.key_id == theirs.DEFAULT_KEY_ID
    assert target.key_secret == theirs.DEFAULT_KEY_SECRET
    assert target.account_number == theirs.DEFAULT_ACCOUNT_NUMBER
    assert target.webhook_secrets == (theirs.DEFAULT_WEBHOOK_SECRET,)


def test_with_a_key_the_real_provider_is_meant() -> None:
    real = target_of(
        load(
            {
                "RAZORPAYX_KEY_ID": "rzp_live_x",
                "RAZORPAYX_KEY_SECRET": "s",
                "RAZORPAYX_ACCOUNT_NUMBER": "1",
                "RAZORPAYX_WEBHOOK_SECRET": "new old",
            }
        )
    )
    assert (real.base_url, real.webhook_secrets, real.sandboxed) == ("https://api.razorpay.com", ("new", "old"), False)


PAYOUT = {
    "id": "pout_00000000000001",
    "entity": "payout",
    "fund_account_id": "fa_00000000000001",
    "amount": 50_000,
    "currency": "INR",
    "notes": [],
    "fees": 0,
    "tax": 0,
    "status": "processing",
    "utr": None,
    "mode": "UPI",
    "purpose": "payout",
    "reference_id": "SDCRS-1",
    "status_details": None,
    "created_at": 1_773_126_000,
    "a_new_key_of_theirs": {"x": 1},
}


@contextmanager
def answering(status: int, body: bytes, cut: int | None = None) -> Iterator[tuple[Provider, list[tuple[str, dict[str, str], bytes]]]]:
    """A server that gives one answer to everything, and what it was asked. `cut`: bytes of the body after which it hangs up."""
    asked: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append((f"{self.command} {self.path}", {k.lower(): v for k, v in self.headers.items()}, raw))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if cut is None else body[:cut])
            if cut is not None:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    provider = Provider(Target(f"http://127.0.0.1:{server.server_port}", "key", "secret", "7878780080316316", (), True))
    try:
        yield provider, asked
    finally:
        provider.close()
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_order_goes_out_to_the_byte_with_key_and_password(capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"reference_id":"SDCRS-1",  "amount": 50000}'
    with answering(200, json.dumps(PAYOUT).encode()) as (provider, asked):
        paid = provider.create_payout(body, "SDCRS-1", "SDCRS-1")
    assert isinstance(paid, Paid)
    assert (paid.payout.id, paid.body["a_new_key_of_theirs"]) == ("pout_00000000000001", {"x": 1})
    ((line, headers, raw),) = asked
    assert (line, raw) == ("POST /v1/payouts", body)
    assert headers["x-payout-idempotency"] == "SDCRS-1"
    assert headers["authorization"] == "Basic a2V5OnNlY3JldA=="
    assert headers["content-type"] == "application/json"
    assert capsys.readouterr().out == "", "the package's own messages stay out of the log"


def test_a_payout_of_another_reference_is_no_answer() -> None:
    with answering(200, json.dumps(PAYOUT).encode()) as (provider, _):
        assert provider.create_payout(b"{}", "SDCRS-2", "SDCRS-2") == Unknown("UNREADABLE_ANSWER", 200)


def test_a_cut_answer_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(200, json.dumps(PAYOUT).encode(), cut=20) as (provider, _):
        assert provider.create_payout(b"{}", "SDCRS-1", "SDCRS-1") == Unknown("BROKEN_CONNECTION")
    assert capsys.readouterr().out == ""


def test_nobody_listening_is_certainly_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    provider = Provider(Target(f"http://127.0.0.1:{port}", "k", "s", "1", (), True))
    assert provider.create_payout(b"{}", "SDCRS-1", "SDCRS-1") == Paused("UNREACHABLE")
    provider.close()
    assert capsys.readouterr().out == ""


def test_silence_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "READ_TIMEOUT_S", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        provider = Provider(Target(f"http://127.0.0.1:{silent.getsockname()[1]}", "k", "s", "1", (), True))
        assert provider.create_payout(b"{}", "SDCRS-1", "SDCRS-1") == Unknown("TIMEOUT")
        provider.close()


LOOK_UPS = [
    ([], NoneFound()),
    ([PAYOUT | {"reference_id": "SDCRS-10"}], NoneFound()),  # a filter that matches by prefix is not believed
    ([PAYOUT, PAYOUT | {"id": "pout_00000000000002"}], Ambiguous(("pout_00000000000001", "pout_00000000000002"))),
    ([{"id": "pout_1"}], Unknown("UNREADABLE_ANSWER")),
]


@pytest.mark.parametrize(("items", "found"), LOOK_UPS)
def test_a_look_up_tells_none_from_several_and_from_nonsense(items: list, found: object) -> None:
    with answering(200, json.dumps({"entity": "collection", "count": len(items), "items": items}).encode()) as (provider, asked):
        assert provider.find_by_reference("SDCRS-1") == found
    assert "account_number=7878780080316316" in asked[0][0]
    assert "reference_id=SDCRS-1" in asked[0][0]


def test_one_match_is_found_even_if_a_page_names_it_twice() -> None:
    with answering(200, json.dumps({"items": [PAYOUT, PAYOUT]}).encode()) as (provider, _):
        found = provider.find_by_reference("SDCRS-1")
    assert isinstance(found, Paid)


def test_pages_end_with_the_first_that_is_not_full() -> None:
    with answering(200, json.dumps({"items": [PAYOUT] * 99}).encode()) as (provider, asked):
        pages = list(pull_payouts(provider, Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))))
    assert len(pages) == len(asked) == 1
    assert "from=1772323200" in asked[0][0]


LINE = {"id": "txn_1", "entity": "transaction", "credit": 0, "debit": 50590, "balance": 949410, "created_at": 1772323200}
SOURCE = {"id": "pout_1", "entity": "payout", "amount": 50000, "fees": 590, "tax": 90, "notes": [], "utr": "606000000001"}


def test_a_statement_line_names_the_payout_that_left_or_came_back() -> None:
    back = LINE | {
        "id": "txn_2",
        "credit": 50590,
        "debit": 0,
        "source": {"id": "rvrsl_1", "entity": "reversal", "payout_id": "pout_1", "amount": 50000},
    }
    rows = [LINE | {"source": SOURCE | {"notes": {"tenant_id": "dj"}}}, back, LINE | {"id": "txn_3", "source": None}]
    with answering(200, json.dumps({"items": rows}).encode()) as (provider, asked):
        (lines,) = pull_statement(provider, Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)))
    assert [(x.payout_id, x.amount_paise, x.fees_paise, x.tenant_id) for x in lines] == [
        ("pout_1", 50000, 590, "dj"),
        ("pout_1", 50000, 0, None),
        (None, None, 0, None),
    ]
    assert "account_number=7878780080316316" in asked[0][0]


@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (200, b'{"items": [1]}'), (200, b'{"items": [{"id": "txn_1"}]}')])
def test_a_statement_that_does_not_come_or_cannot_be_read_ends_the_pull(status: int, body: bytes) -> None:
    with answering(status, body) as (provider, _), pytest.raises(AppError) as caught:
        list(pull_statement(provider, Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))))
    assert caught.value.code == "SDCRS_PROVIDER_AWAY"


def test_the_balance_is_of_our_own_account() -> None:
    items = [{"account_number": "1", "amount": 1}, {"account_number": "7878780080316316", "amount": 123}]
    with answering(200, json.dumps({"items": items}).encode()) as (provider, _):
        assert provider.balance_paise() == 123


def test_lines_answer_in_the_order_of_their_calls() -> None:
    with answering(200, json.dumps(PAYOUT).encode()) as (provider, _):
        lines = Lines(provider._target, 4)
        answers = lines.run([lambda p, n=n: (n, p.fetch_payout("pout_00000000000001")) for n in range(20)])
        assert [n for n, _ in answers] == list(range(20))
        assert all(isinstance(answer, Paid) for _, answer in answers)
        lines.close()


def test_calls_to_the_live_provider_go_out_at_an_even_pace_whichever_thread_makes_them() -> None:
    pace, began = Throttle(100), time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        ends = sorted(pool.map(lambda _: (pace.wait(), time.monotonic())[1], range(9)))
    assert ends[-1] - began >= 8 / 100
    assert ends[0] - began < 8 / 100, "the first does not wait for the others"


def test_only_the_live_provider_is_called_at_a_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[str] = []
    monkeypatch.setattr(room.throttle.live, "wait", lambda: waits.append("waited"))
    for sandboxed in (True, False):
        target = replace(target_of(load({})), base_url="http://127.0.0.1:9", sandboxed=sandboxed)
        assert Provider(target).fetch_payout("pout_1") == Paused("UNREACHABLE")
    assert waits == ["waited"]
