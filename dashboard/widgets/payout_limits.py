"""What is not paid, and why: the monthly limit of a teacher, and teachers who are not paid for the time being."""

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import figures, payout_cap, rows
from dashboard.widgets.figures import Column
from dashboard.widgets.work import Area
from pipeline.masterdata.master import MasterData
from pipeline.payouts.standing import hold_params


def show(ctx: PageContext, where: Area) -> None:
    """How much of the month each teacher has used, then the reports over the limit, and those that wait."""
    payout_cap.show(ctx, where)
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        skipped = queries.rows(conn, "payouts.over_cap", tenants=list(where.tenants), month_at=_start(ctx), limit=100)
        held = queries.rows(conn, "payouts.held", now=ctx.now, **hold_params(md))
        held = [row for row in held if row["tenant_id"] in where.tenants]
        ids = {row["beneficiary_id"] for row in [*skipped, *held]}
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
    rows.part("Held", "captured, and not paid while the teacher is suspended or, where that is required, no verified payee")
    _table(
        [Column("Report"), Column("Teacher"), Column("Captured"), Column("Why"), Column("Until")],
        [
            (
                row["report_number"],
                names.get(row["beneficiary_id"], formats.ABSENT),
                formats.local_time(row["captured_at"], ctx.zone),
                *_held(ctx, md, row),
            )
            for row in held
        ],
        "Reports whose payout is held",
        "None.",
        [f"/trace?report={row['report_number']}" for row in held],
    )


def _start(ctx: PageContext) -> object:
    return ctx.now.astimezone(ctx.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _held(ctx: PageContext, md: MasterData, row: RowMapping) -> tuple[str, str]:
    """Why a teacher is not paid, and until when."""
    if not row["standing_frozen"]:
        return "Payee not verified", "verified"
    until = formats.local_time(row["standing_until"], ctx.zone) if row["standing_until"] else "further notice"
    return _standing(md, row["tenant_id"], row["standing"]), until


def _standing(md: MasterData, tenant_id: str, code: str) -> str:
    return next((penalty.name for penalty in md.penalties(tenant_id) if penalty.code == code), formats.words(code))


def _table(columns: list[Column], lines: list[tuple[str, ...]], caption: str, nothing: str, hrefs: list[str] | None = None) -> None:
    if lines:
        st.html(figures.table(columns, lines, caption, hrefs or []))
    else:
        st.caption(nothing)
