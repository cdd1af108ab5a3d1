"""The app of an API process: its routers, opened over one runtime. `python -m pipeline.api` serves it."""

import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pipeline import logs
from pipeline.access.passwords import CONCURRENT_HASHES
from pipeline.api import (
    boundary,
    files,
    fraud,
    health,
    identity_authentication,
    identity_credentials,
    identity_datashare,
    identity_websub,
    openapi,
    own_data,
    payouts,
    registrations,
    reports,
    sso,
    tracking,
    users,
    webhook,
    workflow,
)
from pipeline.api.answers import internal_error, refused
from pipeline.api.call import Parts
from pipeline.api.counters import MEMORY
from pipeline.api.direct import Direct
from pipeline.api.gate import MAX_WAIT_S, Gate
from pipeline.api.rates import Rates
from pipeline.api.serving import call_of
from pipeline.errors import AppError
from pipeline.filestore import pool
from pipeline.reports.intake import Intake
from pipeline.runtime import Runtime, open_runtime
from pipeline.settings import Settings, load

LOGGER = logging.getLogger(__name__)

THREADS = 8  # more only take turns: one process has one interpreter lock, and the database two cores
SPARE_CONNECTIONS = 2  # master data is looked at again, and numbers are taken, beside a request's own transaction
SIGN_IN_WAIT_S = 10.0  # a school's teachers sign in when the day begins; each hash takes a tenth of a second
SIGN_INS_WAITING = 128
UPLOAD_WAIT_S = 10.0  # who has sent megabytes rather waits than sends them again
UPLOADS_WAITING = 32  # their photos lie on the disk, not in memory, until their turn
COUNTERS = "rates.sqlite"  # in the data folder: what all processes of this machine count in
POOL_SIZE = THREADS + CONCURRENT_HASHES + SPARE_CONNECTIONS + pool.MOST

# How long a thread that computes may keep the interpreter from the others. Python's own 5 ms are longer than most answers take,
# and an answer asks for the interpreter again after each of its statements.
TURN_S = 0.0005

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(settings: Settings | None = None) -> FastAPI:
    """The app of a process of its own: settings from the environment, the database opened at the start and closed at the end."""
    chosen = settings or load()
    logs.set_up(as_json=chosen.log_json)
    sys.setswitchinterval(TURN_S)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with open_runtime(chosen, pool_size=POOL_SIZE, say=LOGGER.info) as rt:
            async with _serving(app, rt, counted_at=chosen.data_dir / COUNTERS):
                gc.collect()
                gc.freeze()  # boundaries and models live as long as we do: collections need not walk them, which costs a tenth of a second
                yield

    return _app(lifespan)


def build(rt: Runtime, threads: int = THREADS, max_wait_s: float = MAX_WAIT_S) -> FastAPI:
    """The app over a runtime that is already open, for tests and benches; close the runtime after the app."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _serving(app, rt, threads, max_wait_s):
            yield

    return _app(lifespan)


@asynccontextmanager
async def _serving(
    app: FastAPI, rt: Runtime, threads: int = THREADS, max_wait_s: float = MAX_WAIT_S, counted_at: Path | str = MEMORY
) -> AsyncIterator[None]:
    sign_in = Gate(CONCURRENT_HASHES, "sign-in", SIGN_IN_WAIT_S, SIGN_INS_WAITING)
    photos = pool.PhotoPool(max(pool.cores() // rt.settings.api_processes, 1))
    uploads = Gate(photos.processes, "upload", UPLOAD_WAIT_S, UPLOADS_WAITING)
    parts = Parts(rt, Intake(rt), Gate(threads, "api", max_wait_s), sign_in, Rates(counted_at), uploads, photos)
    rt.masterdata.current()  # the first request should not wait for it
    app.state.parts = parts
    try:
        yield
    finally:
        parts.gate.close()
        parts.sign_in_gate.close()
        parts.upload_gate.close()
        parts.photos.close()
        parts.rates.close()


def _app(lifespan: Lifespan) -> FastAPI:
    app = FastAPI(
        title="SDCRS",
        version="1",
        description=openapi.DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,  # a path is right or it is not
        docs_url=None,  # its page fetches scripts from elsewhere
        redoc_url=None,
        exception_handlers={HTTPException: _no_route, Exception: _fault},
    )
    ours = (reports, tracking, files, users, sso, own_data, workflow, boundary, fraud, payouts, webhook, health)
    identity = (registrations, identity_credentials, identity_datashare, identity_websub, identity_authentication)
    rooms = [room.router for room in (*ours, *identity)]
    for router in rooms:
        app.include_router(router)
    app.add_middleware(Direct, rooms=rooms)
    app.openapi = lambda: openapi.schema(app)  # type: ignore[method-assign]
    return app


async def _no_route(request: Request, error: Exception) -> Response:
    """Unknown paths and methods in the error shape."""
    call = call_of(request)
    path = call.path[:200]
    if isinstance(error, HTTPException) and error.status_code == 405:
        answer = refused(call, [AppError("SDCRS_METHOD_NOT_ALLOWED", method=call.method, path=path)])
        answer.headers.update(error.headers or {})
        return answer
    if isinstance(error, HTTPException) and error.status_code != 404:
        return refused(call, [AppError("SDCRS_INVALID_REQUEST", field="body", detail="cannot be read")])
    return refused(call, [AppError("SDCRS_UNKNOWN_PATH", path=path)])


async def _fault(request: Request, error: Exception) -> Response:
    """What went wrong outside a room's function."""
    return refused(call_of(request), [internal_error(error)])
