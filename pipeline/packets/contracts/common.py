"""What every body shares: reading JSON, the envelope of requests and answers, field types, and errors that name the field.

Keys that begin with `_` are remarks and dropped; a model's `IGNORED` names what packets send although the server decides
it; any other unknown field is refused. Types are strict: "11.5" is not a number, true is not 1, NaN is nothing.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from pipeline.clock import epoch_ms
from pipeline.errors import AppError
from pipeline.packets.contracts.fields import Line64, Line128, Line256, Token

MAX_DEPTH = 32  # packets are 8 levels deep; deeper is an attack on the parser
MAX_PATH = 200  # characters of a field path shown in an error: a longer one is the sender's own text


class Body(BaseModel):
    """A part of a packet: camelCase on the wire, strict, and closed to unknown fields."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True, allow_inf_nan=False, frozen=True)

    IGNORED: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def drop_what_is_not_read(cls, data: Any) -> Any:
        """Remarks and what the server decides itself are as if not sent."""
        if isinstance(data, Mapping):
            return {key: value for key, value in data.items() if not (isinstance(key, str) and (key.startswith("_") or key in cls.IGNORED))}
        return data


class RequestInfo(Body):
    """Who asks, by their own account: only the token counts. Unknown fields set nothing and are not read."""

    model_config = ConfigDict(extra="ignore")
    IGNORED = frozenset({"userInfo"})  # never believed

    api_id: Line64 | None = None
    ver: Line64 | None = None
    ts: int | Line64 | None = None  # the sender's clock; never used
    action: Line64 | None = None
    did: Line128 | None = None  # not a device: fraud rules do not read it
    key: Line256 | None = None
    msg_id: Line256 | None = None  # with caller and endpoint, the key under which a repeated request is known
    auth_token: Token | None = Field(default=None, repr=False)


class Request(Body):
    """A body with its RequestInfo."""

    request_info: RequestInfo | None = Field(default=None, alias="RequestInfo")


Model = TypeVar("Model", bound=BaseModel)


def read_json(raw: bytes) -> Any:
    """The JSON of a request, fit to be stored. Raises SDCRS_INVALID_JSON for what no database could keep: NaN, NUL, half characters."""
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)  # left to itself it also takes UTF-16 and 32
    except RecursionError as error:
        raise AppError("SDCRS_INVALID_JSON", detail="nested too deep") from error
    except UnicodeDecodeError as error:
        raise AppError("SDCRS_INVALID_JSON", detail="not UTF-8") from error
    except json.JSONDecodeError as error:
        raise AppError("SDCRS_INVALID_JSON", detail=f"{error.msg} at line {error.lineno}") from error
    except ValueError as error:
        raise AppError("SDCRS_INVALID_JSON", detail="a number that cannot be kept") from error
    _storable(value)
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _storable(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        texts = [item for item in level if isinstance(item, str)]
        texts += [key for item in level if isinstance(item, dict) for key in item]
        if any("\x00" in text or not _whole(text) for text in texts):
            raise AppError("SDCRS_INVALID_JSON", detail="a text holds a NUL or half a character")
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            raise AppError("SDCRS_INVALID_JSON", detail="a number is too large")
        level = [child for item in level if isinstance(item, dict | list) for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return
    raise AppError("SDCRS_INVALID_JSON", detail=f"nested deeper than {MAX_DEPTH} levels")


def _whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def parse(model: type[Model], body: Any) -> Model:
    """The body as a model. Raises SDCRS_INVALID_REQUEST for the first field that is wrong, with its path and what it must be."""
    if not isinstance(body, dict):
        raise AppError("SDCRS_INVALID_REQUEST", field="body", detail="must be a JSON object")
    try:
        return model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise AppError("SDCRS_INVALID_REQUEST", field=_path(first["loc"]), detail=_detail(first["type"], first.get("ctx", {}))) from error


def _path(location: tuple[int | str, ...]) -> str:
    """A path as a person reads it: DogReports[0].location.latitude."""
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    printable = "".join(character if character.isprintable() else "?" for character in text.removeprefix("."))
    return printable[:MAX_PATH] or "body"


_DETAILS = {
    "missing": "is required",
    "extra_forbidden": "is not a field here",
    "string_type": "must be a text",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "has a form that is not allowed",
    "string_unicode": "holds half a character",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_long": "holds too many, at most {max_length}",
    "too_short": "holds too few, at least {min_length}",
    "literal_error": "must be {expected}",
    "value_error": "{error}",
}


def _detail(kind: str, context: Mapping[str, Any]) -> str:
    """What the field must be, in words; never the value that was sent, which may be somebody's name."""
    plain = {name: int(value) if isinstance(value, float) and value.is_integer() else value for name, value in context.items()}
    return _DETAILS.get(kind, "is not valid").format_map(plain)


def as_uuid(value: str) -> UUID | None:
    """An opaque id as one of ours, or None: ids of other systems find nothing here."""
    try:
        return UUID(value)
    except ValueError:
        return None


def fingerprint(body: Mapping[str, Any]) -> bytes:
    """SHA-256 of a body without its RequestInfo: the same request sent again has the same, whatever its clock says."""
    rest = {key: value for key, value in body.items() if key != "RequestInfo"}
    return hashlib.sha256(
        json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    ).digest()


def response_info(request: RequestInfo | None, now: datetime, message_id: str, *, ok: bool = True) -> dict[str, Any]:
    """The ResponseInfo of an answer given at `now`."""
    return {
        "apiId": (request and request.api_id) or "Rainmaker",
        "ver": (request and request.ver) or ".01",
        "ts": epoch_ms(now.astimezone(UTC)),
        "resMsgId": message_id,
        "msgId": request.msg_id if request else None,
        "status": "successful" if ok else "failed",
    }


def error_body(errors: Sequence[AppError], request: RequestInfo | None, now: datetime, message_id: str) -> dict[str, Any]:
    """The error envelope: `Errors` with code, sentence and params."""
    return {
        "ResponseInfo": response_info(request, now, message_id, ok=False),
        "Errors": [
            {"code": error.code, "message": error.message, "description": error.params.get("detail"), "params": error.params or None}
            for error in errors
        ],
    }
