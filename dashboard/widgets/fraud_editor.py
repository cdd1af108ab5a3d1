"""The rule editor: a rule's fields, the draft made of them, what it would have done, and the decision of a second admin."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import fraud_acts as acts
from dashboard.widgets import fraud_fields, people, rows
from dashboard.widgets import fraud_words as words
from dashboard.widgets.fraud_fields import Field
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from pipeline.access.policy import can
from pipeline.errors import AppError
from pipeline.fraud.editing.checking import active_rules
from pipeline.fraud.editing.drafts import MAX_REASON, Draft, differences
from pipeline.masterdata.fraud_models import FraudRule
from pipeline.packets.render.facts import View

ESCALATED_TO = ("SENIOR_VERIFIER", "DISTRICT_ADMIN", "STATE_ADMIN")
WAITING = 40  # drafts listed
BY_ITSELF = {"id", "ruleType", "applicableModules"}  # of a new rule; the heading has its number
DRAFT_TITLES = ("Rule", "What changes", "Would flag", "State")


def offer(ctx: PageContext, state_id: str, rule: FraudRule, content: Mapping[str, Any]) -> None:
    """What a state admin may do with a rule: change it, or turn it off or on. Either is a draft."""
    with st.container(horizontal=True):
        with st.popover("Turn off" if rule.enabled else "Turn on", icon=":material/power_settings_new:"):
            st.markdown("This is a draft too: it is tried first, and a second admin decides.")
            prefix = f"fraud.switch.{rule.id}"
            st.text_input("Why", key=f"{prefix}.reason", max_chars=MAX_REASON)
            acts.button("Begin the draft", f"{prefix}.go", acts.bound(acts.switch, state_id, rule.id, not rule.enabled), primary=True)
    with st.expander("Change this rule", icon=":material/edit:"):
        _form(
            ctx,
            state_id,
            content,
            f"fraud.edit.{rule.id}.{ctx.runtime.masterdata.current().version_of('FRAUD-DETECTION', 'FraudRules', state_id)}",
        )


def begin(ctx: PageContext, state_id: str) -> None:
    """A rule that does not exist yet."""
    if not can(ctx.caller, "edit_rules"):
        raise AppError("SDCRS_FORBIDDEN", reason="only state admins change rules")
    rows.part("New rule")
    kind = st.selectbox("What it looks for", list(words.CONDITIONS), key="fraud.new.kind", format_func=words.CONDITIONS.__getitem__)
    md = ctx.runtime.masterdata.current()
    content = fraud_fields.blank(str(kind), _next_id(active_rules(md, state_id)), list(md.external_validators(state_id)))
    prefix = f"fraud.new.{kind}"
    st.text_input("Code, in capitals, such as SAME_PHOTO_TWICE", key=f"{prefix}.code", max_chars=60)
    _form(ctx, state_id, content, prefix)


def _next_id(known: Mapping[str, Any]) -> str:
    """The next free number of the programme's own rules."""
    used = [int(one.rpartition("-")[2]) for one in known if one.startswith("SDCRS-")]
    return f"SDCRS-{max(used, default=0) + 1:03d}"


def _form(ctx: PageContext, state_id: str, content: Mapping[str, Any], prefix: str, draft: Draft | None = None) -> None:
    """The fields of a rule, why it changes, and the button that keeps and tries it."""
    md = ctx.runtime.masterdata.current()
    config = md.risk_config(state_id)
    looks = fraud_fields.condition_fields(content["condition"], list(md.external_validators(state_id)))
    others = fraud_fields.rule_fields(config, ESCALATED_TO)
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption(f"Looks for: {words.CONDITIONS[content['condition']['type']].lower()}")
        _ask(looks, content, prefix, config)
        _ask(others[2:5], content, prefix, config)
    with right:
        _ask(others[:2], content, prefix, config)
        _ask(others[5:], content, prefix, config)
    st.text_input("Why it changes", value=draft.reason if draft else "", key=f"{prefix}.reason", max_chars=MAX_REASON)
    command = acts.bound(acts.save, state_id, content, [*looks, *others], prefix, draft)
    acts.button("Keep as a draft and try it", f"{prefix}.save", command, primary=True, icon=":material/science:")
    st.caption("Nothing changes yet: the draft is tried on the reports of the last 30 days, then a second admin decides.")


