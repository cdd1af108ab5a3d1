"""Analytics: the dashboards that the master data gives to a role, over a period that is compared with the one before.

Every chart is a fragment of its own with its own guard: one that fails says so in its place and the others stand. A number leads
to the list of exactly the reports that it counts. Teachers and officers see their own reports.
"""

import logging
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pandas
import streamlit as st

from dashboard import formats
from dashboard.console import PageContext, context
from dashboard.widgets import asking, charts, period, rows, work
from dashboard.widgets.asking import Asked
from pipeline.access.policy import sight
from pipeline.errors import AppError
from pipeline.masterdata.dashboard_models import Dashboard

LOGGER = logging.getLogger(__name__)

PAGE = "analytics"
LIST_PAGE = 50
EVERY = "All"


def render(ctx: PageContext) -> None:
    """Draw the page."""
    rows.styles()
    work.styles()
    shown = dashboards(ctx)
    if not shown:
        st.info("No dashboard is set up for your role.", icon=":material/monitoring:")
        return
    name = _choose_dashboard(list(shown))
    question = _filters(ctx)
    wanted = st.query_params.get("list")
    if wanted:
        _list(ctx, question, wanted)
        return
    _told(ctx, question)
    for number, row in enumerate(shown[name].rows):
        with st.container(key=f"analytics-row-{number}"):
            for column, tile in zip(st.columns([tile.dimensions.width for tile in row], gap="medium"), row, strict=True):
                with column, st.container(border=True, height="stretch"):
                    _chart(tile.id, question)


def dashboards(ctx: PageContext) -> dict[str, Dashboard]:
    """The dashboards of all roles of the person, by the name that the first of them gives it."""
    md = ctx.runtime.masterdata.current()
    found: dict[str, Dashboard] = {}
    for role in formats.ROLES:
        if ctx.caller.has(role):
            for name, dashboard in md.dashboards_for(role):
                if dashboard.id not in {one.id for one in found.values()}:
                    found[name] = dashboard
    return found


