"""A reconciliation run: our attempts of a window, the provider's payouts and the account statement, the matcher, the result as rows.

By API both of the provider's sources are pulled; from a statement file the statement speaks alone, so that it also serves when
the provider is away. What another tenant ordered at the same account belongs to that tenant's runs.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import SYSTEM_ID, Caller
from pipeline.access.policy import check
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.payouts.compared import SETTLING, Result, Rules, Window
from pipeline.payouts.findings import Item, Kind
from pipeline.payouts.provider import Provider, target_of
from pipeline.payouts.reconciliation import Matcher
from pipeline.payouts.sources import LATER, MARGIN, ask_singly, elsewhere, our_pages, ours_by_name, pull_payouts, pull_statement
from pipeline.payouts.statement_file import Statement, read_statement
from pipeline.payouts.uncollected import uncollected
from pipeline.runtime import Runtime

LONGEST = timedelta(days=400)  # a year with room; more at once is a mistake
SETTLING_MAX = timedelta(days=7)  # after that a payout is late by every rule
TOLERANCE_MAX_PAISE = 100  # a rupee: banks that round do it by less
EVERY = timedelta(days=7)
WINDOW = timedelta(days=10)  # of the weekly run: a week, and the three working days in which a payout may still change
ITEMS = 5_000  # rows written at a time

log = logging.getLogger(__name__)

_RUN = text("""
    INSERT INTO payout.reconciliation_run (id, tenant_id, source, file_name, window_starts_at, window_ends_at, ours, theirs, lines, matched,
                                           in_flight, exceptions, opening_paise, credited_paise, debited_paise, closing_paise, settling_s,
                                           tolerance_paise, run_at, run_by)
    VALUES (:id, :tenant_id, :source, :file_name, :since, :until, :ours, :theirs, :lines, :matched, :in_flight, :exceptions, :opening_paise,
            :credited_paise, :debited_paise, :closing_paise, :settling_s, :tolerance_paise, :now, :by)
""")
_ITEMS = text("""
    INSERT INTO payout.reconciliation_item (id, tenant_id, run_id, kind, payout_id, attempt_id, report_number, reference_id,
                                            provider_payout_id, line_id, field, ours, theirs, age_s, next_step, fingerprint, status)
    SELECT v.id, v.tenant_id, :run_id, v.kind, v.payout_id, v.attempt_id, v.report_number, v.reference_id, v.provider_payout_id, v.line_id,
           v.field, v.ours, v.theirs, v.age_s, v.next_step, v.fingerprint,
           CASE WHEN v.kind <> 'IN_FLIGHT' AND EXISTS (
               SELECT FROM payout.reconciliation_item k
               WHERE k.tenant_id = v.tenant_id AND k.fingerprint = v.fingerprint AND k.status = 'ACKNOWLEDGED')
           THEN 'ACKNOWLEDGED' ELSE 'OPEN' END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, kind text, payout_id uuid, attempt_id uuid, report_number text, reference_id text,
             provider_payout_id text, line_id text, field text, ours text, theirs text, age_s bigint, next_step text, fingerprint text)
""")
_LAST = text("SELECT max(run_at) FROM payout.reconciliation_run WHERE run_by = :by AND tenant_id = ANY (:tenants)")


@dataclass(frozen=True)
class Strictness:
    """How young a difference may be, and how far amounts may lie apart, before they count."""

    settling: timedelta = SETTLING
    tolerance_paise: int = 0


USUAL = Strictness()


@dataclass(frozen=True)
class Run:
    """A finished run: its row's id, and how many of each kind it found. `lines` None: no statement was compared."""

    id: UUID
    tenant_id: str
    ours: int
    theirs: int
    lines: int | None
    counts: dict[Kind, int]

    @property
    def exceptions(self) -> int:
        """Everything that neither matched nor is on its way."""
        return sum(count for kind, count in self.counts.items() if kind not in ("MATCHED", "IN_FLIGHT"))


