"""One payout's whole story: each attempt with its calls, its request and answer and its events; the ledger; who did what.

Everything is read from our own tables; the provider is not asked. Folded by default: a list of headings that says how much is in each.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import payout_part, people, rows
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_part import cards
from dashboard.widgets.people import HIDDEN, People
from dashboard.widgets.rows import escape, mark
from pipeline.packets.personal import with_personal
from pipeline.vault.persons import mask_vpa

DIED = "no answer was recorded: the worker died during it"
NOW = "under way at this moment"
CODE_PX = 260  # a request has twenty lines; more scrolls in itself
ORDER, ANSWER = "08/03", "08/04"


def show(ctx: PageContext, row: RowMapping, attempts: Sequence[RowMapping]) -> None:
    """The story of the payout in `row`, below its facts."""
    zone = ctx.runtime.masterdata.current().tenant(row["tenant_id"]).timezone
    references = [attempt["reference_id"] for attempt in attempts]
    with ctx.begin() as conn:
        calls = queries.rows(conn, "payouts.calls", payout_id=row["id"])
        events = queries.rows(conn, "payouts.events", payout_id=row["id"])
        bodies = queries.rows(conn, "payouts.bodies", report_id=row["report_id"], references=references)
        ledger = queries.rows(conn, "payouts.ledger", payout_id=row["id"])
        deeds = queries.rows(
            conn,
            "payouts.deeds",
            report_id=row["report_id"],
            payout_id=row["id"],
            beneficiary_id=row["beneficiary_id"],
            since=row["created_at"],
        )
        known = people.load(ctx, conn, people.view_for(ctx, own=False), {row["beneficiary_id"], *(deed["actor_id"] for deed in deeds)})
    rows.part("Whole story", "each attempt with its calls, request, answer and events; then the money and the people")
    for attempt in attempts:
        mine = [one for one in bodies if one["key"] == attempt["reference_id"]]
        _attempt(ctx, attempt, _of(attempt, calls), _of(attempt, events), mine, known)
    with st.expander(f"Ledger: {_number(len(ledger), 'entry', 'entries')}", icon=":material/menu_book:"):
        numbers = {attempt["id"]: attempt["reference_id"] for attempt in attempts}
        st.html(_ledger(ledger, numbers, zone))
    with st.expander(f"Who did what: {_number(len(deeds), 'step', 'steps')}", icon=":material/groups:"):
        st.html(_deeds(deeds, known, zone))


def _of(attempt: RowMapping, found: Sequence[RowMapping]) -> list[RowMapping]:
    return [one for one in found if one["attempt_id"] == attempt["id"]]


def _attempt(
    ctx: PageContext,
    attempt: RowMapping,
    calls: Sequence[RowMapping],
    events: Sequence[RowMapping],
    bodies: Sequence[RowMapping],
    known: People,
) -> None:
    which = "First attempt" if not attempt["number"] else f"Retry {attempt['number']}"
    numbers = f"{_number(attempt['sends'], 'send', 'sends')}, {_number(len(events), 'event', 'events')}"
    with st.expander(f"{which}: {payout_part.state_of(attempt)[0].lower()}, {numbers}", icon=":material/send_money:"):
        rows.facts(_facts(attempt, ctx.zone))
        rows.part("Calls", "to the provider, and what came back")
        st.html(call_table(attempt, calls, ctx.now, ctx.zone))
        for packet, title in ((ORDER, "Request as it was sent"), (ANSWER, "Answer")):
            _body(title, [one for one in bodies if one["packet"] == packet], known, ctx.zone)
        rows.part("Events", "of the provider, by webhook")
        if events:
            st.html(_events(events, ctx.zone))
        else:
            st.caption("None came. The provider is asked instead, ever more seldom.")


def _facts(attempt: RowMapping, zone: ZoneInfo) -> list[tuple[str, str]]:
    told = [
        ("Reference", attempt["reference_id"]),
        ("Idempotency key", attempt["idempotency_key"]),
        ("Phase", payout_part.PHASES[attempt["phase"]][0]),
        ("First sent", formats.local_time(attempt["first_sent_at"], zone)),
        ("Taken", formats.local_time(attempt["accepted_at"], zone)),
        ("Provider's payout", _joined(attempt["provider_payout_id"], attempt["provider_status"])),
        ("Fund account", attempt["fund_account"] or formats.ABSENT),
        ("Bank reference", attempt["utr"] or formats.ABSENT),
        ("Fees", formats.inr(attempt["fees_paise"]) + f", of it tax {formats.inr(attempt['tax_paise'])}"),
        ("Asked for", _number(attempt["polls"], "time", "times") + " since its state changed"),
    ]
    if attempt["reason"]:
        told.append(("Reason", _joined(attempt["reason"], attempt["reason_text"])))
    if attempt["last_error"]:
        told.append(("Last trouble", words.WAITS.get(attempt["last_error"], attempt["last_error"])))
    return told


def call_table(attempt: RowMapping, calls: Sequence[RowMapping], now: datetime, zone: ZoneInfo) -> str:
    """Every send with its calls; one of which nothing is kept says so."""
    lines: list[tuple[str, ...]] = []
    by_send: dict[int, list[RowMapping]] = {}
    for call in calls:
        by_send.setdefault(call["send"], []).append(call)
    for send in sorted({*range(1, attempt["sends"] + 1), *by_send}):
        lines += [(str(send), *_call(call, zone)) for call in by_send.get(send, ())]
        if send not in by_send:
            running = send == attempt["sends"] and attempt["phase"] == "SENDING" and (attempt["lease_until"] or now) > now
            outcome = mark("Under way", "blue") if running else mark("No answer", "red")
            lines.append((str(send), "Order", outcome, escape(NOW if running else DIED), formats.ABSENT, formats.ABSENT))
    return cards(("Send", "Call", "Outcome", "Said", "At", "Took"), lines, "Calls") if lines else "<p>Not sent yet.</p>"


def _call(call: RowMapping, zone: ZoneInfo) -> tuple[str, ...]:
    said = [
        None if call["http_status"] is None else f"HTTP {call['http_status']}",
        None if call["why"] is None else words.WAITS.get(call["why"], formats.words(call["why"])),
        call["reason"],
        None if call["field"] is None else f"field {call['field']}",
        call["description"],
        call["provider_payout_id"],
        call["provider_status"],
    ]
    label, colour = words.ANSWERS.get(call["outcome"], (formats.words(call["outcome"]), "gray"))
    return (
        escape(words.CALLS.get(call["call"], call["call"])),
        mark(label, colour),
        escape(_joined(*said)),
        escape(_moment(call["called_at"], zone)),
        escape(f"{formats.count(call['took_ms'])} ms"),
    )


def _body(title: str, found: Sequence[RowMapping], known: People, zone: ZoneInfo) -> None:
    """The last one that is kept; the bytes of a repeat are the same by its key."""
    if not found:
        rows.part(title, "none is recorded")
        return
    last = found[-1]
    times = f", {len(found)} times, the last shown" if len(found) > 1 else ""
    rows.part(title, f"{_moment(last['occurred_at'], zone)}{times}; account numbers and addresses masked")
    if last["body"] is None:
        st.caption("Its body is past the time for which it is kept.")
        return
    readable = masked(with_personal(last["body"], lambda owner, kind: known.get(UUID(owner), kind) or HIDDEN))
    st.code(json.dumps(readable, indent=2, ensure_ascii=False), language="json", height=CODE_PX, wrap_lines=True)


def masked(value: Any) -> Any:
    """A copy of a body with account numbers and UPI addresses masked, wherever they stand."""
    if isinstance(value, Mapping):
        return {name: _hidden(name, inner) if isinstance(inner, str | None) else masked(inner) for name, inner in value.items()}
    return [masked(inner) for inner in value] if isinstance(value, list) else value


def _hidden(name: str, text: str | None) -> str | None:
    if name == "account_number":  # of ours nothing is kept outside the sealed bytes
        return HIDDEN if text is None else text if "•" in text or text == HIDDEN else formats.masked(text)
    if text is None:
        return None
    if name == "address" and "@" in text and "•" not in text:
        return mask_vpa(text) or HIDDEN
    return text


def _events(events: Sequence[RowMapping], zone: ZoneInfo) -> str:
    lines = []
    for one in events:
        label, colour = words.EVENTS.get(one["outcome"] or "", ("Not looked at yet", "gray"))
        lines.append(
            (
                escape(one["event"]),
                escape(one["provider_status"] or formats.ABSENT),
                mark(label, colour),
                escape(_moment(one["received_at"], zone)),
                escape(one["event_id"]),
            )
        )
    return cards(("Event", "State", "In our books", "Received", "Id"), lines, "Events")


def _ledger(ledger: Sequence[RowMapping], references: Mapping[UUID, str], zone: ZoneInfo) -> str:
    lines = [
        (
            escape(words.LEDGER.get(one["entry"], one["entry"])),
            escape(formats.inr(one["amount_paise"])),
            escape(f"{one['month']:%B %Y}"),
            escape(references.get(one["attempt_id"], "settled by hand")),
            escape(_moment(one["occurred_at"], zone)),
        )
        for one in ledger
    ]
    return cards(("Entry", "Amount", "Month", "For", "At"), lines, "Ledger")


def _deeds(deeds: Sequence[RowMapping], known: People, zone: ZoneInfo) -> str:
    lines = [
        (
            escape(words.DEEDS.get(one["action"], formats.words(one["action"]))),
            escape(known.who(one["actor_id"], one["actor_role"] or "SYSTEM")),
            escape(_joined(one["comment"], *_details(one["details"]))),
            escape(_moment(one["occurred_at"], zone)),
        )
        for one in deeds
    ]
    return cards(("Step", "Who", "With", "At"), lines, "Who did what")


def _details(details: Mapping[str, Any] | None) -> list[str]:
    """What a step recorded, as far as it says something to a person."""
    found = details or {}
    told = []
    for name, title in (("reference", "reference"), ("manualPaymentReference", "reference"), ("referenceId", "reference"), ("utr", "UTR")):
        if found.get(name):
            told.append(f"{title} {found[name]}")
    if found.get("method"):
        told.append(payout_part.METHODS.get(str(found["method"]), str(found["method"])))
    if found.get("amountPaise"):
        told.append(formats.inr(int(found["amountPaise"])))
    if found.get("comment"):
        told.append(str(found["comment"]))
    return told


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    """With seconds: calls and events follow each other within one minute."""
    if at is None:
        return formats.ABSENT
    here = at.astimezone(zone)
    return f"{here.day} {here:%b %Y, %H:%M:%S}"


def _joined(*parts: str | None) -> str:
    return " · ".join(dict.fromkeys(part for part in parts if part)) or formats.ABSENT


def _number(number: int, one: str, many: str) -> str:
    return f"{formats.count(number)} {one if number == 1 else many}"
