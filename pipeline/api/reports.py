"""/sdcrs-services/v1/report: submit, act, look up; and tracking, which asks for no sign-in."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from pipeline.access.caller import Caller
from pipeline.access.policy import check_tenant, sees_reporters
from pipeline.api import report_read, tracking
from pipeline.api.answers import ok
from pipeline.api.bodies import stored_body
from pipeline.api.call import Call
from pipeline.api.report_read import Criteria
from pipeline.api.report_update import update_reports
from pipeline.api.serving import serve
from pipeline.clock import from_epoch_ms
from pipeline.errors import AppError
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.fields import MAX_PAGE
from pipeline.packets.contracts.reports import CreateRequest, Evidence, NewReport, ReportCriteria, SearchRequest, TrackRequest
from pipeline.packets.personal import ANYBODY
from pipeline.reports.evidence import EvidenceClaim
from pipeline.reports.intake import Place, Submission

PREFIX = "/sdcrs-services/v1/report"
AGGRESSIVE = "StrayDogAggressive"  # the report type that says so where the teacher does not

router = APIRouter(prefix=PREFIX, tags=["Reports"])


@router.post("/_create")
async def create(request: Request) -> Response:
    """Submit a report."""
    return await serve(request, create_report)


@router.post("/_update")
@router.put("/_update")
async def update(request: Request) -> Response:
    """Act on reports."""
    return await serve(request, update_reports)


@router.post("/_search")
async def search(request: Request) -> Response:
    """Find reports."""
    return await serve(request, search_reports)


@router.post("/_count")
async def count(request: Request) -> Response:
    """Count reports."""
    return await serve(request, count_reports)


@router.post("/_track")
async def track(request: Request) -> Response:
    """Follow a report, for anybody who has its tracking id."""
    return await serve(request, track_report)


def create_report(call: Call) -> Response:
    """201 with the report; a repeated request is answered again and creates nothing.

    Standing and the daily limit are looked at before the body, so only its tenant is read until then.
    """
    caller = call.allowed("create_report")
    tenant_id = _tenant_of(call.body, caller)
    check_tenant(caller, tenant_id)

    def submissions() -> list[Submission]:
        return [_submission(call, caller, sent) for sent in call.parse(CreateRequest).reports]

    answered: list[dict[str, Any]] = []

    def answer(conn: Any, ids: list[UUID]) -> None:
        answered.extend(report_read.answers(conn, call, caller, ids))

    call.parts.intake.create(caller, tenant_id, submissions, call.key(f"{PREFIX}/_create"), call.now, answer)
    return ok(call, {"DogReports": answered, "TotalCount": len(answered)}, 201)


def search_reports(call: Call) -> Response:
    """One page of what the caller may see."""
    caller = call.allowed("search_reports")
    wanted = _criteria(call, caller, call.parse(SearchRequest).search_criteria)
    if wanted is None:
        return ok(call, {"DogReports": [], "TotalCount": 0})
    with call.rt.database.begin(caller.scope) as conn:
        if wanted.only_ids:
            read = report_read.answers(conn, call, caller, wanted.ids or ())
            found = [report for report in read if report["tenantId"] in wanted.tenants]
            total = len(found)
        else:
            ids, total = report_read.find(conn, caller, wanted)
            found = report_read.answers(conn, call, caller, ids)
    return ok(call, {"DogReports": found, "TotalCount": total})


def count_reports(call: Call) -> Response:
    """How many match, counted up to report_read.COUNT_LIMIT."""
    caller = call.allowed("search_reports")
    wanted = _criteria(call, caller, call.parse(SearchRequest).search_criteria)
    if wanted is None:
        return ok(call, {"TotalCount": 0})
    with call.rt.database.begin(caller.scope) as conn:
        total = report_read.count(conn, caller, wanted)
    return ok(call, {"TotalCount": total})


def track_report(call: Call) -> Response:
    """What the public may know of one report."""
    found = tracking.look_up(call.rt, call.md, call.parse(TrackRequest).tracking_id)
    return ok(call, {"DogReport": found})


def _tenant_of(body: Mapping[str, Any], caller: Caller) -> str:
    """The tenant that the first report names; the caller's own where the body is not what it should be, which is said later."""
    reports = body.get("DogReports")
    first = reports[0] if isinstance(reports, list) and reports else body.get("DogReport")
    named = first.get("tenantId") if isinstance(first, dict) else None
    return named if isinstance(named, str) and len(named) <= 64 else caller.tenant_id


