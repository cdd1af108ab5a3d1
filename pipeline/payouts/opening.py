"""The batch job `payout.open`: a captured report becomes an obligation with its first attempt, or is over the monthly cap.

The report room knows nothing of this: the job claims CAPTURED reports. Reports of teachers who are not paid for the
time being (standing.py) stay CAPTURED, and the payouts screen lists them.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.clock import local_month
from pipeline.ids import uuid7
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.master import MasterData
from pipeline.payouts.books import NewAttempt, insert_attempts
from pipeline.payouts.cap import Claim, reserve
from pipeline.payouts.ledger import Entry, enter
from pipeline.payouts.orders import idempotency_key, reference_id
from pipeline.payouts.settle import SYSTEM
from pipeline.payouts.standing import HELD, hold_params
from pipeline.reports.workflow import Item, transition
from pipeline.runtime import Runtime

NAME = "payout.open"
BATCH = 200  # reports a transaction

_CLAIM = text(f"""
    SELECT q.id FROM sdcrs.report q JOIN access.account a ON a.id = q.reporter_id
    WHERE q.status = 'CAPTURED' AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND NOT {HELD} AND {NOT_FAILED}
    ORDER BY q.captured_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - constant fragments, no value
_LOAD = text("""
    SELECT id, tenant_id, report_number, reporter_id FROM sdcrs.report WHERE id = ANY (:ids) ORDER BY captured_at, id
""")
_INSERT = text("""
    INSERT INTO payout.payout (id, tenant_id, report_id, report_number, beneficiary_id, amount_paise, currency, cap_month, status,
                               created_at, modified_at)
    SELECT v.id, v.tenant_id, v.report_id, v.report_number, v.beneficiary_id, v.amount_paise, 'INR', v.cap_month, 'INITIATED', :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, report_id uuid, report_number text, beneficiary_id uuid, amount_paise bigint, cap_month date)
""")


def open_job(rt: Runtime) -> BatchJob:
    """The job as the worker runs it."""

    def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
        params = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
        return list(conn.execute(_CLAIM, params | hold_params(rt.masterdata.current())).scalars())

    def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
        open_payouts(conn, rt.masterdata.current(), ids, now)

    return BatchJob(NAME, rt.database, claim, work, BATCH)


def open_payouts(conn: Connection, md: MasterData, report_ids: Sequence[UUID], now: datetime) -> None:
    """Open an obligation for each captured report, in order of capture, as far as the teacher's month allows. Does not commit.

    Raises AppError when a report's state does not allow it.
    """
    reports = conn.execute(_LOAD, {"ids": list(report_ids)}).all()
    claims = [_claim_of(md, report, now) for report in reports]
    granted = reserve(conn, claims)
    opened = [(report, claim) for report, claim, fits in zip(reports, claims, granted, strict=True) if fits]
    capped = [(report, claim) for report, claim, fits in zip(reports, claims, granted, strict=True) if not fits]
    _insert(conn, opened, now)
    _move(conn, md, "INITIATE_PAYOUT", [_initiated(report, claim, now) for report, claim in opened], now)
    _move(conn, md, "RESOLVE_NO_PAYOUT", [_over_cap(report, claim, now) for report, claim in capped], now)


def _claim_of(md: MasterData, report: Row[Any], now: datetime) -> Claim:
    config = md.payout_config(report.tenant_id)
    month = local_month(now, md.tenant(report.tenant_id).timezone)
    return Claim(report.reporter_id, month, report.tenant_id, config.amount_paise, config.monthly_cap_paise)


def _insert(conn: Connection, opened: Sequence[tuple[Row[Any], Claim]], now: datetime) -> None:
    """Obligation, first attempt and reservation of each."""
    if not opened:
        return
    payouts, attempts, entries = [], [], []
    for report, claim in opened:
        payout_id, attempt_id = uuid7(now), uuid7(now)
        reference = reference_id(report.report_number, 0)
        payouts.append(
            {
                "id": str(payout_id),
                "tenant_id": report.tenant_id,
                "report_id": str(report.id),
                "report_number": report.report_number,
                "beneficiary_id": str(report.reporter_id),
                "amount_paise": claim.amount_paise,
                "cap_month": claim.month.isoformat(),
            }
        )
        attempts.append(NewAttempt(attempt_id, report.tenant_id, payout_id, 0, reference, idempotency_key(reference, attempt_id)))
        entries.append(Entry("RESERVE", report.tenant_id, payout_id, report.reporter_id, claim.month, claim.amount_paise, attempt_id, now))
    conn.execute(_INSERT, {"rows": json.dumps(payouts), "now": now})
    insert_attempts(conn, attempts, now)
    enter(conn, entries)


def _initiated(report: Row[Any], claim: Claim, now: datetime) -> Item:
    facts = {
        "payout_status": "INITIATED",
        "payout_amount_paise": claim.amount_paise,
        "payout_initiated_at": now,
        "payout_eligible": True,
    }
    return Item(report.id, facts, comment="Payout begun after the capture")


def _over_cap(report: Row[Any], claim: Claim, now: datetime) -> Item:
    facts = {"payout_status": "SKIPPED_CAP_REACHED", "payout_amount_paise": 0, "payout_eligible": False, "resolved_at": now}
    comment = f"Monthly payout cap of Rs.{claim.cap_paise // 100} reached for {claim.month:%Y-%m}"
    return Item(report.id, facts, {"capMonth": claim.month.isoformat()}, comment)


def _move(conn: Connection, md: MasterData, action: str, items: Sequence[Item], now: datetime) -> None:
    if not items:
        return
    for outcome in transition(conn, md, action, items, SYSTEM, now):
        if outcome.error is not None:
            raise outcome.error
