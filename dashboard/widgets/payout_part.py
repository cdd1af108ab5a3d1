"""What was paid for a report, attempt by attempt, for those who may know of it."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets import rows
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.packets.render.facts import View

# What an attempt is doing, in words
PHASES: dict[str, tuple[str, str]] = {
    "PREPARED": ("Written, not sent yet", "gray"),
    "SENDING": ("Being sent", "orange"),
    "ACCEPTED": ("Taken by the bank", "blue"),
    "REFUSED": ("Refused", "red"),
    "UNKNOWN": ("Sent, no certain answer", "orange"),
    "REVIEW": ("A person must decide", "red"),
}
# What the bank says of an attempt that it has taken
SAID: dict[str, tuple[str, str]] = {
    "processed": ("Paid", "green"),
    "failed": ("Failed", "red"),
    "rejected": ("Refused by the bank", "red"),
    "cancelled": ("Cancelled", "red"),
    "reversed": ("Returned by the bank", "red"),
    "queued": ("Waits for money on our account", "orange"),
}
WIDTH_PX = 760  # pairs of a name and a value are not read across a whole screen
COLUMNS = ("Reference", "State", "Sent", "Bank reference (UTR)", "What the bank said")
METHODS = {"UPI": "UPI", "CASH": "Cash", "BANK_TRANSFER": "Bank transfer", "CHEQUE": "Cheque", "OTHER": "Other"}


def show(view: View, report: RowMapping, payout: RowMapping | None, attempts: Sequence[RowMapping], people: People, zone: ZoneInfo) -> None:
    """The obligation, then its attempts."""
    if payout is None:
        status = report["payout_status"]
        st.info(formats.payout_label(status) if status else "No payout has been started for this report.", icon=":material/payments:")
        return
    with st.container(width=WIDTH_PX):
        rows.part("Payout")
        rows.facts(_about(view, payout, people, zone))
    if not attempts:
        return
    rows.part("Attempts", "each with the reference under which the bank knows it")
    lines = "".join(_line(attempt, zone) for attempt in attempts)
    head = "".join(
        f'<th scope="col">{title}</th>' for title in ("Reference", "State", "Sent", "Bank reference (UTR)", "What the bank said")
    )
    st.html(f'<table class="facts checks"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>')


def _about(view: View, payout: RowMapping, people: People, zone: ZoneInfo) -> list[tuple[str, str]]:
    told = [
        ("State", formats.payout_label(payout["status"])),
        ("Amount", formats.inr(payout["amount_paise"])),
        ("Retries used", f"{payout['retry_count']} of 3"),
        ("Bank reference (UTR)", payout["utr"] or formats.ABSENT),
    ]
    if view is View.REVIEW:
        told.insert(2, ("UPI address", people.get(payout["beneficiary_id"], "vpa") or formats.ABSENT))
    if payout["failure_reason"]:
        told.append(("Failed because", payout["failure_text"] or formats.words(payout["failure_reason"])))
    if payout["next_retry_at"] is not None:
        told.append(("Sent again", formats.local_time(payout["next_retry_at"], zone)))
    if payout["manual_requested_at"] is not None:
        told.append(("Paid by hand", f"{METHODS.get(payout['method'], payout['method'])}, reference {payout['manual_reference']}"))
        approved = payout["manual_approved_at"]
        told.append(("Approved", formats.local_time(approved, zone) if approved else "waits for a second admin"))
        if payout["manual_exception"] and view is View.REVIEW:
            told.append(("Outside the rules", payout["manual_exception"]))
    if payout["completed_at"] is not None:
        told.append(("Finished", formats.local_time(payout["completed_at"], zone)))
    if payout["needs_person"] and view is View.REVIEW:
        told.append(("Needs a person", payout["needs_person"]))
    return told


def cards(titles: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    """A table as HTML whose cells are HTML already; on a phone each line is a card whose values carry their titles."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    body = "".join(
        "<tr>" + "".join(f'<td data-title="{escape(title)}">{cell}</td>' for title, cell in zip(titles, line, strict=True)) + "</tr>"
        for line in lines
    )
    return f'<table class="data found"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def state_of(attempt: RowMapping) -> tuple[str, str]:
    """What an attempt is doing, in words and in a colour."""
    status = attempt["provider_status"]
    return PHASES[attempt["phase"]] if status is None else SAID.get(status, ("With the bank", "orange"))


def _line(attempt: RowMapping, zone: ZoneInfo) -> str:
    said = attempt["reason_text"] or (formats.words(attempt["reason"]) if attempt["reason"] else attempt["last_error"])
    state = state_of(attempt)
    return (
        f'<tr><th scope="row">{escape(attempt["reference_id"])}</th><td>{mark(*state)}</td>'
        f'<td class="num">{escape(formats.local_time(attempt["first_sent_at"], zone))}</td>'
        f'<td class="num">{escape(attempt["utr"] or formats.ABSENT)}</td><td class="why">{escape(said or formats.ABSENT)}</td></tr>'
    )
