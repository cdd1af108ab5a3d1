"""Two records side by side that may be one person: masked, with the score part by part, and the decision with its reason.

Nobody needs a name or a number to compare two records: where they agree and where they differ is said, and the rest is hidden.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import identity_words as words
from dashboard.widgets import rows
from dashboard.widgets.identity_details import GENDERS
from dashboard.widgets.payout_part import cards
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import Area
from pipeline.access.policy import can
from pipeline.identity.idrepo.store import demographics_of
from pipeline.identity.remedies import REASON_MAX
from pipeline.identity.stages.dedupe import PURPOSE
from pipeline.identity.stages.manual import Decision, decide
from pipeline.vault.persons import mask_phone

SHOWN = 20  # pairs on the page; a person decides one at a time
BIRTH = {"SAME": "the same day", "SWAPPED": "day and month swapped", "SAME_YEAR": "the same year", "OTHER": "another year"}
DECIDED: Mapping[Decision, str] = {"UNIQUE": "two people; the registration goes on", "DUPLICATE": "one person; it is rejected"}
ELSEWHERE = "is in another area: a state admin sees it"


def show(ctx: PageContext, where: Area) -> None:
    """The pairs that wait, the oldest first."""
    with ctx.begin() as conn:
        pairs = queries.rows(conn, "identity.to_decide", tenants=list(where.tenants), limit=SHOWN)
        total = queries.one(conn, "identity.decide_count", tenants=list(where.tenants))
    if not pairs:
        st.info("No pair of records waits for a decision.", icon=":material/check_circle:")
        return
    waiting = total["found"] if total is not None else len(pairs)
    rows.part("Is it one person?", f"{formats.count(waiting)} to decide, the oldest {formats.ago(pairs[0]['created_at'], ctx.now)}")
    for pair in pairs:
        of_pair(ctx, pair)


def of_registration(ctx: PageContext, registration_id: UUID) -> None:
    """The pairs of one registration that wait."""
    with ctx.begin() as conn:
        pairs = queries.rows(conn, "identity.to_decide_of", id=registration_id)
    for pair in pairs:
        of_pair(ctx, pair)


def of_pair(ctx: PageContext, pair: RowMapping) -> None:
    """One pair: both records, the score explained, and for an admin the decision."""
    with ctx.begin() as conn:
        ours, theirs = (_record(ctx, conn, pair[name]) for name in ("registration_id", "candidate_id"))
    with st.container(border=True, key=f"identity.pair.{pair['id']}"):
        st.markdown(f"**Alike by {pair['score']} of 100** · found {formats.ago(pair['created_at'], ctx.now)}")
        lines = [
            (escape(name), escape(masked(ours, name)), escape(masked(theirs, name) if theirs is not None else formats.ABSENT), said)
            for name, said in explained(pair["explanation"] or {}).items()
        ]
        titles = ("", _title(pair["reg_id"]), _title(pair["candidate_reg_id"]) if pair["candidate_reg_id"] else "Other record", "Compared")
        st.html(cards(titles, lines, "Two records compared"))
        if theirs is None:
            st.caption(f"The other record {ELSEWHERE}.")
        if can(ctx.caller, "decide_identity"):
            _decision(pair)


def explained(explanation: Mapping[str, Any]) -> dict[str, str]:
    """Part by part how the score came about, as HTML marks by the part's name."""
    birth = str(explanation.get("birthDate") or "OTHER")
    name = int(explanation.get("name") or 0)
    return {
        "Name": mark(f"{name} of 100 alike", "green" if name >= 85 else "orange" if name >= 60 else "gray"),
        "Born": mark(BIRTH.get(birth, formats.words(birth)), {"SAME": "green", "SWAPPED": "orange"}.get(birth, "gray")),
        "Gender": _same(bool(explanation.get("gender"))),
        "Phone": _same(bool(explanation.get("phone"))),
    }


def masked(record: Mapping[str, Any] | None, part: str) -> str:
    """One part of a record as it is shown: initials of a name, the year of a birthday, the ends of a phone number."""
    if record is None:
        return formats.ABSENT
    if part == "Name":
        return " ".join(f"{word[0]}•••" for word in _first(record.get("fullName")).split()) or formats.ABSENT
    if part == "Born":
        return f"{str(record.get('dateOfBirth') or '')[:4] or formats.ABSENT}, day hidden"
    if part == "Phone":
        return mask_phone(str(record.get("phone") or "")) or formats.ABSENT
    gender = _first(record.get("gender"))
    return GENDERS.get(gender, gender) or formats.ABSENT


def _first(value: Any) -> str:
    """A localised value in its first language."""
    if isinstance(value, list):
        return next((str(one.get("value") or "") for one in value if isinstance(one, dict)), "")
    return str(value or "")


def _same(agrees: bool) -> str:
    return mark("the same", "green") if agrees else mark("different, or not given", "gray")


def _title(reg_id: str) -> str:
    return words.registration_id(reg_id)


def _record(ctx: PageContext, conn: Connection, registration_id: UUID) -> Mapping[str, Any] | None:
    """The demographics by which a registration is compared; None where it is not in the caller's area."""
    row = queries.one(conn, "identity.demographics", id=registration_id)
    return None if row is None else demographics_of(ctx.runtime, PURPOSE, registration_id, row["demographics_sealed"])


def _decision(pair: RowMapping) -> None:
    name = f"identity.said.{pair['id']}"
    st.text_input("Why", key=name, max_chars=REASON_MAX, placeholder="What the two records or the centre have told")
    with st.container(horizontal=True):
        choices: tuple[tuple[Decision, str], ...] = (("UNIQUE", "Two people"), ("DUPLICATE", "One person"))
        for decision, label in choices:
            command = partial(_decide, pair_id=pair["id"], decision=decision, name=name)
            st.button(label, key=f"identity.decide.{decision}.{pair['id']}", on_click=perform, args=(command,))


def _decide(ctx: PageContext, pair_id: UUID, decision: Decision, name: str) -> str:
    with ctx.begin() as conn:
        decide(conn, ctx.caller, pair_id, decision, str(st.session_state.get(name) or ""), ctx.now)
    return (
        "Decided: two people; the registration goes on." if decision == "UNIQUE" else "Decided: one person; the registration is rejected."
    )
