"""May this teacher report now? Standing first, then the daily limit; the limit is a counter row, never a count.

Penalties that change a standing belong to the fraud room; here it is only read.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from pipeline.clock import local_day, next_local_midnight
from pipeline.database.engine import Command, constraint_of
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData

BLOCKING = ("COOLDOWN", "SUSPENSION", "BAN")

_READ = text("""
    SELECT a.id, a.standing, a.standing_until, a.standing_reason, coalesce(d.reports, 0) AS reports_today
    FROM access.account a LEFT JOIN sdcrs.daily_count d ON d.reporter_id = a.id AND d.day = :day
    WHERE a.id = :reporter_id
""")
# In teacher order, so that two batches that share teachers never wait for each other crosswise
_TAKE = text("""
    INSERT INTO sdcrs.daily_count AS d (reporter_id, day, tenant_id, reports, daily_limit)
    SELECT v.reporter_id, v.day, v.tenant_id, v.reports, v.daily_limit
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(reporter_id uuid, day date, tenant_id text, reports int, daily_limit int)
    ORDER BY v.reporter_id, v.day
    ON CONFLICT (reporter_id, day) DO UPDATE SET reports = d.reports + excluded.reports, daily_limit = excluded.daily_limit
""")


def check_may_report(conn: Connection, md: MasterData, tenant_id: str, reporter_id: UUID, now: datetime) -> None:
    """Raise SDCRS_TEACHER_SUSPENDED or, after it, SDCRS_DAILY_LIMIT_EXCEEDED when the teacher may not report now."""
    tenant = md.tenant(tenant_id)
    row = conn.execute(_READ, {"reporter_id": reporter_id, "day": local_day(now, tenant.timezone)}).one()
    check_standing(row, md, tenant_id, now)
    if row.reports_today >= md.payout_config(tenant_id).daily_limit:
        raise limit_error(md, tenant_id, row.reports_today, now)


def check_standing(account: Row[Any], md: MasterData, tenant_id: str, now: datetime) -> None:
    """Raise SDCRS_TEACHER_SUSPENDED while a cooldown, suspension or ban lasts."""
    if account.standing not in BLOCKING:
        return
    if account.standing_until is not None and account.standing_until <= now:
        return
    until = account.standing_until
    raise AppError(
        "SDCRS_TEACHER_SUSPENDED",
        suspendedUntil=None if until is None else until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        reason=account.standing_reason,
        helpdesk=md.tenant(tenant_id).helpdesk,
    )


def limit_error(md: MasterData, tenant_id: str, submitted_today: int, now: datetime) -> AppError:
    """The daily-limit error with the moment from which the teacher may report again (next local midnight, UTC)."""
    return AppError(
        "SDCRS_DAILY_LIMIT_EXCEEDED",
        dailyLimit=md.payout_config(tenant_id).daily_limit,
        submittedToday=submitted_today,
        nextAvailableTime=next_local_midnight(now, md.tenant(tenant_id).timezone).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def daily_taken(md: MasterData, counts: Mapping[tuple[UUID, date, str], int]) -> Command:
    """The statement that counts new reports per (teacher, local day, tenant). It fails by `daily_limit_holds` past the limit."""
    rows = [
        {
            "reporter_id": str(reporter_id),
            "day": day.isoformat(),
            "tenant_id": tenant_id,
            "reports": reports,
            "daily_limit": md.payout_config(tenant_id).daily_limit,
        }
        for (reporter_id, day, tenant_id), reports in counts.items()
    ]
    return _TAKE, {"rows": json.dumps(rows)}


def is_daily_limit(error: IntegrityError) -> bool:
    """Whether a database error means that the daily limit would be passed."""
    return constraint_of(error) == "daily_limit_holds"
