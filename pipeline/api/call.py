"""One request as the rooms' functions get it, and the parts of the process that they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from starlette.datastructures import Headers

from pipeline.access.caller import Caller
from pipeline.access.policy import Operation, check
from pipeline.access.sessions import read_session
from pipeline.api.gate import Gate
from pipeline.api.rates import Rates
from pipeline.errors import AppError
from pipeline.filestore.pool import PhotoPool
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.packets.contracts.common import RequestInfo, parse, read_json
from pipeline.reports.intake import Intake
from pipeline.reports.requests import RequestKey, request_key
from pipeline.runtime import Runtime

MAX_KEY = 200  # of an Idempotency-Key: a UUID or two, with room in the column
MAX_DEVICE = 128  # what the column takes

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801 - used like a function
    """A property computed when it is first asked for.

    The library's cached_property holds one lock for all requests while it computes (until Python 3.12), and ours read the
    database: requests would go in single file.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: object, owner: type) -> Value:
        value = self._compute(instance)
        vars(instance)[self._compute.__name__] = value  # found before this descriptor from now on
        return value


@dataclass
class Parts:
    """What one process shares between its requests."""

    rt: Runtime
    intake: Intake
    gate: Gate
    sign_in_gate: Gate  # hashing takes a core and 64 MiB; others do not wait behind it
    rates: Rates
    upload_gate: Gate  # so does measuring a photo, in a process of the pool
    photos: PhotoPool


@dataclass
class Call:
    """A request that was read whole. Threads never share one."""

    parts: Parts
    method: str
    path: str
    route: str  # as it was declared: ids in it are placeholders
    headers: Headers
    query: Mapping[str, str]
    path_params: Mapping[str, str]
    cookies: Mapping[str, str]
    raw: bytes
    client: str  # network address
    base_url: str  # scheme and host as the client named them
    now: datetime
    _info: RequestInfo | None = field(default=None)

    @property
    def rt(self) -> Runtime:
        return self.parts.rt

    @once
    def md(self) -> MasterData:
        """The master data of this request, the same to its end."""
        return self.rt.masterdata.current()

    @once
    def body(self) -> dict[str, Any]:
        """The JSON object that was sent. Raises SDCRS_INVALID_JSON, and SDCRS_INVALID_REQUEST for anything but an object."""
        value = read_json(self.raw)
        if not isinstance(value, dict):
            raise AppError("SDCRS_INVALID_REQUEST", field="body", detail="must be a JSON object")
        return value

    @property
    def info(self) -> RequestInfo | None:
        """The RequestInfo, as far as a body was parsed."""
        return self._info

    def parse(self, model: type[Model]) -> Model:
        """The body as a model. Raises SDCRS_INVALID_JSON and SDCRS_INVALID_REQUEST."""
        parsed = parse(model, self.body)
        self._info = getattr(parsed, "request_info", None)
        return parsed

    @once
    def correlation_id(self) -> UUID:
        """The X-Correlation-Id when it is a UUID, else a new one."""
        try:
            return UUID(self.headers.get("x-correlation-id", ""))
        except ValueError:
            return uuid7(self.now)

    @property
    def device_id(self) -> str | None:
        """The X-Device-Id, when it is a printable text of a sane length."""
        sent = self.headers.get("x-device-id", "").strip()
        return sent if 0 < len(sent) <= MAX_DEVICE and sent.isprintable() else None

    @property
    def public_url(self) -> str:
        """Where people reach us: API_PUBLIC_URL, else the address that this client used."""
        return self.rt.settings.api_public_url or self.base_url

    @once
    def caller(self) -> Caller:
        """Who asks, by the session row as it is now. Raises SDCRS_NOT_SIGNED_IN."""
        return read_session(self.rt, self.token)

    def allowed(self, operation: Operation) -> Caller:
        """The caller, if the operation is theirs. Raises SDCRS_NOT_SIGNED_IN and SDCRS_FORBIDDEN."""
        check(self.caller, operation)
        return self.caller

    def key(self, endpoint: str) -> RequestKey | None:
        """Under which a repetition of this request is known; None when it carries neither a key nor a message id."""
        return request_key(self.caller.account_id, endpoint, self.body, self.idempotency_key)

    @property
    def idempotency_key(self) -> str | None:
        """The Idempotency-Key that was sent. Raises SDCRS_INVALID_REQUEST for one that is too long."""
        sent = self.headers.get("idempotency-key", "").strip()
        if len(sent) > MAX_KEY:
            raise AppError("SDCRS_INVALID_REQUEST", field="Idempotency-Key", detail=f"must have at most {MAX_KEY} characters")
        return sent or None

    @property
    def header_token(self) -> str | None:
        """The same, as far as it is known before the body is read."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        if self.method == "GET":  # a cookie comes along with other sites' requests too, so nothing that writes believes it
            return next((self.cookies[name] for name in self.rt.settings.session_cookies if name in self.cookies), None)
        return None

    @property
    def token(self) -> str | None:
        """What was sent to show who asks; None when nothing was, or nothing that may be believed."""
        if self.header_token is not None or self.method == "GET" or not self.raw:
            return self.header_token
        info = self.body.get("RequestInfo")
        sent = info.get("authToken") if isinstance(info, dict) else None
        return sent if isinstance(sent, str) else None
