"""A reconciliation run: our attempts of a window, the provider's payouts by pages, the matcher, and the result as rows.

The provider promises no order of its pages and no place in time for an order that was sent twice. So before something of
ours counts as missing it is asked for by itself.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import SYSTEM_ID, Caller
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.payouts.provider import NoneFound, Paid, Provider, target_of
from pipeline.payouts.reconciliation import Item, Kind, Ours, Theirs, match, tally
from pipeline.runtime import Runtime

LONGEST = timedelta(days=400)  # a year with room; more at once is a mistake
MARGIN = timedelta(hours=1)  # the two houses' clocks, and an order that was taken at a second try
ASKED_SINGLY_MAX = 200  # missing ones looked up one by one; if more are missing, the list itself is wrong
ATTEMPTS_MAX = 2_000_000
EVERY = timedelta(days=7)
WINDOW = timedelta(days=10)  # of the weekly run: a week, and the three working days in which a payout may still change

log = logging.getLogger(__name__)

_COLUMNS = """
    a.payout_id, a.tenant_id, p.report_number, a.reference_id, a.phase, p.amount_paise, a.provider_payout_id,
    f.provider_fund_account_id AS fund_account_id, a.provider_status AS status, a.utr,
    (p.status = 'COMPLETED' AND p.manual_approved_at IS NULL AND a.number = p.retry_count) AS settled, a.first_sent_at AS sent_at
    FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
"""
_IN_WINDOW = text(f"""
    SELECT {_COLUMNS} WHERE a.tenant_id = ANY (:tenants) AND a.first_sent_at >= :since AND a.first_sent_at < :until LIMIT :limit
""")
_BY_NAME = text(f"""
    SELECT {_COLUMNS} WHERE a.first_sent_at IS NOT NULL AND a.tenant_id = ANY (:tenants)
    AND (a.provider_payout_id = ANY (:ids) OR a.reference_id = ANY (:references))
""")
_RUN = text("""
    INSERT INTO payout.reconciliation_run (id, tenant_id, window_starts_at, window_ends_at, ours, theirs, matched, in_flight, exceptions,
                                           run_at, run_by)
    VALUES (:id, :tenant_id, :since, :until, :ours, :theirs, :matched, :in_flight, :exceptions, :now, :by)
""")
_ITEMS = text("""
    INSERT INTO payout.reconciliation_item (id, tenant_id, run_id, kind, payout_id, report_number, reference_id, provider_payout_id,
                                            field, ours, theirs, age_s, next_step)
    SELECT v.id, v.tenant_id, :run_id, v.kind, v.payout_id, v.report_number, v.reference_id, v.provider_payout_id, v.field, v.ours,
           v.theirs, v.age_s, v.next_step
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, kind text, payout_id uuid, report_number text, reference_id text, provider_payout_id text,
             field text, ours text, theirs text, age_s bigint, next_step text)
""")
_LAST = text("SELECT max(run_at) FROM payout.reconciliation_run WHERE run_by = :by AND tenant_id = ANY (:tenants)")


@dataclass(frozen=True)
class Run:
    """A finished run: its row's id, and how many of each kind it found."""

    id: UUID
    tenant_id: str
    ours: int
    theirs: int
    counts: dict[Kind, int]

    @property
    def exceptions(self) -> int:
        """Everything that neither matched nor is on its way."""
        return sum(count for kind, count in self.counts.items() if kind not in ("MATCHED", "IN_FLIGHT"))


def reconcile(rt: Runtime, caller: Caller, since: datetime, until: datetime, now: datetime) -> Run:
    """Compare a window in the caller's area and keep the result. Calls the provider; commits.

    Raises SDCRS_FORBIDDEN, SDCRS_INVALID_REQUEST and SDCRS_PROVIDER_AWAY.
    """
    if not caller.has("STATE_ADMIN"):
        raise AppError("SDCRS_FORBIDDEN", reason="only state admins reconcile")
    return _reconcile(rt, _Area(rt, caller.tenant_id, caller.scope, caller), since, until, now)


def reconcile_state(rt: Runtime, state_id: str, since: datetime, until: datetime, now: datetime) -> Run:
    """The same for a whole state as our own job, for the calendar and the command line."""
    return _reconcile(rt, _Area(rt, state_id, rt.masterdata.current().descendants(state_id), None), since, until, now)


def reconcile_weekly(rt: Runtime, now: datetime) -> list[Run]:
    """The scheduled run of every state whose last one is a week old. A provider that is away is tried again an hour later."""
    md = rt.masterdata.current()
    runs = []
    for tenant in md.tenants():
        if not tenant.is_state:
            continue
        area = _Area(rt, tenant.id, md.descendants(tenant.id), None)
        with area.connect() as conn:
            last = conn.execute(_LAST, {"by": SYSTEM_ID, "tenants": [tenant.id]}).scalar_one()
        if last is None or last <= now - EVERY:
            try:
                runs.append(_reconcile(rt, area, now - WINDOW, now, now))
            except AppError as error:
                if error.code != "SDCRS_PROVIDER_AWAY":
                    raise
                log.warning("the weekly reconciliation of %s waits: %s", tenant.id, error.message)
    return runs


@dataclass(frozen=True)
class _Area:
    """Whose payouts are compared, and as whom the database is asked. `caller` None: the weekly job."""

    rt: Runtime
    tenant_id: str
    scope: Sequence[str]
    caller: Caller | None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        database = self.rt.database
        with database.worker() if self.caller is None else database.begin(self.scope) as conn:
            yield conn