def _ask(fields: Sequence[Field], content: Mapping[str, Any], prefix: str, config: Any) -> None:
    for field in fields:
        fraud_fields.ask(field, content, prefix, config)


# drafts


def show(ctx: PageContext, state_id: str) -> None:
    """The draft that the address names, else those that wait."""
    draft_id = acts.opened("draft")
    if draft_id is not None:
        st.button("All changes", icon=":material/arrow_back:", type="tertiary", key="fraud.drafts.back", on_click=acts.show, args=(None,))
        _one(ctx, draft_id)
        return
    with ctx.begin() as conn:
        found = queries.rows(conn, "fraud_rules.waiting", state_id=state_id, limit=WAITING)
        known = people.load(ctx, conn, View.REVIEW, [row["created_by"] for row in found])
    if not found:
        st.info("0 drafts: nobody is changing a rule. A draft begins at the rule itself.", icon=":material/edit_note:")
        return
    waiting = sum(row["state"] == "SUBMITTED" for row in found)
    st.caption(
        f"{waiting} of {len(found)} drafts wait for a second admin."
        + (f" The newest {WAITING} are shown." if len(found) == WAITING else "")
    )
    rows.head("draft", DRAFT_TITLES)
    with st.container(key="rows-drafts"):
        for row in found:
            _row(ctx, row, known)


def _row(ctx: PageContext, row: RowMapping, known: People) -> None:
    changes = changes_of(ctx, row)
    said = "A new rule" if row["base"] is None else "; ".join(f"{name} {before} → {after}" for name, before, after in changes[:2])
    more = f" and {len(changes) - 2} more" if row["base"] is not None and len(changes) > 2 else ""
    would = "not tried" if row["trial"] is None else f"{formats.count(row['trial']['flagged'])} of {formats.count(row['trial']['reports'])}"
    rows.row(
        f"draft-{row['id']}",
        "draft",
        {
            "name": f"<strong>{escape(row['rule_id'])}</strong><small>{escape(row['content'].get('name', ''))}</small>",
            "what": f"{escape(said + more)}<small>{escape(row['reason'])}</small>",
            "would": escape(would),
            "state": f"{mark(*words.DRAFT_STATES[row['state']])}<small>{escape(known.name(row['created_by']) or 'an admin')}, "
            f"{formats.ago(row['modified_at'], ctx.now)}</small>",
        },
        f"Open the draft of {row['rule_id']}",
        acts.show,
        ("draft", str(row["id"])),
    )


def changes_of(ctx: PageContext, row: Mapping[Any, Any]) -> list[tuple[str, str, str]]:
    """What a draft changes, in words: field, before, after. Of a new rule what is not asked or answered no says nothing."""
    kind = str(row["content"]["condition"]["type"])
    described = ctx.runtime.masterdata.current().risk_config(ctx.caller.tenant_id).category_descriptions
    kinds = {str(code): said for code, said in described.items()}
    return [
        (words.field(one.field, kind), words.value(one.field, one.before, kinds), words.value(one.field, one.after, kinds))
        for one in differences(row["base"], row["content"])
        if row["base"] is not None or (one.after is not False and one.field not in BY_ITSELF)
    ]


