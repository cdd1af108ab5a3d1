"""Giving chosen reports to officers: each to the recommended one, all to one, to another one, or back; with a result for each.

The commands carry what the supervisor saw: the officer shown for each report and the version of the row. Who may, and what
is still possible, the door decides again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import streamlit as st
from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.console import PageContext, perform
from dashboard.widgets import officers as staff
from dashboard.widgets import outcomes, picking
from dashboard.widgets.work import place
from pipeline.reports.actions import MAX_UPDATES, act
from pipeline.reports.assignment import Officer, recommend_each, recommendation_reason
from pipeline.reports.update import Update

PAGE = "assignment"
RECOMMENDED, ONE = "Each to its recommended officer", "All to one officer"

Row = RowMapping


@dataclass(frozen=True)
class Hand:
    """One report on its way to an officer, as the supervisor saw it. `officer_id` None: back among the verified ones."""

    report_id: UUID
    version: int
    number: str
    officer_id: UUID | None
    officer: str


def assign_panel(picked: Sequence[Row], found: Sequence[Officer], names: Mapping[UUID, str]) -> None:
    """What becomes of the chosen verified reports."""
    with st.container(border=True, key="assignment.panel"):
        if not _heading(picked, "Choose reports on the map (click them, or draw a box or polygon around them) or in the list below."):
            return
        how = st.radio("Give", [RECOMMENDED, ONE], key="assignment.how", horizontal=True)
        if how == ONE:
            officer = st.selectbox(
                "Officer",
                staff.in_order_for(found, [row["ward_code"] for row in picked]),
                format_func=lambda one: staff.choice(one, names),
                key="assignment.officer",
            )
            plan: list[Officer | None] = [officer] * len(picked)
        else:
            plan = recommend_each(found, [row["ward_code"] for row in picked])
        _summary(picked, plan, names, how == ONE)
        hands = [_hand(row, one, names) for row, one in zip(picked, plan, strict=True) if one is not None]
        st.button(
            f"Assign {_reports(len(hands))}" if hands else "Assign",
            type="primary",
            key="assignment.assign",
            disabled=not hands,
            on_click=perform,
            args=(partial(assign, hands=hands),),
        )
        _each(picked, plan, names)


def reassign_panel(picked: Sequence[Row], found: Sequence[Officer], names: Mapping[UUID, str]) -> None:
    """Another officer for the chosen assigned reports, or none."""
    with st.container(border=True, key="assignment.panel"):
        if not _heading(picked, "Choose assigned reports on the map or in the list to give them to another officer or take them back."):
            return
        present = {row["assigned_officer_id"] for row in picked}
        others = [one for one in found if present != {one.id}]
        officer = st.selectbox(
            "Give to",
            staff.in_order_for(others, [row["ward_code"] for row in picked]),
            format_func=lambda one: staff.choice(one, names),
            key="assignment.other",
        )
        st.text_input("Why (kept in the report's history)", key="assignment.comment", max_chars=500)
        moved = [_hand(row, officer, names) for row in picked if officer is not None and row["assigned_officer_id"] != officer.id]
        give, back = st.columns(2)
        give.button(
            f"Reassign {_reports(len(moved))}" if moved else "Reassign",
            type="primary",
            key="assignment.reassign",
            disabled=not moved,
            width="stretch",
            on_click=perform,
            args=(partial(reassign, hands=moved),),
        )
        back.button(
            f"Take back {_reports(len(picked))}",
            key="assignment.take_back",
            width="stretch",
            on_click=perform,
            args=(partial(reassign, hands=[_hand(row, None, names) for row in picked]),),
        )
        _each(picked, [next((one for one in found if one.id == row["assigned_officer_id"]), None) for row in picked], names, "with")


def assign(ctx: PageContext, hands: Sequence[Hand]) -> None:
    """Give each report to its officer."""
    _carry_out(ctx, "ASSIGN", "assigned", hands, None)


def reassign(ctx: PageContext, hands: Sequence[Hand]) -> None:
    """Give each report to another officer, or to none, with the comment that stands in its field at this moment."""
    comment = str(st.session_state.get("assignment.comment") or "").strip() or None
    _carry_out(ctx, "REASSIGN", "reassigned" if hands and hands[0].officer_id else "taken back", hands, comment)
    st.session_state["assignment.comment"] = ""


def _carry_out(ctx: PageContext, action: str, word: str, hands: Sequence[Hand], comment: str | None) -> None:
    results: list[outcomes.Result] = []
    left: list[str] = []
    for start in range(0, len(hands), MAX_UPDATES):
        part = hands[start : start + MAX_UPDATES]
        updates = [Update(one.report_id, action, comment, one.version, {"assignee": one.officer_id}) for one in part]
        with ctx.begin() as conn:
            answers = act(conn, ctx.runtime.masterdata.current(), ctx.caller, updates, ctx.now)
        for one, answer in zip(part, answers, strict=True):
            if answer.error is None:
                where = f"to {one.officer}" if one.officer_id else "to the verified reports"
                results.append(outcomes.Result(one.number, True, f"{word} {where}."))
            else:
                results.append(outcomes.Result(one.number, False, answer.error.message))
                left.append(str(one.report_id))
    outcomes.keep(PAGE, word, results)
    picking.choose(PAGE, left)


def _heading(picked: Sequence[Row], hint: str) -> bool:
    if not picked:
        st.caption(hint)
        return False
    left, right = st.columns([3, 1], vertical_alignment="center")
    left.markdown(f"**{_reports(len(picked))} chosen**")
    right.button("Clear", key="assignment.clear", type="tertiary", on_click=picking.choose, args=(PAGE, ()))
    return True


def _summary(picked: Sequence[Row], plan: Sequence[Officer | None], names: Mapping[UUID, str], by_hand: bool) -> None:
    """Who gets how many and why, before anything is done."""
    groups: dict[UUID | None, list[tuple[Row, Officer | None]]] = {}
    for row, one in zip(picked, plan, strict=True):
        groups.setdefault(None if one is None else one.id, []).append((row, one))
    lines = []
    for officer_id, members in groups.items():
        row, one = members[0]
        if one is None or officer_id is None:
            wards = ", ".join(sorted({formats.plain_markdown(row["ward"] or "a place without a ward") for row, _ in members}))
            lines.append(
                f"- **{_reports(len(members))} without a recommendation.** Nobody on duty with room covers {wards}: choose one officer."
            )
        elif by_hand:
            lines.append(f"- **{_reports(len(members))} to {formats.plain_markdown(names[officer_id])}.** {_caution(one, len(members))}")
        else:
            why = formats.plain_markdown(recommendation_reason(one, row["ward_code"]))
            lines.append(f"- **{_reports(len(members))} to {formats.plain_markdown(names[officer_id])}.** {why}")
    st.markdown("\n".join(lines))


def _caution(officer: Officer, more: int) -> str:
    """What speaks against this officer; nothing hinders the supervisor."""
    if not officer.on_duty:
        return "Off duty at present."
    if officer.load + more > officer.max_load:
        return f"{officer.load + more} in hand would be more than the {officer.max_load} agreed on."
    return f"{officer.load + more} of {officer.max_load} in hand then."


def _each(picked: Sequence[Row], plan: Sequence[Officer | None], names: Mapping[UUID, str], word: str = "to") -> None:
    """The chosen reports one by one; a single one with what the teacher wrote."""
    if len(picked) == 1:
        st.caption(f"{picked[0]['report_number']}: {place(picked[0])}")
        st.text(picked[0]["description"])
        return
    with st.expander("Each report"):
        st.markdown(
            "\n".join(
                f"- {formats.plain_markdown(row['report_number'])}, {formats.plain_markdown(place(row))}: "
                + ("nobody yet" if one is None else f"{word} {formats.plain_markdown(names[one.id])}")
                for row, one in zip(picked, plan, strict=True)
            )
        )


def _hand(row: Row, officer: Officer | None, names: Mapping[UUID, str]) -> Hand:
    return Hand(
        row["id"],
        row["version"],
        row["report_number"],
        None if officer is None else officer.id,
        "" if officer is None else names[officer.id],
    )


def _reports(number: int) -> str:
    return f"{formats.count(number)} report{'' if number == 1 else 's'}"