def _reconcile(rt: Runtime, area: _Area, since: datetime, until: datetime, now: datetime) -> Run:
    if since.tzinfo is None or until.tzinfo is None or not since < until <= since + LONGEST:
        raise AppError("SDCRS_INVALID_REQUEST", field="toDate", detail=f"must lie after fromDate, at most {LONGEST.days} days")
    with closing(Provider(target_of(rt.settings))) as provider:
        listed = _pull(provider, since - MARGIN, until + MARGIN)
        with area.connect() as conn:
            ours = _ours(conn, area, listed, since, until)
        listed |= _ask_for_missing(provider, ours, listed)
    inside = [one for one in listed.values() if one.tenant_id is None or one.tenant_id in area.scope]
    known = {mine.provider_payout_id for mine in ours} | {mine.reference_id for mine in ours}
    theirs = [one for one in inside if since <= one.created_at < until or one.id in known or one.reference_id in known]
    items = match(ours, theirs, now)
    return _keep(area, ours, theirs, items, since, until, now)


def _pull(provider: Provider, since: datetime, until: datetime) -> dict[str, Theirs]:
    found: dict[str, Theirs] = {}
    for page in provider.pages(since, until):
        if not isinstance(page, list):
            raise AppError("SDCRS_PROVIDER_AWAY", why=getattr(page, "why", None) or getattr(page, "description", "no list"))
        for one in page:
            found[one.payout.id] = _theirs(one)
    return found


def _theirs(one: Paid) -> Theirs:
    payout = one.payout
    tenant = payout.notes.get("tenant_id")
    return Theirs(
        id=payout.id,
        reference_id=payout.reference_id,
        amount_paise=payout.amount,
        fund_account_id=payout.fund_account_id,
        status=payout.status,
        utr=payout.utr,
        tenant_id=tenant if isinstance(tenant, str) else None,
        created_at=datetime.fromtimestamp(payout.created_at or 0, UTC),
    )


def _ours(conn: Connection, area: _Area, listed: dict[str, Theirs], since: datetime, until: datetime) -> list[Ours]:
    """The attempts of the window, and those outside it of which the provider lists a payout."""
    tenants = list(area.scope)
    params = {"tenants": tenants, "since": since, "until": until, "limit": ATTEMPTS_MAX}
    ours = [Ours(**row) for row in conn.execute(_IN_WINDOW, params).mappings()]
    named = {mine.provider_payout_id for mine in ours} | {mine.reference_id for mine in ours}
    rest = [one for one in listed.values() if one.id not in named and one.reference_id not in named]
    if rest:
        names = {"tenants": tenants, "ids": [one.id for one in rest], "references": [one.reference_id for one in rest]}
        ours += [Ours(**row) for row in conn.execute(_BY_NAME, names).mappings()]
    return ours


def _ask_for_missing(provider: Provider, ours: Sequence[Ours], listed: dict[str, Theirs]) -> dict[str, Theirs]:
    """What the list did not show, asked for by id or by reference. No answer leaves the question open, which is an error."""
    references = {one.reference_id for one in listed.values()}
    missing = [
        mine
        for mine in ours
        if (mine.provider_payout_id not in listed if mine.provider_payout_id else mine.reference_id not in references)
        and (mine.phase != "REFUSED" or mine.provider_payout_id is not None)
    ]
    found: dict[str, Theirs] = {}
    for mine in missing[:ASKED_SINGLY_MAX]:
        answer = (
            provider.fetch_payout(mine.provider_payout_id) if mine.provider_payout_id else provider.find_by_reference(mine.reference_id)
        )
        if isinstance(answer, Paid):
            found[answer.payout.id] = _theirs(answer)
        elif not isinstance(answer, NoneFound) and getattr(answer, "why", None) is not None:
            raise AppError("SDCRS_PROVIDER_AWAY", why=str(getattr(answer, "why", "")))
    return found


def _keep(
    area: _Area, ours: Sequence[Ours], theirs: Sequence[Theirs], items: Sequence[Item], since: datetime, until: datetime, now: datetime
) -> Run:
    counts = tally(items)
    run = Run(uuid7(now), area.tenant_id, len(ours), len(theirs), counts)
    rows = [
        {
            "id": str(uuid7(now)),
            "tenant_id": item.tenant_id if item.tenant_id in area.scope else area.tenant_id,
            "kind": item.kind,
            "payout_id": str(item.payout_id) if item.payout_id else None,
            "report_number": item.report_number,
            "reference_id": item.reference_id,
            "provider_payout_id": item.provider_payout_id,
            "field": item.field,
            "ours": item.ours,
            "theirs": item.theirs,
            "age_s": item.age_s,
            "next_step": item.next_step,
        }
        for item in items
        if item.kind != "MATCHED"
    ]
    with area.connect() as conn:
        conn.execute(
            _RUN,
            {
                "id": run.id,
                "tenant_id": area.tenant_id,
                "since": since,
                "until": until,
                "ours": run.ours,
                "theirs": run.theirs,
                "matched": counts.get("MATCHED", 0),
                "in_flight": counts.get("IN_FLIGHT", 0),
                "exceptions": run.exceptions,
                "now": now,
                "by": area.caller.account_id if area.caller is not None else SYSTEM_ID,
            },
        )
        if rows:
            conn.execute(_ITEMS, {"rows": json.dumps(rows), "run_id": run.id})
    return run