def _one(ctx: PageContext, draft_id: Any) -> None:
    with ctx.begin() as conn:
        row = queries.one(conn, "fraud_rules.draft", id=draft_id)
        if row is None:
            raise AppError("SDCRS_NOT_FOUND", kind="Draft", id=str(draft_id))
        known = people.load(ctx, conn, View.REVIEW, [row["created_by"], row["decided_by"]])
    draft = Draft(**{name: row[name] for name in Draft.__dataclass_fields__})
    own = draft.created_by == ctx.caller.account_id
    head = mark(*words.DRAFT_STATES[draft.state])
    at = draft.submitted_at or draft.modified_at
    by = f"by {'you' if own else known.name(draft.created_by) or 'an admin'}, {formats.local_time(at, ctx.zone)}"
    st.html(
        f'<div class="report-head"><h2>{escape(draft.rule_id)}: {escape(draft.content.get("name", ""))}</h2>{head}'
        f'<span class="tray-says">{escape(by)}</span><p>{escape(draft.reason)}</p></div>'
    )
    _trial(draft)
    _difference(ctx, draft)
    _decision(ctx, draft, known, own=own)


def _trial(draft: Draft) -> None:
    rows.part("Tried on the last 30 days")
    if draft.trial is None:
        st.caption("Not tried since it was changed.")
        return
    st.markdown(f"**{formats.plain_markdown(words.trial(draft.trial))}**")
    for said in (words.compared(draft.trial, new=draft.base is None), words.trouble(draft.trial)):
        if said:
            st.markdown(formats.plain_markdown(said))
    if draft.trial["examples"]:
        with st.expander("The newest of them"):
            links = ", ".join(f"[{number}](/trace?report={number})" for number in draft.trial["examples"])
            st.markdown(links)


def _difference(ctx: PageContext, draft: Draft) -> None:
    """Field by field what is now and what would be; of a new rule what it is made of."""
    changes = changes_of(ctx, {"base": draft.base, "content": draft.content})
    if draft.base is None:
        rows.part("What the new rule is")
        rows.facts([(name, after) for name, _, after in changes])
        return
    rows.part("What changes", f"against version {draft.base_version} of the rules")
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(before)} → <strong>{escape(after)}</strong></td></tr>'
        for name, before, after in changes
    )
    st.html(
        '<table class="facts checks"><thead><tr><th scope="col">Field</th><th scope="col">Now → then</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _decision(ctx: PageContext, draft: Draft, known: People, *, own: bool) -> None:
    """What the person may do with the draft in this state."""
    if draft.decided_at is not None:
        said = f"{known.name(draft.decided_by) or 'An admin'}, {formats.local_time(draft.decided_at, ctx.zone)}"
        version = f" Version {draft.published_version} of the rules has it." if draft.published_version else ""
        comment = f" “{draft.decision_comment}”" if draft.decision_comment else ""
        st.markdown(formats.plain_markdown(f"{words.DRAFT_STATES[draft.state][0]}: {said}.{version}{comment}"))
        return
    if not can(ctx.caller, "edit_rules"):
        st.caption("State admins decide about it.")
        return
    with st.container(horizontal=True):
        if own and draft.state == "DRAFT":
            acts.button(
                "Submit to a second admin",
                f"fraud.submit.{draft.id}",
                acts.bound(acts.submit, draft),
                primary=True,
                disabled=draft.trial is None,
            )
        if draft.state == "SUBMITTED" and not own:
            acts.button("Activate", f"fraud.activate.{draft.id}", acts.bound(acts.turn_on, draft), primary=True, icon=":material/check:")
            with st.popover("Reject", icon=":material/close:"):
                st.text_input("Why", key=f"fraud.refusal.{draft.id}", max_chars=MAX_REASON)
                acts.button("Reject the draft", f"fraud.refuse.{draft.id}", acts.bound(acts.refuse, draft))
        if own:
            acts.button("Withdraw", f"fraud.withdraw.{draft.id}", acts.bound(acts.withdraw, draft))
    if own and draft.state == "SUBMITTED":
        st.caption("A second admin decides about what you submitted.")
    if own and draft.state == "DRAFT":
        with st.expander("Change the draft", icon=":material/edit:"):
            _form(ctx, draft.tenant_id, draft.content, f"fraud.edit.{draft.id}.{draft.version}", draft)
