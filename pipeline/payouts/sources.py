"""What a reconciliation reads: our attempts in pages, the provider's payouts and the account statement by pulls with an end.

The provider promises no order of its pages and no place in time for an order that was sent twice; the matcher needs neither.
No call to the provider is made while a transaction is open.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.database.engine import dicts
from pipeline.errors import AppError
from pipeline.payouts.answers import Answer, Paused
from pipeline.payouts.compared import Line, Ours, Theirs, Window
from pipeline.payouts.provider import PAGE, PAGES_MAX, NoneFound, Paid, Provider

MARGIN = timedelta(hours=1)  # the two houses' clocks, and an order that was taken at a second try
LATER = timedelta(days=7)  # of the statement: a bank returns money within three working days, a weekend and a holiday
ASKED_SINGLY_MAX = 200  # missing ones looked up one by one; if more are missing, the list itself is wrong
ROWS = 20_000  # of ours at a time: some 20 MB
NAMES = 5_000  # looked up at a time
THROTTLED_MAX = 5  # times in a row that a pull waits when it is asked to go slower

T = TypeVar("T")

_COLUMNS = """
    a.id AS attempt_id, a.payout_id, a.tenant_id, p.report_number, a.reference_id, a.phase, p.amount_paise, a.fees_paise,
    a.provider_payout_id, f.provider_fund_account_id AS fund_account_id, a.provider_status AS status, a.utr,
    (p.status = 'COMPLETED' AND p.manual_approved_at IS NULL AND a.number = p.retry_count) AS settled, a.first_sent_at AS sent_at,
    CASE WHEN p.status = 'COMPLETED' AND a.number = p.retry_count THEN p.completed_at END AS paid_at
    FROM payout.attempt a JOIN payout.payout p ON p.id = a.payout_id LEFT JOIN payout.fund_account f ON f.id = a.fund_account_id
"""
_IN_WINDOW = text(f"""
    SELECT {_COLUMNS} WHERE a.tenant_id = ANY (:tenants) AND a.first_sent_at < :until AND (a.first_sent_at, a.id) > (:since, :after)
    ORDER BY a.first_sent_at, a.id LIMIT :limit
""")
_BY_NAME = text(f"""
    SELECT {_COLUMNS} WHERE a.first_sent_at IS NOT NULL AND a.tenant_id = ANY (:tenants)
    AND (a.provider_payout_id = ANY (:names) OR a.reference_id = ANY (:names))
""")
_ELSEWHERE = text("""
    SELECT provider_payout_id, reference_id FROM payout.attempt
    WHERE NOT (tenant_id = ANY (:tenants)) AND (provider_payout_id = ANY (:names) OR reference_id = ANY (:names))
""")
_FIRST = UUID(int=0)


def our_pages(conn: Connection, tenants: Sequence[str], window: Window) -> Iterator[list[Ours]]:
    """The attempts that were sent in the window, in pages by time."""
    since, after = window.since - timedelta(microseconds=1), _FIRST
    while True:
        params = {"tenants": list(tenants), "since": since, "until": window.until, "after": after, "limit": ROWS}
        page = [Ours(**row) for row in dicts(conn, _IN_WINDOW, params, ROWS)]
        if page:
            yield page
            since, after = page[-1].sent_at, page[-1].attempt_id
        if len(page) < ROWS:
            return


def ours_by_name(conn: Connection, tenants: Sequence[str], names: Collection[str]) -> Iterator[list[Ours]]:
    """Attempts of any time that go by these ids of the provider or references of ours."""
    for some in _batches(names):
        yield [Ours(**row) for row in dicts(conn, _BY_NAME, {"tenants": list(tenants), "names": some}, 2 * NAMES)]


def elsewhere(conn: Connection, tenants: Sequence[str], names: Collection[str]) -> tuple[list[str], list[str]]:
    """Ids and references among these names that belong to other tenants. The connection must see all tenants."""
    ids: list[str] = []
    references: list[str] = []
    for some in _batches(names):
        for row in dicts(conn, _ELSEWHERE, {"tenants": list(tenants), "names": some}, 2 * NAMES):
            references.append(row["reference_id"])
            if row["provider_payout_id"] is not None:
                ids.append(row["provider_payout_id"])
    return ids, references


def pull_payouts(provider: Provider, window: Window) -> Iterator[list[Theirs]]:
    """The provider's payouts of a window. Raises SDCRS_PROVIDER_AWAY."""
    for page in _pages(lambda skip: provider.list_payouts(since=window.since, until=window.until, skip=skip), "list"):
        yield [theirs_of(one) for one in page]


