"""Another attempt at an unpaid obligation: by itself an hour later where the reason allows it, or as an admin decides.

A new attempt has a new key and a new reference, and is made only when no earlier one can still pay. It reserves the cap of
the month in which it is made. The address is the one that the teacher has when it is sent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.clock import local_month
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.failures import waiting
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.master import MasterData
from pipeline.payouts.books import Books, NewAttempt, Payout, insert_attempts
from pipeline.payouts.cap import Claim, release, reserve
from pipeline.payouts.ledger import Entry, enter
from pipeline.payouts.orders import idempotency_key, reference_id
from pipeline.payouts.polling import Pace
from pipeline.payouts.settle import SYSTEM
from pipeline.payouts.standing import HELD, Rule, hold_params, holds
from pipeline.reports.workflow import Actor, Item, Outcome, transition
from pipeline.runtime import Runtime

NAME = "payout.retry"
BATCH = 100

_CLAIM = text(f"""
    SELECT q.id FROM payout.payout q JOIN access.account a ON a.id = q.beneficiary_id
    WHERE q.next_retry_at <= :now AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND NOT {HELD} AND {NOT_FAILED}
    ORDER BY q.next_retry_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - constant fragments, no value
_REPORTS = text("SELECT report_id FROM payout.payout WHERE id = ANY (:ids)")
_WAITING = text("SELECT count(*) AS waiting, min(next_retry_at) AS due FROM payout.payout WHERE next_retry_at > :now")


@dataclass(frozen=True)
class Retried:
    """What became of one report's payout. `error` None: a new attempt is on its way."""

    report_id: UUID
    error: AppError | None = None
    report_number: str | None = None
    retry_count: int | None = None
    outcome: Outcome | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


def retry_job(rt: Runtime) -> BatchJob:
    """The job of the automatic retries, as the worker runs it."""
    return _RetryJob(rt)


class _RetryJob(BatchJob):
    def __init__(self, rt: Runtime) -> None:
        def claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
            params = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
            return list(conn.execute(_CLAIM, params | hold_params(rt.masterdata.current())).scalars())

        def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
            retry_by_itself(conn, rt.masterdata.current(), ids, now)

        super().__init__(NAME, rt.database, claim, work, BATCH)
        self._rt = rt
        self._pace = Pace()

    def run_once(self, now: datetime) -> int:
        return 0 if self._pace.rests(now) else self._pace.found(super().run_once(now), now)

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        with self._rt.database.worker() as conn:
            row = conn.execute(_WAITING, {"now": now}).one()
            return (row.waiting, row.due) if row.waiting else waiting(conn, NAME, now)


def retry_by_itself(conn: Connection, md: MasterData, payout_ids: Sequence[UUID], now: datetime) -> None:
    """Retry claimed obligations as SYSTEM; one over the cap waits for the next month, one that may not be retried for an admin."""
    report_ids = list(conn.execute(_REPORTS, {"ids": list(payout_ids)}).scalars())
    books = Books.of_reports(conn, report_ids)
    results = begin_retries(conn, md, books, report_ids, SYSTEM, now, comment="Tried again by itself")
    for result in results:
        payout = books.by_report[result.report_id]
        if result.error is None:
            continue
        if result.error.code == "SDCRS_MONTHLY_CAP_REACHED":
            payout.next_retry_at = _next_month_begins(md, payout.tenant_id, now)
        else:
            payout.next_retry_at = None
            payout.needs_person = f"The automatic retry was not possible: {result.error.message}"
        books.change(payout)
    books.write(conn, now)


def begin_retries(
    conn: Connection,
    md: MasterData,
    books: Books,
    report_ids: Sequence[UUID],
    actor: Actor,
    now: datetime,
    *,
    comment: str | None = None,
    body: Mapping[str, Any] | None = None,
) -> list[Retried]:
    """Begin a new attempt for each report whose payout may have one, with a result per report. Does not commit.

    Errors per report: SDCRS_NOT_FOUND, SDCRS_ACTION_NOT_ALLOWED, SDCRS_PAYOUT_UNRESOLVED, SDCRS_APPROVAL_PENDING,
    SDCRS_RETRIES_EXHAUSTED, SDCRS_PAYOUT_FROZEN, SDCRS_PAYEE_NOT_VERIFIED, SDCRS_MONTHLY_CAP_REACHED, and those of the door.
    """
    errors: dict[UUID, AppError] = {}
    held = holds(conn, md, {payout.beneficiary_id for payout in books.payouts.values()}, now)
    eligible: list[Payout] = []
    for report_id in dict.fromkeys(report_ids):
        try:
            eligible.append(_check(md, books, report_id, held))
        except AppError as error:
            errors[report_id] = error
    claims = [claim_now(md, payout, now) for payout in eligible]
    granted = []
    for payout, claim, fits in zip(eligible, claims, reserve(conn, claims), strict=True):
        if fits:
            granted.append((payout, claim.month))
        else:
            errors[payout.report_id] = cap_error(md, payout.tenant_id, claim.cap_paise, now)
    outcomes = transition(conn, md, "RETRY_PAYOUT", [_item(payout, comment) for payout, _ in granted], actor, now, body=body)
    refused = [(payout, month) for (payout, month), outcome in zip(granted, outcomes, strict=True) if not outcome.ok]
    release(conn, [(payout.beneficiary_id, month, payout.amount_paise) for payout, month in refused])
    moved = {outcome.report_id: outcome for outcome in outcomes}
    _open(conn, books, [(payout, month) for payout, month in granted if moved[payout.report_id].ok], now)
    return [_result(books, report_id, errors.get(report_id), moved.get(report_id)) for report_id in report_ids]


