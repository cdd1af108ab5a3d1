"""How much of a month's limit each teacher has used: what is reserved, what of it is paid, and how full it is; as a page and a file."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats, session
from dashboard.backend import BACKEND
from dashboard.console import PageContext
from dashboard.widgets import payout_export, rows
from dashboard.widgets.payout_export import KINDS, MAX_LINES, MIME, Kind, rupees
from dashboard.widgets.payout_part import cards
from dashboard.widgets.payout_sheet import Cell
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import Area
from pipeline.access.policy import check
from pipeline.access.sessions import read_session
from pipeline.clock import local_month
from pipeline.masterdata.master import MasterData
from pipeline.vault.persons import PersonFields

PAGE_SIZE = 100
TITLES = ("Teacher", "User name", "Area", "Month", "Reserved (INR)", "Paid (INR)", "Limit (INR)", "Used (%)")
TRACK = "display:inline-block;width:6rem;height:.55rem;border-radius:3px;background:#dde4ea;margin-right:.45rem"
FILL = "display:block;height:100%;border-radius:3px"
BLUE, RED = "#0b4f8a", "#b3401a"


def show(ctx: PageContext, where: Area) -> None:
    """The month, its teachers with the fullest first, and the file of them."""
    rows.part("Monthly limit by teacher", "the fullest first")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        month = st.selectbox("Month", _months(ctx), format_func=lambda one: f"{one:%B %Y}", key="payouts.month", width=180)
        _export(ctx, month, where)
    page = _page(f"{month} {where.root}")
    with ctx.begin() as conn:
        params = {"month": month, "tenants": list(where.tenants), "beneficiary_id": None}
        found = queries.rows(conn, "payouts.cap_usage", limit=PAGE_SIZE + 1, offset=page * PAGE_SIZE, **params)
        shown = found[:PAGE_SIZE]
        people = ctx.runtime.vault.get(conn, [row["beneficiary_id"] for row in shown], ["name"])
    if not shown:
        st.info(f"Nothing is reserved or paid for {month:%B %Y} here.", icon=":material/check_circle:")
        return
    st.html(table(ctx.runtime.masterdata.current(), shown, people))
    with st.container(horizontal=True, vertical_alignment="center"):
        first = page * PAGE_SIZE
        st.caption(f"{formats.count(first + 1)}–{formats.count(first + len(shown))}", width="content")
        if page or len(found) > PAGE_SIZE:
            st.button("Fuller", disabled=page == 0, type="tertiary", key="payouts.cap_back", on_click=_turn, args=(page - 1,))
            last = len(found) <= PAGE_SIZE
            st.button("Less full", disabled=last, type="tertiary", key="payouts.cap_on", on_click=_turn, args=(page + 1,))


def table(md: MasterData, shown: Sequence[RowMapping], people: dict[UUID, PersonFields]) -> str:
    """One line a teacher; the bar repeats what the numbers say."""
    titles = ("Teacher", "Area", "Reserved and paid", "Of it paid", "Limit", "Used")
    lines = []
    for row in shown:
        share = min(row["reserved_paise"] / max(row["cap_paise"], 1), 1.0)
        full = row["cap_paise"] - row["reserved_paise"] < md.payout_config(row["tenant_id"]).amount_paise
        colour = RED if full else BLUE
        bar = f'<span style="{TRACK}"><span style="{FILL};width:{share * 100:.0f}%;background:{colour}"></span></span>'
        name = escape(people.get(row["beneficiary_id"], {}).get("name", formats.ABSENT))
        lines.append(
            (
                f"<b>{name}</b><small>{escape(row['username'] or '')}</small>",
                escape(md.tenant(row["tenant_id"]).name),
                escape(formats.inr(row["reserved_paise"])),
                escape(formats.inr(row["paid_paise"])),
                escape(formats.inr(row["cap_paise"])),
                f"{bar}{share * 100:.0f} % {mark('Full', 'orange') if full else ''}",
            )
        )
    return cards(titles, lines, "Monthly limit by teacher")


def make(token: str | None, month: date, tenants: Collection[str], kind: Kind) -> bytes:
    """The month's teachers as a file for whoever holds this session now, and a record of it. Commits.

    Raises SDCRS_NOT_SIGNED_IN and SDCRS_FORBIDDEN.
    """
    runtime = BACKEND.runtime()
    caller = read_session(runtime, token)
    check(caller, "search_payouts")
    md, now = runtime.masterdata.current(), runtime.clock.now()
    params = {"month": month, "tenants": list(tenants), "beneficiary_id": None, "limit": MAX_LINES, "offset": 0}
    with runtime.database.begin(caller.scope) as conn:
        found = conn.execute(queries.statement("payouts.cap_usage"), params).mappings().all()
        people = payout_export.persons(runtime.vault, conn, [row["beneficiary_id"] for row in found])
        details = {"kind": kind, "rows": len(found), "month": month.isoformat(), "tenants": list(tenants)}
        payout_export.keep(conn, caller, "PAYOUT_LIMITS_EXPORTED", details, now)
    return payout_export.as_file("Monthly limits", TITLES, [_line(md, row, people) for row in found], kind)


def _line(md: MasterData, row: RowMapping, people: dict[UUID, PersonFields]) -> tuple[Cell, ...]:
    return (
        people.get(row["beneficiary_id"], {}).get("name"),
        row["username"],
        md.tenant(row["tenant_id"]).name,
        f"{row['month']:%Y-%m}",
        rupees(row["reserved_paise"]),
        rupees(row["paid_paise"]),
        rupees(row["cap_paise"]),
        round(100 * row["reserved_paise"] / max(row["cap_paise"], 1)),
    )


def _months(ctx: PageContext) -> list[date]:
    """Those with something in them, and the present one."""
    with ctx.begin() as conn:
        found = {row["month"] for row in queries.rows(conn, "payouts.cap_months")}
    return sorted(found | {local_month(ctx.now, ctx.zone)}, reverse=True)


def _page(view: str) -> int:
    """Which page is shown; another month or area begins at its first."""
    if st.session_state.get("payouts.cap_of") != view:
        st.session_state["payouts.cap_of"] = view
        st.session_state["payouts.cap_page"] = 0
    return int(st.session_state.get("payouts.cap_page") or 0)


def _turn(page: int) -> None:
    st.session_state["payouts.cap_page"] = max(page, 0)


def _export(ctx: PageContext, month: date, where: Area) -> None:
    token = session.read_cookie(ctx.runtime.settings)
    with st.popover("Export", icon=":material/download:", key="payouts.cap_export"):
        st.caption(f"All teachers of the month here, at most {formats.count(MAX_LINES)}. Who exports what is recorded.")
        for kind, label in KINDS:
            st.download_button(
                label,
                partial(make, token, month, where.tenants, kind),
                file_name=f"limits-{month:%Y-%m}.{kind}",
                mime=MIME[kind],
                on_click="ignore",
                key=f"payouts.cap_export.{kind}",
                width="stretch",
            )
