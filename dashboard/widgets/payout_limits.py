"""What is not paid, and why: the monthly limit of a teacher, and teachers whose payouts are frozen."""

import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import figures, rows
from dashboard.widgets.figures import Column
from dashboard.widgets.work import Area
from pipeline.clock import local_month
from pipeline.masterdata.master import MasterData
from pipeline.payouts.standing import frozen_codes


def show(ctx: PageContext, where: Area) -> None:
    """The month's fullest accounts, the reports over the limit, and the frozen ones."""
    md = ctx.runtime.masterdata.current()
    month = local_month(ctx.now, ctx.zone)
    with ctx.begin() as conn:
        used = queries.rows(conn, "payouts.cap_usage", month=month, beneficiary_id=None)
        skipped = queries.rows(conn, "payouts.over_cap", tenants=list(where.tenants), month_at=_start(ctx), limit=100)
        frozen = queries.rows(conn, "payouts.frozen", frozen=frozen_codes(md), now=ctx.now)
        used = [row for row in used if row["tenant_id"] in where.tenants]
        frozen = [row for row in frozen if row["tenant_id"] in where.tenants]
        ids = {row["beneficiary_id"] for row in [*used, *skipped, *frozen]}
        names = {one: person.get("name", formats.ABSENT) for one, person in ctx.runtime.vault.get(conn, list(ids), ["name"]).items()}
    least = min((md.payout_config(tenant).amount_paise for tenant in where.tenants), default=0)
    full = [row for row in used if row["cap_paise"] - row["reserved_paise"] < least]
    rows.part("Monthly limit reached", f"{month:%B %Y}: no further payout fits; reports are resolved without one")
    _table(
        [Column("Teacher"), Column("Reserved and paid", number=True), Column("Limit", number=True)],
        [
            (names.get(row["beneficiary_id"], formats.ABSENT), formats.inr(row["reserved_paise"]), formats.inr(row["cap_paise"]))
            for row in full
        ],
        "Teachers whose monthly limit is reached",
        "No teacher has reached the limit this month.",
    )
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
