"""Assignment: verified reports on a map and in a list that are one view, and the officers to give them to.

Supervisors assign, reassign and take back; admins look. Who reported is not shown here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pandas
import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import handing_out, outcomes, picking, sla
from dashboard.widgets import map as maps
from dashboard.widgets import officers as staff
from dashboard.widgets.work import Area, area, place, styles
from pipeline.access.policy import can_act_on
from pipeline.masterdata.models import ReportType
from pipeline.reports.assignment import Officer, recommend

PAGE = "assignment"
LIST_LIMIT = 500  # more cannot be told apart on the map, and nobody hands out more at once; filters reach the others
COUNT_LIMIT = 10_001  # beyond ten thousand the exact number changes nothing
MAP_HEIGHT_PX = 400

VERIFIED, ASSIGNED = "To assign", "Assigned"
STATES = {VERIFIED: "VERIFIED", ASSIGNED: "ASSIGNED"}
BY_TYPE, BY_DEADLINE = "Type", "Deadline"
TYPE_COLOURS = ("red", "orange", "violet", "blue", "green", "sky", "gray")  # in the order of the master data, the urgent types first
EVERY = "All"

Row = RowMapping


def render(ctx: PageContext) -> None:
    """Draw the page."""
    styles()
    md = ctx.runtime.masterdata.current()
    where = area(ctx, PAGE)
    with ctx.begin() as conn:
        found, names = staff.load(ctx, conn, where.tenants)
        counted = queries.rows(conn, "assignment.counts", tenants=list(where.tenants), count_limit=COUNT_LIMIT)
    view = _view({row["status"]: int(row["reports"]) for row in counted})
    status = STATES[view]
    sla_s = md.workflow(where.root).states[status].sla_s
    types = md.report_types(where.root, retired=True)
    wards = {ward.code: ward.name for ward in md.wards(where.root)}
    chosen = _filters(types, wards, found, names, view)
    after, until = _entered(chosen["band"], sla_s, ctx.now)
    with ctx.begin() as conn:
        answer = queries.rows(
            conn,
            "assignment.reports",
            tenants=list(where.tenants),
            status=status,
            service_type=chosen["type"],
            ward_code=chosen["ward"],
            officer_id=chosen["officer"],
            entered_after=after,
            entered_until=until,
            limit=LIST_LIMIT,
            count_limit=COUNT_LIMIT,
        )
    total = int(answer[0]["total"])
    rows = sorted((row for row in answer if row["id"] is not None), key=lambda row: _urgency(row, types))
    _work(ctx, where, rows, found, names, types, wards, view, sla_s)
    _list(ctx, rows, total, found, names, types, wards, view, sla_s)


def _view(counts: Mapping[str, int]) -> str:
    left, right = st.columns([1, 3], vertical_alignment="center")
    view = left.segmented_control(
        "Show", list(STATES), default=VERIFIED, required=True, key="assignment.view", bind="query-params", label_visibility="collapsed"
    )
    waiting, given, visited = (_many(counts.get(status, 0)) for status in ("VERIFIED", "ASSIGNED", "IN_PROGRESS"))
    right.caption(f"{waiting} to assign, {given} assigned, {visited} being visited")
    return str(view)


def _filters(
    types: Mapping[str, ReportType], wards: Mapping[str, str], found: Sequence[Officer], names: Mapping[UUID, str], view: str
) -> dict[str, Any]:
    """The filters, which the address of the page repeats; None where nothing is filtered."""
    with st.container(key="assignment.filters"):
        first, second, third, fourth = st.columns(4)
    by_type = {kind.name: code for code, kind in types.items()}
    kind = first.selectbox("Type", [EVERY, *by_type], key="assignment.type", bind="query-params")
    by_ward = {name: code for code, name in wards.items()}
    ward = second.selectbox("Ward", [EVERY, *by_ward], key="assignment.ward", bind="query-params")
    by_band = {band.label: band for band in sla.BANDS}
    band = third.selectbox("Deadline", [EVERY, *by_band], key="assignment.deadline", bind="query-params")
    officer = None
    if view == ASSIGNED:
        by_officer = {f"{names[one.id]} ({one.username})": one.id for one in found}
        picked = fourth.selectbox("Officer", [EVERY, *by_officer], key="assignment.with", bind="query-params")
        officer = by_officer.get(picked)
    else:
        fourth.selectbox("Colour on the map", [BY_TYPE, BY_DEADLINE], key="assignment.colour", bind="query-params")
    return {"type": by_type.get(kind), "ward": by_ward.get(ward), "band": by_band.get(band), "officer": officer}


def _work(
    ctx: PageContext,
    where: Area,
    rows: Sequence[Row],
    found: Sequence[Officer],
    names: Mapping[UUID, str],
    types: Mapping[str, ReportType],
    wards: Mapping[str, str],
    view: str,
    sla_s: int | None,
) -> None:
    """Map, panel and officers side by side; one below the other on a phone."""
    md = ctx.runtime.masterdata.current()
    by_deadline = st.session_state.get("assignment.colour") == BY_DEADLINE and view == VERIFIED
    colours = dict(zip(types, TYPE_COLOURS, strict=False))
    ids = [str(row["id"]) for row in rows]
    markers = _markers(ctx, rows, types, colours, sla_s, by_deadline)
    picking.follow_map(PAGE, markers)
    picked = frozenset(picking.chosen(PAGE, ids))
    acts = can_act_on(ctx.caller, "assignment")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        maps.draw(
            "assignment.map",
            boundaries=md.boundary_geojson(where.root),
            markers=[replace(one, selected=True) if one.id in picked else one for one in markers],
            selecting="marker or area",
            tiles_url=ctx.runtime.settings.tiles_url,
            height=MAP_HEIGHT_PX,
        )
        if by_deadline:
            maps.legend({band.colour: band.label for band in sla.BANDS})
        else:
            maps.legend({colours.get(code, "gray"): kind.name for code, kind in types.items()})
    with right:
        if acts:
            outcomes.show(PAGE)
            chosen_rows = [row for row in rows if str(row["id"]) in picked]
            panel = handing_out.assign_panel if view == VERIFIED else handing_out.reassign_panel
            panel(chosen_rows, found, names)
        staff.table(found, names, wards)


def _markers(
    ctx: PageContext,
    rows: Sequence[Row],
    types: Mapping[str, ReportType],
    colours: Mapping[str, str],
    sla_s: int | None,
    by_deadline: bool,
) -> list[maps.Marker]:
    markers = []
    for row in rows:
        words, colour = _due(row, sla_s, ctx.now)
        markers.append(
            maps.Marker(
                id=str(row["id"]),
                latitude=row["latitude"],
                longitude=row["longitude"],
                label=f"{row['report_number']}: {_type(row, types)}, {words[0].lower()}{words[1:]}",
                colour=colour if by_deadline else colours.get(row["service_type"], "gray"),
            )
        )
    return markers


def _list(
    ctx: PageContext,
    rows: Sequence[Row],
    total: int,
    found: Sequence[Officer],
    names: Mapping[UUID, str],
    types: Mapping[str, ReportType],
    wards: Mapping[str, str],
    view: str,
    sla_s: int | None,
) -> None:
    """The same reports as a list, the urgent types and the oldest first."""
    if not rows:
        filtered = any(st.session_state.get(f"assignment.{name}", EVERY) != EVERY for name in ("type", "ward", "deadline", "with"))
        st.info(
            "No report matches these filters." if filtered else f"Nothing {'to assign' if view == VERIFIED else 'assigned'} at present.",
            icon=":material/check_circle:",
        )
        return
    known = {one.id: names[one.id] for one in found}
    last = "Recommended" if view == VERIFIED else "Officer"
    lines = []
    for row in rows:
        words, _ = _due(row, sla_s, ctx.now)
        if view == VERIFIED:
            fit = recommend(found, row["ward_code"])
            who = f"{names[fit.id]} ({fit.load}/{fit.max_load})" if fit else "Nobody free in the ward"
        else:
            who = known.get(row["assigned_officer_id"], formats.ABSENT)
        lines.append(
            (
                row["report_number"],
                _type(row, types),
                words,
                wards.get(row["ward_code"], row["ward"] or formats.ABSENT),
                place(row),
                row["created_at"],
                who,
            )
        )
    frame = pandas.DataFrame(lines, columns=["Report", "Type", "Deadline", "Ward", "Place", "Reported", last])
    shown = f"first {len(rows)} of {_many(total)}" if total > len(rows) else _many(total)
    st.caption(f"{shown} {'report' if total == 1 else 'reports'}. Updated {formats.local_clock(ctx.now, ctx.zone)}.")
    columns = {
        "Reported": st.column_config.DatetimeColumn("Reported", format="D MMM, h:mm a", timezone=ctx.zone.key),
        "Place": st.column_config.TextColumn("Place", width="large"),
    }
    picking.table(PAGE, frame, [str(row["id"]) for row in rows], columns, alt=f"Reports: {view.lower()}")


def _due(row: Row, sla_s: int | None, now: datetime) -> tuple[str, str]:
    """Band with the rest or the excess, and its colour. These states are never paused, so an earlier state's pause does not count."""
    spent = (now - row["state_entered_at"]).total_seconds()
    band = sla.band_of(spent, sla_s)
    if band is None:
        return "No deadline", "gray"
    if band.until is None:
        return f"{band.label} by {formats.duration(spent - (sla_s or 0))}", band.colour
    return f"{band.label}, {sla.due_words(spent, sla_s)}", band.colour


def _entered(band: sla.Band | None, sla_s: int | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    """After and until when a report entered its state that is in this band now; None: no bound."""
    if band is None or sla_s is None:
        return None, None
    after = None if band.until is None else now - timedelta(seconds=sla_s * band.until)
    return after, None if band.since is None else now - timedelta(seconds=sla_s * band.since)


def _type(row: Row, types: Mapping[str, ReportType]) -> str:
    kind = types.get(row["service_type"])
    return kind.name if kind else formats.words(row["service_type"])


def _urgency(row: Row, types: Mapping[str, ReportType]) -> tuple[int, Any]:
    kind = types.get(row["service_type"])
    return ({"HIGH": 0, "MEDIUM": 1, "LOW": 2}[kind.priority] if kind else 3, row["created_at"])


def _many(number: int) -> str:
    return f"more than {formats.count(COUNT_LIMIT - 1)}" if number >= COUNT_LIMIT else formats.count(number)
