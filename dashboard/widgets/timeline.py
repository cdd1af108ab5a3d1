"""The history of a report as a timeline of states: who, when, how long, why, and what was recorded, in words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.masterdata.master import MasterData

Labels = Callable[[str], str]

ACTIONS: dict[str, str] = {
    "SUBMIT": "Report sent",
    "AUTO_VALIDATE_PASS": "Checks passed",
    "AUTO_VALIDATE_FAIL": "Rejected by the checks",
    "VERIFY": "Verified",
    "REJECT": "Rejected",
    "MARK_DUPLICATE": "Marked as a duplicate",
    "ESCALATE": "Handed to a senior verifier",
    "SEND_BACK": "Question to the teacher",
    "COMMENT": "Answer of the teacher",
    "REOPEN": "Reopened",
    "ASSIGN": "Assigned to an officer",
    "REASSIGN": "Assigned anew",
    "START_FIELD_VISIT": "Visit started",
    "MARK_CAPTURED": "Dog captured",
    "MARK_UNABLE_TO_LOCATE": "Dog not found",
    "INITIATE_PAYOUT": "Payout started",
    "RESOLVE_NO_PAYOUT": "Resolved without payout",
    "PAYOUT_SUCCESS": "Paid",
    "PAYOUT_FAILED": "Payout failed",
    "PAYOUT_REVERSED": "Payout returned by the bank",
    "RETRY_PAYOUT": "Payout sent again",
    "MANUAL_RESOLVE": "Paid by hand",
    "RATE": "Rated by the teacher",
}


TOLD_BY_FACTS = frozenset({"SUBMIT", "AUTO_VALIDATE_PASS", "AUTO_VALIDATE_FAIL"})  # whose comment says the recorded facts again


def action_label(action: str) -> str:
    """What an action did, in words."""
    return ACTIONS.get(action, formats.words(action))


def show(
    md: MasterData, tenant_id: str, history: Sequence[RowMapping], people: People, now: datetime, zone: ZoneInfo, label: Labels
) -> None:
    """The timeline, oldest first; the present state's time runs on. `label` gives a state its words."""
    final = md.workflow(tenant_id).final_states
    items = []
    for index, row in enumerate(history):
        last = index == len(history) - 1
        ended = now if last else history[index + 1]["occurred_at"]
        lasted = None if last and row["to_state"] in final else (ended - row["occurred_at"]).total_seconds()
        items.append(_item(md, tenant_id, row, people, zone, label, lasted, last))
    st.html(f'<ol class="timeline">{"".join(items)}</ol>')


def _item(
    md: MasterData, tenant_id: str, row: RowMapping, people: People, zone: ZoneInfo, label: Labels, lasted_s: float | None, last: bool
) -> str:
    moved = row["from_state"] != row["to_state"]
    state = mark(label(row["to_state"]), formats.STATUS.get(row["to_state"], ("", "gray"))[1]) if moved else ""
    stayed = (
        ""
        if lasted_s is None
        else f" · {'for ' if last else ''}{formats.duration(lasted_s)}{' so far' if last else ' until the next step'}"
    )
    said = f'<p class="said">{escape(row["comment"])}</p>' if row["comment"] and row["action"] not in TOLD_BY_FACTS else ""
    told = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts(md, tenant_id, row, people))
    return (
        f"<li{' class=now' if last else ''}><b>{escape(action_label(row['action']))}</b> {state}"
        f'<div class="who">{escape(people.who(row["actor_id"], row["actor_role"]))} · '
        f"{escape(formats.local_time(row['occurred_at'], zone))}{escape(stayed)}</div>{said}"
        f"{f'<dl>{told}</dl>' if told else ''}</li>"
    )


def facts(md: MasterData, tenant_id: str, row: RowMapping, people: People) -> list[tuple[str, str]]:
    """What a change recorded, as names and values for a person; ids and times that the line shows anyway are left out."""
    recorded = row["facts"] or {}
    told = []
    for key, (name, words) in _FACTS.items():
        value = recorded.get(key)
        if value not in {None, "", row["comment"]}:  # remarks may be the comment once more
            said = words(md, tenant_id, value, people)
            if said:
                told.append((name, said))
    place = _place(recorded)
    if place:
        told.append(("Place", place))
    return told


def _place(recorded: Mapping[str, Any]) -> str | None:
    for prefix in ("completed", "visit"):
        latitude = recorded.get(f"{prefix}_latitude")
        if latitude is not None:
            return formats.coordinates(latitude, recorded.get(f"{prefix}_longitude"))
    return None


Words = Callable[[MasterData, str, Any, People], str | None]


def _plain(_md: MasterData, _tenant: str, value: Any, _people: People) -> str:
    return str(value)


def _person(_md: MasterData, _tenant: str, value: Any, people: People) -> str | None:
    return people.name(UUID(str(value)))


def _named(read: Callable[[MasterData, str], Mapping[str, Any]]) -> Words:
    def words(md: MasterData, tenant_id: str, value: Any, _people: People) -> str:
        entry = read(md, tenant_id).get(str(value))
        return formats.words(str(value)) if entry is None else str(entry.name)

    return words


def _said(words: Callable[[Any], str | None]) -> Words:
    return lambda _md, _tenant, value, _people: words(value)


_FACTS: dict[str, tuple[str, Words]] = {
    "rejection_reason": ("Reason", _named(lambda md, tenant: md.rejection_reasons(tenant, retired=True))),
    "rejection_remarks": ("Remarks", _plain),
    "verification_remarks": ("Remarks", _plain),
    "duplicateOfNumber": ("Duplicate of", _plain),
    "fraud_score": ("Risk score", _plain),
    "risk_level": ("Risk", _said(formats.words)),
    "queue": ("Queue", _said(lambda value: "Senior queue" if value == "SENIOR" else "Standard queue")),
    "assigned_officer_id": ("Officer", _person),
    "previousOfficerId": ("Before", _person),
    "resolution_type": ("Outcome", _named(lambda md, tenant: md.resolution_types(tenant, retired=True))),
    "unable_reason": ("Reason", _named(lambda md, tenant: md.unable_reasons(tenant, retired=True))),
    "resolution_remarks": ("Remarks", _plain),
    "payout_status": ("Payout", _said(formats.payout_label)),
    "payout_amount_paise": ("Amount", _said(formats.inr)),
    "payout_failure_reason": ("Why", _said(lambda value: formats.words(str(value)))),
    "utr": ("Bank reference (UTR)", _plain),
    "manualPaymentMethod": ("Method", _said(lambda value: formats.words(str(value)))),
    "manualPaymentReference": ("Reference", _plain),
    "rating": ("Rating", _said(lambda value: f"{value} of 5")),
    "onBehalfOf": ("Asked for by", _person),
}


def actors(history: Sequence[RowMapping]) -> list[UUID]:
    """The accounts that a timeline names."""
    found = [row["actor_id"] for row in history if row["actor_id"] is not None]
    for row in history:
        for key in ("assigned_officer_id", "previousOfficerId", "onBehalfOf"):
            value = (row["facts"] or {}).get(key)
            if value:
                found.append(UUID(str(value)))
    return found
