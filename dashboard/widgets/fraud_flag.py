"""One flag: the evidence of its report, the checks, the score as a list, what was done with the flag, and what may be done now."""

from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import checks, evidence, people, rows
from dashboard.widgets import fraud_acts as acts
from dashboard.widgets import fraud_words as words
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.fraud.flags import life
from pipeline.fraud.flags.commands import COMMENT_MAX, Deed, can_work
from pipeline.packets.render.facts import View

NEXT = "the next role up"
DID = {
    "FLAG_TAKE": "took it",
    "FLAG_RELEASE": "gave it back",
    "FLAG_ESCALATE": "escalated it",
    "FLAG_RESOLVE": "resolved it",
    "FLAG_CORRECT": "corrected the result",
}


def show(ctx: PageContext, flag_id: UUID) -> None:
    """The flag with its report."""
    with ctx.begin() as conn:
        flag = queries.one(conn, "fraud.flag", id=flag_id)
        if flag is None:
            raise AppError("SDCRS_NOT_FOUND", kind="Flag", id=str(flag_id))
        read = _read(ctx, conn, flag)
    zone = ctx.runtime.masterdata.current().tenant(flag["tenant_id"]).timezone
    _head(ctx, flag, read["people"])
    _acts(ctx, flag)
    photos, selfie, place = st.columns([1, 1, 1.15], gap="small")
    with photos:
        evidence.photo(ctx, evidence.of_kind(read["evidence"], "DOG_PHOTO"), "DOG_PHOTO", zone)
    with selfie:
        evidence.photo(ctx, evidence.of_kind(read["evidence"], "REPORTER_SELFIE"), "REPORTER_SELFIE", zone)
    with place:
        evidence.place_map(ctx, "fraud.flag.map", read["report"], evidence.spots(read["report"], read["evidence"]))
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        rows.part("Checks", "measured when the report came in")
        checks.table(read["checks"])
        checks.rules(read["evaluation"], read["rules"], ctx.runtime.masterdata.current().risk_config(flag["tenant_id"]))
        checks.findings(read["evaluation"])
    with right:
        rows.part("Report")
        rows.facts(_about(flag, read["report"], read["people"], zone))
        rows.part("What the files say")
        evidence.file_facts(read["evidence"], zone)
        _history(read["history"], read["people"], zone)


def _read(ctx: PageContext, conn: Connection, flag: RowMapping) -> dict[str, Any]:
    """Everything the screen shows of the flag's report, in the flag's transaction."""
    report_id = flag["report_id"]
    report = queries.one(
        conn, "trace.report", id=report_id, account_id=ctx.caller.account_id, now=ctx.now, sees_reporter=True, reviews=True
    )
    if report is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Report", id=flag["report_number"])
    history = queries.rows(conn, "fraud.flag_history", id=flag["id"])
    persons = {flag["account_id"], flag["taken_by"], flag["resolved_by"], *(one["actor_id"] for one in history)}
    return {
        "report": report,
        "evidence": queries.rows(conn, "trace.evidence", report_id=report_id, with_selfies=True),
        "checks": queries.rows(conn, "trace.checks", report_id=report_id),
        "rules": queries.rows(conn, "trace.rules", report_id=report_id),
        "evaluation": queries.one(conn, "trace.evaluation", report_id=report_id),
        "history": history,
        "people": people.load(ctx, conn, View.REVIEW, persons),
    }


def _head(ctx: PageContext, flag: RowMapping, known: People) -> None:
    rule = words.rule_names(ctx.runtime.masterdata.current(), flag["tenant_id"]).get(flag["rule_id"], flag["rule_id"])
    marks = mark(*words.FLAG_STATES[flag["status"]])
    if flag["resolution"]:
        marks += " " + mark(*words.RESOLUTIONS[flag["resolution"]])
    said = []
    if flag["status"] == "UNDER_REVIEW":
        said.append(f"with {known.name(flag['taken_by']) or 'somebody'}")
    if flag["escalated_to"] and flag["status"] != "RESOLVED":
        said.append(f"for the {formats.ROLES.get(flag['escalated_to'], flag['escalated_to']).lower()}")
    if flag["status"] == "RESOLVED":
        said.append(
            "followed from the decision about the report" if flag["by_decision"] else f"by {known.name(flag['resolved_by']) or 'somebody'}"
        )
    points = f"<small>+{flag['score']:g} points, rule {escape(flag['rule_id'])}</small>"
    st.html(
        f'<div class="report-head"><h2>{escape(flag["report_number"])}: {escape(rule)}</h2>{marks}'
        f'<span class="tray-says">{escape(", ".join(said))}</span><p><b>{escape(flag["message"])}</b> {points}</p></div>'
    )
    if flag["comment"]:
        st.text(flag["comment"])


