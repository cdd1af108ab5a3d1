"""/egov-workflow-v2: a report's history as process instances, and people's actions by report number, through the same door as _update."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection, RowMapping

import queries
from pipeline.access.caller import Caller
from pipeline.access.policy import check_tenant, sees_reporters, sight
from pipeline.api.answers import ok
from pipeline.api.call import Call
from pipeline.api.report_update import carry_out, officer_id
from pipeline.api.serving import serve
from pipeline.errors import AppError
from pipeline.packets.contracts.common import parse
from pipeline.packets.contracts.workflow import ProcessCriteria, ProcessInstance, TransitionRequest, from_query
from pipeline.packets.render.envelope import process_instance
from pipeline.reports.update import Update

PREFIX = "/egov-workflow-v2/egov-wf/process"

router = APIRouter(prefix=PREFIX, tags=["Workflow"])


@router.post("/_search")
async def search(request: Request) -> Response:
    """History of reports by number."""
    return await serve(request, search_instances)


@router.post("/_transition")
async def transition(request: Request) -> Response:
    """Act on reports by number."""
    return await serve(request, transition_instances)


def search_instances(call: Call) -> Response:
    """The present state of each report, or with history=true every change, newest first as DIGIT answers."""
    caller = call.allowed("search_reports")
    wanted = parse(ProcessCriteria, from_query(dict(call.query)))
    if wanted.tenant_id is not None:
        check_tenant(caller, wanted.tenant_id)
    with call.rt.database.begin(caller.scope) as conn:
        found = _by_numbers(conn, caller, wanted.business_ids)
        instances = _instances(conn, caller, list(found.values()), everything=wanted.history)
    page = instances[wanted.offset : wanted.offset + wanted.limit]
    return ok(call, {"ProcessInstances": page, "totalCount": len(instances)})


def transition_instances(call: Call) -> Response:
    """The instances after the action; all succeed or none. What only the system does is refused with 403."""
    caller = call.allowed("update_report")
    sent = call.parse(TransitionRequest).process_instances
    with call.rt.database.begin(caller.scope) as conn:
        found = _by_numbers(conn, caller, [entry.business_id for entry in sent])
        updates = [_update(caller, entry, found) for entry in sent]
        bodies = [{"ProcessInstances": [entry]} for entry in call.body["ProcessInstances"]]
        carry_out(conn, call, caller, updates, bodies, f"{PREFIX}/_transition")
        instances = _instances(conn, caller, list(found.values()), everything=False)
    return ok(call, {"ProcessInstances": instances})


def _update(caller: Caller, sent: ProcessInstance, found: dict[str, RowMapping]) -> Update:
    check_tenant(caller, sent.tenant_id)
    row = found.get(sent.business_id)
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=sent.business_id)
    officer = officer_id(sent.assignee[0] if sent.assignee else None)
    return Update(row["id"], sent.action, sent.comment, fields={} if officer is None else {"assignee": officer})


def _by_numbers(conn: Connection, caller: Caller, numbers: Sequence[str]) -> dict[str, RowMapping]:
    seen = sight(caller)
    rows = queries.rows(
        conn,
        "reports.by_numbers",
        numbers=list(numbers),
        sees_all=seen.all,
        own_reporter=seen.reporter_id,
        own_officer=seen.officer_id,
    )
    return {row["report_number"]: row for row in rows}


def _instances(conn: Connection, caller: Caller, reports: Sequence[RowMapping], *, everything: bool) -> list[dict[str, Any]]:
    by_id = {row["id"]: row for row in reports}
    own: UUID | None = caller.account_id if caller.has("TEACHER") else None
    rows = queries.rows(conn, "reports.history", report_ids=list(by_id), own_reporter=own, sees_reporters=sees_reporters(caller))
    if not everything:
        rows = list({row["report_id"]: row for row in rows}.values())  # oldest first, so the last of each stays
    return [process_instance(dict(by_id[row["report_id"]]), dict(row)) for row in reversed(rows)]
