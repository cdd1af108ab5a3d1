"""/user/v1/mydata: what is held about the person who asks, as a file."""

import json

from fastapi import APIRouter, Request, Response

from pipeline.api.answers import HEADERS
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.audit.log import record
from pipeline.trace.own_data import own_data

router = APIRouter(tags=["Accounts"])


@router.get("/user/v1/mydata")
async def mine(request: Request) -> Response:
    """Everything that is held about the caller."""
    return await serve(request, send_own_data, max_bytes=0)


def send_own_data(call: Call) -> Response:
    """A JSON file, never kept by caches; the download is in the audit."""
    caller = call.allowed("download_own_data")
    with call.rt.database.begin(caller.scope) as conn:
        data = own_data(conn, call.rt, caller, call.public_url, call.now)
        role = next(iter(sorted(caller.roles)))
        record(conn, caller.tenant_id, caller.account_id, role, "OWN_DATA_DOWNLOADED", "ACCOUNT", str(caller.account_id), call.now)
    body = json.dumps(data, ensure_ascii=False, indent=2).encode()
    told = {"Content-Disposition": 'attachment; filename="my-sdcrs-data.json"', "Cache-Control": "no-store"}
    return Response(body, 200, HEADERS | told, "application/json")
