"""The registrations of one queue as a list, what narrows it, and the chosen ones under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas
import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import identity_search, picking
from dashboard.widgets import identity_words as words
from dashboard.widgets.identity_words import QUEUES, WHAT
from dashboard.widgets.work import Area

PAGE = "identity"
LIST_PAGE = 50
COUNT_LIMIT = 10_000  # beyond it a queue is "more than": nobody works through a longer list by hand
EVERY = "any"
REG_ID_PX = 245  # 29 digits in four groups


@dataclass(frozen=True)
class Wanted:
    """All that says which registrations are meant. None filters nothing."""

    where: Area
    queue: str
    stage: str | None = None
    sub_status: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of identity.matching."""
        return {"tenants": list(self.where.tenants), "queue": self.queue, "stage": self.stage, "sub_status": self.sub_status}


def counts(ctx: PageContext, where: Area) -> dict[str, RowMapping]:
    """What each queue has that is not empty: `found` up to COUNT_LIMIT, and since when the oldest waits."""
    with ctx.begin() as conn:
        found = queries.rows(conn, "identity.queues", tenants=list(where.tenants), count_limit=COUNT_LIMIT + 1)
    return {row["queue"]: row for row in found}


def number(found: int) -> str:
    """A count as people read it."""
    return formats.count(found) if found <= COUNT_LIMIT else f"more than {formats.count(COUNT_LIMIT)}"


def choose(ctx: PageContext, where: Area, found: dict[str, RowMapping]) -> Wanted:
    """The queue, and what narrows it to a stage or a sub-status."""
    queue = _queue(found)
    with ctx.begin() as conn:
        seen = queries.rows(conn, "identity.sub_statuses", count_limit=COUNT_LIMIT, **Wanted(where, queue).params)
    stages = [EVERY, *dict.fromkeys(row["stage"] for row in seen if row["stage"])]
    subs = [EVERY, *dict.fromkeys(row["sub_status_code"] for row in seen if row["sub_status_code"])]
    stage = sub_status = EVERY
    if len(stages) > 2 or len(subs) > 1:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if len(stages) > 2:
                stage = st.selectbox("Stage", stages, key=f"identity.stage.{queue}", format_func=_name(words.stage), width=240)
            if len(subs) > 1:
                sub_status = st.selectbox("Sub-status", subs, key=f"identity.sub.{queue}", format_func=_name(words.sub_status), width=320)
    return Wanted(where, queue, None if stage == EVERY else stage, None if sub_status == EVERY else sub_status)


def show(ctx: PageContext, wanted: Wanted) -> list[RowMapping]:
    """The list of a queue, the one that waits longest first; returns the chosen rows."""
    offset = _offset(str(wanted))
    with ctx.begin() as conn:
        found = queries.rows(conn, "identity.list", limit=LIST_PAGE + 1, offset=offset, **wanted.params)
    shown = found[:LIST_PAGE]
    if not shown:
        st.info(f"Nothing is in this queue now. {QUEUES[wanted.queue]}: {WHAT[wanted.queue]}.", icon=":material/check_circle:")
        return []
    st.caption(WHAT[wanted.queue].capitalize())
    ids = [str(row["id"]) for row in shown]
    picking.table(PAGE, _frame(ctx, shown), ids, _columns(ctx), alt=f"Registrations: {QUEUES[wanted.queue].lower()}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{formats.count(offset + 1)}–{formats.count(offset + len(shown))}, the longest waiting first", width="content")
        if offset or len(found) > LIST_PAGE:
            st.button("Back", disabled=not offset, type="tertiary", key="identity.back", on_click=_move, args=(offset - LIST_PAGE,))
            more = len(found) > LIST_PAGE
            st.button("More", disabled=not more, type="tertiary", key="identity.more", on_click=_move, args=(offset + LIST_PAGE,))
    chosen = set(picking.chosen(PAGE, ids))
    return [row for row in shown if str(row["id"]) in chosen]


def open_button(row: RowMapping) -> None:
    """Leads to the whole story of one registration."""
    st.button(
        f"Open {words.registration_id(row['reg_id'])}",
        icon=":material/timeline:",
        key="identity.open",
        on_click=identity_search.open_,
        args=(row["reg_id"],),
    )


def _name(of: Any) -> Any:
    return lambda code: "Any" if code == EVERY else of(code)


def _queue(found: dict[str, RowMapping]) -> str:
    asked = str(st.query_params.get("queue") or st.session_state.get("identity.queue_read") or "").upper()
    st.session_state["identity.queue"] = asked if asked in QUEUES else next((code for code in QUEUES if code in found), "STAGES")
    st.session_state["identity.queue_read"] = st.session_state["identity.queue"]
    return str(
        st.pills(
            "Queue",
            list(QUEUES),
            required=True,
            key="identity.queue",
            format_func=lambda code: f"{QUEUES[code]} ({number(found[code]['found'] if code in found else 0)})",
            on_change=_to_queue,
            label_visibility="collapsed",
        )
    )


def _to_queue() -> None:
    st.query_params["queue"] = str(st.session_state["identity.queue"]).lower()


def _frame(ctx: PageContext, shown: Sequence[RowMapping]) -> pandas.DataFrame:
    lines = [
        (
            words.registration_id(row["reg_id"]),
            ctx.tenants.get(row["tenant_id"], row["tenant_id"]),
            words.stage(row["stage"]) if row["stage"] else formats.ABSENT,
            *_state(row),
            row["attempts"],
            row["since"],
        )
        for row in shown
    ]
    return pandas.DataFrame(lines, columns=["Registration", "Area", "Stage", "State", "Said", "Attempts", "Since"])


def _state(row: RowMapping) -> tuple[str, str]:
    """The state, and why: the row's own comment, else its sub-status as a sentence."""
    status, sub_status = row["status_code"], row["sub_status_code"]
    if sub_status in words.STATUSES:  # of a credential: it has no other
        return words.status(sub_status), row["status_comment"] or formats.ABSENT
    return words.status(status), row["status_comment"] or words.sub_status(sub_status)


def _columns(ctx: PageContext) -> dict[str, object]:
    return {
        "Registration": st.column_config.TextColumn(width=REG_ID_PX),
        "Said": st.column_config.TextColumn(width="medium"),
        "Since": st.column_config.DatetimeColumn("Since", format="D MMM, h:mm a", timezone=ctx.zone.key),
    }


def _offset(view: str) -> int:
    """Where in the list we are; another list begins at its top, with nothing chosen."""
    if st.session_state.get("identity.list_of") != view:
        st.session_state["identity.list_of"] = view
        st.session_state["identity.offset"] = 0
        picking.choose(PAGE, ())
    return int(st.session_state.get("identity.offset", 0))


def _move(offset: int) -> None:
    st.session_state["identity.offset"] = max(offset, 0)
    picking.choose(PAGE, ())
