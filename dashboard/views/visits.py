"""Field visits: an officer's own reports as cards, from setting out to the capture, and the visits that are over.

Made for a phone. Who reported, and the selfie, are not shown to officers.
"""

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import browser, position, rows, visit_card
from dashboard.widgets import map as maps
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.shell import Tile, tiles
from dashboard.widgets.work import place, styles

PAGE = "visits"
TO_DO, ENDED = "To visit", "Ended"
ENDED_PAGE = 20
MAP_HEIGHT_PX = 300


def render(ctx: PageContext) -> None:
    """Draw the page."""
    rows.styles()
    styles()
    view = st.segmented_control(
        "Show", [TO_DO, ENDED], default=TO_DO, required=True, key="visits.view", bind="query-params", label_visibility="collapsed"
    )
    if view == ENDED:
        _ended(ctx)
    else:
        _to_do(ctx)


def _to_do(ctx: PageContext) -> None:
    with ctx.begin() as conn:
        mine = queries.rows(conn, "visits.mine", officer_id=ctx.caller.account_id)
    under_way = [row for row in mine if row["status"] == "IN_PROGRESS"]
    told = visit_card.problem([row["report_number"] for row in mine])
    if told is not None:
        st.error(formats.plain_markdown(": ".join(told)), icon=":material/error:")
    tiles([Tile("Under way", formats.count(len(under_way))), Tile("To start", formats.count(len(mine) - len(under_way)))])
    if not mine:
        st.info("Nothing is assigned to you at present.", icon=":material/check_circle:")
        return
    here = position.current(PAGE)
    with st.expander("My position: not given" if here is None else f"My position: {position.words(here)}", icon=":material/my_location:"):
        st.caption("It sorts the list by distance, and is recorded with the visits that you start and end.")
        given = position.ask(PAGE, ctx.now)
        if given is not None:
            st.caption(f"{position.words(given)}, {formats.ago(given.at, ctx.now)}")
        if given != here:
            st.rerun()
    chosen = st.session_state.get("visits.open", under_way[0]["report_number"] if under_way else None)
    ordered = sorted(mine, key=lambda row: _nearest_first(row, here, chosen))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        for row in ordered:
            visit_card.card(ctx, row, here, is_open=row["report_number"] == chosen)
    with right:
        _map(ctx, ordered, here)
    browser.from_the_top(f"{len(under_way)} of {len(mine)}")  # what was started or ended stands at the top, its message too


def _nearest_first(row: RowMapping, here: position.Position | None, chosen: str | None) -> tuple[bool, bool, float]:
    """Visits under way first, the open one before the others; then the nearest when the place is known, else the query's order."""
    waits = row["status"] != "IN_PROGRESS"
    return waits, waits or row["report_number"] != chosen, visit_card.distance_m(row, here) or 0.0


def _map(ctx: PageContext, mine: list[RowMapping], here: position.Position | None) -> None:
    """All of the officer's reports on one map."""
    colours = {"IN_PROGRESS": "orange", "ASSIGNED": "blue"}
    markers = [
        maps.Marker(str(row["id"]), row["latitude"], row["longitude"], f"{row['report_number']}: {place(row)}", colours[row["status"]])
        for row in mine
    ]
    legend = {"orange": "Under way", "blue": "To start"}
    if here is not None:
        markers.append(maps.Marker("me", here.latitude, here.longitude, "You", "green", accuracy_m=here.accuracy_m))
        legend["green"] = "You"
    rows.part("All on the map")
    maps.draw(
        "visits.all",
        boundaries=ctx.runtime.masterdata.current().boundary_geojson(ctx.caller.tenant_id),
        markers=markers,
        tiles_url=ctx.runtime.settings.tiles_url,
        height=MAP_HEIGHT_PX,
    )
    maps.legend(legend)


def _ended(ctx: PageContext) -> None:
    number = max(int(st.session_state.get("visits.page") or 1), 1)
    with ctx.begin() as conn:
        answer = queries.rows(conn, "visits.ended", officer_id=ctx.caller.account_id, limit=ENDED_PAGE, offset=(number - 1) * ENDED_PAGE)
    total = int(answer[0]["total"])
    found = [row for row in answer if row["id"] is not None]
    if not total:
        st.info("You have ended no visit yet.", icon=":material/history:")
        return
    st.html("".join(_line(ctx, row) for row in found))
    st.caption(rows.said_of((number - 1) * ENDED_PAGE + 1, len(found), total))
    if total > ENDED_PAGE:
        st.pagination(-(-total // ENDED_PAGE), key="visits.page")


def _line(ctx: PageContext, row: RowMapping) -> str:
    md = ctx.runtime.masterdata.current()
    kinds = md.report_types(row["tenant_id"], retired=True)
    endings = md.resolution_types(row["tenant_id"], retired=True)
    reasons = md.unable_reasons(row["tenant_id"], retired=True)
    kind = kinds.get(row["service_type"])
    ending = endings.get(row["resolution_type"])
    reason = reasons.get(row["unable_reason"])
    how = ", ".join(one.name for one in (ending, reason) if one is not None)
    colour = "gray" if row["status"] == "UNABLE_TO_LOCATE" else "green"
    lasted = (row["visit_completed_at"] - row["visit_started_at"]).total_seconds()
    remarks = f"<p>{escape(row['resolution_remarks'])}</p>" if row["resolution_remarks"] else ""
    return (
        f'<div class="ended"><p><strong>{escape(row["report_number"])}</strong> {mark(how or formats.ABSENT, colour)}</p>'
        f"<p>{escape(kind.name if kind else formats.words(row['service_type']))} · {escape(place(row))}</p>"
        f"<p><small>{escape(formats.local_time(row['visit_completed_at'], ctx.zone))}, after {escape(formats.duration(lasted))}</small></p>"
        f"{remarks}</div>"
    )
