"""The payouts of one tab as a list with their reasons and next steps, and the chosen ones under it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import pandas
import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import payout_panel, picking
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_words import TABS
from dashboard.widgets.work import Area

PAGE = "payouts"
LIST_PAGE = 50

People = Mapping[UUID, Mapping[str, str]]


def show(ctx: PageContext, where: Area, tab: str, counts: Mapping[str, int]) -> None:
    """One tab: its queues, the list of one of them, and what was chosen in it."""
    queue = _queue(tab, counts)
    offset = _offset(f"{tab} {queue} {where.root}")
    with ctx.begin() as conn:
        found = queries.rows(
            conn,
            "payouts.list",
            tenants=list(where.tenants),
            report_number=None,
            statuses=None,
            queue=queue,
            beneficiary_id=None,
            from_at=None,
            to_at=None,
            limit=LIST_PAGE + 1,
            offset=offset,
        )
        shown = found[:LIST_PAGE]
        teachers = ctx.runtime.vault.get(conn, [row["beneficiary_id"] for row in shown], ["name", "vpa"])
    if not shown:
        st.info(f"No payouts: {TABS[tab][queue].lower()}.", icon=":material/check_circle:")
        payout_panel.show(ctx, [])
        return
    ids = [str(row["report_id"]) for row in shown]
    picking.table(PAGE, _frame(shown, teachers), ids, _columns(ctx), alt=f"Payouts: {TABS[tab][queue].lower()}")
    _turn(offset, len(shown), more=len(found) > LIST_PAGE)
    chosen = set(picking.chosen(PAGE, ids))
    payout_panel.show(ctx, [row for row in shown if str(row["report_id"]) in chosen])


def one(ctx: PageContext, number: str) -> None:
    """The payout of the report that the address names."""
    with ctx.begin() as conn:
        found = queries.rows(
            conn,
            "payouts.list",
            tenants=None,
            report_number=number,
            statuses=None,
            queue=None,
            beneficiary_id=None,
            from_at=None,
            to_at=None,
            limit=1,
            offset=0,
        )
    st.button("All payouts", icon=":material/arrow_back:", type="tertiary", on_click=_forget_report)
    if not found:
        st.info(f"The report {formats.plain_markdown(number)} has no payout in your area.", icon=":material/search_off:")
        return
    payout_panel.show(ctx, found)


def _queue(tab: str, counts: Mapping[str, int]) -> str:
    names = {label: code for code, label in TABS[tab].items()}
    if len(names) == 1:
        return next(iter(names.values()))
    busiest = next((label for label, code in names.items() if counts.get(code)), next(iter(names)))
    label = st.pills(
        "Which",
        list(names),
        default=busiest,
        required=True,
        key=f"payouts.queue.{tab}",
        format_func=lambda one: f"{one} ({formats.count(counts.get(names[one], 0))})",
        label_visibility="collapsed",
    )
    return names[label]


def _frame(shown: Sequence[RowMapping], teachers: People) -> pandas.DataFrame:
    lines = []
    for row in shown:
        step, owner = words.next_step(row)
        person = teachers.get(row["beneficiary_id"], {})
        paid = row["status"] == "COMPLETED"
        lines.append(
            (
                row["report_number"],
                person.get("name", formats.ABSENT),
                payout_panel.masked(person.get("vpa")),
                formats.inr(row["manual_amount_paise"] or row["amount_paise"]),
                (row["utr"] or row["manual_reference"] or formats.ABSENT) if paid else words.reason(row),
                row["completed_at"] if paid else row["modified_at"],
                formats.ABSENT if paid else owner,
                formats.ABSENT if paid else step,
            )
        )
    last = "Paid" if shown and shown[0]["status"] == "COMPLETED" else "Since"
    what = "Bank reference" if last == "Paid" else "Reason"
    frame = pandas.DataFrame(lines, columns=["Report", "Teacher", "UPI address", "Amount", what, last, "Who acts", "Next step"])
    return frame.drop(columns=["Who acts", "Next step"]) if last == "Paid" else frame


def _columns(ctx: PageContext) -> Mapping[str, object]:
    when = {name: st.column_config.DatetimeColumn(name, format="D MMM, h:mm a", timezone=ctx.zone.key) for name in ("Paid", "Since")}
    return when | {
        "Amount": st.column_config.TextColumn("Amount", alignment="right"),
        "Reason": st.column_config.TextColumn(width="medium"),
    }


def _offset(view: str) -> int:
    """Where in the list we are; another list begins at its top, with nothing chosen."""
    if st.session_state.get("payouts.list_of") != view:
        st.session_state["payouts.list_of"] = view
        st.session_state["payouts.offset"] = 0
        picking.choose(PAGE, ())
    return int(st.session_state.get("payouts.offset", 0))


def _turn(offset: int, shown: int, *, more: bool) -> None:
    """Newer and older ones; the settled are too many to be counted at every look."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.count(offset + 1)}–{formats.count(offset + shown)}, newest first", width="content")
        if offset or more:
            st.button("Newer", disabled=offset == 0, type="tertiary", key="payouts.newer", on_click=_move, args=(offset - LIST_PAGE,))
            st.button("Older", disabled=not more, type="tertiary", key="payouts.older", on_click=_move, args=(offset + LIST_PAGE,))


def _move(offset: int) -> None:
    st.session_state["payouts.offset"] = max(offset, 0)
    picking.choose(PAGE, ())


def _forget_report() -> None:
    st.query_params.pop("report", None)