def pull_statement(provider: Provider, window: Window) -> Iterator[list[Line]]:
    """The lines of the account's statement of a window. Raises SDCRS_PROVIDER_AWAY."""
    for page in _pages(lambda skip: provider.list_transactions(window.since, window.until, skip), "statement"):
        try:
            yield [line_of(one) for one in page]
        except (KeyError, TypeError, ValueError) as error:
            raise AppError("SDCRS_PROVIDER_AWAY", why=f"a line of its statement cannot be read: {error}") from error


def ask_singly(provider: Provider, missing: Sequence[Ours]) -> list[Theirs]:
    """Those of ours that the lists did not have: an order that was lost and sent again is listed at the time of the second."""
    found: list[Theirs] = []
    for mine in missing if len(missing) <= ASKED_SINGLY_MAX else ():
        answer = (
            provider.fetch_payout(mine.provider_payout_id) if mine.provider_payout_id else provider.find_by_reference(mine.reference_id)
        )
        if isinstance(answer, Paid):
            found.append(theirs_of(answer))
        elif not isinstance(answer, NoneFound) and getattr(answer, "why", None) is not None:
            raise AppError("SDCRS_PROVIDER_AWAY", why=str(getattr(answer, "why", "")))
    return found


def theirs_of(one: Paid) -> Theirs:
    """A payout of the provider as the matcher takes it."""
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


def line_of(entity: dict[str, Any]) -> Line:
    """A transaction of the provider as the matcher takes it. Raises KeyError, TypeError or ValueError where it is none."""
    source = entity.get("source")
    source = source if isinstance(source, dict) else {}
    notes = source.get("notes")
    name = source.get("id")
    payout_id = source.get("payout_id") or (name if isinstance(name, str) and name.startswith("pout_") else None)
    fees = source.get("fees", source.get("fee"))
    balance = entity.get("balance")
    return Line(
        id=str(entity["id"]),
        at=datetime.fromtimestamp(int(entity["created_at"]), UTC),
        credit_paise=int(entity["credit"]),
        debit_paise=int(entity["debit"]),
        balance_paise=int(balance) if balance is not None else None,
        entity=_word(source.get("entity")),
        payout_id=_word(payout_id),
        reference_id=_word(source.get("reference_id")),
        utr=_word(source.get("utr")),
        amount_paise=int(source["amount"]) if payout_id and source.get("amount") is not None else None,
        fees_paise=int(fees or 0),
        fund_account_id=_word(source.get("fund_account_id")),
        tenant_id=_word(notes.get("tenant_id")) if isinstance(notes, dict) else None,
    )


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _batches(names: Collection[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, NAMES)):
        yield some


def _pages(ask: Callable[[int], list[T] | Answer], what: str) -> Iterator[list[T]]:
    """Page after page by how many to skip, up to the one that is not full."""
    for skip in range(0, PAGES_MAX * PAGE, PAGE):
        page = _patiently(partial(ask, skip))
        yield page
        if len(page) < PAGE:
            return
    raise AppError("SDCRS_PROVIDER_AWAY", why=f"its {what} has no end")


def _patiently(call: Callable[[], list[T] | Answer]) -> list[T]:
    """The page, after waiting a few times where the provider asks for it; a pull of many pages meets its limit."""
    for turn in range(THROTTLED_MAX + 1):
        answer = call()
        if isinstance(answer, list):
            return answer
        if not (isinstance(answer, Paused) and answer.why == "THROTTLED" and turn < THROTTLED_MAX):
            raise AppError("SDCRS_PROVIDER_AWAY", why=getattr(answer, "why", None) or getattr(answer, "description", "no list"))
        time.sleep(min(answer.wait_s or 1.0, 10.0))
    raise AppError("SDCRS_PROVIDER_AWAY", why="THROTTLED")
