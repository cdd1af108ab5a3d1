"""/registrationprocessor/v1 and /idrepository/v1: what a registration client sends and asks, and what an operator does. Thin."""

import hashlib
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

import queries
from pipeline.access.policy import check_tenant
from pipeline.api.call import Call
from pipeline.api.envelope import answer
from pipeline.api.multipart import Form, Limits, serve_upload
from pipeline.api.serving import serve
from pipeline.clock import epoch_ms, from_epoch_ms
from pipeline.errors import AppError
from pipeline.identity.idrepo.store import make_vid_for
from pipeline.identity.registration.external import Told, external_statuses
from pipeline.identity.registration.sync import Announcement, ComponentSaid, Synced, sync
from pipeline.identity.registration.upload import MAX_FILES, MAX_UPLOAD_BYTES, receive
from pipeline.identity.stages.actions import COMMANDS
from pipeline.packets.contracts.registrations import (
    ActionRequest,
    AnnouncementBody,
    StatusRequest,
    SyncRequest,
    VidRequest,
    WorkflowRequest,
)
from pipeline.reports.requests import RequestKey, request_key

PREFIX = "/registrationprocessor/v1"
UPLOAD = f"{PREFIX}/packetreceiver/registrationpackets"
MAX_BODY_BYTES = MAX_UPLOAD_BYTES + 256 * 1024  # the files, with what the form puts around each of them
MAX_FIELDS = 4
COUNT_LIMIT = 10_001  # as in report lists
STATUSES = (
    *("PROCESSING", "PROCESSED", "PAUSED", "RESUMABLE", "REPROCESS", "PAUSED_FOR_ADDITIONAL_INFO"),
    *("FAILED", "REJECTED", "REPROCESS_FAILED"),
)

router = APIRouter(tags=["Registrations"])


@router.post(f"{PREFIX}/registrationstatus/sync")
async def announce(request: Request) -> Response:
    """Announce registrations."""
    return await serve(request, sync_registrations)


@router.post(f"{PREFIX}/registrationstatus/search")
async def status(request: Request) -> Response:
    """Ask what became of registrations."""
    return await serve(request, tell_statuses)


@router.post(f"{PREFIX}/workflowmanager/workflowaction")
async def act(request: Request) -> Response:
    """Pause, resume, restart or stop registrations."""
    return await serve(request, act_on_registrations)


@router.post(f"{PREFIX}/workflowmanager/workflow/search")
async def search(request: Request) -> Response:
    """List registrations."""
    return await serve(request, search_registrations)


@router.post("/idrepository/v1/vid")
async def vid(request: Request) -> Response:
    """Give a person a virtual id."""
    return await serve(request, make_vid)


@router.post(UPLOAD)
async def upload(request: Request) -> Response:
    """Upload a registration packet."""
    return await serve_upload(request, "sync_registrations", take_packet, Limits(MAX_BODY_BYTES, MAX_FILES, MAX_FIELDS))


def sync_registrations(call: Call) -> Response:
    """A result per registration in the order sent; refused as a whole only when none of them stands."""
    caller = call.allowed("sync_registrations")
    sent = call.parse(SyncRequest)
    with call.rt.database.begin(caller.scope) as conn:
        results = sync(conn, call.md, caller, sent.tenant_id or caller.tenant_id, [_announcement(one) for one in sent.request], call.now)
    errors = [result.error for result in results if result.error is not None]
    if len(errors) == len(results):
        raise errors[0]
    return answer(call, [_synced(result) for result in results])


def take_packet(call: Call, form: Form) -> Response:
    """All components of one registration, or none."""
    contents = form.read("")
    taken = receive(call.rt, call.caller, contents, call.now, _key(call, contents))
    body = {"registrationId": taken.reg_id, "status": "RECEIVED", "uploadNumber": taken.upload_number, "components": taken.components}
    return answer(call, body, 201)


def tell_statuses(call: Call) -> Response:
    """What each registration's client is told; those that are not known in the area are left out."""
    caller = call.allowed("sync_registrations")
    sent = call.parse(StatusRequest)
    with call.rt.database.begin(caller.scope) as conn:
        found = external_statuses(conn, call.md, caller, [one.registration_id for one in sent.request])
    return answer(call, [_told(one) for one in found])