def _choose_dashboard(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    chosen = st.segmented_control(
        "Dashboard", names, default=names[0], required=True, key="analytics.dashboard", bind="query-params", label_visibility="collapsed"
    )
    return chosen if chosen in names else names[0]


def _filters(ctx: PageContext) -> Asked:
    """Period, area and district; the address of the page repeats them."""
    md = ctx.runtime.masterdata.current()
    as_of = ctx.now.replace(second=0, microsecond=0)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        default = period.DEFAULT if sight(ctx.caller).all else "All time"
        choices = [*period.CHOICES, period.OWN]
        wanted = st.selectbox("Period", choices, index=choices.index(default), key="analytics.period", bind="query-params", width=220)
        area = work.area(ctx, PAGE)
        districts = {one.name: one.code for one in md.districts(area.root)}
        district = ward = None
        if len(districts) > 1:
            district = districts.get(
                st.selectbox("District", [EVERY, *districts], key="analytics.district", bind="query-params", width=220)
            )
        if district is not None or len(districts) == 1:
            wards = {one.name: one.code for one in md.wards(area.root) if district in (None, one.district.code)}
            ward = wards.get(st.selectbox("Ward", [EVERY, *wards], key="analytics.ward", bind="query-params", width=180))
        chosen = _own_days(ctx) if wanted == period.OWN else None
    until = as_of + timedelta(minutes=1)
    covered = period.CHOICES[wanted](until, ctx.zone) if chosen is None else period.between(*chosen, ctx.zone)
    return asking.asked(ctx, area, covered, as_of, district, ward)


def _own_days(ctx: PageContext) -> tuple[date, date]:
    """The chosen days in their order; until both are chosen, the last thirty."""
    today = ctx.now.astimezone(ctx.zone).date()
    first: Any = st.date_input(
        "From", today - timedelta(days=29), max_value=today, format="DD/MM/YYYY", key="analytics.from", bind="query-params", width=160
    )
    last: Any = st.date_input("To", today, max_value=today, format="DD/MM/YYYY", key="analytics.to", bind="query-params", width=160)
    return min(first, last), max(first, last)


def _told(ctx: PageContext, question: Asked) -> None:
    compared = f", compared with {question.period.before_label}" if question.period.before is not None else ""
    own = "Your own reports. " if not sight(ctx.caller).all else ""
    st.caption(f"{own}{question.period.words(ctx.zone)}{compared}. As of {formats.local_time_zoned(question.as_of, ctx.zone)}.")


@st.fragment
def _chart(chart_id: str, question: Asked) -> None:
    """One chart. Whatever happens in it stays in its place; who may see it is asked again, since a fragment runs without the page."""
    try:
        ctx = context()
        check(ctx, chart_id, question)
        with st.container(gap="xsmall"):
            charts.draw(ctx, question, ctx.runtime.masterdata.current().charts()[chart_id])
    except AppError as error:
        st.error(formats.plain_markdown(error.message), icon=":material/error:")
    except Exception:  # one chart's own border: the others must stand, and the reference leads to what happened
        reference = uuid4().hex[:8]
        LOGGER.exception("Chart %s failed (reference %s)", chart_id, reference)
        st.error(f"This chart cannot be drawn at present. Reference {reference}.", icon=":material/error:")


def check(ctx: PageContext, chart_id: str, question: Asked) -> None:
    """Raise SDCRS_FORBIDDEN unless the chart stands in a dashboard of the person and the question is the person's own."""
    charted = {tile.id for dashboard in dashboards(ctx).values() for row in dashboard.rows for tile in row}
    mine = asking.asked(ctx, question.area, question.period, question.as_of, question.district, question.ward)
    if chart_id not in charted or mine != question or not set(question.area.tenants) <= set(ctx.caller.scope):
        raise AppError("SDCRS_FORBIDDEN", reason="this chart is for others.")


def _list(ctx: PageContext, question: Asked, key: str) -> None:
    """The reports behind a number, newest first."""
    md = ctx.runtime.masterdata.current()
    found = asking.measure(md, question, key)
    st.button("Back to the dashboard", icon=":material/arrow_back:", type="tertiary", key="analytics.back", on_click=_back)
    if found is None:
        st.info("This list does not exist.", icon=":material/search_off:")
        return
    number = max(int(st.session_state.get("analytics.page") or 1), 1)
    answer = asking.ask(ctx, "analytics.page", question.params(found), limit=LIST_PAGE, offset=(number - 1) * LIST_PAGE)
    total = int(answer[0]["total"])
    reports = [row for row in answer if row["id"] is not None]
    rows.part(f"{found.title}: {formats.count(total)}", "whatever the period" if found.ever else question.period.words(ctx.zone))
    if not reports:
        st.caption("No reports.")
        return
    types = md.report_types(question.area.root, retired=True)
    frame = pandas.DataFrame(
        [
            (
                f"/trace?report={row['report_number']}",
                types[row["service_type"]].name if row["service_type"] in types else formats.words(row["service_type"]),
                formats.status_label(row["status"]),
                row["ward"] or formats.ABSENT,
                row["district"] or formats.ABSENT,
                row["created_at"],
                row["resolved_at"],
            )
            for row in reports
        ],
        columns=["Report", "Type", "State", "Ward", "District", "Reported", "Resolved"],
    )
    when = {
        name: st.column_config.DatetimeColumn(name, format="D MMM YYYY, h:mm a", timezone=ctx.zone.key) for name in ("Reported", "Resolved")
    }
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Report": st.column_config.LinkColumn("Report", display_text=r"report=(.*)$"), **when},
        placeholder=formats.ABSENT,
        height=min(38 + 35 * len(frame), 640),
        alt=f"{found.title}: {formats.count(total)} reports",
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        first = (number - 1) * LIST_PAGE + 1
        st.caption(f"{formats.count(first)}–{formats.count(first + len(reports) - 1)} of {formats.count(total)}")
        if total > LIST_PAGE:
            st.pagination(-(-total // LIST_PAGE), key="analytics.page")


def _back() -> None:
    st.query_params.pop("list", None)
    st.session_state.pop("analytics.page", None)