def _acts(ctx: PageContext, flag: RowMapping) -> None:
    """The steps of the flag's life that are open to the person now, and beyond it the confirmation of a fraud."""
    offered = [one for one in life.ACTIONS if can_work(ctx.caller, one, flag["status"], flag["escalated_to"])]
    key = f"fraud.flag.{flag['id']}"
    with st.container(horizontal=True, vertical_alignment="center", key="fraud.flag.acts"):
        for action in offered:
            if action in ("TAKE", "RELEASE"):
                label, done = ("Take it", "yours") if action == "TAKE" else ("Give it back", "given back")
                acts.button(label, f"{key}.{action}", acts.bound(acts.work, [flag["id"]], _deed(action, key), done))
            elif action == "ESCALATE":
                _escalate(flag, key)
            else:
                _resolve(flag, key, correct=action == "CORRECT")
        if can(ctx.caller, "confirm_fraud"):
            with st.popover("Confirm fraud", icon=":material/gavel:"):
                st.markdown("For proven fraud only: once a second admin approves, the teacher is banned.")
                st.text_area("What proves it", key=f"fraud.confirm.{flag['report_id']}", max_chars=COMMENT_MAX, height=80)
                acts.button(
                    "Confirm, and ask a second admin", f"{key}.confirm", acts.bound(acts.confirm_fraud, flag["report_id"]), primary=True
                )
        st.link_button("Trace", f"/trace?report={flag['report_number']}", icon=":material/timeline:")
        st.button("Teacher", icon=":material/person:", key=f"{key}.teacher", on_click=_teacher, args=(str(flag["account_id"]),))


def _teacher(account_id: str) -> None:
    acts.show("teacher", account_id)
    st.session_state["fraud.view"] = "Teachers"


def _escalate(flag: RowMapping, key: str) -> None:
    above = life.above(flag["escalated_to"])
    if above is None:
        return
    with st.popover("Escalate", icon=":material/arrow_upward:"):
        roles = life.LADDER[life.LADDER.index(above) :]
        st.selectbox("To", roles, key=f"{key}.to", format_func=lambda one: formats.ROLES.get(one, one))
        st.text_input("Why", key=f"{key}.why", max_chars=COMMENT_MAX)

        def deed() -> Deed:
            return Deed("ESCALATE", acts.typed(f"{key}.why"), to_role=str(st.session_state[f"{key}.to"]))

        acts.button("Escalate the flag", f"{key}.ESCALATE", acts.bound(acts.work, [flag["id"]], deed, "escalated"), primary=True)


def _resolve(flag: RowMapping, key: str, *, correct: bool) -> None:
    label = "Correct the result" if correct else "Resolve"
    with st.popover(label, icon=":material/task_alt:"):
        st.radio("What it was", life.RESOLUTIONS, key=f"{key}.as", format_func=lambda one: words.RESOLUTIONS[one][0], index=None)
        st.text_area("Why" if correct else "Comment", key=f"{key}.comment", max_chars=COMMENT_MAX, height=80)

        def deed() -> Deed:
            return Deed("CORRECT" if correct else "RESOLVE", acts.typed(f"{key}.comment"), resolution=st.session_state.get(f"{key}.as"))

        done = "corrected" if correct else "resolved"
        acts.button("Keep the result", f"{key}.keep", acts.bound(acts.work, [flag["id"]], deed, done), primary=True)


def _deed(action: life.Action, key: str) -> Any:
    return lambda: Deed(action, acts.typed(f"{key}.comment") or None)


def _about(flag: RowMapping, report: RowMapping, known: People, zone: Any) -> list[tuple[str, str]]:
    return [
        ("State", formats.status_label(report["status"])),
        ("Sent", formats.local_time_zoned(report["created_at"], zone)),
        ("Place", rows.place_words(report["address"], report["locality"], report["ward"]) or formats.ABSENT),
        ("Teacher", known.name(flag["account_id"]) or formats.ABSENT),
        ("School", report["school_name"] or formats.ABSENT),
        ("Says", report["description"]),
    ]


def _history(history: Any, known: People, zone: Any) -> None:
    rows.part("What was done with the flag")
    if not history:
        st.caption("Nothing yet by a person.")
        return
    lines = "".join(
        f"<li>{escape(known.name(one['actor_id']) or 'Somebody')} {escape(_did(one))}"
        f'<div class="who">{escape(formats.local_time(one["occurred_at"], zone))}</div></li>'
        for one in history
    )
    st.html(f'<ol class="timeline">{lines}</ol>')


def _did(event: RowMapping) -> str:
    said = DID.get(event["action"], formats.words(event["action"]).lower())
    result = event["details"].get("resolution")
    to = event["details"].get("escalatedTo")
    if result:
        return f"{said}: {words.RESOLUTIONS[result][0].lower()}"
    return f"{said} to the {formats.ROLES.get(to, to).lower()}" if to else said
