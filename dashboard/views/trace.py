"""Any report packet by packet: where it stands, what it waits for, who decided what, and every message about it.

Each role finds here the reports that it may read, cut to what it may know: officers and supervisors learn no reporter. Who may open
the identity page finds a registration too, with the messages of its flow.
"""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import browser, evidence, identity_trace, packets, payout_part, people, rows, sla, timeline, waiting
from dashboard.widgets.own import public_label
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.access import policy
from pipeline.filestore.upload import SEES_ALL, SEES_NO_SELFIE
from pipeline.packets.render.facts import View

OFFICES = policy.EVERYONE - {"TEACHER"}
RECENT = 12  # what a page shows before anybody has searched
MAX_TYPED = 40  # an id is 36 characters
PARTS = {"timeline": "Timeline", "packets": "Packets", "sequence": "Diagram", "payout": "Payout"}


def render(ctx: PageContext) -> None:
    """The search, and the report that the address names or else the newest ones."""
    rows.styles()
    wanted = (st.query_params.get("report") or "").strip()
    _search(wanted)
    if identity_trace.names_one(ctx, wanted):
        identity_trace.show(ctx, wanted)
        browser.from_the_top(wanted)
        return
    found = _find(ctx, wanted) if wanted else None
    if found is not None:
        _report(ctx, found["id"], own=found["own"])
    else:
        if wanted:
            st.warning(f"There is no report {formats.plain_markdown(wanted)} that you may read.", icon=":material/search_off:")
        _recent(ctx)
    browser.from_the_top(wanted)


# finding


def _search(wanted: str) -> None:
    st.session_state.setdefault("trace.search", wanted)
    st.text_input(
        "Report number, tracking id or id",
        key="trace.search",
        icon=":material/search:",
        max_chars=MAX_TYPED,
        width=420,
        on_change=_searched,
    )


def _searched() -> None:
    _open(str(st.session_state["trace.search"]).strip())


def _open(wanted: str) -> None:
    for name in (packets.OPEN, "trace.page"):
        st.session_state.pop(name, None)
    st.session_state["trace.search"] = wanted
    if wanted:
        st.query_params["report"] = wanted
    else:
        st.query_params.pop("report", None)


def _find(ctx: PageContext, wanted: str) -> RowMapping | None:
    """The id of the report that a number, a tracking id or an id names, as far as the person may read it; `own`: they sent it."""
    sight = policy.sight(ctx.caller)
    text = wanted.upper()
    try:
        report_id = UUID(wanted)
    except ValueError:
        report_id = None
    with ctx.begin() as conn:
        return queries.one(
            conn,
            "trace.find",
            account_id=ctx.caller.account_id,
            number=text if text.startswith("DR-") else None,
            tracking_id=text,
            id=report_id,
            sees_all=sight.all,
            own_reporter=sight.reporter_id,
            own_officer=sight.officer_id,
        )


def _recent(ctx: PageContext) -> None:
    sight = policy.sight(ctx.caller)
    with ctx.begin() as conn:
        found = queries.rows(
            conn,
            "trace.recent",
            tenants=list(ctx.caller.scope),
            sees_all=sight.all,
            own_reporter=sight.reporter_id,
            own_officer=sight.officer_id,
            limit=RECENT,
        )
    if not found:
        st.info(f"No report that you may read in {ctx.tenants[ctx.caller.tenant_id]} yet.", icon=":material/timeline:")
        return
    rows.part("Newest reports")
    md = ctx.runtime.masterdata.current()
    with st.container(key="rows-recent"):
        for row in found:
            kind = md.report_types(row["tenant_id"], retired=True)[row["service_type"]]
            place = rows.place_words(row["locality"], row["ward"]) or "no address"
            zone = md.tenant(row["tenant_id"]).timezone
            cells = {
                "number": f"<strong>{row['report_number']}</strong>",
                "what": f"{escape(kind.name)}<small>{escape(place)}</small>",
                "state": mark(_state(ctx, row), formats.STATUS.get(row["status"], ("", "gray"))[1]),
                "when": escape(formats.local_time(row["created_at"], zone)),
            }
            number = str(row["report_number"])
            rows.row(f"recent-{number}", "recent", cells, f"Trace {number}", _open, (number,))


def _state(ctx: PageContext, row: RowMapping) -> str:
    """A state in the offices' words, for a teacher in those of the tracking page."""
    if ctx.caller.has(*OFFICES):
        return formats.status_label(row["status"])
    return public_label(ctx.runtime.masterdata.current(), row["tenant_id"], row["status"])


# one report


def _report(ctx: PageContext, report_id: UUID, own: bool) -> None:
    view = people.view_for(ctx, own)
    sees = {"sees_reporter": view in {View.REVIEW, View.TEACHER}, "reviews": view is View.REVIEW}
    with ctx.begin() as conn:
        report = queries.one(conn, "trace.report", id=report_id, account_id=ctx.caller.account_id, now=ctx.now, **sees)
        if report is None:
            st.warning("This report is not there any more.", icon=":material/search_off:")
            return
        history = queries.rows(conn, "trace.history", report_id=report_id, own=view is View.TEACHER, **sees)
        payout = queries.one(conn, "trace.payout", report_id=report_id) if sees["sees_reporter"] else None
        subjects = [report_id] if payout is None else [report_id, payout["id"]]
        failures = queries.rows(conn, "trace.failures", subjects=subjects)
        persons = people.load(ctx, conn, view, [report["reporter_id"], report["assigned_officer_id"], *timeline.actors(history)])
    _header(ctx, view, report, persons, failures)
    offered = {key: label for key, label in PARTS.items() if key != "payout" or sees["sees_reporter"]}
    part = st.segmented_control(
        "Show",
        list(offered),
        default="timeline",
        required=True,
        key="trace.part",
        format_func=lambda key: offered[key],
        label_visibility="collapsed",
        bind="query-params",
        persist_state="session",
    )
    if part in {"packets", "sequence"}:
        with ctx.begin() as conn:
            headers = queries.rows(conn, "trace.packets", report_id=report_id, sees_reporter=sees["sees_reporter"])
        packets.show(ctx, view, report, headers, as_diagram=part == "sequence")
    elif part == "payout":
        _payout(ctx, view, report, payout, history)
    else:
        _timeline(ctx, view, report, history, persons)


