"""What is looked for among the payouts. The address of the page keeps it; list, counts, retry of all and export share it."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st
from sqlalchemy import Connection

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets.work import Area
from pipeline.access.caller import Caller
from pipeline.payouts.orders import REFERENCE_PREFIX
from pipeline.payouts.polling import stuck_before
from pipeline.payouts.reasons import ADVICE

TEXT_MAX = 64  # characters; the longest of what is looked for is a bank reference
FOUND_MAX = 100  # payouts that one reference may name; it is one, unless a bank gave a reference twice
ANY = "any"
KEYS = {"payouts.find": "", "payouts.reason": ANY, "payouts.teacher": "", "payouts.since": None, "payouts.until": None}
FOLDED = ("payouts.reason", "payouts.teacher", "payouts.since", "payouts.until")


@dataclass(frozen=True)
class Filter:
    """Empty parts filter nothing. `first` and `last` are days in the reader's zone, both included."""

    text: str = ""
    reason: str | None = None
    teacher: str = ""
    first: date | None = None
    last: date | None = None

    @property
    def active(self) -> bool:
        return self != Filter()


@dataclass(frozen=True)
class Wanted:
    """All that says which payouts are meant. `queue` None: whichever they are in."""

    where: Area
    filter: Filter
    queue: str | None

    def of(self, queue: str | None) -> "Wanted":
        return replace(self, queue=queue)

    @property
    def named(self) -> bool:
        """Whether the payouts are named one by one, so that counting them costs nothing."""
        return bool(self.filter.text or self.filter.teacher)


def choose(ctx: PageContext) -> Filter:
    """The controls, and what is chosen in them."""
    known = ["", *sorted({*ADVICE, *_reasons(ctx)})]
    st.text_input(
        "Report, reference, UTR or payout id",
        key="payouts.find",
        icon=":material/search:",
        width=260,
        max_chars=TEXT_MAX,
        bind="query-params",
        persist_state="session",
        help="Exactly: a report number, one of our references, a bank reference, or the provider's payout id.",
    )
    # what the address asks for is in the session only once its field has been drawn
    folded = sum(bool(st.session_state.get(key, st.query_params.get(key))) for key in FOLDED) - (
        st.session_state.get("payouts.reason") == ANY
    )
    with st.popover(f"Filters ({folded})" if folded else "Filters", icon=":material/filter_list:", key="payouts.filters"):
        st.selectbox(
            "Reason",
            [ANY, *known[1:]],
            key="payouts.reason",
            format_func=lambda code: "Any reason" if code == ANY else formats.words(code),
            bind="query-params",
            persist_state="session",
        )
        st.text_input(
            "Teacher's user name",
            key="payouts.teacher",
            max_chars=TEXT_MAX,
            placeholder="T12345",
            bind="query-params",
            persist_state="session",
        )
        today = ctx.now.astimezone(ctx.zone).date()
        for label, key in (("Created from", "payouts.since"), ("Created to", "payouts.until")):
            st.date_input(label, None, max_value=today, format="DD/MM/YYYY", key=key, bind="query-params", persist_state="session")
    chosen = _chosen()
    if chosen.active:
        st.button("Clear filters", icon=":material/close:", type="tertiary", key="payouts.unfilter", on_click=clear)
    return chosen


def clear() -> None:
    """Look at everything again."""
    for key, empty in KEYS.items():
        st.session_state[key] = empty


def params(ctx: PageContext, conn: Connection, wanted: Wanted) -> dict[str, Any]:
    """The parameters of `payouts.matching` for the person at the page."""
    return params_of(conn, wanted, ctx.caller, ctx.now, ctx.zone)


def params_of(conn: Connection, wanted: Wanted, caller: Caller, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """The same without a page. What a reference or a user name means is looked up first, so that indexes serve it."""
    filter_ = wanted.filter
    return {
        "tenants": list(wanted.where.tenants),
        "payout_ids": _named(conn, filter_.text) if filter_.text else None,
        "statuses": None,
        "queue": wanted.queue,
        "stuck_before": stuck_before(now.astimezone(UTC)),
        "reason": filter_.reason,
        "teachers": _teachers(conn, caller.state_id, filter_.teacher) if filter_.teacher else None,
        "from_at": _begins(filter_.first, zone) if filter_.first else None,
        "to_at": _begins(filter_.last + timedelta(days=1), zone) - timedelta(microseconds=1) if filter_.last else None,
    }


def _chosen() -> Filter:
    state = st.session_state
    reason = state.get("payouts.reason")
    return Filter(
        str(state.get("payouts.find") or "").strip(),
        None if reason in (None, ANY) else str(reason),
        str(state.get("payouts.teacher") or "").strip(),
        _day(state.get("payouts.since")),
        _day(state.get("payouts.until")),
    )


def _day(value: Any) -> date | None:
    return value if isinstance(value, date) else None


def _begins(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _reasons(ctx: PageContext) -> list[str]:
    with ctx.begin() as conn:
        return [row["reason"] for row in queries.rows(conn, "payouts.reasons")]


def _named(conn: Connection, text: str) -> list[Any]:
    """A bank reference is looked for last: no index serves it."""
    upper = text.upper()
    references = [text, upper, REFERENCE_PREFIX + upper]
    found = queries.rows(conn, "payouts.find", references=references, text=text, limit=FOUND_MAX)
    found = found or queries.rows(conn, "payouts.find_by_bank_reference", text=text, limit=FOUND_MAX)
    return [row["payout_id"] for row in found]


def _teachers(conn: Connection, state_id: str, name: str) -> list[Any]:
    return [row["id"] for row in queries.rows(conn, "payouts.teachers", state_id=state_id, usernames=[name, name.upper()])]
