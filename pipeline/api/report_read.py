"""Reports as an answer shows them to one caller: the rows of queries/reports.sql, with persons as far as the role allows.

What a role may not know is not read: no reporter, school or selfie for officers and supervisors, one's own for teachers.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

import queries
from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.api.call import Call
from pipeline.database.engine import Command, at_once
from pipeline.packets.render.facts import RecordedFacts, View, view_of
from pipeline.packets.render.report import dog_report_answer
from pipeline.vault.persons import PersonFields, mask_phone

Row = dict[str, Any]
Fields = dict[str, str | None]

COUNT_LIMIT = 10_001  # one more than can be paged to: "more than ten thousand", at the price of ten thousand
SORT_WINDOW = 10_000  # newest matching reports of each tenant that a sort by anything but creation looks at


@dataclass(frozen=True)
class Criteria:
    """What a list looks for. None filters nothing; `tenants` is never empty of meaning: no tenant, no report."""

    tenants: Sequence[str]
    ids: Sequence[UUID] | None = None
    report_number: str | None = None
    tracking_id: str | None = None
    statuses: Sequence[str] = ()
    service_type: str | None = None
    reporter_id: UUID | None = None
    officer_id: UUID | None = None
    locality_code: str | None = None
    ward_code: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    sort: str = "createdTime"
    ascending: bool = False
    offset: int = 0
    limit: int = 20

    @property
    def only_ids(self) -> bool:
        """Whether it names reports and asks nothing else of them, which needs no search."""
        filters = (self.report_number, self.tracking_id, self.service_type, self.reporter_id, self.officer_id, self.locality_code,
                   self.ward_code, self.created_from, self.created_to)  # fmt: skip
        return self.ids is not None and len(self.ids) == 1 and not self.statuses and not any(filters) and self.offset == 0


@dataclass
class _Read:
    """Rows beside the reports themselves."""

    evidence: dict[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    payouts: dict[UUID, Row] = field(default_factory=dict)
    originals: dict[UUID, str] = field(default_factory=dict)
    persons: dict[str, Fields] = field(default_factory=dict)


def find(conn: Connection, caller: Caller, wanted: Criteria) -> tuple[list[UUID], int]:
    """The ids of one page in order, and how many match in all, counted up to COUNT_LIMIT and only where the page does not tell."""
    matching = _predicate(caller, wanted)
    page = {"offset": wanted.offset, "limit": wanted.limit}
    if wanted.sort == "createdTime":
        rows = queries.dicts(conn, "reports.oldest_first" if wanted.ascending else "reports.newest_first", **matching, **page)
    else:
        order = {"sort": wanted.sort, "ascending": wanted.ascending, "window": SORT_WINDOW}
        rows = queries.dicts(conn, "reports.sorted", **matching, **page, **order)
    ids = [row["id"] for row in rows]
    if len(ids) < wanted.limit and (ids or wanted.offset == 0):
        return ids, wanted.offset + len(ids)
    return ids, count(conn, caller, wanted)


def count(conn: Connection, caller: Caller, wanted: Criteria) -> int:
    """How many reports match, counted up to COUNT_LIMIT."""
    (row,) = queries.dicts(conn, "reports.total", **_predicate(caller, wanted), count_limit=COUNT_LIMIT)
    return int(row["total"])


def _predicate(caller: Caller, wanted: Criteria) -> dict[str, Any]:
    sight = policy.sight(caller)
    return {
        "tenants": list(wanted.tenants),
        "ids": None if wanted.ids is None else list(wanted.ids),
        "report_number": wanted.report_number,
        "tracking_id": wanted.tracking_id,
        # one state as a scalar: before version 17 Postgres does not find a list of one in the index's order
        "status": wanted.statuses[0] if len(wanted.statuses) == 1 else None,
        "statuses": list(wanted.statuses) if len(wanted.statuses) > 1 else None,
        "service_type": wanted.service_type,
        "reporter_id": wanted.reporter_id,
        "officer_id": wanted.officer_id,
        "locality_code": wanted.locality_code,
        "ward_code": wanted.ward_code,
        "created_from": wanted.created_from,
        "created_to": wanted.created_to,
        "sees_all": sight.all,
        "own_reporter": sight.reporter_id,
        "own_officer": sight.officer_id,
    }


def answers(
    conn: Connection, call: Call, caller: Caller, ids: Sequence[UUID], sent_vpas: Mapping[UUID, str] | None = None
) -> list[dict[str, Any]]:
    """The DogReports with these ids, in this order, as the caller may see them; one that is not there for them is left out.

    `sent_vpas` are addresses that the caller has just sent for a report: only they are shown in full.
    """
    if not ids:
        return []
    sight = policy.sight(caller)
    rows = queries.dicts(
        conn,
        "reports.by_ids",
        ids=list(ids),
        sees_all=sight.all,
        own_reporter=caller.account_id if caller.has("TEACHER") else None,
        own_officer=sight.officer_id,
        sees_reporters=policy.sees_reporters(caller),
        now=call.now,
    )
    views = {row["id"]: view_of(caller.roles, owner=bool(row["own"])) for row in rows}
    read = _beside(conn, call, caller, rows, views)
    shown = {row["id"]: dog_report_answer(_facts(call, row, read, views[row["id"]], (sent_vpas or {}).get(row["id"]))) for row in rows}
    return [shown[report_id] for report_id in ids if report_id in shown]


def _facts(call: Call, row: Row, read: _Read, view: View, sent_vpa: str | None) -> RecordedFacts:
    persons = read.persons
    reporter = row["reporter_id"]
    if sent_vpa is not None and reporter is not None:
        persons = persons | {str(reporter): persons.get(str(reporter), {}) | {"vpa": sent_vpa}}
    payout = read.payouts.get(row["id"])
    retried_at = payout["last_retry_at"] if payout else None
    row["duplicate_of_number"] = read.originals.get(row["duplicate_of"])
    return RecordedFacts(
        report=row,
        evidence=read.evidence.get(row["id"], ()),
        payout=payout or {},
        attempt={"number": 1, "created_at": retried_at} if retried_at else {},
        persons=persons,
        options={"public_url": call.public_url},
        view=view,
    )


def _beside(conn: Connection, call: Call, caller: Caller, rows: Sequence[Row], views: Mapping[UUID, View]) -> _Read:
    if not rows:
        return _Read()
    reporters = {row["reporter_id"] for row in rows if row["reporter_id"] is not None}
    officers = set() if caller.roles == {"TEACHER"} else {row["assigned_officer_id"] for row in rows} - {None}
    paid = [row["id"] for row in rows if row["payout_status"] is not None and views[row["id"]] is not View.FIELD]
    copied = [row["duplicate_of"] for row in rows if row["duplicate_of"] is not None and views[row["id"]] is View.REVIEW]
    selfies = any(view is not View.FIELD for view in views.values())
    wanted: dict[str, Command] = {
        "evidence": queries.command("reports.evidence", report_ids=list(views), with_selfies=selfies),
        "persons": call.rt.vault.asked([*(reporters | officers)], ("name", "phone") if reporters else ("name",)),
    }
    if paid:
        wanted["payouts"] = queries.command("reports.payouts", report_ids=paid)
    if copied:
        wanted["originals"] = queries.command("reports.originals", ids=copied)
    found = dict(zip(wanted, at_once(conn, *wanted.values()), strict=True))
    read = _Read(
        payouts={row["report_id"]: row for row in found.get("payouts", ())},
        originals={row["id"]: row["report_number"] for row in found.get("originals", ())},
        persons=_persons(caller, rows, reporters, officers, call.rt.vault.opened(found["persons"])),
    )
    for photo in found["evidence"]:
        photo["url"] = call.public_url + call.rt.files.sign(photo["file_id"], "photo", call.now)
        read.evidence.setdefault(photo["report_id"], []).append(photo)
    return read


def _persons(
    caller: Caller, rows: Sequence[Row], reporters: AbstractSet[UUID], officers: AbstractSet[UUID], found: Mapping[UUID, PersonFields]
) -> dict[str, Fields]:
    """Reporters with school, and officers by name; a phone in full only to its owner, a VPA masked."""
    persons: dict[str, Fields] = {str(officer): {"name": found.get(officer, {}).get("name")} for officer in officers}
    schools = {row["reporter_id"]: row["school_name"] for row in rows}
    for reporter in reporters:
        phone = found.get(reporter, {}).get("phone")
        own = reporter == caller.account_id
        persons[str(reporter)] = {
            "name": found.get(reporter, {}).get("name"),
            "phone": phone if own else mask_phone(phone),
            "school_name": caller.school_name if own else schools.get(reporter),
        }
    return persons
