"""_update and _transition: what was sent becomes updates, all of which succeed or none.

A request that holds one report answers with that report's error. One that holds several is refused whole, with an error
for each report that stopped it, so that nobody has to find out which half was done.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection
from starlette.responses import Response

from pipeline.access.caller import Caller
from pipeline.access.policy import check_tenant
from pipeline.api import report_read
from pipeline.api.answers import Refusals, ok
from pipeline.api.bodies import stored_body
from pipeline.api.call import Call
from pipeline.api.payout_actions import PAYOUT_ACTIONS, act_on_payout
from pipeline.clock import from_epoch_ms
from pipeline.errors import AppError
from pipeline.packets.catalogue import for_action
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.reports import Point, ReportUpdate, UpdateRequest
from pipeline.reports.actions import act
from pipeline.reports.requests import begin_request
from pipeline.reports.update import Update

ENDPOINT = "/sdcrs-services/v1/report/_update"


def update_reports(call: Call) -> Response:
    """The reports after the action; a repeated request is answered again, with the reports as they are now."""
    caller = call.allowed("update_report")
    sent = call.parse(UpdateRequest)
    updates = [_update(caller, entry) for entry in sent.dog_reports]
    raw = call.body["DogReports"]
    bodies = [{"DogReports": [entry]} for entry in raw]
    vpas = {update.report_id: vpa for update in updates if isinstance(vpa := update.fields.get("beneficiary_vpa"), str)}
    with call.rt.database.begin(caller.scope) as conn:
        carry_out(conn, call, caller, updates, bodies, ENDPOINT)
        found = report_read.answers(conn, call, caller, [update.report_id for update in updates], vpas)
    return ok(call, {"DogReports": found, "TotalCount": len(found)})


def carry_out(
    conn: Connection, call: Call, caller: Caller, updates: Sequence[Update], bodies: Sequence[dict[str, Any]], endpoint: str
) -> None:
    """Do the updates, unless this very request was done before. Raises the one report's error, or Refusals for several."""
    ids = [update.report_id for update in updates]
    if len(set(ids)) < len(ids):
        raise AppError("SDCRS_INVALID_REQUEST", field="DogReports", detail="names a report twice")
    key = call.key(endpoint)
    if key is not None and begin_request(conn, key, caller.tenant_id, call.now, {"ids": [str(i) for i in ids]}) is not None:
        return
    errors: list[tuple[UUID, AppError]] = []
    # by id, as everybody who locks several reports does
    for update, body in sorted(zip(updates, bodies, strict=True), key=lambda pair: pair[0].report_id):
        try:
            _do(conn, call, caller, update, body)
        except AppError as error:
            errors.append((update.report_id, error))
    if errors and len(updates) == 1:
        raise errors[0][1]
    if errors:
        for report_id, refusal in errors:
            refusal.params["reportId"] = str(report_id)
        raise Refusals([refusal for _, refusal in errors])


def _do(conn: Connection, call: Call, caller: Caller, update: Update, body: dict[str, Any]) -> None:
    if update.action in PAYOUT_ACTIONS:
        act_on_payout(conn, call, caller, update, body)
        return
    officer = update.fields.get("assignee")
    kept = stored_body(_request_packet(update.action), call, body, {"$.DogReports[*].assignedOfficerName": officer} if officer else {})
    outcome = act(conn, call.md, caller, [update], call.now, call.correlation_id, kept)[0]
    if outcome.error is not None:
        raise outcome.error


def _request_packet(action: str) -> str:
    """The packet in which a person's request for this action travels, as far as the catalogue names one."""
    sent = for_action(action)
    return next((packet.id for packet in sent if packet.endpoint and packet.crosses_border), sent[0].id)


def _update(caller: Caller, sent: ReportUpdate) -> Update:
    report_id = as_uuid(sent.id)
    if sent.tenant_id is not None:
        check_tenant(caller, sent.tenant_id)
    if report_id is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=sent.id)
    return Update(
        report_id=report_id,
        action=sent.workflow.action,
        comment=sent.workflow.comment,
        version=sent.version,
        fields={name: value for name, value in _fields(sent).items() if value is not None},
    )


def _fields(sent: ReportUpdate) -> dict[str, Any]:
    """What the actions' facts are called below, with ids and times as values."""
    capture, payout = sent.capture_evidence, sent.payout_details
    place: Point | None = (capture.capture_location if capture else None) or sent.field_visit_location
    return {
        "verification_remarks": sent.verification_remarks,
        "rejection_reason": sent.rejection_reason,
        "rejection_remarks": sent.rejection_remarks,
        "duplicate_of": sent.additional_details.duplicate_of if sent.additional_details else None,
        "assignee": officer_id(sent.officer),
        "visit_started_at": _at(sent.field_visit_started_at),
        "visit_completed_at": _at(sent.field_visit_completed_at),
        "latitude": place.latitude if place else None,
        "longitude": place.longitude if place else None,
        "capture_file_id": _file_id(capture.photo_file_store_id) if capture else None,
        "captured_at": _at(capture.captured_at) if capture else None,
        "resolution_type": sent.resolution_type,
        "resolution_remarks": sent.resolution_remarks,
        "unable_reason": sent.unable_to_locate_reason,
        "rating": sent.rating,
        "beneficiary_vpa": payout.beneficiary_vpa if payout else None,
        "manual_reference": payout.manual_payment_reference if payout else None,
        "manual_method": payout.manual_payment_method if payout else None,
        "manual_amount_rupees": payout.manual_payment_amount if payout else None,
        "manual_exception": payout.exception_reason if payout else None,
        "manual_attachment": _file_id(payout.manual_payment_attachment) if payout and payout.manual_payment_attachment else None,
    }


def officer_id(sent: str | None) -> UUID | None:
    """The officer named, None where none is. Raises SDCRS_UNKNOWN_OFFICER for an id that cannot be one of ours."""
    found = as_uuid(sent) if sent else None
    if sent and found is None:
        raise AppError("SDCRS_UNKNOWN_OFFICER", officer=sent)
    return found


def _file_id(sent: str) -> UUID:
    found = as_uuid(sent)
    if found is None:
        raise AppError("SDCRS_UNKNOWN_FILE", fileStoreId=sent)
    return found


def _at(ms: int | None) -> Any:
    return None if ms is None else from_epoch_ms(ms)
