"""Teachers with the highest risk, what it is made of, their standing and penalties, and what waits for an admin's decision."""

from typing import Any
from uuid import UUID

import streamlit as st
from sqlalchemy import Connection, RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import checks, people, rows
from dashboard.widgets import fraud_acts as acts
from dashboard.widgets import fraud_words as words
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import Area
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.fraud import profile
from pipeline.fraud.penalties.commands import TEXT_MAX, may_lift
from pipeline.packets.render.facts import View

SHOWN = 50  # teachers in the list
WAITING = 20  # of each kind of decision
PARTS = 30  # things a risk is explained by
LEAST = 5.0  # below this score nobody needs to be looked at
TITLES = ("Teacher", "Risk", "Made of", "Standing")


def show(ctx: PageContext, where: Area) -> None:
    """The teacher that the address names, else what waits and the list."""
    account_id = acts.opened("teacher")
    if account_id is not None:
        st.button(
            "All teachers", icon=":material/arrow_back:", type="tertiary", key="fraud.teachers.back", on_click=acts.show, args=(None,)
        )
        _one(ctx, account_id)
        return
    _waiting(ctx, where)
    config = ctx.runtime.masterdata.current().risk_config(where.root)
    with ctx.begin() as conn:
        found = queries.rows(
            conn, "fraud.risky_teachers", tenants=list(where.tenants), least=LEAST, limit=SHOWN, **profile.params(config, ctx.now)
        )
        known = people.load(ctx, conn, View.REVIEW, [row["account_id"] for row in found])
    rows.part("Highest risk", f"up to {SHOWN}; what is old counts less")
    if not found:
        st.info("0 teachers: nothing speaks against anybody here at present.", icon=":material/verified_user:")
        return
    rows.head("teacher", TITLES)
    with st.container(key="rows-teachers"):
        for row in found:
            _row(row, known, config)