def _header(ctx: PageContext, view: View, report: RowMapping, persons: People, failures: Sequence[RowMapping]) -> None:
    md = ctx.runtime.masterdata.current()
    tenant_id = report["tenant_id"]
    table = md.workflow(tenant_id)
    label = public_label(md, tenant_id, report["status"]) if view is View.TEACHER else formats.status_label(report["status"])
    marks = [mark(label, formats.STATUS.get(report["status"], ("", "gray"))[1])]
    band = sla.band_of(sla.spent_s(report, ctx.now), table.states[report["status"]].sla_s)
    if band is not None and view is not View.TEACHER and report["awaiting_teacher_at"] is None:
        words = sla.due_words(sla.spent_s(report, ctx.now), table.states[report["status"]].sla_s)
        marks.append(mark(f"{band.label}, {words}", band.colour))
    if report["queue"] == "SENIOR" and view is View.REVIEW:
        marks.append(mark("Senior queue", "violet"))
    kind = md.report_types(tenant_id, retired=True)[report["service_type"]]
    place = rows.place_words(report["locality"], report["ward"], ctx.tenants.get(tenant_id))
    wait = waiting.of(table, report, persons)
    zone = md.tenant(tenant_id).timezone
    since = f"since {formats.local_time_zoned(wait.since, zone)} ({formats.duration((ctx.now - wait.since).total_seconds())})"
    line = f"<b>Waits for {escape(wait.what)}</b> {escape(since)}" if wait.what else f"<b>Finished</b> {escape(since)}"
    decides = f"<br>Next: {escape(wait.next_step)}" if wait.next_step else ""
    st.html(
        f'<div class="report-head"><h2>{escape(report["report_number"])}</h2>{"".join(marks)}'
        f'<span class="tray-says">{escape(kind.name)} · {escape(place)}</span><p>{line}{decides}</p></div>'
    )
    for failure in failures:
        _stuck(ctx, failure, view)


def _stuck(ctx: PageContext, failure: RowMapping, view: View) -> None:
    """A job that does not get on with the report; why, is told to those who can do something about it."""
    why = f" {formats.plain_markdown(str(failure['error'])[:200])}" if view is View.REVIEW and ctx.caller.has(*policy.ADMINS) else ""
    job = formats.words(failure["job"].replace(".", " "))
    if failure["dead_at"] is not None:
        st.error(f"{job} has given up after {failure['attempts']} attempts; an admin must look.{why}", icon=":material/error:")
    else:
        again = formats.ago(failure["next_attempt_at"], ctx.now)
        st.warning(f"{job} failed {failure['attempts']} times and tries again {again}.{why}", icon=":material/replay:")


def _timeline(ctx: PageContext, view: View, report: RowMapping, history: list[RowMapping], persons: People) -> None:
    md = ctx.runtime.masterdata.current()
    zone = md.tenant(report["tenant_id"]).timezone
    label = partial(public_label, md, report["tenant_id"]) if view is View.TEACHER else formats.status_label
    left, right = st.columns([1.6, 1], gap="medium")
    with left:
        timeline.show(md, report["tenant_id"], history, persons, ctx.now, zone, label)
    with right:
        if report["own"] or ctx.caller.has(*SEES_ALL, *SEES_NO_SELFIE):
            with ctx.begin() as conn:
                photos = queries.rows(conn, "trace.evidence", report_id=report["id"], with_selfies=False)
            for kind in ("DOG_PHOTO", "CAPTURE_PHOTO"):
                found = evidence.of_kind(photos, kind)
                if found is not None:
                    evidence.photo(ctx, found, kind, zone)
        rows.facts(_about(view, report, persons))


def _about(view: View, report: RowMapping, persons: People) -> list[tuple[str, str]]:
    place = rows.place_words(report["address"], report["landmark"])
    told = [
        ("Description", report["description"]),
        ("Place", place or formats.ABSENT),
        ("Position", formats.coordinates(report["latitude"], report["longitude"])),
        ("Tracking id", report["tracking_id"]),
    ]
    if view is View.REVIEW:
        told += [
            ("Reporter", persons.name(report["reporter_id"]) or formats.ABSENT),
            ("School", report["school_name"] or formats.ABSENT),
            ("Phone", persons.get(report["reporter_id"], "phone") or formats.ABSENT),
        ]
        if report["fraud_score"] is not None:
            told.append(("Risk score", f"{report['fraud_score']} of 100, {formats.words(report['risk_level']).lower()}"))
        if report["duplicate_of_number"]:
            told.append(("Duplicate of", report["duplicate_of_number"]))
    return told


def _payout(ctx: PageContext, view: View, report: RowMapping, payout: RowMapping | None, history: Sequence[RowMapping]) -> None:
    zone = ctx.runtime.masterdata.current().tenant(report["tenant_id"]).timezone
    with ctx.begin() as conn:
        attempts = [] if payout is None else queries.rows(conn, "trace.attempts", payout_id=payout["id"])
        persons = people.load(ctx, conn, view, [report["reporter_id"], *timeline.actors(history)])
    payout_part.show(view, report, payout, attempts, persons, zone)
