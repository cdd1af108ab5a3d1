"""A page of a list our way beside the plain one: SQL alone, in this process and one thread, in one transaction each."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Connection, text

import queries
from pipeline.api.report_read import COUNT_LIMIT
from pipeline.bench.calls import PAGE
from pipeline.bench.figures import MS
from pipeline.bench.people import TENANT
from pipeline.clock import Clock
from pipeline.runtime import Runtime

OURS, PLAIN = 200, 20  # pages: enough for a steady middle; the plain way counts a million rows each time
LISTS: dict[str, str | None] = {"newest of the tenant": None, "waiting for a verifier": "PENDING_VERIFICATION"}

_PAGE = text("""
    SELECT * FROM sdcrs.report WHERE tenant_id = :tenant AND (CAST(:status AS text) IS NULL OR status = :status)
    ORDER BY created_at DESC, id DESC LIMIT :limit
""")
_TOTAL = text("SELECT count(*) FROM sdcrs.report WHERE tenant_id = :tenant AND (CAST(:status AS text) IS NULL OR status = :status)")
_EVIDENCE = text("SELECT * FROM sdcrs.evidence WHERE report_id = :id")
_SCHOOL = text("SELECT school_name FROM access.account WHERE id = :id")
_PAYOUT = text("SELECT * FROM payout.payout WHERE report_id = :id")


@dataclass(frozen=True)
class Page:
    """One list both ways, in milliseconds a page (the middle one)."""

    name: str
    ours_ms: float
    plain_ms: float

    @property
    def ratio(self) -> float:
        return self.plain_ms / self.ours_ms


@dataclass(frozen=True)
class Pages:
    """What was compared."""

    pages: tuple[Page, ...]

    def as_text(self) -> list[str]:
        """The lines that are printed."""
        head = f"  {f'{PAGE} reports with photos, school, payout and total':<52} {'ours ms':>9} {'plain ms':>9} {'ratio':>7}"
        rows = [f"  {page.name:<52} {page.ours_ms:>9.1f} {page.plain_ms:>9.1f} {page.ratio:>7.1f}" for page in self.pages]
        about = "  plain: every match counted, and photos, school and payout asked report by report; SQL alone, one thread, no HTTP"
        return ["", "3. A page of a list beside the plain way", about, head, *rows]

    def as_data(self) -> dict[str, Any]:
        """The same for a program."""
        return {
            "title": "A page of a list beside the plain way",
            "ms_a_page": [{**vars(page), "ratio": round(page.ratio, 2)} for page in self.pages],
        }


def compare(rt: Runtime) -> Pages:
    """Each list both ways, by turns of one connection each."""
    found = []
    for name, status in LISTS.items():
        ours = _middle_ms(rt, OURS, lambda conn, status=status: _ours(conn, status, rt.clock))  # type: ignore[misc]
        plain = _middle_ms(rt, PLAIN, lambda conn, status=status: _plain(conn, status))  # type: ignore[misc]
        found.append(Page(name, ours, plain))
    return Pages(tuple(found))


def _middle_ms(rt: Runtime, count: int, read: Callable[[Connection], None]) -> float:
    took = []
    for _ in range(count):
        began = time.monotonic()
        with rt.database.begin([TENANT]) as conn:
            read(conn)
        took.append(time.monotonic() - began)
    return median(took) * MS


def _ours(conn: Connection, status: str | None, clock: Clock) -> None:
    nothing = dict.fromkeys(
        ("ids", "report_number", "tracking_id", "statuses", "service_type", "reporter_id", "officer_id", "locality_code", "ward_code",
         "created_from", "created_to", "own_reporter", "own_officer")
    )  # fmt: skip
    wanted: dict[str, Any] = {**nothing, "tenants": [TENANT], "status": status, "sees_all": True}
    ids = [row["id"] for row in queries.dicts(conn, "reports.newest_first", **wanted, offset=0, limit=PAGE)]
    queries.dicts(conn, "reports.total", **wanted, count_limit=COUNT_LIMIT)
    seen = {"sees_all": True, "own_reporter": None, "own_officer": None, "sees_reporters": True}
    queries.dicts(conn, "reports.by_ids", ids=ids, now=clock.now(), **seen)
    queries.dicts(conn, "reports.evidence", report_ids=ids, with_selfies=True)
    queries.dicts(conn, "reports.payouts", report_ids=ids)


def _plain(conn: Connection, status: str | None) -> None:
    reports = conn.execute(_PAGE, {"tenant": TENANT, "status": status, "limit": PAGE}).all()
    conn.execute(_TOTAL, {"tenant": TENANT, "status": status}).scalar_one()
    for report in reports:
        conn.execute(_EVIDENCE, {"id": report.id}).all()
        conn.execute(_SCHOOL, {"id": report.reporter_id}).all()
        conn.execute(_PAYOUT, {"id": report.id}).all()
