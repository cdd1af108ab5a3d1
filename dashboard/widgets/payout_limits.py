"""What is not paid, and why: the monthly limit of a teacher, and teachers whose payouts are frozen."""

import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import figures, payout_cap, rows
from dashboard.widgets.figures import Column
from dashboard.widgets.work import Area
from pipeline.masterdata.master import MasterData
from pipeline.payouts.standing import frozen_codes


def show(ctx: PageContext, where: Area) -> None:
    """How much of the month each teacher has used, then the reports over the limit, and the frozen ones."""
    payout_cap.show(ctx, where)
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        skipped = queries.rows(conn, "payouts.over_cap", tenants=list(where.tenants), month_at=_start(ctx), limit=100)
        frozen = queries.rows(conn, "payouts.frozen", frozen=frozen_codes(md), now=ctx.now)
        frozen = [row for row in frozen if row["tenant_id"] in where.tenants]
        ids = {row["beneficiary_id"] for row in [*skipped, *frozen]}
        names = {one: person.get("name", formats.ABSENT) for one, person in ctx.runtime.vault.get(conn, list(ids), ["name"]).items()}
    rows.part("Resolved without a payout", "this month, because of the limit; the newest 100")
    _table(
        [Column("Report"), Column("Teacher"), Column("Resolved")],
        [
            (
                row["report_number"],
                names.get(row["beneficiary_id"], formats.ABSENT),
                formats.local_time(row["resolved_at"], ctx.zone),
            )
            for row in skipped
        ],
        "Reports that were resolved without a payout",
        "None.",
        [f"/trace?report={row['report_number']}" for row in skipped],
    )
    rows.part("Frozen", "captured, and not paid while the teacher is suspended")
    _table(
        [Column("Report"), Column("Teacher"), Column("Captured"), Column("Standing"), Column("Until")],
        [
            (
                row["report_number"],
                names.get(row["beneficiary_id"], formats.ABSENT),
                formats.local_time(row["captured_at"], ctx.zone),
                _standing(md, row["tenant_id"], row["standing"]),
                formats.local_time(row["standing_until"], ctx.zone) if row["standing_until"] else "further notice",
            )
            for row in frozen
        ],
        "Reports whose payout is frozen",
        "None.",
        [f"/trace?report={row['report_number']}" for row in frozen],
    )


def _start(ctx: PageContext) -> object:
    return ctx.now.astimezone(ctx.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _standing(md: MasterData, tenant_id: str, code: str) -> str:
    return next((penalty.name for penalty in md.penalties(tenant_id) if penalty.code == code), formats.words(code))


def _table(columns: list[Column], lines: list[tuple[str, ...]], caption: str, nothing: str, hrefs: list[str] | None = None) -> None:
    if lines:
        st.html(figures.table(columns, lines, caption, hrefs or []))
    else:
        st.caption(nothing)
