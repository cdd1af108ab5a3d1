"""Answers as bytes: a body, or the errors of the registry in their one shape."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import errors as pg
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from starlette.responses import Response

from pipeline.api.call import Call
from pipeline.api.envelope import errors_body, is_identity
from pipeline.errors import AppError
from pipeline.logs import of_request
from pipeline.packets.contracts.common import error_body, response_info

LOGGER = logging.getLogger(__name__)

RETRY_AFTER_S = 2
STEPS_LOGGED = 12  # of a trace: the deepest tell where it was

# Answers hold what one caller may see: nobody keeps them, and no browser takes them for anything but JSON.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Work = Callable[[Call], Response]


class Refusals(Exception):  # noqa: N818 - several errors of one request, which is refused as a whole
    """The errors of the items that stopped a request; its status is the first one's."""

    def __init__(self, errors: Sequence[AppError]) -> None:
        super().__init__(", ".join(error.code for error in errors))
        self.errors = tuple(errors)


def ok(call: Call, content: Mapping[str, Any], status: int = 200) -> Response:
    """A successful answer with its ResponseInfo."""
    message_id = str(call.correlation_id)
    body = {"ResponseInfo": response_info(call.info, call.now, message_id), **content}
    return Response(_json(body), status, {**HEADERS, "X-Correlation-Id": message_id}, "application/json")


def refused(call: Call, errors: Sequence[AppError]) -> Response:
    """The errors in the order found; the status is the first one's."""
    message_id = str(call.correlation_id)
    ours = is_identity(call.path)
    body = errors_body(call.path[:200], call.now, errors) if ours else error_body(errors, call.info, call.now, message_id)
    return Response(_json(body), errors[0].status, {**_headers(errors[0]), "X-Correlation-Id": message_id}, "application/json")


def carry_out(work: Work, call: Call) -> Response:
    """The answer of a room's function, whatever happens in it; runs in a thread of the gate."""
    with of_request(str(call.correlation_id)):
        begun = time.monotonic()
        answer = _carried_out(work, call)
        if call.rt.settings.log_json:
            took_ms = round((time.monotonic() - begun) * 1000, 1)
            LOGGER.info("request", extra={"method": call.method, "route": call.route, "status": answer.status_code, "tookMs": took_ms})
        return answer


def _carried_out(work: Work, call: Call) -> Response:
    try:
        return work(call)
    except AppError as error:
        return refused(call, [error])
    except Refusals as several:
        return refused(call, several.errors)
    except (DBAPIError, psycopg.Error) as error:
        return refused(call, [database_error(error)])
    except Exception as error:  # noqa: BLE001 - the edge: logged with its reference, and answered
        return refused(call, [internal_error(error)])


def database_error(error: DBAPIError | psycopg.Error) -> AppError:
    """What a client is told when a statement fails: come again when it was a lock or a lost server, else our own fault."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, pg.QueryCanceled | pg.LockNotAvailable | pg.DeadlockDetected | pg.SerializationFailure):
        LOGGER.warning("Database gave way: %s", type(cause).__name__)
        return AppError("SDCRS_BUSY", retryAfterSeconds=RETRY_AFTER_S)
    if isinstance(cause, psycopg.OperationalError):
        LOGGER.warning("Database lost: %s", type(cause).__name__)
        return AppError("SDCRS_DATABASE_DOWN")
    return internal_error(error)


def internal_error(error: BaseException) -> AppError:
    """Log a fault of ours under a reference and return the error that names it.

    Its kind and place are logged and never its message, which may hold persons' values.
    """
    reference = uuid4().hex[:12]
    cause = error.orig if isinstance(error, DBAPIError) else error
    kind = type(cause).__name__
    if isinstance(cause, psycopg.Error):
        kind += f" {cause.sqlstate} {cause.diag.constraint_name}"
    steps = traceback.extract_tb(error.__traceback__)[-STEPS_LOGGED:]
    where = " < ".join(f"{step.filename.rpartition('/')[2]}:{step.lineno} {step.name}" for step in reversed(steps))
    LOGGER.error("Fault %s: %s at %s", reference, kind, where)
    return AppError("SDCRS_INTERNAL", reference=reference)


def _headers(error: AppError) -> dict[str, str]:
    headers = dict(HEADERS)
    if error.status in {429, 503}:
        headers["Retry-After"] = str(error.params.get("retryAfterSeconds", RETRY_AFTER_S))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def _json(body: Mapping[str, Any]) -> bytes:
    return to_json(body)  # the library's own took a tenth of the threads' time, during which nobody else has the interpreter