def _submission(call: Call, caller: Caller, sent: NewReport) -> Submission:
    claims = tuple(_claim(entry) for entry in sent.evidence)
    dog = sent.dog_details
    aggressive = dog.is_aggressive if dog else None
    return Submission(
        reporter_id=caller.account_id,
        tenant_id=sent.tenant_id,
        service_type=sent.service_type,
        description=sent.description,
        place=_place(sent),
        evidence=claims,
        at=call.now,
        device_id=next((claim.device_id for claim in claims if claim.device_id), call.device_id),
        dog_count=dog.count if dog else None,
        is_aggressive=sent.service_type == AGGRESSIVE if aggressive is None else aggressive,
        correlation_id=call.correlation_id,
        body=stored_body("02/07", call, call.body, {ANYBODY: caller.account_id}),
    )


def _place(sent: NewReport) -> Place:
    where = sent.location
    named = where.model_dump(exclude={"gps_accuracy", "gps_timestamp"})
    at = where.gps_timestamp
    return Place(**named, gps_accuracy_m=where.gps_accuracy, gps_at=None if at is None else from_epoch_ms(at))


def _claim(sent: Evidence) -> EvidenceClaim:
    file_id = as_uuid(sent.file_store_id)
    if file_id is None:
        raise AppError("SDCRS_UNKNOWN_FILE", fileStoreId=sent.file_store_id)
    return EvidenceClaim(
        file_id=file_id,
        evidence_type=sent.evidence_type,
        claimed_hash=sent.image_hash,
        claimed_at=None if sent.capture_time is None else from_epoch_ms(sent.capture_time),
        latitude=sent.latitude,
        longitude=sent.longitude,
        device_info=sent.device_info,
        device_id=sent.device_id,
    )


def _criteria(call: Call, caller: Caller, sent: ReportCriteria) -> Criteria | None:
    """The criteria inside the caller's scope; None where they name something that cannot be one of ours.

    Raises SDCRS_TENANT_OUT_OF_SCOPE, and SDCRS_FORBIDDEN where a filter would tell officers and supervisors who reported.
    """
    tenants = caller.scope
    if sent.tenant_id is not None:
        check_tenant(caller, sent.tenant_id)
        tenants = call.md.descendants(sent.tenant_id)
    if sent.reporter_id is not None and not (sees_reporters(caller) or caller.has("TEACHER")):
        raise AppError("SDCRS_FORBIDDEN", reason="reporters are not shown to your role")
    ids = None if sent.ids is None else [found for found in map(as_uuid, sent.ids) if found is not None]
    if sent.report_id is not None:
        wanted = as_uuid(sent.report_id)
        ids = [wanted] if wanted is not None and (ids is None or wanted in ids) else []
    reporter = as_uuid(sent.reporter_id) if sent.reporter_id else None
    officer = as_uuid(sent.assigned_officer_id) if sent.assigned_officer_id else None
    if ids == [] or (sent.reporter_id and reporter is None) or (sent.assigned_officer_id and officer is None):
        return None
    return Criteria(
        tenants=tenants,
        ids=ids,
        report_number=sent.report_number,
        tracking_id=sent.tracking_id.upper() if sent.tracking_id else None,
        statuses=tuple(dict.fromkeys(sent.status or ())),
        service_type=sent.service_type,
        reporter_id=reporter,
        officer_id=officer,
        locality_code=sent.locality,
        ward_code=sent.ward_code,
        created_from=None if sent.from_date is None else from_epoch_ms(sent.from_date),
        created_to=None if sent.to_date is None else from_epoch_ms(sent.to_date),
        sort=sent.sort_by,
        ascending=sent.sort_order == "ASC",
        offset=sent.offset,
        limit=min(sent.limit, MAX_PAGE),
    )
