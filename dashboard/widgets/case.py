"""One report as the person who decides sees it: every row that the inbox shows, read in one transaction, and the claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, RowMapping

import queries
from dashboard.console import PageContext
from dashboard.widgets import people
from dashboard.widgets.people import People
from pipeline.errors import AppError
from pipeline.masterdata.workflow import Transition
from pipeline.packets.render.facts import View
from pipeline.reports import claims

RENEW_BELOW = timedelta(minutes=8)  # of the lease's ten: whoever is active keeps it, without a write at every click
TALK = ("SEND_BACK", "COMMENT", "ESCALATE", "REOPEN")


@dataclass(frozen=True)
class Case:
    """A report with its evidence, its findings and what was said about it, as one reviewer may see it."""

    report: RowMapping
    zone: ZoneInfo  # of the report's tenant
    evidence: Sequence[RowMapping]
    checks: Sequence[RowMapping]
    rules: Sequence[RowMapping]
    evaluation: RowMapping | None  # None: not evaluated yet
    history: Sequence[RowMapping]
    people: People
    actions: tuple[Transition, ...]  # what the viewer may do now, in the workflow's order
    claimed_until: datetime | None  # until when the viewer holds it; None: the viewer does not
    held_by_other: bool

    @property
    def number(self) -> str:
        return str(self.report["report_number"])

    @property
    def talk(self) -> list[RowMapping]:
        """Questions, answers and why it came here."""
        return [change for change in self.history if change["action"] in TALK and change["comment"]]


def find(conn: Connection, number: str) -> UUID:
    """The id of a report by number or tracking id. Raises SDCRS_NOT_FOUND."""
    found = queries.one(conn, "inbox.by_number", number=number)
    if found is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=number)
    return UUID(str(found["id"]))


def load(ctx: PageContext, conn: Connection, report_id: UUID) -> Case:
    """Read the report; who may decide on it takes or renews the claim while nobody else holds it. Does not commit."""
    report = row(ctx, conn, report_id)
    actions = open_to(ctx, report)
    until, other = _claim(ctx, conn, report) if actions else (None, _held_by_other(ctx, report))
    history = queries.rows(conn, "trace.history", report_id=report_id, sees_reporter=True, reviews=True, own=False)
    persons = {report["reporter_id"], report["claimed_by"], *(change["actor_id"] for change in history)}
    return Case(
        report=report,
        zone=ctx.runtime.masterdata.current().tenant(report["tenant_id"]).timezone,
        evidence=queries.rows(conn, "trace.evidence", report_id=report_id, with_selfies=True),
        checks=queries.rows(conn, "trace.checks", report_id=report_id),
        rules=queries.rows(conn, "trace.rules", report_id=report_id),
        evaluation=queries.one(conn, "trace.evaluation", report_id=report_id),
        history=history,
        people=people.load(ctx, conn, View.REVIEW, persons),
        actions=actions,
        claimed_until=until,
        held_by_other=other,
    )


def row(ctx: PageContext, conn: Connection, report_id: UUID) -> RowMapping:
    """The report itself. Raises SDCRS_NOT_FOUND."""
    found = queries.one(conn, "trace.report", id=report_id, account_id=ctx.caller.account_id, now=ctx.now, sees_reporter=True, reviews=True)
    if found is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    return found


def open_to(ctx: PageContext, report: RowMapping) -> tuple[Transition, ...]:
    """What the workflow lets the person do with the report now; what belongs to its reporter alone is left out."""
    table = ctx.runtime.masterdata.current().workflow(report["tenant_id"])
    return tuple(one for one in table.open_to(report["status"], ctx.caller.roles, report["queue"]) if one.only_by is None)


def _held_by_other(ctx: PageContext, report: RowMapping) -> bool:
    holder = report["claimed_by"]
    return holder is not None and holder != ctx.caller.account_id and report["claimed_until"] > ctx.now


def _claim(ctx: PageContext, conn: Connection, report: RowMapping) -> tuple[datetime | None, bool]:
    """Until when the viewer holds the report, and whether somebody else does."""
    if _held_by_other(ctx, report):
        return None, True
    if report["claimed_by"] == ctx.caller.account_id and report["claimed_until"] - ctx.now > RENEW_BELOW:
        return report["claimed_until"], False
    try:
        return claims.claim(conn, ctx.caller, report["id"], ctx.now), False
    except AppError as error:
        if error.code != "SDCRS_CLAIMED_BY_OTHER":  # somebody was faster than this click
            raise
        return None, True
