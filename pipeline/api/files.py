"""Photos: uploaded by people, opened by a short-lived link or by a person who may see them."""

from typing import get_args
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.access.policy import SEES_REPORTERS
from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.multipart import Form, Limits, serve_upload
from pipeline.api.serving import serve
from pipeline.errors import AppError
from pipeline.filestore.measure import MAX_BYTES
from pipeline.filestore.store import LINK_TTL_S, Variant
from pipeline.filestore.upload import MAX_FILES, check_may_read, load_file, upload
from pipeline.packets.contracts.common import as_uuid, parse
from pipeline.packets.contracts.files import UploadFields
from pipeline.packets.render.submission import file_answer

MAX_UPLOAD_BYTES = 4 * MAX_BYTES  # a report's two photos and a spare; more go in more requests
MAX_FIELDS = 8
SAME_HOUSE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",  # a photo opened by itself is a photo and nothing else
    "Cross-Origin-Resource-Policy": "cross-origin",  # the console's port is another origin; on a bare address it is not even the same site
    "Referrer-Policy": "no-referrer",
}

router = APIRouter(prefix="/filestore/v1/files", tags=["Files"])


@router.post("")
async def store(request: Request) -> Response:
    """Upload photos."""
    return await serve_upload(request, "upload_file", store_files, Limits(MAX_UPLOAD_BYTES, MAX_FILES, MAX_FIELDS))


@router.get("/{file_store_id}")
async def fetch(request: Request) -> Response:
    """Open a photo."""
    return await serve(request, open_file, max_bytes=0)


def store_files(call: Call, form: Form) -> Response:
    """201 with the ids, as packet 02/06."""
    sent = parse(UploadFields, {**form.fields, **call.query})
    stored = upload(call.rt, call.caller, sent.tenant_id, sent.module, sent.tag, form.read("photo"), call.parts.photos.examine)
    rows = [
        {
            "id": file.id,
            "tenant_id": file.tenant_id,
            "content_type": file.measured.content_type,
            "file_name": file.file_name,
            "size_bytes": file.measured.size,
        }
        for file in stored
    ]
    return ok(call, {"files": [file_answer(row) for row in rows]}, 201)


def open_file(call: Call) -> Response:
    """The bytes: to whoever holds a valid link, else to a person who may see the photo.

    `original` holds place and device, and is for its owner and for those who learn who reported.
    """
    file_id = as_uuid(call.path_params["file_store_id"])
    if file_id is None:
        raise AppError("SDCRS_NOT_FOUND", kind="file", id=call.path_params["file_store_id"][:64])
    if "signature" in call.query:
        query = call.query
        variant = call.rt.files.verify_signature(
            file_id, query.get("variant", ""), query.get("expires", ""), query.get("signature", ""), call.now
        )
        return _photo(call, file_id, variant, str(file_id))
    variant = _variant(call.query.get("variant", "photo"))
    caller = call.caller
    with call.rt.database.begin(caller.scope) as conn:
        file = load_file(conn, file_id)
        check_may_read(conn, caller, file)
    if variant == "original" and file.owner_id != caller.account_id and caller.roles.isdisjoint(SEES_REPORTERS):
        raise AppError("SDCRS_FORBIDDEN", reason="the original tells place and device; ask for the photo")
    return _photo(call, file_id, variant, file.file_name, file.measured.content_type)


def _variant(sent: str) -> Variant:
    for known in get_args(Variant):
        if known == sent:
            return known
    raise AppError("SDCRS_INVALID_REQUEST", field="variant", detail=f"must be one of {', '.join(get_args(Variant))}")


def _photo(call: Call, file_id: UUID, variant: Variant, name: str, original_type: str = "image/jpeg") -> Response:
    data = call.rt.files.get(file_id, variant)
    headers = {
        **SAME_HOUSE,
        "Cache-Control": f"private, max-age={LINK_TTL_S}",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
    }
    return Response(data, 200, headers, original_type if variant == "original" else "image/jpeg")
