"""From a Starlette request to a call in a thread: the size is capped before anything is parsed."""

import asyncio
import re
from collections.abc import AsyncGenerator
from functools import partial
from typing import cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.api.answers import Work, carry_out, refused
from pipeline.api.call import Call, Parts
from pipeline.api.gate import Gate
from pipeline.errors import AppError

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")

MAX_JSON_BYTES = 1024 * 1024  # a hundred updates with all their remarks are a quarter of it
MAX_READ_S = 30.0  # for a slow phone's body; who takes longer holds a socket and nothing else


def parts_of(request: Request) -> Parts:
    """The parts of the running process."""
    return cast(Parts, request.app.state.parts)


async def serve(request: Request, work: Work, max_bytes: int = MAX_JSON_BYTES, gate: Gate | None = None) -> Response:
    """Read the body and carry out `work` in a thread; every failure is answered in the error shape."""
    parts = parts_of(request)
    call = call_of(request)
    try:
        admit(call)
        call.raw = await read_body(request, max_bytes)
        return await (gate or parts.gate).run(partial(carry_out, work, call))
    except AppError as error:
        return refused(call, [error])
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is there to read it


def admit(call: Call) -> None:
    """Count a request before anything of it is read. Raises SDCRS_TOO_MANY_REQUESTS."""
    call.parts.rates.check(call.path, call.client, call.header_token or "")


def call_of(request: Request) -> Call:
    """The request without its body."""
    parts = parts_of(request)
    return Call(
        parts=parts,
        method=request.method,
        path=str(request.scope["path"]),
        route=str(getattr(request.scope.get("route"), "path", "unknown")),
        headers=request.headers,
        query=request.query_params,
        path_params=request.path_params,
        cookies=request.cookies,
        raw=b"",
        client=request.client.host if request.client else "unknown",
        base_url=_base_url(request),
        now=parts.rt.clock.now(),
    )


def _base_url(request: Request) -> str:
    """The address that the client used, or where we listen when what it says of that is no host."""
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else str(name)
    return f"{request.scope.get('scheme', 'http')}://{host}"


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The whole body. Raises SDCRS_BODY_TOO_LARGE as soon as it is known to be."""
    chunks = [chunk async for chunk in capped(request, max_bytes)]
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def capped(request: Request, max_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body piece by piece, no more than `max_bytes` in all. Raises SDCRS_BODY_TOO_LARGE."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:12]) > max_bytes:
        raise AppError("SDCRS_BODY_TOO_LARGE", maxBytes=max_bytes)
    size = 0
    deadline = asyncio.get_running_loop().time() + MAX_READ_S
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise ClientDisconnect from error
        if chunk is None:
            return
        size += len(chunk)
        if size > max_bytes:
            raise AppError("SDCRS_BODY_TOO_LARGE", maxBytes=max_bytes)
        if chunk:
            yield chunk