def reconcile(rt: Runtime, caller: Caller, since: datetime, until: datetime, now: datetime, strictness: Strictness = USUAL) -> Run:
    """Compare a window in the caller's area with the provider and keep the result. Calls the provider; commits.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST and SDCRS_PROVIDER_AWAY.
    """
    check(caller, "reconcile")
    return _by_pull(_Area(rt, caller.tenant_id, caller.scope, caller), Window(since, until), strictness, now)


def reconcile_file(rt: Runtime, caller: Caller, name: str, data: bytes, now: datetime, strictness: Strictness = USUAL) -> Run:
    """Compare the caller's area with a statement file, for the time that the file covers. Calls nobody; commits.

    Raises SDCRS_FORBIDDEN, SDCRS_STATEMENT_UNREADABLE, SDCRS_FILE_TOO_LARGE and SDCRS_INVALID_REQUEST.
    """
    check(caller, "reconcile")
    return _by_file(_Area(rt, caller.tenant_id, caller.scope, caller), name, data, strictness, now)


def reconcile_state(rt: Runtime, state_id: str, since: datetime, until: datetime, now: datetime, strictness: Strictness = USUAL) -> Run:
    """As `reconcile` for a whole state as our own job, for the calendar and the command line."""
    return _by_pull(_state(rt, state_id), Window(since, until), strictness, now)


def reconcile_state_file(rt: Runtime, state_id: str, name: str, data: bytes, now: datetime, strictness: Strictness = USUAL) -> Run:
    """As `reconcile_file` for a whole state, for the command line."""
    return _by_file(_state(rt, state_id), name, data, strictness, now)


def reconcile_weekly(rt: Runtime, now: datetime) -> list[Run]:
    """The scheduled run of every state whose last one is a week old. A provider that is away is tried again an hour later."""
    runs = []
    for tenant in rt.masterdata.current().tenants():
        if not tenant.is_state:
            continue
        area = _state(rt, tenant.id)
        with area.connect() as conn:
            last = conn.execute(_LAST, {"by": SYSTEM_ID, "tenants": [tenant.id]}).scalar_one()
        if last is None or last <= now - EVERY:
            try:
                runs.append(_by_pull(area, Window(now - WINDOW, now), USUAL, now))
            except AppError as error:
                if error.code != "SDCRS_PROVIDER_AWAY":
                    raise
                log.warning("the weekly reconciliation of %s waits: %s", tenant.id, error.message)
    return runs


@dataclass(frozen=True)
class _Area:
    """Whose payouts are compared, and as whom the database is asked. `caller` None: our own job."""

    rt: Runtime
    tenant_id: str
    scope: Sequence[str]
    caller: Caller | None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        database = self.rt.database
        with database.worker() if self.caller is None else database.begin(self.scope) as conn:
            yield conn


def _state(rt: Runtime, state_id: str) -> _Area:
    return _Area(rt, state_id, rt.masterdata.current().descendants(state_id), None)


def _by_pull(area: _Area, window: Window, strictness: Strictness, now: datetime) -> Run:
    _check(window, strictness)
    covers = Window(window.since - MARGIN, max(min(window.until + LATER, now), window.until) + MARGIN)
    matcher = Matcher(Rules(window, strictness.settling, strictness.tolerance_paise, statement=covers), now)
    with closing(Provider(target_of(area.rt.settings))) as provider, uncollected():
        for payouts in pull_payouts(provider, Window(window.since - MARGIN, window.until + MARGIN)):
            matcher.add_theirs(payouts)
        for lines in pull_statement(provider, covers):
            matcher.add_lines(lines)
        _take_ours(area, matcher, window)
        matcher.add_theirs(ask_singly(provider, matcher.missing()))
        result = matcher.finish()
    return _keep(area, result, window, strictness, None, now)


def _by_file(area: _Area, name: str, data: bytes, strictness: Strictness, now: datetime) -> Run:
    with uncollected():
        statement: Statement = read_statement(name, data, target_of(area.rt.settings).account_number)
        window = Window(statement.covers.since, min(statement.covers.until, now))
        _check(window, strictness)
        rules = Rules(window, strictness.settling, strictness.tolerance_paise, provider=False, statement=statement.covers)
        matcher = Matcher(rules, now)
        matcher.add_lines(statement.lines)
        _take_ours(area, matcher, window)
        result = matcher.finish()
    return _keep(area, result, window, strictness, name[:100] or "statement", now)


