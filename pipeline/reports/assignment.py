"""Who visits: officers with their wards and load, the recommendation, and the facts of assigning and reassigning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.database.engine import dicts
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports.update import Update
from pipeline.reports.workflow import Item

MAX_OFFICERS = 500  # of one tenant, on one screen

_OFFICERS = text("""
    SELECT a.id, a.username, a.tenant_id, a.wards, a.on_duty, a.max_load, a.active, coalesce(l.load, 0) AS load
    FROM access.account a
    LEFT JOIN (
        SELECT r.assigned_officer_id, count(*) AS load FROM sdcrs.report r
        WHERE r.tenant_id = :tenant_id AND r.status IN ('ASSIGNED', 'IN_PROGRESS') GROUP BY r.assigned_officer_id
    ) l ON l.assigned_officer_id = a.id
    WHERE a.tenant_id = :tenant_id AND a.roles @> ARRAY['MC_OFFICER'] AND (NOT :active OR a.active)
    ORDER BY a.username LIMIT :limit
""")
_OFFICER = text("""
    SELECT a.id FROM access.account a JOIN sdcrs.report r ON r.tenant_id = a.tenant_id
    WHERE r.id = :report_id AND a.id = :officer_id AND a.roles @> ARRAY['MC_OFFICER'] AND a.active
""")


@dataclass(frozen=True)
class Officer:
    """An officer as the supervisor sees him; `load` counts reports ASSIGNED or IN_PROGRESS."""

    id: UUID
    username: str
    tenant_id: str
    wards: tuple[str, ...]
    on_duty: bool
    load: int
    max_load: int
    active: bool


def officers(conn: Connection, tenant_id: str, active: bool = True) -> list[Officer]:
    """The officers of a tenant with their load, by user name; at most MAX_OFFICERS."""
    rows = conn.execute(_OFFICERS, {"tenant_id": tenant_id, "active": active, "limit": MAX_OFFICERS})
    return [Officer(r.id, r.username, r.tenant_id, tuple(r.wards), r.on_duty, r.load, r.max_load, r.active) for r in rows]


def recommend(candidates: Sequence[Officer], ward_code: str | None) -> Officer | None:
    """Who covers the ward, is on duty and has room, with the lowest load; None when nobody does."""
    fit = [o for o in candidates if o.on_duty and o.active and o.load < o.max_load and ward_code in o.wards]
    return min(fit, key=lambda o: (o.load, o.username), default=None)


def recommend_each(candidates: Sequence[Officer], ward_codes: Sequence[str | None]) -> list[Officer | None]:
    """The recommendation for each of several reports given out together: each one counts in the load that the next one sees."""
    current = {officer.id: officer for officer in candidates}
    chosen: list[Officer | None] = []
    for ward_code in ward_codes:
        officer = recommend(list(current.values()), ward_code)
        chosen.append(officer)
        if officer is not None:
            current[officer.id] = replace(officer, load=officer.load + 1)
    return chosen


def recommendation_reason(officer: Officer, ward_code: str | None) -> str:
    """Why this officer, in words for the screen."""
    return f"Covers ward {ward_code}, lowest load ({officer.load}/{officer.max_load})"


def assign(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """To one active officer of the report's own tenant."""
    officer_id = _officer(conn, update, update.need("assignee"))
    return Item(update.report_id, _assigned(officer_id, caller, now), comment=update.comment, version=update.version)


def reassign(conn: Connection, md: MasterData, caller: Caller, update: Update, now: datetime) -> Item:
    """To another officer, or with no assignee back among the verified reports."""
    wanted = update.fields.get("assignee")
    previous = conn.execute(
        text("SELECT assigned_officer_id FROM sdcrs.report WHERE id = :id"), {"id": update.report_id}
    ).scalar_one_or_none()
    facts = _assigned(_officer(conn, update, wanted), caller, now) if wanted else _assigned(None, None, None)
    return Item(update.report_id, facts, noted={"previousOfficerId": previous}, comment=update.comment, version=update.version)


def _assigned(officer_id: UUID | None, caller: Caller | None, now: datetime | None) -> dict[str, object]:
    return {"assigned_officer_id": officer_id, "assigned_at": now, "assigned_by": None if caller is None else caller.account_id}


def _officer(conn: Connection, update: Update, officer_id: UUID) -> UUID:
    found = dicts(conn, _OFFICER, {"report_id": update.report_id, "officer_id": officer_id}, 1)
    if not found:
        raise AppError("SDCRS_UNKNOWN_OFFICER", officer=str(officer_id))
    return UUID(str(found[0]["id"]))