def act_on_registrations(call: Call) -> Response:
    """A result per registration, each in a transaction of its own."""
    caller = call.allowed("act_on_registration")
    sent = call.parse(ActionRequest).request
    with call.rt.database.begin(caller.scope) as conn:
        known = {row["reg_id"]: row["id"] for row in queries.rows(conn, "registrations.ids", reg_ids=sent.workflow_ids)}
    results: list[dict[str, Any]] = []
    errors: list[AppError] = []
    for reg_id in dict.fromkeys(sent.workflow_ids):
        try:
            if reg_id not in known:
                raise AppError("SDCRS_NOT_FOUND", kind="Registration", id=reg_id)
            with call.rt.database.begin(caller.scope) as conn:
                COMMANDS[sent.workflow_action](conn, call.md, caller, known[reg_id], sent.reason, call.now)
            results.append(_result(reg_id, "workflowId", None))
        except AppError as error:
            errors.append(error)
            results.append(_result(reg_id, "workflowId", error))
    if len(errors) == len(results):
        raise errors[0]
    return answer(call, results)


def search_registrations(call: Call) -> Response:
    """One page, newest first."""
    caller = call.allowed("search_registrations")
    wanted = call.parse(WorkflowRequest).request
    tenant_id = wanted.tenant_id or caller.tenant_id
    check_tenant(caller, tenant_id)
    with call.rt.database.begin(caller.scope) as conn:
        rows = queries.rows(
            conn,
            "registrations.search",
            tenants=list(call.md.descendants(tenant_id)),
            reg_id=wanted.registration_id,
            statuses=[status for status in STATUSES if not wanted.status_code or status in wanted.status_code],
            sub_status=wanted.sub_status_code,
            stage=wanted.stage,
            received_from=None if wanted.from_date is None else from_epoch_ms(wanted.from_date),
            received_to=None if wanted.to_date is None else from_epoch_ms(wanted.to_date),
            offset=wanted.offset,
            limit=wanted.limit,
            count_limit=COUNT_LIMIT,
        )
    found = [_listed(row) for row in rows if row["id"] is not None]
    return answer(call, {"registrations": found, "totalCount": int(rows[0]["total"])})


def make_vid(call: Call) -> Response:
    """The number is told this once; it is kept as a hash and sealed."""
    caller = call.allowed("act_on_registration")
    wanted = call.parse(VidRequest).request
    tenant_id = wanted.tenant_id or caller.tenant_id
    check_tenant(caller, tenant_id)
    with call.rt.database.worker() as conn:
        made = make_vid_for(conn, call.rt, call.md, caller, tenant_id, wanted.individual_id, call.now)
    body = {
        "VID": made.number,
        "vidStatus": "ACTIVE",
        "expiryTimestamp": epoch_ms(made.expires_at),
        "transactionLimit": made.transaction_limit,
    }
    return answer(call, body, 201)


def _key(call: Call, contents: Sequence[tuple[str, bytes]]) -> RequestKey | None:
    """Under which a repetition of this upload is known; None without an Idempotency-Key."""
    sent = call.idempotency_key
    if sent is None:
        return None
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents}
    return request_key(call.caller.account_id, UPLOAD, {"files": hashes}, sent)


def _announcement(sent: AnnouncementBody) -> Announcement:
    return Announcement(
        reg_id=sent.registration_id,
        process=sent.process,
        source=sent.source,
        schema_version=sent.schema_version,
        components=tuple(ComponentSaid(part.name, part.size, bytes.fromhex(part.hash)) for part in sent.components),
        supervisor_status=sent.supervisor_status,
        supervisor_comment=sent.supervisor_comment or None,
        lang_code=sent.lang_code,
    )


def _synced(result: Synced) -> dict[str, Any]:
    return _result(result.reg_id, "registrationId", result.error)


def _result(reg_id: str, name: str, error: AppError | None) -> dict[str, Any]:
    return {
        name: reg_id,
        "status": "SUCCESS" if error is None else "FAILURE",
        "errorCode": None if error is None else error.code,
        "message": None if error is None else error.message,
    }


def _told(one: Told) -> dict[str, Any]:
    return {
        "registrationId": one.reg_id,
        "statusCode": one.status,
        "subStatusCode": one.sub_status,
        "uploadNumber": one.upload_number,
        "updatedTime": epoch_ms(one.at),
    }


def _listed(row: Any) -> dict[str, Any]:
    return {
        "workflowId": row["reg_id"],
        "tenantId": row["tenant_id"],
        "process": row["process"],
        "source": row["source"],
        "statusCode": row["status_code"],
        "subStatusCode": row["sub_status_code"],
        "statusComment": row["status_comment"],
        "stage": row["stage"],
        "uploadNumber": row["upload_number"],
        "attempts": row["attempts"],
        "latestTransactionType": row["latest_trn_type_code"],
        "latestTransactionStatus": row["latest_trn_status_code"],
        "latestTransactionTime": epoch_ms(row["latest_trn_at"]),
        "pauseRule": row["pause_rule"],
        "resumeTime": epoch_ms(row["resume_at"]),
        "defaultResumeAction": row["default_resume_action"],
        "receivedTime": epoch_ms(row["received_at"]),
        "processedTime": epoch_ms(row["processed_at"]),
    }
