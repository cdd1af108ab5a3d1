"""The HTTP edge of the sandbox: routes, authentication, limits, and the faults that happen to a request on its way.

Async only where the wire is: handlers are plain functions on a few threads.
"""

import asyncio
import base64
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline.payouts.sandbox import control, faults, life, parties, payouts, refusals, rules, shapes, statement
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.courier import Courier
from pipeline.payouts.sandbox.faults import Fault
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Reply, Request
from pipeline.payouts.sandbox.wire import CUT

Handler = Callable[[Box, Request], Reply]
CONTROL = "/_sandbox/"
CONTROL_THREADS = 2  # a long settle must not stop someone from asking for the status
BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
REFUSALS = {
    "429": refusals.throttled,
    "unauthorized": refusals.unauthorized,
    "ip_refused": refusals.ip_refused,
    "5xx_before": refusals.trouble,
}


@dataclass(frozen=True)
class Route:
    """An endpoint of the provider. Its operation is what faults name."""

    method: str
    path: re.Pattern[str]
    operation: str
    handler: Handler


def _route(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(method, re.compile(path.replace("{id}", r"(?P<id>[^/]+)")), operation, handler)


# Read from the top: `validations` before `{id}`.
ROUTES = (
    _route("POST", "/v1/payouts", "payout.create", payouts.create),
    _route("GET", "/v1/payouts", "payout.list", payouts.listed),
    _route("GET", "/v1/payouts/{id}", "payout.get", payouts.get),
    _route("POST", "/v1/payouts/{id}/cancel", "payout.cancel", payouts.cancel),
    _route("PATCH", "/v1/payouts/{id}/cancel", "payout.cancel", payouts.cancel),  # one page of the documentation says PATCH
    _route("POST", "/v1/contacts", "contact.create", parties.create_contact),
    _route("GET", "/v1/contacts", "contact.list", parties.list_contacts),
    _route("GET", "/v1/contacts/{id}", "contact.get", parties.get_contact),
    _route("PATCH", "/v1/contacts/{id}", "contact.update", parties.update_contact),
    _route("POST", "/v1/fund_accounts/validations", "validation.create", parties.create_validation),
    _route("GET", "/v1/fund_accounts/validations", "validation.list", parties.list_validations),
    _route("GET", "/v1/fund_accounts/validations/{id}", "validation.get", parties.get_validation),
    _route("POST", "/v1/fund_accounts", "fund_account.create", parties.create_fund_account),
    _route("GET", "/v1/fund_accounts", "fund_account.list", parties.list_fund_accounts),
    _route("GET", "/v1/fund_accounts/{id}", "fund_account.get", parties.get_fund_account),
    _route("PATCH", "/v1/fund_accounts/{id}", "fund_account.update", parties.update_fund_account),
    _route("GET", "/v1/transactions", "transaction.list", statement.listed),
    _route("GET", "/v1/transactions/{id}", "transaction.get", statement.get),
    _route("GET", "/v1/banking_balances", "balance.list", statement.balances),
)


class Bucket:
    """A token bucket: so many requests a second, and no more than a second's worth at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = 0.0
        self._at = 0.0
        self._rate = 0

    def take(self, rate: int) -> bool:
        """Whether one more request is within `rate` a second; 0 means without limit."""
        if rate <= 0:
            return True
        with self._lock:
            now = time.monotonic()
            if rate != self._rate:
                self._rate, self._tokens, self._at = rate, float(rate), now
            self._tokens = min(float(rate), self._tokens + (now - self._at) * rate)
            self._at = now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


class App:
    """The ASGI application."""

    def __init__(self, box: Box, courier: Courier, report: Callable[[str, Exception], None]) -> None:
        self._box, self._courier, self._report = box, courier, report
        self._bucket = Bucket()
        self._workers = ThreadPoolExecutor(box.config.threads, thread_name_prefix="request")
        self._controllers = ThreadPoolExecutor(CONTROL_THREADS, thread_name_prefix="control")
        pair = f"{box.config.key_id}:{box.config.key_secret}".encode()
        self._credentials = base64.b64encode(pair)

    def close(self) -> None:
        self._workers.shutdown(wait=True)
        self._controllers.shutdown(wait=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        http = HttpRequest(scope, receive)
        try:
            raw = await _body(http)
            if scope["path"].startswith(CONTROL):
                await self._control(http, raw, send)
            else:
                await self._serve(http, raw, send)
        except ClientDisconnect:
            return  # the client is gone, and nothing was begun
        except RefusedError as refusal:
            await _send(http, send, Reply(shapes.encode(refusal.body), refusal.status))

    async def _serve(self, http: HttpRequest, raw: bytes, send: Send) -> None:
        """Authenticate, find the route, meet the fault if one waits, answer."""
        if not self._authentic(http.headers.get("authorization", "")):
            raise refusals.unauthorized()
        path = http.scope["path"].rstrip("/")
        for route in ROUTES:
            match = route.path.fullmatch(path) if route.method == http.method else None
            if match:
                break
        else:
            raise refusals.bad_url()
        if route.operation == "payout.create" and not self._bucket.take(self._box.switches.rate_limit_tps):
            raise refusals.throttled()
        pairs = parse_qsl(http.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        request = Request(
            raw=raw,
            query={name: value for name, value in pairs if name != "expand[]"},
            expand=tuple(value for name, value in pairs if name == "expand[]"),
            path=match.groupdict(),
            key=http.headers.get("x-payout-idempotency"),
        )
        fault = None
        if self._box.faults.waiting(route.operation):
            fault = await self._run(self._meet, route.operation, request)
        if fault is None:
            await _send(http, send, await self._run(self._handle, route.handler, request))
        else:
            await self._spoil(fault, route, request, http, send)

    def _authentic(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        return scheme.lower() == "basic" and hmac.compare_digest(given.strip().encode(), self._credentials)

    async def _run(self, work: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *args)

    def _meet(self, operation: str, request: Request) -> Fault | None:
        """The fault for this request, counted down."""
        reference = request.query.get("reference_id")
        if reference is None and request.raw:
            try:
                body = json.loads(request.raw)
            except ValueError:
                body = None
            named = body.get("reference_id") if isinstance(body, dict) else None
            reference = named if isinstance(named, str) else None
        return self._box.faults.take(self._box.engine, operation, reference, request.key, self._box.now())

    def _handle(self, handler: Handler, request: Request) -> Reply:
        """Carry the request out. A refusal is an answer; a database that fails is the provider's trouble."""
        try:
            return handler(self._box, request)
        except RefusedError as refusal:
            return Reply(shapes.encode(refusal.body), refusal.status)
        except (DBAPIError, PoolTimeout) as error:
            self._report("request", error)
            trouble = refusals.trouble()
            return Reply(shapes.encode(trouble.body), trouble.status)

    async def _spoil(self, fault: Fault, route: Route, request: Request, http: HttpRequest, send: Send) -> None:
        """Let the fault happen to the request."""
        kind = fault.kind
        if kind in faults.NOT_DONE:
            if kind == "delayed_commit":
                await self._run(life.delay_commit, self._box, request, fault.seconds)
            await _without_doing(kind, http, send)
            return
        reply: Reply = await self._run(self._handle, route.handler, request)
        if kind == "drop_after_commit":
            await _cut(http)
        elif kind == "5xx_after":
            raise refusals.trouble()
        elif kind == "html_502":
            await _send(http, send, Reply(BAD_GATEWAY, 502), "text/html")
        elif kind == "truncated_200":
            await _send(http, send, Reply(reply.raw[: len(reply.raw) // 2], reply.status))
        elif kind == "cut_200":
            await _cut_in_the_middle(send, reply)
        else:  # slow
            await asyncio.sleep(fault.seconds)
            await _send(http, send, reply)

    async def _control(self, http: HttpRequest, raw: bytes, send: Send) -> None:
        """The control surface. A write needs JSON, which no foreign web page can post here unasked."""
        if http.method != "GET" and not http.headers.get("content-type", "").startswith("application/json"):
            await _send(http, send, Reply(b'{"error":"send Content-Type: application/json"}', 415))
            return
        query = dict(parse_qsl(http.scope["query_string"].decode("latin-1")))
        path = http.scope["path"][len(CONTROL) :].rstrip("/")
        loop = asyncio.get_running_loop()
        try:
            reply = await loop.run_in_executor(self._controllers, control.handle, self._box, self._courier, http.method, path, query, raw)
        except (DBAPIError, PoolTimeout) as error:
            self._report("control", error)
            reply = Reply(shapes.encode({"error": "the database does not answer"}), 503)
        await _send(http, send, reply)


async def _body(http: HttpRequest) -> bytes:
    """The whole body. Raises RefusedError when it is longer than any lawful one."""
    chunks, size = [], 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > rules.BODY_MAX_BYTES:
            raise RefusedError(refusals.BAD_JSON)
        chunks.append(chunk)
    return b"".join(chunks)


async def _send(http: HttpRequest, send: Send, reply: Reply, kind: str = "application/json") -> None:
    await Response(reply.raw, reply.status, media_type=kind)(http.scope, http.receive, send)


async def _without_doing(kind: str, http: HttpRequest, send: Send) -> None:
    """The answers, or the silence, of a request that was not carried out."""
    if kind in REFUSALS:
        refused = REFUSALS[kind]()
        raise refused
    if kind == "html_502_before":
        await _send(http, send, Reply(BAD_GATEWAY, 502), "text/html")
    else:
        await _cut(http)


async def _cut(http: HttpRequest) -> None:
    """Reset the connection without a byte of answer."""
    http.scope["extensions"][CUT]["abort"]()
    while (await http.receive())["type"] != "http.disconnect":
        pass


async def _cut_in_the_middle(send: Send, reply: Reply) -> None:
    """Promise the whole answer, send half of it, close."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(reply.raw)).encode())]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.raw[: len(reply.raw) // 2], "more_body": True})
    # the server closes the connection because the answer stays incomplete
