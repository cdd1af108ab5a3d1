"""/payout/v1: payouts as the payout room keeps them, and another attempt for those that failed."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

import queries
from pipeline.access.policy import check_tenant
from pipeline.api.answers import ok
from pipeline.api.bodies import stored_body
from pipeline.api.call import Call
from pipeline.api.serving import serve
from pipeline.clock import from_epoch_ms
from pipeline.errors import AppError
from pipeline.packets.contracts.common import as_uuid
from pipeline.packets.contracts.payouts import PayoutRetryRequest, PayoutSearchRequest
from pipeline.packets.render.facts import RecordedFacts, View
from pipeline.packets.render.payout import payout_answer
from pipeline.payouts.commands import retry
from pipeline.payouts.retry import Retried
from pipeline.reports.requests import begin_request, finish_request
from pipeline.vault.persons import mask_vpa

PREFIX = "/payout/v1"
STATUSES = ("INITIATED", "PROCESSING", "COMPLETED", "FAILED", "REVERSED")
COUNT_LIMIT = 10_001  # as in report lists

router = APIRouter(prefix=PREFIX, tags=["Payouts"])


@router.post("/_search")
async def search(request: Request) -> Response:
    """Find payouts."""
    return await serve(request, search_payouts)


@router.post("/_retry")
async def again(request: Request) -> Response:
    """Try failed payouts again."""
    return await serve(request, retry_payouts)


def search_payouts(call: Call) -> Response:
    """One page, newest first. A beneficiary's name is shown, the UPI address masked."""
    caller = call.allowed("search_payouts")
    wanted = call.parse(PayoutSearchRequest).search_criteria
    check_tenant(caller, wanted.tenant_id)
    with call.rt.database.begin(caller.scope) as conn:
        rows = queries.rows(
            conn,
            "payout_search.page",
            tenants=list(call.md.descendants(wanted.tenant_id)),
            statuses=[status for status in STATUSES if not wanted.status or status in wanted.status],
            report_number=wanted.report_number,
            created_from=None if wanted.from_date is None else from_epoch_ms(wanted.from_date),
            created_to=None if wanted.to_date is None else from_epoch_ms(wanted.to_date),
            offset=wanted.offset,
            limit=wanted.limit,
            count_limit=COUNT_LIMIT,
        )
        found = [row for row in rows if row["id"] is not None]
        persons = call.rt.vault.get(conn, list({row["beneficiary_id"] for row in found}), ("name", "vpa"))
    shown = {str(key): {"name": person.get("name"), "vpa": mask_vpa(person.get("vpa"))} for key, person in persons.items()}
    return ok(call, {"Payouts": [_answer(row, shown) for row in found], "TotalCount": int(rows[0]["total"])})


def retry_payouts(call: Call) -> Response:
    """A result for each id in the order sent: some may begin again while others are refused."""
    caller = call.allowed("retry_payout")
    sent = call.parse(PayoutRetryRequest)
    ids = list(dict.fromkeys(found for found in map(as_uuid, sent.report_ids) if found is not None))
    key = call.key(f"{PREFIX}/_retry")
    with call.rt.database.begin(caller.scope) as conn:
        earlier = begin_request(conn, key, caller.tenant_id, call.now, {}) if key is not None else None
        if earlier is not None:
            before = zip(sent.report_ids, earlier["results"], strict=True)
            return ok(call, {"results": [_result(entry, None) if result is None else result for entry, result in before]})
        kept = stored_body("09/07", call, {name: value for name, value in call.body.items() if name != "beneficiaryVpa"}, {})
        done = retry(conn, call.md, call.rt.vault, caller, ids, call.now, sent.beneficiary_vpa, kept) if ids else []
        by_id: dict[UUID | None, Retried] = {result.report_id: result for result in done}
        results = [_result(entry, by_id.get(as_uuid(entry))) for entry in sent.report_ids]
        if key is not None:
            # what is no id of ours is not kept: it may be anything, and the same request says it again
            kept_results = [None if as_uuid(entry) is None else result for entry, result in zip(sent.report_ids, results, strict=True)]
            finish_request(conn, key, {"results": kept_results})
    return ok(call, {"results": results})


def _result(report_id: str, result: Retried | None) -> dict[str, Any]:
    error = AppError("SDCRS_NOT_FOUND", kind="Report", id=report_id) if result is None else result.error
    if error is None:
        return {"reportId": report_id, "status": "RETRY_INITIATED", "error": None}
    told = {"code": error.code, "message": error.message, "description": error.params.get("detail"), "params": error.params or None}
    return {"reportId": report_id, "status": None, "error": told}


def _answer(row: Any, persons: dict[str, Any]) -> dict[str, Any]:
    attempt = {
        "number": row["number"],
        "reference_id": row["reference_id"],
        "provider_payout_id": row["provider_payout_id"],
        "provider_status": row["provider_status"],
        "contact_id": row["provider_contact_id"],
        "fund_account": row["provider_fund_account_id"],
    }
    return payout_answer(RecordedFacts(payout=row, attempt=attempt, persons=persons, view=View.REVIEW))
