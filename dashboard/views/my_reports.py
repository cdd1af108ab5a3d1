"""A teacher's own reports: where each stands, what it earned, what a verifier asks; and the form for a new one."""

from collections.abc import Sequence

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import browser, evidence, own, report_form, rows, shell, standing
from dashboard.widgets.rows import escape
from pipeline.clock import local_day, local_month
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData

PAGE_SIZE = 10  # with a picture each: two screens of a phone
SHOW = {"all": "All", "open": "Under way", "done": "Finished", "asked": "Questions"}
BLOCKED = {"SDCRS_TEACHER_SUSPENDED", "SDCRS_DAILY_LIMIT_EXCEEDED"}


def render(ctx: PageContext) -> None:
    """The form, one report, or the list, as the address says."""
    rows.styles()
    number, new = st.query_params.get("report"), "new" in st.query_params
    if new:
        _form(ctx)
    elif number:
        _report(ctx, number.strip().upper())
    else:
        _list(ctx)
    browser.from_the_top("the form" if new else number or "the list")


def _open(number: str | None) -> None:
    st.query_params.pop("new", None)
    if number is None:
        st.query_params.pop("report", None)
    else:
        st.query_params["report"] = number


def _begin() -> None:
    st.query_params.pop("report", None)
    st.query_params["new"] = "1"


def _form(ctx: PageContext) -> None:
    st.button("My reports", icon=":material/arrow_back:", key="my_reports.back", on_click=report_form.leave)
    try:
        report_form.show(ctx)
    except AppError as error:
        if error.code not in BLOCKED:
            raise
        shell.message("warning", error.message)


def _report(ctx: PageContext, number: str) -> None:
    st.button("My reports", icon=":material/arrow_back:", key="my_reports.back", on_click=_open, args=(None,))
    try:
        own.show(ctx, number)
    except AppError as error:
        if error.code != "SDCRS_NOT_FOUND":
            raise
        st.error(f"You have no report {formats.plain_markdown(number)}.", icon=":material/search_off:")


def _list(ctx: PageContext) -> None:
    md = ctx.runtime.masterdata.current()
    final = sorted(md.workflow(ctx.caller.tenant_id).final_states)
    blocked = _standing(ctx, md, final)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom", gap="small"):
        show = st.segmented_control(
            "Show",
            list(SHOW),
            default="all",
            required=True,
            key="my_reports.show",
            format_func=lambda option: SHOW[option],
            bind="query-params",
            persist_state="session",
            on_change=st.session_state.pop,
            args=("my_reports.page", None),
        )
        st.button(
            "New report", type="primary", icon=":material/add_a_photo:", key="my_reports.new", on_click=_begin, disabled=blocked is not None
        )
    everything = set(md.workflow(ctx.caller.tenant_id).states)
    statuses = {"open": sorted(everything - set(final)), "done": final}.get(str(show))
    page = max(int(st.session_state.get("my_reports.page") or 1), 1)
    with ctx.begin() as conn:
        found = queries.rows(
            conn,
            "my_reports.list",
            account_id=ctx.caller.account_id,
            statuses=statuses,
            asked=show == "asked",
            limit=PAGE_SIZE,
            offset=(page - 1) * PAGE_SIZE,
        )
    if found:
        _rows(ctx, md, found, page)
    else:
        st.info("You have sent no report yet." if show == "all" else "None of your reports.", icon=":material/assignment_ind:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Everything that the programme holds about you, as a file:", width="content")
        st.link_button("Download my data", f"{ctx.api_url}/user/v1/mydata", type="tertiary", icon=":material/download:")


def _rows(ctx: PageContext, md: MasterData, found: Sequence[RowMapping], page: int) -> None:
    with st.container(key="rows-mine"):
        for row in found:
            _row(ctx, md, row)
    total = int(found[0]["total"])
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(rows.said_of((page - 1) * PAGE_SIZE + 1, len(found), total))
        if total > PAGE_SIZE:
            st.pagination(-(-total // PAGE_SIZE), key="my_reports.page", default=page)


def _standing(ctx: PageContext, md: MasterData, final: list[str]) -> str | None:
    """The numbers of the day and the month, and what keeps the teacher from reporting: its sentence, or None."""
    account = ctx.caller.account_id
    config = md.payout_config(ctx.caller.tenant_id)
    month = local_month(ctx.now, ctx.zone)
    with ctx.begin() as conn:
        limits = queries.one(conn, "my_reports.limits", account_id=account, day=local_day(ctx.now, ctx.zone))
        earned = queries.one(conn, "my_reports.earnings", account_id=account, month=month)
        counts = queries.one(conn, "my_reports.counts", account_id=account, final=final)
    if limits is None or earned is None or counts is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Account", id=ctx.caller.username)
    cap = config.monthly_cap_paise
    on_its_way = f", {formats.inr(earned['under_way_paise'])} on its way" if earned["under_way_paise"] else ""
    shell.tiles(
        [
            shell.Tile("Sent today", f"{limits['today']} of {config.daily_limit}", "begins anew at midnight"),
            shell.Tile(f"Earned in {month:%B}", formats.inr(earned["paid_paise"]), f"of at most {formats.inr(cap)}{on_its_way}"),
            shell.Tile("Under way", formats.count(counts["under_way"]), "reports not finished yet"),
            shell.Tile("Questions to you", formats.count(counts["asked"]), "the verifier waits for your answer"),
        ]
    )
    return _blocked(ctx, limits, int(limits["today"]), config.daily_limit)


def _blocked(ctx: PageContext, limits: RowMapping, today: int, daily_limit: int) -> str | None:
    """Say why no new report can be sent now. The services ask again, and they count."""
    blocked = standing.show(ctx, limits)
    if blocked is not None:
        return blocked
    if today >= daily_limit:
        sentence = f"You have sent {today} reports today; the next one can be sent after midnight."
        shell.message("info", sentence)
        return sentence
    return None


def _row(ctx: PageContext, md: MasterData, row: RowMapping) -> None:
    kind = md.report_types(row["tenant_id"], retired=True)[row["service_type"]]
    place = rows.place_words(row["address"], row["locality"], row["ward"])
    thumb = ""
    if row["file_id"] is not None:
        thumb = f'<img class="thumb" src="{escape(evidence.link(ctx, row["file_id"], "thumbnail"))}" alt="" loading="lazy">'
    rows.row(
        f"mine-{row['report_number']}",
        "mine",
        {
            "photo": thumb,
            "what": f"<strong>{row['report_number']}</strong><small>{escape(kind.name)} · {escape(place or 'no address')}</small>",
            "state": f"{own.state_mark(md, row)}<small>{formats.local_date(row['created_at'], ctx.zone)}, "
            f"{formats.local_clock(row['created_at'], ctx.zone)}</small>",
            "pay": own.payout_mark(row),
        },
        f"Open {row['report_number']}, {kind.name}, {own.public_label(md, row['tenant_id'], row['status'])}",
        _open,
        (row["report_number"],),
    )