def _check(window: Window, strictness: Strictness) -> None:
    if window.since.tzinfo is None or window.until.tzinfo is None or not window.since < window.until <= window.since + LONGEST:
        raise AppError("SDCRS_INVALID_REQUEST", field="toDate", detail=f"must lie after fromDate, at most {LONGEST.days} days")
    if not timedelta() <= strictness.settling <= SETTLING_MAX:
        raise AppError("SDCRS_INVALID_REQUEST", field="settling", detail=f"must be 0 to {SETTLING_MAX.days} days")
    if not 0 <= strictness.tolerance_paise <= TOLERANCE_MAX_PAISE:
        raise AppError("SDCRS_INVALID_REQUEST", field="tolerance", detail=f"must be 0 to {TOLERANCE_MAX_PAISE} paise")


def _take_ours(area: _Area, matcher: Matcher, window: Window) -> None:
    """Ours of the window, then ours of any time that the others name; what is left and another tenant's is forgotten."""
    seen: set[UUID] = set()
    with area.connect() as conn:
        for page in our_pages(conn, area.scope, window):
            matcher.take(page)
            seen |= {mine.attempt_id for mine in page}
        strange = matcher.strangers()
        for page in ours_by_name(conn, area.scope, strange):
            matcher.take([mine for mine in page if mine.attempt_id not in seen])
            seen |= {mine.attempt_id for mine in page}
    strange = matcher.strangers()
    if strange:
        # asked as the worker: only whether it is another tenant's is learnt, not whose
        with area.rt.database.worker() as conn:
            ids, references = elsewhere(conn, area.scope, strange)
        matcher.drop(ids, references)


def _keep(area: _Area, result: Result, window: Window, strictness: Strictness, file_name: str | None, now: datetime) -> Run:
    run = Run(uuid7(now), area.tenant_id, result.ours, result.theirs, result.lines if result.balance is not None else None, result.counts)
    balance = result.balance
    values = {
        "id": run.id,
        "tenant_id": area.tenant_id,
        "source": "PROVIDER" if file_name is None else "FILE",
        "file_name": file_name,
        "since": window.since,
        "until": window.until,
        "ours": run.ours,
        "theirs": run.theirs,
        "lines": run.lines,
        "matched": run.counts.get("MATCHED", 0),
        "in_flight": run.counts.get("IN_FLIGHT", 0),
        "exceptions": run.exceptions,
        "opening_paise": balance.opening_paise if balance else None,
        "credited_paise": balance.credited_paise if balance else None,
        "debited_paise": balance.debited_paise if balance else None,
        "closing_paise": balance.closing_paise if balance else None,
        "settling_s": int(strictness.settling.total_seconds()),
        "tolerance_paise": strictness.tolerance_paise,
        "now": now,
        "by": area.caller.account_id if area.caller is not None else SYSTEM_ID,
    }
    with area.connect() as conn:
        conn.execute(_RUN, values)
        for start in range(0, len(result.items), ITEMS):
            rows = [_row(area, item, now) for item in result.items[start : start + ITEMS]]
            conn.execute(_ITEMS, {"rows": json.dumps(rows), "run_id": run.id})
    return run


def _row(area: _Area, item: Item, now: datetime) -> dict[str, object]:
    return {
        "id": str(uuid7(now)),
        "tenant_id": item.tenant_id if item.tenant_id in area.scope else area.tenant_id,
        "kind": item.kind,
        "payout_id": str(item.payout_id) if item.payout_id else None,
        "attempt_id": str(item.attempt_id) if item.attempt_id else None,
        "report_number": item.report_number,
        "reference_id": item.reference_id,
        "provider_payout_id": item.provider_payout_id,
        "line_id": item.line_id,
        "field": item.field,
        "ours": item.ours,
        "theirs": item.theirs,
        "age_s": item.age_s,
        "next_step": item.next_step,
        "fingerprint": item.fingerprint,
    }
