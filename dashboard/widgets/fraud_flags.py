"""The flags queue with its filters, and several flags worked at once by their rows' numbers."""

from collections.abc import Mapping
from typing import Any

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import checks, fraud_flag, rows
from dashboard.widgets import fraud_acts as acts
from dashboard.widgets import fraud_words as words
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import Area

PAGE_SIZE = 20  # what a person reads before filtering instead
MOST = 2_000  # flags that are counted; beyond it says "more than"
ANY = "any"
OPEN = "open"
SHOWN = {OPEN: "To be looked at", "OPEN": "Open", "UNDER_REVIEW": "Under review", "ESCALATED": "Escalated", "RESOLVED": "Resolved"}
UNRESOLVED = ["OPEN", "UNDER_REVIEW", "ESCALATED"]
TITLES = ("Report", "What the rule says", "Points", "State")


def show(ctx: PageContext, where: Area) -> None:
    """The flag that the address names, else the queue."""
    flag_id = acts.opened("flag")
    if flag_id is not None:
        st.button("All flags", icon=":material/arrow_back:", type="tertiary", key="fraud.flags.back", on_click=acts.show, args=(None,))
        fraud_flag.show(ctx, flag_id)
        return
    asked = _filters(ctx, where)
    number = max(int(st.session_state.get("fraud.page") or 1), 1)
    with ctx.begin() as conn:
        total = _total(conn, asked)
        if (number - 1) * PAGE_SIZE >= total:
            number = 1
        found = queries.rows(conn, "fraud.flags", **asked, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    if not found:
        st.info(_nothing(asked), icon=":material/flag:")
        return
    rows.head("flag", TITLES)
    with st.container(key="rows-flags"):
        names = words.rule_names(ctx.runtime.masterdata.current(), where.root)
        for row in found:
            _row(ctx, row, names)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        first = (number - 1) * PAGE_SIZE + 1
        more = "more than " if total >= MOST else ""
        st.caption(f"{first}–{first + len(found) - 1} of {more}{formats.count(total)} flags, those with most points first")
        if total > PAGE_SIZE:
            st.pagination(-(-total // PAGE_SIZE), key="fraud.page", default=number)


def _filters(ctx: PageContext, where: Area) -> dict[str, Any]:
    """What is looked for, as the parameters of the queries; the address keeps it."""
    md = ctx.runtime.masterdata.current()
    rules = {ANY: "All rules", **words.rule_names(md, where.root)}
    wards = {ANY: "All wards", **{ward.code: f"{ward.code} {ward.name}" for ward in md.wards(where.root)}}
    risks = {ANY: "Any risk", **words.SEVERITIES}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="fraud.controls"):
        state = _select("State", "fraud.state", SHOWN)
        rule = _select("Rule", "fraud.rule", rules, width=230)
        ward = _select("Ward", "fraud.ward", wards)
        risk = _select("Risk of the report", "fraud.risk", risks)
    chosen = (where.root, state, rule, ward, risk)
    if chosen != st.session_state.get("fraud.filter"):
        st.session_state.pop("fraud.page", None)  # another list begins on its first page
    st.session_state["fraud.filter"] = chosen
    return {
        "tenants": list(where.tenants),
        "states": UNRESOLVED if state == OPEN else [state],
        "rule_id": None if rule == ANY else rule,
        "category": None,
        "ward_code": None if ward == ANY else ward,
        "risk_level": None if risk == ANY else risk,
        "account_id": None,
        "report_id": None,
        "raised_since": None,
    }


def _select(label: str, key: str, options: Mapping[str, str], width: int = 158) -> str:
    found = st.selectbox(
        label, list(options), key=key, format_func=lambda one: options[one], width=width, bind="query-params", persist_state="session"
    )
    return str(found)


def _total(conn: Connection, asked: Mapping[str, Any]) -> int:
    row = queries.one(conn, "fraud.flags_total", **asked, most=MOST)
    return 0 if row is None else int(row["total"])


def _nothing(asked: Mapping[str, Any]) -> str:
    narrowed = any(asked[name] is not None for name in ("rule_id", "ward_code", "risk_level"))
    which = "to be looked at" if asked["states"] == UNRESOLVED else words.FLAG_STATES[asked["states"][0]][0].lower()
    return f"0 flags {which}" + (" that match the filters." if narrowed else ": no rule found anything that waits for a person.")


def _row(ctx: PageContext, row: RowMapping, names: Mapping[str, str]) -> None:
    state = mark(*words.FLAG_STATES[row["status"]])
    if row["resolution"]:
        state = mark(*words.RESOLUTIONS[row["resolution"]])
    elif row["escalated_to"]:
        state += f"<small>to {escape(formats.ROLES.get(row['escalated_to'], row['escalated_to']).lower())}</small>"
    level = str(row["risk_level"] or "")
    risk = mark(f"{row['fraud_score']} {formats.words(level)}", checks.RISK_COLOURS.get(level, "gray")) if level else ""
    raised = f"{names.get(row['rule_id'], row['rule_id'])}, {formats.ago(row['raised_at'], ctx.now)}"
    place = rows.place_words(row["ward"], row["locality"]) or "outside all wards"
    rows.row(
        f"flag-{row['id']}",
        "flag",
        {
            "number": f"<strong>{escape(row['report_number'])}</strong> {risk}<small>{escape(place)}</small>",
            "what": f"{escape(row['message'])}<small>{escape(raised)}</small>",
            "points": f"+{row['score']:g}",
            "state": state,
        },
        f"Open the flag of {row['rule_id']} on {row['report_number']}",
        acts.show,
        ("flag", str(row["id"])),
    )
