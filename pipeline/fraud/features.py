"""The history that rules look at, gathered for a whole batch: one statement for each kind of question, never one for a report.

Counts include the report judged and, of those received at the same moment, the ones with a smaller id: the order of receipt.
Spans include the moment at which they begin. Only what the rules need is asked.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, TextClause, text

from pipeline.clock import local_day, local_month
from pipeline.database.arrays import array, moments, texts
from pipeline.database.engine import Command, at_once
from pipeline.fraud.case import Before, History, Match, SameFile
from pipeline.fraud.cleared import leave_out_cleared
from pipeline.fraud.ruleset import Needs

CELLS_PER_DEGREE = 200  # as the index report_by_cell has them
METRES_PER_DEGREE = 111_195  # of latitude, on the sphere that haversine_m measures
MOST = 200  # reports of one cell or phone; rules flag from a handful on
MATCHES = 20  # of one file: one is enough to fire, the others are there in case the first was rejected in this very batch
ANCIENT = timedelta(days=36_500)  # a look without limit

# The applicants' reports since a moment each, in order of receipt, and how many they ever sent, both of one snapshot
_OWN = text("""
    SELECT p.n, a.lifetime_reports, r.id, r.created_at, r.latitude, r.longitude
    FROM unnest(CAST(:n AS int[]), CAST(:reporters AS uuid[]), CAST(:since AS timestamptz[])) AS p (n, reporter_id, since)
    JOIN access.account a ON a.id = p.reporter_id
    LEFT JOIN sdcrs.report r ON r.reporter_id = p.reporter_id AND r.created_at >= p.since
    ORDER BY p.n, r.created_at, r.id
""")
# Counting stops at :most, so that a place or a phone that somebody floods costs no more than a busy one
_USERS = text("""
    SELECT p.n, count(DISTINCT u.reporter_id) AS others
    FROM unnest(CAST(:n AS int[]), CAST(:tenants AS text[]), CAST(:devices AS text[]), CAST(:at AS timestamptz[]), CAST(:ids AS uuid[]),
                CAST(:reporters AS uuid[])) AS p (n, tenant_id, device_id, at, id, reporter_id)
    CROSS JOIN LATERAL (
        SELECT r.reporter_id FROM sdcrs.report r
        WHERE r.tenant_id = p.tenant_id AND r.device_id = p.device_id AND r.created_at BETWEEN p.at - CAST(:span AS interval) AND p.at
          AND (r.created_at, r.id) < (p.at, p.id) AND r.reporter_id IS DISTINCT FROM p.reporter_id AND r.id <> p.id
        LIMIT :most
    ) u
    GROUP BY p.n
""")
_NEARBY = text("""
    SELECT p.n, count(*) AS others
    FROM unnest(CAST(:n AS int[]), CAST(:tenants AS text[]), CAST(:cells_y AS int[]), CAST(:cells_x AS int[]), CAST(:latitudes AS float8[]),
                CAST(:longitudes AS float8[]), CAST(:at AS timestamptz[]), CAST(:ids AS uuid[]))
        AS p (n, tenant_id, cell_y, cell_x, latitude, longitude, at, id)
    CROSS JOIN LATERAL (
        SELECT FROM sdcrs.report r
        WHERE r.tenant_id = p.tenant_id AND floor(r.latitude * 200)::int = p.cell_y AND floor(r.longitude * 200)::int = p.cell_x
          AND r.created_at BETWEEN p.at - CAST(:span AS interval) AND p.at AND (r.created_at, r.id) < (p.at, p.id) AND r.id <> p.id
          AND :radius_m >= 2 * 6371008.8 * asin(least(1, sqrt(
                power(sin(radians(r.latitude - p.latitude) / 2), 2)
                + cos(radians(p.latitude)) * cos(radians(r.latitude)) * power(sin(radians(r.longitude - p.longitude) / 2), 2))))
        LIMIT :most
    ) m
    GROUP BY p.n
