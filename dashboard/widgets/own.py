"""One of a teacher's own reports: where it stands in plain words, what was asked, what was paid, and how it went."""

from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import evidence, people, rows, timeline
from dashboard.widgets.rows import escape, mark
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.packets.render.facts import View
from pipeline.reports.actions import act
from pipeline.reports.update import Update

MAX_ANSWER = 500  # the verifier reads it beside the photos
BEST = 5

# What a teacher may expect next, by state
NEXT: dict[str, str] = {
    "PENDING_VALIDATION": "The automatic checks look at it in about a minute.",
    "PENDING_VERIFICATION": "A verifier looks at your photos.",
    "VERIFIED": "The municipality chooses an officer.",
    "ASSIGNED": "An officer will visit the place.",
    "IN_PROGRESS": "An officer is on the way.",
    "CAPTURED": "The dog is captured. Your payout is being prepared.",
    "PAYOUT_PENDING": "The dog is captured. Your payout is on its way to your UPI address.",
    "PAYOUT_FAILED": "The dog is captured. The bank did not take the payout; an admin looks into it, you need not do anything.",
    "RESOLVED": "The dog is captured and the report is finished.",
    "CLOSED": "The dog is captured and the report is finished. Thank you for the rating.",
    "UNABLE_TO_LOCATE": "The officer did not find the dog. There is no payout.",
    "DUPLICATE": "Somebody reported this dog before you. There is no payout.",
}


def public_label(md: MasterData, tenant_id: str, status: str) -> str:
    """A state as people outside the offices call it."""
    return md.workflow(tenant_id).states[status].public_label


def state_mark(md: MasterData, row: RowMapping) -> str:
    """The state as a mark, or that the teacher is asked."""
    if row["awaiting_teacher_at"] is not None:
        return mark("Question to you", "violet")
    return mark(public_label(md, row["tenant_id"], row["status"]), formats.STATUS.get(row["status"], ("", "gray"))[1])


def payout_mark(row: RowMapping) -> str:
    """What became of the payout, as a mark; empty before there is any."""
    status = row["payout_status"]
    if status is None:
        return ""
    label, colour = formats.PAYOUT_STATUS.get(status, (formats.words(status), "gray"))
    amount = f" {formats.inr(row['payout_amount_paise'])}" if row["payout_amount_paise"] and status != "SKIPPED_CAP_REACHED" else ""
    return mark(f"{label}{amount}", colour)


def find(conn: Connection, ctx: PageContext, number: str) -> UUID:
    """The id of the teacher's own report of this number. Raises SDCRS_NOT_FOUND."""
    row = queries.one(conn, "my_reports.by_number", number=number, account_id=ctx.caller.account_id)
    if row is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=number)
    return UUID(str(row["id"]))


def show(ctx: PageContext, number: str) -> None:
    """The report with photos, history, question and payout. Raises SDCRS_NOT_FOUND."""
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        report_id = find(conn, ctx, number)
        report = queries.one(
            conn, "trace.report", id=report_id, account_id=ctx.caller.account_id, now=ctx.now, sees_reporter=True, reviews=False
        )
        photos = queries.rows(conn, "trace.evidence", report_id=report_id, with_selfies=True)
        history = queries.rows(conn, "trace.history", report_id=report_id, sees_reporter=True, reviews=False, own=True)
        persons = people.load(ctx, conn, View.TEACHER, [ctx.caller.account_id])
        payout = queries.one(conn, "trace.payout", report_id=report_id)
    if report is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=number)
    zone = md.tenant(report["tenant_id"]).timezone
    said = f"<p>{escape(_next(md, report))}</p>"
    st.html(f'<div class="report-head"><h2>{escape(number)}</h2>{state_mark(md, report)}{payout_mark(report)}{said}</div>')
    _question(report, history)
    _rating(report)
    left, right = st.columns([1, 1.6], gap="medium")
    with left:
        _photos(ctx, photos, zone)
    with right:
        rows.part("Report")
        rows.facts(_about(md, report, payout, zone))
        link = f"{ctx.api_url}/track/{report['tracking_id']}"
        st.link_button("Open the public tracking page", link, icon=":material/open_in_new:")
        rows.part("What happened")
        timeline.show(md, report["tenant_id"], history, persons, ctx.now, zone, partial(public_label, md, report["tenant_id"]))


