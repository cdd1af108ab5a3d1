"""The verifiers' inbox: the queue, and one report with everything that a decision needs. Admins find rejected ones here to reopen."""

from functools import partial

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import browser, case, checks, decision, evidence, pairs, people, queue, rows, sla, timeline
from dashboard.widgets.case import Case
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.errors import AppError
from pipeline.packets.render.facts import View

TITLES = ("Report", "What and where", "Risk", "Time", "With")


def render(ctx: PageContext) -> None:
    """The open report when the address names one, else the queue."""
    rows.styles()
    number = st.query_params.get("report")
    if number:
        _report(ctx, number.strip().upper())
    else:
        _queue(ctx)
    browser.from_the_top(number or "the queue")


# the queue


def _queue(ctx: PageContext) -> None:
    wanted = queue.choose(ctx)
    number = max(int(st.session_state.get("inbox.page") or 1), 1)
    with ctx.begin() as conn:
        page = queue.read(ctx, conn, wanted, (number - 1) * queue.PAGE_SIZE)
        if not page.rows and page.total:  # the last page emptied while it was looked at
            st.session_state.pop("inbox.page", None)
            number, page = 1, queue.read(ctx, conn, wanted)
        holders = people.load(ctx, conn, View.REVIEW, [row["claimed_by"] for row in page.rows if _held(ctx, row)])
    first = (number - 1) * queue.PAGE_SIZE + 1
    if not page.rows:
        st.info(_nothing(ctx, wanted), icon=":material/inbox:")
        return
    rows.head("queue", TITLES)
    with st.container(key="rows-queue"):
        for row in page.rows:
            _row(ctx, row, holders)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(f"{rows.said_of(first, len(page.rows), page.total, page.capped)} · {_where(ctx)}")
        if page.total > queue.PAGE_SIZE:
            st.pagination(-(-page.total // queue.PAGE_SIZE), key="inbox.page", default=number, persist_state="session")


def _row(ctx: PageContext, row: RowMapping, holders: People) -> None:
    md = ctx.runtime.masterdata.current()
    zone = md.tenant(row["tenant_id"]).timezone
    kind = md.report_types(row["tenant_id"], retired=True)[row["service_type"]]
    senior = f" {mark('Senior', 'violet')}" if row["queue"] == "SENIOR" else ""
    place = rows.place_words(row["address"], row["locality"], row["ward"])
    tenant = f"{ctx.tenants[row['tenant_id']]} · " if len(md.leaves(ctx.caller.tenant_id)) > 1 else ""
    rows.row(
        f"queue-{row['report_number']}",
        "queue",
        {
            "number": f"<strong>{row['report_number']}</strong>{senior}<small>{formats.ago(row['created_at'], ctx.now)}, "
            f"{formats.local_clock(row['created_at'], zone)}</small>",
            "what": f"{escape(kind.name)}<small>{escape(tenant + (place or 'no address'))}</small>",
            "risk": _risk(row),
            "time": _time(ctx, row),
            "with": _with(ctx, row, holders),
        },
        f"Open {row['report_number']}, {kind.name}, {_time_words(row)}",
        decision.open_report,
        (row["report_number"],),
    )


def _risk(row: RowMapping) -> str:
    if row["fraud_score"] is None:
        return formats.ABSENT
    return mark(f"{row['fraud_score']} {formats.words(row['risk_level'])}", checks.RISK_COLOURS.get(row["risk_level"], "gray"))


def _time(ctx: PageContext, row: RowMapping) -> str:
    """The band with what is left, the outcome where nothing is due, or that the teacher is asked."""
    if row["awaiting_teacher_at"] is not None:
        return f"{mark('Teacher asked', 'gray')}<small>{formats.ago(row['awaiting_teacher_at'], ctx.now)}</small>"
    band = sla.band_of(float(row["spent_s"]), row["sla_s"])
    if band is None:
        return mark(*formats.STATUS.get(row["status"], (row["status"], "gray")))
    return f"{mark(band.label, band.colour)}<small>{sla.due_words(float(row['spent_s']), row['sla_s'])}</small>"


def _time_words(row: RowMapping) -> str:
    """The same for whoever listens: Overdue, 7 h over."""
    band = sla.band_of(float(row["spent_s"]), row["sla_s"])
    if row["awaiting_teacher_at"] is not None or band is None:
        return "teacher asked" if row["awaiting_teacher_at"] is not None else formats.status_label(row["status"])
    return f"{band.label}, {sla.due_words(float(row['spent_s']), row['sla_s'])}"


def _held(ctx: PageContext, row: RowMapping) -> bool:
    return row["claimed_by"] is not None and row["claimed_until"] > ctx.now


def _with(ctx: PageContext, row: RowMapping, holders: People) -> str:
    if not _held(ctx, row):
        return "Unclaimed" if row["status"] == "PENDING_VERIFICATION" else formats.ABSENT
    who = "You" if row["claimed_by"] == ctx.caller.account_id else holders.name(row["claimed_by"]) or "Somebody"
    return f"{escape(who)}<small>until {formats.local_clock(row['claimed_until'], ctx.zone)}</small>"


def _where(ctx: PageContext) -> str:
    leaves = ctx.runtime.masterdata.current().leaves(ctx.caller.tenant_id)
    return ctx.tenants[leaves[0]] if len(leaves) == 1 else f"{len(leaves)} areas"


def _nothing(ctx: PageContext, wanted: queue.Filter) -> str:
    if wanted.number:
        return f"No report {formats.plain_markdown(wanted.number)} in {_where(ctx)}."
    state = formats.status_label(wanted.status).lower()
    narrowed = wanted != queue.Filter(status=wanted.status, queue=queue.home_queue(ctx.caller), sort=wanted.sort)
    return f"0 reports in the state “{state}” in {_where(ctx)}{' that match the filters' if narrowed else ''}."


# one report


def _report(ctx: PageContext, number: str) -> None:
    try:
        with ctx.begin() as conn:
            shown = case.load(ctx, conn, case.find(conn, number))
    except AppError as error:
        if error.code != "SDCRS_NOT_FOUND":
            raise
        st.error(f"There is no report {formats.plain_markdown(number)} in {_where(ctx)}.", icon=":material/search_off:")
        st.button("Back to the queue", on_click=decision.open_report, args=(None,))
        return
    _navigation(shown)
    _header(ctx, shown)
    photo_dog, photo_selfie, place = st.columns([1, 1, 1.15], gap="small")
    with photo_dog:
        evidence.photo(ctx, evidence.of_kind(shown.evidence, "DOG_PHOTO"), "DOG_PHOTO", shown.zone)
    with photo_selfie:
        evidence.photo(ctx, evidence.of_kind(shown.evidence, "REPORTER_SELFIE"), "REPORTER_SELFIE", shown.zone)
    md = ctx.runtime.masterdata.current()
    found = evidence.spots(shown.report, shown.evidence)
    with place:
        evidence.place_map(ctx, "inbox.map", shown.report, found)
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        rows.part("Checks", "measured when the report came in")
        checks.table(shown.checks)
        checks.rules(shown.evaluation, shown.rules, md.risk_config(shown.report["tenant_id"]))
        checks.findings(shown.evaluation)
        pairs.show(ctx, shown)
        rows.part("Places")
        rows.facts(evidence.places(found))
        if shown.talk:
            rows.part("Questions and answers")
            timeline.show(md, shown.report["tenant_id"], shown.talk, shown.people, ctx.now, shown.zone, formats.status_label)
    with right:
        rows.part("Report")
        rows.facts(_about(ctx, shown))
        rows.part("What the files say")
        evidence.file_facts(shown.evidence, shown.zone)
    with st.bottom:
        decision.tray(shown)


def _navigation(shown: Case) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="inbox.navigation"):
        for label, step, key in (("Queue", None, "Q"), ("Previous", -1, "P"), ("Next", 1, "N")):
            st.button(label, shortcut=key, key=f"inbox.{label.lower()}", on_click=perform, args=(partial(_leave, shown, step),))
        st.link_button("Trace", f"/trace?report={shown.number}", icon=":material/timeline:")
        with st.popover("Shortcuts", icon=":material/keyboard:", key="inbox.shortcuts"):
            st.markdown("\n".join(f"- `{key}` {label}" for key, label in _shortcuts(shown).items()))


def _shortcuts(shown: Case) -> dict[str, str]:
    offered = {row.action for row in shown.actions}
    decisions = {words.key: words.label for action, words in decision.WORDS.items() if action in offered}
    return decisions | {"Ctrl+Enter": "Confirm", "Esc": "Cancel", "N": "Next report", "P": "Previous report", "Q": "Queue"}


def _leave(shown: Case, step: int | None, ctx: PageContext) -> str | None:
    """Give the claim back and open the neighbour in the queue (`step`), or the queue itself (None)."""
    with ctx.begin() as conn:
        previous, following = queue.neighbours(ctx, conn, shown.number) if step else (None, None)
    target = None if step is None else following if step > 0 else previous
    if step is not None and target is None:
        return "This is the last report of the queue." if step > 0 else "This is the first report of the queue."
    decision.release(shown.report["id"], ctx)
    decision.open_report(target)
    return None


def _header(ctx: PageContext, shown: Case) -> None:
    report = shown.report
    md = ctx.runtime.masterdata.current()
    spent = sla.spent_s(report, ctx.now)
    allowed = md.workflow(report["tenant_id"]).states[report["status"]].sla_s
    band = sla.band_of(spent, allowed)
    marks = [mark(*formats.STATUS.get(report["status"], (report["status"], "gray")))]
    if report["queue"] == "SENIOR":
        marks.append(mark("Senior queue", "violet"))
    if report["awaiting_teacher_at"] is not None:
        marks.append(mark(f"Teacher asked {formats.ago(report['awaiting_teacher_at'], ctx.now)}, clock stands still", "gray"))
    elif band is not None:
        marks.append(mark(f"{band.label}, {sla.due_words(spent, allowed)}", band.colour))
    holder = f'<span class="tray-says">{escape(_holder(ctx, shown))}</span>'
    said = f"<p>{escape(report['description'])}</p>"
    st.html(f'<div class="report-head"><h2>{escape(shown.number)}</h2>{"".join(marks)}{holder}{said}</div>')


def _holder(ctx: PageContext, shown: Case) -> str:
    if shown.held_by_other:
        who = shown.people.name(shown.report["claimed_by"]) or "Somebody else"
        return f"{who} works on it until {formats.local_clock(shown.report['claimed_until'], ctx.zone)}"
    if shown.claimed_until is not None:
        return f"Yours until {formats.local_clock(shown.claimed_until, ctx.zone)}"
    return "Read only: the next step is not yours"


def _about(ctx: PageContext, shown: Case) -> list[tuple[str, str]]:
    report = shown.report
    kind = ctx.runtime.masterdata.current().report_types(report["tenant_id"], retired=True)[report["service_type"]]
    place = rows.place_words(report["address"], report["landmark"], report["locality"], report["ward"])
    pairs = [
        ("Type", f"{kind.name}, {kind.priority.lower()} priority"),
        ("Place", place or formats.ABSENT),
        ("Sent", formats.local_time_zoned(report["created_at"], shown.zone)),
        ("Reporter", shown.people.name(report["reporter_id"]) or formats.ABSENT),
        ("School", report["school_name"] or formats.ABSENT),
        ("Phone", shown.people.get(report["reporter_id"], "phone") or formats.ABSENT),
    ]
    if report["dog_count"] is not None:
        pairs.insert(1, ("Dogs", formats.count(report["dog_count"])))
    if report["rejection_reason"]:
        reasons = ctx.runtime.masterdata.current().rejection_reasons(report["tenant_id"], retired=True)
        reason = reasons.get(report["rejection_reason"])
        pairs.insert(0, ("Rejected for", reason.name if reason else formats.words(report["rejection_reason"])))
    return pairs