""")
_SAME_FILE = """
    SELECT p.n, m.id, m.report_number, m.created_at
    FROM unnest(CAST(:n AS int[]), CAST(:tenants AS text[]), CAST(:hashes AS text[]), CAST(:at AS timestamptz[]), CAST(:ids AS uuid[]),
                CAST(:reporters AS uuid[])) AS p (n, tenant_id, hash, at, id, reporter_id)
    CROSS JOIN LATERAL (
        SELECT r.id, r.report_number, r.created_at
        FROM sdcrs.evidence e JOIN sdcrs.report r ON r.id = e.report_id
        WHERE e.tenant_id = p.tenant_id AND e.evidence_type = '{kind}' AND e.sha256 = decode(p.hash, 'hex') AND r.id <> p.id
          AND r.created_at >= p.at - CAST(:span AS interval) AND (r.created_at, r.id) < (p.at, p.id) AND r.status <> 'AUTO_REJECTED'
          AND {whose} AND {open}
        ORDER BY r.created_at, r.id LIMIT :limit
    ) m
    ORDER BY p.n, m.created_at, m.id
"""
KINDS = {"DOG_PHOTO": "DOG_PHOTO", "SELFIE": "REPORTER_SELFIE"}  # as rules name a purpose, and as evidence has it
# Nobody said that these two are no duplicates: that is said of dogs, and a selfie sent twice stays one
_UNDECIDED = """NOT EXISTS (SELECT FROM fraud.pair d WHERE d.decision = 'NOT_DUPLICATE'
              AND d.later_id = greatest(p.id, r.id) AND d.earlier_id = least(p.id, r.id) OFFSET 0)"""
_SAME_FILES: dict[SameFile, TextClause] = {
    SameFile(purpose, own): text(
        _SAME_FILE.format(
            kind=kind,
            whose="r.reporter_id = p.reporter_id" if own else "true",
            open=_UNDECIDED if purpose == "DOG_PHOTO" else "true",
        )
    )
    for purpose, kind in KINDS.items()
    for own in (False, True)
}
_PAID = text("""
    SELECT beneficiary_id, sum(amount_paise) / 100 AS rupees FROM payout.payout
    WHERE beneficiary_id = ANY (CAST(:reporters AS uuid[])) AND status = 'COMPLETED' GROUP BY beneficiary_id
""")


@dataclass(frozen=True, slots=True)
class Subject:
    """A report whose history is asked. It need not be stored: a report under the same id is never counted beside it."""

    report_id: UUID
    tenant_id: str
    reporter_id: UUID | None
    received_at: datetime
    zone: ZoneInfo
    latitude: float | None
    longitude: float | None
    devices: frozenset[str] = frozenset()
    files: dict[str, bytes] = field(default_factory=dict)  # SHA-256 by purpose


def gather(conn: Connection, needs: Needs, subjects: Sequence[Subject]) -> list[History]:
    """The history of each subject, in their order. Asks everything in one message; what no rule needs is not asked."""
    histories = [History() for _ in subjects]
    asked = list(_questions(needs, subjects))
    answers = at_once(conn, *(said for said, _ in asked)) if asked else []
    for (_, take), rows in zip(asked, answers, strict=True):
        take(rows, histories)
    leave_out_cleared(conn, [(one.report_id, history) for one, history in zip(subjects, histories, strict=True)])
    return histories


def _questions(needs: Needs, subjects: Sequence[Subject]) -> Iterator[tuple[Command, Any]]:
    """Each statement with its parameters, and what puts its rows into the histories."""
    if needs.hours or needs.days or needs.before_minutes or needs.lifetime or needs.monthly:
        yield _own(needs, subjects)
    columns = _Columns(subjects)
    for days in needs.device_days:
        yield _device_users(days, subjects, columns)
    for radius_m, hours in needs.clusters:
        yield _nearby(radius_m, hours, subjects, columns)
    for key, days_back in needs.files.items():
        yield _same_file(key, days_back, subjects, columns)
    if needs.paid:
        yield _paid(subjects)


def _own(needs: Needs, subjects: Sequence[Subject]) -> tuple[Command, Any]:
    numbers: dict[UUID, int] = {}
    since: list[datetime] = []
    rolling = _widest(needs)
    for one in subjects:
        if one.reporter_id is None:
            continue
        begins = _begins(needs, one, rolling)
        number = numbers.setdefault(one.reporter_id, len(numbers))
        if number == len(since):
            since.append(begins)
        else:
            since[number] = min(since[number], begins)

    def take(rows: Sequence[dict[str, Any]], histories: Sequence[History]) -> None:
        reports: list[list[tuple[datetime, UUID, float, float]]] = [[] for _ in numbers]
        lifetimes = [0] * len(numbers)
        for row in rows:
            lifetimes[row["n"]] = row["lifetime_reports"]
            if row["id"] is not None:
                reports[row["n"]].append((row["created_at"], row["id"], row["latitude"], row["longitude"]))
        for one, history in zip(subjects, histories, strict=True):
            if one.reporter_id is None:
                _count(needs, one, [], 0, history)
            else:
                number = numbers[one.reporter_id]
                _count(needs, one, reports[number], lifetimes[number], history)

    asked = {"n": array(range(len(numbers))), "reporters": array(teacher.hex for teacher in numbers), "since": moments(since)}
    return (_OWN, asked), take


def _widest(needs: Needs) -> timedelta:
    """The longest of the spans that roll."""
    days = max((days for days in needs.days if days > 1), default=0)
    return max(timedelta(hours=max(needs.hours, default=0)), timedelta(days=days), timedelta(minutes=needs.before_minutes))


def _begins(needs: Needs, one: Subject, rolling: timedelta) -> datetime:
    """Since when the applicant's reports matter."""
    begins = one.received_at - rolling
    if 1 in needs.days:
        begins = min(begins, _midnight(one))
    return min(begins, _first_of_month(one)) if needs.monthly else begins