def _next(md: MasterData, report: RowMapping) -> str:
    if report["awaiting_teacher_at"] is not None:
        return "The verifier needs an answer from you before going on."
    if report["status"] in {"REJECTED", "AUTO_REJECTED"}:
        reason = md.rejection_reasons(report["tenant_id"], retired=True).get(report["rejection_reason"])
        return f"{reason.message.text('en_IN') if reason else formats.words(report['rejection_reason'])}. There is no payout."
    return NEXT.get(report["status"], "")


def _question(report: RowMapping, history: list[RowMapping]) -> None:
    """The verifier's question with a field for the answer, while one is waited for."""
    if report["awaiting_teacher_at"] is None:
        return
    asked = next((row["comment"] for row in reversed(history) if row["action"] == "SEND_BACK"), None)
    with st.container(border=True, key="my_reports.question"):
        rows.part("The verifier asks")
        st.text(asked or "")
        with st.form("my_reports.answer_form", border=False, clear_on_submit=False):
            key = f"my_reports.answer.{report['report_number']}"
            st.text_area("Your answer", key=key, max_chars=MAX_ANSWER, height=90)
            command = partial(answer, report["id"], str(report["report_number"]), report["version"], key)
            st.form_submit_button("Send the answer", type="primary", on_click=perform, args=(command,))


def answer(report_id: UUID, number: str, version: int, key: str, ctx: PageContext) -> str:
    """Send the teacher's answer; the verifier's clock goes on."""
    said = str(st.session_state.get(key) or "").strip()
    if not said:
        raise AppError("SDCRS_FACT_MISSING", action="The answer", field="a text")
    _do(ctx, Update(report_id, "COMMENT", comment=said, version=version))
    return f"Your answer to {number} is sent."


def _rating(report: RowMapping) -> None:
    """Five stars while the report is resolved and not rated."""
    if report["status"] != "RESOLVED":
        return
    with st.container(border=True, key="my_reports.rating"):
        rows.part("How did it go?")
        key = f"my_reports.stars.{report['report_number']}"
        command = partial(rate, report["id"], str(report["report_number"]), report["version"], key)
        st.feedback("stars", key=key, on_change=perform, args=(command,))


def rate(report_id: UUID, number: str, version: int, key: str, ctx: PageContext) -> str | None:
    """Rate how it went; this closes the report."""
    stars = st.session_state.get(key)
    if stars is None:
        return None
    _do(ctx, Update(report_id, "RATE", version=version, fields={"rating": int(stars) + 1}))
    return f"Thank you: {number} is rated {int(stars) + 1} of {BEST}."


def _do(ctx: PageContext, update: Update) -> None:
    with ctx.begin() as conn:
        (outcome,) = act(conn, ctx.runtime.masterdata.current(), ctx.caller, [update], ctx.now)
    if outcome.error is not None:
        raise outcome.error


def _photos(ctx: PageContext, photos: list[RowMapping], zone: ZoneInfo) -> None:
    for kind in ("DOG_PHOTO", "REPORTER_SELFIE", "CAPTURE_PHOTO"):
        found = evidence.of_kind(photos, kind)
        if found is not None:
            evidence.photo(ctx, found, kind, zone, "Your selfie" if kind == "REPORTER_SELFIE" else None)


def _about(md: MasterData, report: RowMapping, payout: Any, zone: ZoneInfo) -> list[tuple[str, str]]:
    kind = md.report_types(report["tenant_id"], retired=True)[report["service_type"]]
    place = rows.place_words(report["address"], report["landmark"], report["locality"], report["ward"])
    pairs = [
        ("Type", kind.name),
        ("Description", report["description"]),
        ("Place", place or formats.coordinates(report["latitude"], report["longitude"])),
        ("Sent", formats.local_time_zoned(report["created_at"], zone)),
        ("Tracking id", report["tracking_id"]),
    ]
    if report["rejection_remarks"]:
        pairs.append(("Remarks", report["rejection_remarks"]))
    if report["payout_status"] is not None:
        pairs.append(("Payout", _paid(report, payout, zone)))
    if report["rating"] is not None:
        pairs.append(("Your rating", f"{report['rating']} of {BEST}"))
    return pairs


def _paid(report: RowMapping, payout: Any, zone: ZoneInfo) -> str:
    words = f"{formats.inr(report['payout_amount_paise'])}: {formats.payout_label(report['payout_status']).lower()}"
    if report["payout_completed_at"] is not None:
        words += f" on {formats.local_date(report['payout_completed_at'], zone)}"
    if report["utr"]:
        words += f", bank reference {report['utr']}"
    elif payout is not None and payout["manual_reference"] and payout["manual_approved_at"] is not None:
        words += f", reference {payout['manual_reference']}"
    return words
