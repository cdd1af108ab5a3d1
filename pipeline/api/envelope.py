"""The envelope of the identity flow's endpoints: `id, version, responsetime, response, errors`, as its participants know it.

Which paths answer so is said here alone; codes and statuses of errors are those of the registry, as everywhere.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from pipeline.api.call import Call
from pipeline.errors import AppError

PREFIXES = (
    *("/registrationprocessor/", "/idrepository/", "/credentialrequest/", "/credentialservice/", "/datashare/"),
    *("/idauthentication/", "/websub/"),
)
VERSION = "v1"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def is_identity(path: str) -> bool:
    """Whether a path answers in this envelope."""
    return path.startswith(PREFIXES)


def answer(call: Call, response: Any, status: int = 200) -> Response:
    """A successful answer."""
    body = _envelope(call.path, call.now, response, [])
    return Response(to_json(body), status, {**HEADERS, "X-Correlation-Id": str(call.correlation_id)}, "application/json")


def errors_body(path: str, now: datetime, errors: Sequence[AppError]) -> Mapping[str, Any]:
    """The body of a refusal; `params` say what a client may want to compare."""
    said = [{"errorCode": error.code, "message": error.message, "params": error.params or None} for error in errors]
    return _envelope(path, now, None, said)


def _envelope(path: str, now: datetime, response: Any, errors: list[dict[str, Any]]) -> Mapping[str, Any]:
    moment = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": path.strip("/").replace("/", "."), "version": VERSION, "responsetime": moment, "response": response, "errors": errors}