def _midnight(one: Subject) -> datetime:
    day = local_day(one.received_at, one.zone)
    return datetime(day.year, day.month, day.day, tzinfo=one.zone)


def _first_of_month(one: Subject) -> datetime:
    day = local_month(one.received_at, one.zone)
    return datetime(day.year, day.month, day.day, tzinfo=one.zone)


def _count(needs: Needs, one: Subject, reports: Sequence[tuple[datetime, UUID, float, float]], lifetime: int, history: History) -> None:
    """From the applicant's reports in order of receipt to what each rule counts."""
    others = [entry for entry in reports if entry[1] != one.report_id]
    stored = len(others) < len(reports)
    here = bisect_left(others, (one.received_at, one.report_id))

    def since(moment: datetime) -> int:
        return here - bisect_left(others, (moment,)) + 1

    for hours in needs.hours:
        history.within_hours[hours] = since(one.received_at - timedelta(hours=hours))
    for days in needs.days:
        history.within_days[days] = since(_midnight(one) if days == 1 else one.received_at - timedelta(days=days))
    if here and needs.before_minutes:
        created_at, report_id, latitude, longitude = others[here - 1]
        history.before = Before(report_id, created_at, latitude, longitude)
    if needs.lifetime:
        history.lifetime = lifetime - (len(others) - here) + (0 if stored else 1)
    if needs.monthly:
        history.monthly = since(_first_of_month(one))


def _device_users(days: int, subjects: Sequence[Subject], columns: "_Columns") -> tuple[Command, Any]:
    asked = [(n, one, device) for n, one in enumerate(subjects) for device in sorted(one.devices)]

    def take(rows: Sequence[dict[str, Any]], histories: Sequence[History]) -> None:
        for history in histories:
            history.device_users[days] = 1
        for row in rows:
            histories[row["n"]].device_users[days] = row["others"] + 1

    return (
        _USERS,
        {
            **columns.of([n for n, _, _ in asked]),
            "reporters": columns.reporters([n for n, _, _ in asked]),
            "devices": texts(device for _, _, device in asked),
            "span": timedelta(days=days),
            "most": MOST,
        },
    ), take


