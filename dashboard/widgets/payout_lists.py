"""The payouts of one queue as a list with their reasons and next steps, what narrows it, and the chosen ones under it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import pandas
import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import payout_bulk, payout_export, payout_filter, payout_panel, picking
from dashboard.widgets import payout_words as words
from dashboard.widgets.payout_filter import Filter, Wanted
from dashboard.widgets.payout_words import QUEUES
from dashboard.widgets.work import Area
from pipeline.access.policy import can

PAGE = "payouts"
LIST_PAGE = 50
RETRIED = ("FAILED", "REVERSED", "RETRYING")  # the queues in which everything is unpaid for certain

People = Mapping[UUID, Mapping[str, str]]


def show(ctx: PageContext, where: Area, filter_: Filter, counts: Mapping[str, int]) -> None:
    """The queues with what they find in each, the list of one of them, and what was chosen in it."""
    everywhere = Wanted(where, filter_, None)
    found = tally(ctx, everywhere)[0] if filter_.active else counts
    wanted = everywhere.of(_queue(found))
    offset = _offset(str(wanted))
    with ctx.begin() as conn:
        params = payout_filter.params(ctx, conn, wanted)
        rows = queries.rows(conn, "payouts.list", limit=LIST_PAGE + 1, offset=offset, **params)
        shown = rows[:LIST_PAGE]
        teachers = ctx.runtime.vault.get(conn, [row["beneficiary_id"] for row in shown], ["name", "vpa"])
    payout_bulk.show_sent()
    if not shown:
        _nothing(wanted, found)
        payout_panel.show(ctx, [])
        return
    _commands(ctx, wanted, found.get(str(wanted.queue)))
    payout_bulk.show(payout_bulk.of_all(wanted))
    ids = [str(row["report_id"]) for row in shown]
    picking.table(PAGE, _frame(shown, teachers), ids, _columns(ctx), alt=f"Payouts: {QUEUES[str(wanted.queue)].lower()}")
    _turn(offset, len(shown), found.get(str(wanted.queue)), more=len(rows) > LIST_PAGE)
    chosen = set(picking.chosen(PAGE, ids))
    payout_panel.show(ctx, [row for row in shown if str(row["report_id"]) in chosen])


def one(ctx: PageContext, number: str) -> None:
    """The payout of the report that the address names, in whatever queue it is."""
    with ctx.begin() as conn:
        wanted = Wanted(Area(ctx.caller.tenant_id, ctx.caller.scope), Filter(text=number), None)
        found = queries.rows(conn, "payouts.list", limit=1, offset=0, **payout_filter.params(ctx, conn, wanted))
    st.button("All payouts", icon=":material/arrow_back:", type="tertiary", on_click=_forget_report)
    if not found:
        st.info(f"The report {formats.plain_markdown(number)} has no payout in your area.", icon=":material/search_off:")
        return
    payout_panel.show(ctx, found)


def tally(ctx: PageContext, wanted: Wanted) -> tuple[dict[str, int], dict[str, int]]:
    """How many payouts each queue has of those that are wanted, and of how much; what is settled only where it is named."""
    with ctx.begin() as conn:
        params = payout_filter.params(ctx, conn, wanted.of(None))
        found = queries.rows(conn, "payouts.queues", with_done=wanted.named, **params)
    return {row["queue"]: int(row["payouts"]) for row in found}, {row["queue"]: int(row["amount_paise"]) for row in found}


def _queue(counts: Mapping[str, int]) -> str:
    """Which queue is read; the address names it. Its choices carry numbers, so their words cannot stand in the address."""
    asked = str(st.query_params.get("queue") or st.session_state.get("payouts.queue_read") or "").upper()
    st.session_state["payouts.queue"] = asked if asked in QUEUES else next((code for code in QUEUES if counts.get(code)), "FAILED")
    st.session_state["payouts.queue_read"] = st.session_state["payouts.queue"]  # stays when its last payout has gone
    chosen = st.pills(
        "Queue",
        list(QUEUES),
        required=True,
        key="payouts.queue",
        format_func=lambda code: (
            QUEUES[code] + ("" if code == "DONE" and code not in counts else f" ({formats.count(counts.get(code, 0))})")
        ),
        on_change=_to_queue,
        label_visibility="collapsed",
    )
    return str(chosen)


def _to_queue() -> None:
    st.query_params["queue"] = str(st.session_state["payouts.queue"]).lower()


def _nothing(wanted: Wanted, found: Mapping[str, int]) -> None:
    """Why the list is empty, and where else something matches."""
    if not wanted.filter.active:
        name, what = QUEUES[str(wanted.queue)], words.WHAT[str(wanted.queue)]
        st.info(f"No payout is in this queue now. {name}: {what}.", icon=":material/check_circle:")
        return
    others = [f"{QUEUES[code]} ({formats.count(number)})" for code, number in found.items() if number]
    rest = f" Elsewhere: {', '.join(others)}." if others else ""
    st.info(f"Nothing matches in this queue.{rest}", icon=":material/search_off:")


def _commands(ctx: PageContext, wanted: Wanted, total: int | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(formats.plain_markdown(words.WHAT[str(wanted.queue)].capitalize()), width="stretch")
        if total and wanted.queue in RETRIED and can(ctx.caller, "retry_payout"):
            payout_bulk.button_for_all(wanted, total)
        payout_export.buttons(ctx, wanted)


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


def _turn(offset: int, shown: int, total: int | None, *, more: bool) -> None:
    """Newer and older ones; the settled are too many to be counted at every look."""
    of = "" if total is None else f" of {formats.count(total)}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.count(offset + 1)}–{formats.count(offset + shown)}{of}, newest first", width="content")
        if offset or more:
            st.button("Newer", disabled=offset == 0, type="tertiary", key="payouts.newer", on_click=_move, args=(offset - LIST_PAGE,))
            st.button("Older", disabled=not more, type="tertiary", key="payouts.older", on_click=_move, args=(offset + LIST_PAGE,))


def _move(offset: int) -> None:
    st.session_state["payouts.offset"] = max(offset, 0)
    picking.choose(PAGE, ())


def _forget_report() -> None:
    st.query_params.pop("report", None)
