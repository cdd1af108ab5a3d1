"""Uploads: who may send is asked before megabytes are read, the files lie on the disk until a thread of the upload gate takes them."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline.access.policy import Operation
from pipeline.api.answers import carry_out, refused
from pipeline.api.call import Call
from pipeline.api.serving import admit, call_of, capped, parts_of
from pipeline.errors import AppError

MAX_FIELD_BYTES = 1024


@dataclass(frozen=True)
class Limits:
    """How much one form may hold."""

    body_bytes: int
    files: int
    fields: int


@dataclass(frozen=True)
class Form:
    """The text fields and the files of a multipart body, large ones on the disk; whoever takes the form closes it."""

    fields: dict[str, str]
    files: Sequence[UploadFile]

    def read(self, unnamed: str) -> list[tuple[str, bytes]]:
        """Names and bytes of the files; one without a name gets this one."""
        return [(file.filename or unnamed, file.file.read()) for file in self.files]

    def close(self) -> None:
        """Give the files up."""
        for file in self.files:
            with suppress(OSError):
                file.file.close()


async def serve_upload(request: Request, operation: Operation, work: Callable[[Call, Form], Response], limits: Limits) -> Response:
    """Read a form of somebody who may and carry out `work` with it in a thread; every failure is answered in the error shape."""
    parts, call = parts_of(request), call_of(request)
    try:
        admit(call)
        refusal = await parts.gate.run(partial(carry_out, partial(_allowed, operation=operation), call))
        if refusal.status_code != 200:
            return refusal
        form = await _read(request, limits)
    except AppError as error:
        return refused(call, [error])
    except ClientDisconnect:
        return Response(status_code=400)
    try:
        return await parts.upload_gate.run(partial(carry_out, partial(_taken, work=work, form=form), call))
    except AppError as error:  # no thread took it, so nobody else closes it
        form.close()
        return refused(call, [error])


def _allowed(call: Call, operation: Operation) -> Response:
    call.allowed(operation)
    return Response()


def _taken(call: Call, work: Callable[[Call, Form], Response], form: Form) -> Response:
    try:
        return work(call, form)
    finally:
        form.close()


async def _read(request: Request, limits: Limits) -> Form:
    """Raises SDCRS_INVALID_REQUEST and SDCRS_BODY_TOO_LARGE."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise AppError("SDCRS_INVALID_REQUEST", field="Content-Type", detail="must be multipart/form-data")
    body = capped(request, limits.body_bytes)
    parser = MultiPartParser(request.headers, body, max_files=limits.files, max_fields=limits.fields, max_part_size=MAX_FIELD_BYTES)
    try:
        sent = await parser.parse()
    except MultiPartException as error:
        raise AppError("SDCRS_INVALID_REQUEST", field="body", detail=error.message) from error
    fields = {name: item for name, item in sent.multi_items() if isinstance(item, str)}
    return Form(fields, [item for _, item in sent.multi_items() if isinstance(item, UploadFile)])
