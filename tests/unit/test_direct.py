"""The short way to a route takes exactly the requests that need nothing found out; all others go on to the router."""

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, Depends, Request, Response
from starlette.types import Receive, Scope, Send

from pipeline.api import files, reports, tracking
from pipeline.api.direct import Direct

ROUTER = APIRouter(prefix="/room")


@ROUTER.post("/plain")
async def plain(request: Request) -> Response:
    return Response(f"{request.method} {request.scope['route'].path}")


@ROUTER.get("/by/{name}")
async def by_name(request: Request) -> Response:
    return Response("by name")


@ROUTER.get("/asks")
async def asks(request: Request, word: str) -> Response:
    return Response(word)


@ROUTER.get("/depends", dependencies=[Depends(by_name)])
async def depends(request: Request) -> Response:
    return Response("depends")


def answer(method: str, path: str) -> str:
    """What is answered; "router" where the request was passed on."""
    sent: list[Any] = []

    async def router(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("router")(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    asyncio.run(Direct(router, [ROUTER])(scope, receive, send))
    return b"".join(message.get("body", b"") for message in sent).decode()


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/room/plain", "POST /room/plain"),
        ("GET", "/room/plain", "router"),
        ("POST", "/room/plain/", "router"),
        ("GET", "/room/by/somebody", "router"),
        ("GET", "/room/by/{name}", "router"),
        ("GET", "/room/asks", "router"),
        ("GET", "/room/depends", "router"),
        ("GET", "/nowhere", "router"),
    ],
)
def test_only_a_plain_route_is_answered_without_the_router(method: str, path: str, expected: str) -> None:
    assert answer(method, path) == expected


def test_what_is_asked_most_goes_the_short_way() -> None:
    direct = Direct(Response(), [reports.router, tracking.router, files.router])
    prefix = "/sdcrs-services/v1/report"
    assert {("POST", f"{prefix}/_search"), ("POST", f"{prefix}/_track"), ("PUT", f"{prefix}/_update")} <= direct._routes.keys()
    assert not any("{" in path for _, path in direct._routes)