def _nearby(radius_m: int, hours: int, subjects: Sequence[Subject], columns: "_Columns") -> tuple[Command, Any]:
    asked = [(n, one, cell) for n, one in enumerate(subjects) for cell in cells(one.latitude, one.longitude, radius_m)]
    params = {
        **columns.of([n for n, _, _ in asked]),
        "span": timedelta(hours=hours),
        "cells_y": array(cell[0] for _, _, cell in asked),
        "cells_x": array(cell[1] for _, _, cell in asked),
        "latitudes": array(one.latitude for _, one, _ in asked),
        "longitudes": array(one.longitude for _, one, _ in asked),
        "radius_m": radius_m,
        "most": MOST,
    }

    def take(rows: Sequence[dict[str, Any]], histories: Sequence[History]) -> None:
        for history in histories:
            history.nearby[radius_m, hours] = 1
        for row in rows:
            histories[row["n"]].nearby[radius_m, hours] += row["others"]

    return (_NEARBY, params), take


def cells(latitude: float | None, longitude: float | None, radius_m: float) -> list[tuple[int, int]]:
    """The cells, latitude first, that the circle around a place may touch; none for no place."""
    if latitude is None or longitude is None:
        return []
    reach_y = radius_m / METRES_PER_DEGREE
    widest = min(90.0, abs(latitude) + reach_y)  # where a degree of longitude is shortest
    reach_x = min(reach_y / max(math.cos(math.radians(widest)), 1e-6), 180.0)
    return [
        (y, x)
        for y in range(_cell(latitude - reach_y), _cell(latitude + reach_y) + 1)
        for x in range(_cell(longitude - reach_x), _cell(longitude + reach_x) + 1)
    ]


def _cell(degrees: float) -> int:
    return math.floor(degrees * CELLS_PER_DEGREE)


def _same_file(key: SameFile, days_back: int | None, subjects: Sequence[Subject], columns: "_Columns") -> tuple[Command, Any]:
    asked = [(n, one, one.files[key.purpose]) for n, one in enumerate(subjects) if key.purpose in one.files]
    span = ANCIENT if days_back is None else timedelta(days=days_back)

    def take(rows: Sequence[dict[str, Any]], histories: Sequence[History]) -> None:
        for history in histories:
            history.same_file[key] = []
        for row in rows:
            found: list[Match] = histories[row["n"]].same_file[key]
            found.append(Match(row["id"], row["report_number"], row["created_at"], 1.0, True))

    numbers = [n for n, _, _ in asked]
    params = {
        **columns.of(numbers),
        "reporters": columns.reporters(numbers),
        "hashes": array(sha256.hex() for _, _, sha256 in asked),
        "span": span,
        "limit": MATCHES,
    }
    return (_SAME_FILES[key], params), take


def _paid(subjects: Sequence[Subject]) -> tuple[Command, Any]:
    def take(rows: Sequence[dict[str, Any]], histories: Sequence[History]) -> None:
        rupees = {row["beneficiary_id"]: int(row["rupees"]) for row in rows}
        for one, history in zip(subjects, histories, strict=True):
            history.paid_rupees = 0 if one.reporter_id is None else rupees.get(one.reporter_id, 0)

    return (_PAID, {"reporters": array({one.reporter_id.hex for one in subjects if one.reporter_id is not None})}), take


class _Columns:
    """The columns that every question about reports has. Most ask once for each report, so those are written once."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._tenants = [one.tenant_id for one in subjects]
        self._at = [one.received_at.isoformat() for one in subjects]
        self._ids = [one.report_id.hex for one in subjects]
        self._reporters = ["NULL" if one.reporter_id is None else one.reporter_id.hex for one in subjects]
        self._written: tuple[list[int], dict[str, str]] | None = None

    def of(self, numbers: list[int]) -> dict[str, str]:
        """The number, tenant, time and id of these subjects; a subject may be named several times."""
        if self._written is not None and self._written[0] == numbers:
            return self._written[1]
        written = {
            "n": array(numbers),
            "tenants": texts(self._tenants[n] for n in numbers),
            "at": array(self._at[n] for n in numbers),
            "ids": array(self._ids[n] for n in numbers),
        }
        self._written = (numbers, written)
        return written

    def reporters(self, numbers: list[int]) -> str:
        """Who sent them."""
        return array(self._reporters[n] for n in numbers)