def check_unpaid(payout: Payout, books: Books, action: str) -> None:
    """Raise unless the obligation is unpaid for certain and nothing is under way for it."""
    if any(attempt.undecided for attempt in books.attempts_of(payout.id)):
        raise AppError("SDCRS_PAYOUT_UNRESOLVED")
    if not payout.unpaid:
        state = {"COMPLETED": "RESOLVED"}.get(payout.status, "PAYOUT_PENDING")
        raise AppError("SDCRS_ACTION_NOT_ALLOWED", action=action, state=state)
    if payout.manual_requested_at is not None:
        raise AppError("SDCRS_APPROVAL_PENDING")


def claim_now(md: MasterData, payout: Payout, now: datetime, amount_paise: int | None = None) -> Claim:
    """The part of the teacher's present month that a payment now would take."""
    config = md.payout_config(payout.tenant_id)
    month = local_month(now, md.tenant(payout.tenant_id).timezone)
    return Claim(payout.beneficiary_id, month, payout.tenant_id, amount_paise or payout.amount_paise, config.monthly_cap_paise)


def cap_error(md: MasterData, tenant_id: str, cap_paise: int, now: datetime) -> AppError:
    """The error that says when the teacher can be paid again."""
    begins = _next_month_begins(md, tenant_id, now).astimezone(md.tenant(tenant_id).timezone)
    return AppError("SDCRS_MONTHLY_CAP_REACHED", capRupees=cap_paise // 100, payableFrom=begins.date().isoformat())


def _check(md: MasterData, books: Books, report_id: UUID, held: Mapping[UUID, tuple[Rule, AppError]]) -> Payout:
    payout = books.by_report.get(report_id)
    if payout is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Payout of report", id=str(report_id))
    check_unpaid(payout, books, "RETRY_PAYOUT")
    maximum = md.payout_config(payout.tenant_id).max_retries
    if payout.retry_count >= maximum:
        raise AppError("SDCRS_RETRIES_EXHAUSTED", maxRetries=maximum)
    if payout.beneficiary_id in held:
        raise held[payout.beneficiary_id][1]
    return payout


def _item(payout: Payout, comment: str | None) -> Item:
    facts = {"payout_status": "RETRY_INITIATED", "retry_count": payout.retry_count + 1, "payout_failure_reason": None}
    return Item(payout.report_id, facts, {"referenceId": reference_id(payout.report_number, payout.retry_count + 1)}, comment)


def _open(conn: Connection, books: Books, granted: Sequence[tuple[Payout, date]], now: datetime) -> None:
    """The new attempts with their reservations."""
    if not granted:
        return
    attempts, entries = [], []
    for payout, month in granted:
        payout.retry_count += 1
        payout.status, payout.cap_month = "INITIATED", month
        payout.failure_reason = payout.failure_text = payout.next_retry_at = payout.needs_person = payout.utr = None
        books.change(payout)
        attempt_id = uuid7(now)
        reference = reference_id(payout.report_number, payout.retry_count)
        key = idempotency_key(reference, attempt_id)
        attempts.append(NewAttempt(attempt_id, payout.tenant_id, payout.id, payout.retry_count, reference, key))
        entries.append(Entry("RESERVE", payout.tenant_id, payout.id, payout.beneficiary_id, month, payout.amount_paise, attempt_id, now))
    insert_attempts(conn, attempts, now)
    books.write(conn, now)
    enter(conn, entries)


def _result(books: Books, report_id: UUID, error: AppError | None, outcome: Outcome | None) -> Retried:
    payout = books.by_report.get(report_id)
    if error is None and outcome is not None:
        error = outcome.error
    return Retried(
        report_id,
        error,
        payout.report_number if payout is not None else None,
        payout.retry_count if payout is not None else None,
        outcome,
    )


def _next_month_begins(md: MasterData, tenant_id: str, now: datetime) -> datetime:
    zone = md.tenant(tenant_id).timezone
    month = local_month(now, zone)
    year, number = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return datetime(year, number, 1, tzinfo=zone)