def _row(row: RowMapping, known: People, config: Any) -> None:
    score = profile.score_of(row["total"])
    level = config.level(score)
    name = known.name(row["account_id"]) or row["username"]
    made = [(row["flags"], "flag"), (row["rejections"], "rejection"), (row["frauds"], "proven fraud")]
    rows.row(
        f"teacher-{row['account_id']}",
        "teacher",
        {
            "name": f"<strong>{escape(name)}</strong><small>{escape(row['school_name'] or row['username'])}</small>",
            "risk": mark(f"{score} {formats.words(level)}", checks.RISK_COLOURS[level]),
            "made": escape(", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in made if count)),
            "standing": mark(*words.STANDINGS[row["standing"]]),
        },
        f"Open {name}",
        acts.show,
        ("teacher", str(row["account_id"])),
    )


# what waits


def _waiting(ctx: PageContext, where: Area) -> None:
    """Frauds to be approved, bans to be lifted and appeals, each with its decision."""
    with ctx.begin() as conn:
        asked = {"tenants": list(where.tenants), "limit": WAITING}
        frauds = queries.rows(conn, "fraud.confirmations", **asked)
        lifts = queries.rows(conn, "fraud.lifts_waiting", **asked)
        appeals = queries.rows(conn, "fraud.appeals", **asked)
        persons = {row[name] for some, name in ((frauds, "requested_by"), (lifts, "lift_requested_by")) for row in some}
        known = people.load(ctx, conn, View.REVIEW, persons | {row["account_id"] for row in (*frauds, *lifts, *appeals)})
    if not (frauds or lifts or appeals):
        return
    rows.part("Waits for a decision")
    for row in frauds:
        _fraud(ctx, row, known)
    for row in lifts:
        _lift_asked(ctx, row, known)
    for row in appeals:
        _appeal(ctx, row, known)


def _fraud(ctx: PageContext, row: RowMapping, known: People) -> None:
    own = row["requested_by"] == ctx.caller.account_id
    with st.container(border=True):
        who = "You" if own else known.name(row["requested_by"]) or "An admin"
        _said(
            f"{who} confirmed a fraud of {known.name(row['account_id']) or row['username']}: report {row['report_number']}", row["comment"],
            formats.ago(row["requested_at"], ctx.now),
        )  # fmt: skip
        if not can(ctx.caller, "confirm_fraud"):
            return
        key = f"fraud.confirmation.{row['id']}"
        st.text_input("Comment", key=key, max_chars=TEXT_MAX)
        with st.container(horizontal=True):
            approve = acts.bound(acts.decide_fraud, row["id"], True)
            acts.button("Approve: the teacher is banned", f"{key}.yes", approve, primary=True, disabled=own)
            acts.button("Withdraw" if own else "Refuse", f"{key}.no", acts.bound(acts.decide_fraud, row["id"], False))
            st.link_button("Report", f"/trace?report={row['report_number']}", icon=":material/timeline:")


def _lift_asked(ctx: PageContext, row: RowMapping, known: People) -> None:
    own = row["lift_requested_by"] == ctx.caller.account_id
    with st.container(border=True):
        who = "You want" if own else f"{known.name(row['lift_requested_by']) or 'An admin'} wants"
        name = known.name(row["account_id"]) or row["username"]
        _said(f"{who} to lift the ban of {name}", row["lift_reason"], formats.ago(row["lift_requested_at"], ctx.now))
        if not may_lift(ctx.caller, row["appeal_role"]):
            return
        st.text_input("Comment of a refusal", key=f"fraud.lift_refusal.{row['id']}", max_chars=TEXT_MAX)
        with st.container(horizontal=True):
            acts.button(
                "Lift the ban", f"fraud.lift_yes.{row['id']}", acts.bound(acts.decide_lift, row["id"], True), primary=True, disabled=own
            )
            acts.button("Withdraw" if own else "Refuse", f"fraud.lift_no.{row['id']}", acts.bound(acts.decide_lift, row["id"], False))


def _appeal(ctx: PageContext, row: RowMapping, known: People) -> None:
    with st.container(border=True):
        name = known.name(row["account_id"]) or row["username"]
        _said(
            f"{name} appeals: {words.STANDINGS[row['code']][0].lower()}, {row['reason']}",
            row["appeal_text"],
            formats.ago(row["appealed_at"], ctx.now),
        )
        if not may_lift(ctx.caller, row["appeal_role"]):
            st.caption("A state admin decides about it.")
            return
        st.text_input("Decision in words, for the teacher", key=f"fraud.appeal.{row['id']}", max_chars=TEXT_MAX)
        with st.container(horizontal=True):
            acts.button("Grant it", f"fraud.appeal_yes.{row['id']}", acts.bound(acts.decide_appeal, row["id"], True), primary=True)
            acts.button("Refuse it", f"fraud.appeal_no.{row['id']}", acts.bound(acts.decide_appeal, row["id"], False))


def _said(head: str, words_of: str | None, when: str) -> None:
    st.html(f'<div class="report-head"><p><b>{escape(head)}</b> <small>{escape(when)}</small></p></div>')
    if words_of:
        st.text(words_of)


# one teacher


def _one(ctx: PageContext, account_id: UUID) -> None:
    md = ctx.runtime.masterdata.current()
    with ctx.begin() as conn:
        teacher = queries.one(conn, "fraud.teacher", account_id=account_id)
        if teacher is None:
            raise AppError("SDCRS_NOT_FOUND", kind="Teacher", id=str(account_id))
        config = md.risk_config(teacher["tenant_id"])
        parts = queries.rows(conn, "fraud.profile", account_id=account_id, **profile.params(config, ctx.now))
        risk = profile.explained(config, [{str(name): value for name, value in part.items()} for part in parts])
        penalties = queries.rows(conn, "fraud.penalties", account_id=account_id, limit=WAITING)
        known = _known(ctx, conn, account_id, penalties)
    zone = md.tenant(teacher["tenant_id"]).timezone
    name = known.name(account_id) or teacher["username"]
    blocked = teacher["standing_until"] is None or teacher["standing_until"] > ctx.now
    standing = mark(*words.STANDINGS[teacher["standing"] if blocked else "GOOD"])
    badge = mark(f"Risk {risk.score} of 100 · {formats.words(risk.level)}", checks.RISK_COLOURS[risk.level])
    until = f"until {formats.local_time(teacher['standing_until'], zone)}" if blocked and teacher["standing_until"] else ""
    st.html(
        f'<div class="report-head"><h2>{escape(name)}</h2>{badge}{standing}<span class="tray-says">{escape(until)}</span>'
        f"<p>{escape(teacher['school_name'] or '')}, {formats.count(teacher['lifetime_reports'])} reports in all</p></div>"
    )
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        _explained(ctx, risk, zone)
    with right:
        _penalties(ctx, penalties, known, zone)


def _known(ctx: PageContext, conn: Connection, account_id: UUID, penalties: Any) -> People:
    return people.load(ctx, conn, View.REVIEW, {account_id, *(row["lifted_by"] for row in penalties)})


def _explained(ctx: PageContext, risk: profile.Profile, zone: Any) -> None:
    rows.part("What the risk is made of", f"the weightiest {PARTS}" if len(risk.parts) > PARTS else "each counts less with time")
    if not risk.parts:
        st.caption("Nothing: no flag and no rejection counts against this teacher at present.")
        return
    names = words.rule_names(ctx.runtime.masterdata.current(), ctx.caller.tenant_id)
    lines = "".join(_part(ctx, part, names, zone) for part in risk.parts[:PARTS])
    st.html(
        '<table class="facts checks"><thead><tr><th scope="col">What</th><th scope="col">Report</th><th scope="col">When</th>'
        f'<th scope="col">Points left</th></tr></thead><tbody>{lines}</tbody></table>'
    )


def _part(ctx: PageContext, part: profile.Part, names: dict[str, str], zone: Any) -> str:
    if part.kind == "FLAG":
        known = words.RESOLUTIONS.get(part.state or "") or words.FLAG_STATES.get(part.state or "", (formats.words(part.state), "gray"))
        what = f"{escape(names.get(part.what, part.what))} {mark(*known)}"
    elif part.kind == "FRAUD":
        what = "Fraud, approved by two admins"
    else:
        reason = ctx.runtime.masterdata.current().rejection_reasons(ctx.caller.tenant_id, retired=True).get(part.what)
        what = f"Rejected: {escape(reason.name if reason else formats.words(part.what))}"
    number = escape(part.report_number)
    return (
        f'<tr><td>{what}</td><td class="num"><a href="/trace?report={number}" target="_self">{number}</a></td>'
        f'<td class="num">{escape(formats.local_date(part.at, zone))}</td><td class="num">{part.counts:.1f} of {part.points:.1f}</td></tr>'
    )


def _penalties(ctx: PageContext, penalties: Any, known: People, zone: Any) -> None:
    rows.part("Penalties")
    if not penalties:
        st.caption("None so far.")
        return
    for row in penalties:
        with st.container(border=True):
            _penalty(ctx, row, known, zone)


def _penalty(ctx: PageContext, row: RowMapping, known: People, zone: Any) -> None:
    over = row["until"] is not None and row["until"] <= ctx.now
    active = row["status"] == "ACTIVE" and not over
    state = "Lifted" if row["status"] == "LIFTED" else "In force" if active else "Over"
    until = "for ever" if row["until"] is None else f"until {formats.local_time(row['until'], zone)}"
    reason = str(row["reason"])
    cause = f"{reason[:1].upper()}{reason[1:]}: {row['report_number']}"
    st.html(
        f'<div class="report-head">{mark(*words.STANDINGS[row["code"]])}{mark(state, "red" if active else "gray")}'
        f"<p>{escape(cause)}, {escape(formats.local_date(row['starts_at'], zone))}, "
        f"{escape(until)}</p></div>"
    )
    if row["lifted_at"] is not None:
        st.caption(formats.plain_markdown(f"Lifted by {known.name(row['lifted_by']) or 'the system'}: {row['lift_reason']}"))
    if row["appealed_at"] is not None:
        result = "waits for a decision" if row["appeal_granted"] is None else "granted" if row["appeal_granted"] else "refused"
        st.caption(f"Appeal of {formats.local_date(row['appealed_at'], zone)}: {result}")
    if row["lift_requested_at"] is not None and active:
        st.caption("That it be lifted waits for a second admin.")
    elif active and may_lift(ctx.caller, row["appeal_role"]):
        with st.popover("Lift", icon=":material/lock_open:"):
            if row["code"] == "BAN":
                st.markdown("A second admin must approve.")
            st.text_area("Why", key=f"fraud.lift.{row['id']}", max_chars=TEXT_MAX, height=80)
            st.toggle("What led to it counts no more", key=f"fraud.forgive.{row['id']}")
            acts.button("Lift the penalty", f"fraud.lift_go.{row['id']}", acts.bound(acts.lift, row["id"]), primary=True)
