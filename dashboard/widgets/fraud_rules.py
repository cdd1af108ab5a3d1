"""The rules: which there are, what each caught, how often it was right, and one rule with its story."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st
from sqlalchemy import RowMapping

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets import fraud_acts as acts
from dashboard.widgets import fraud_editor, people, rows
from dashboard.widgets import fraud_words as words
from dashboard.widgets.people import People
from dashboard.widgets.rows import escape, mark
from dashboard.widgets.work import Area
from pipeline.access.policy import can
from pipeline.fraud.editing.checking import RULES, active_rules
from pipeline.fraud.flags.life import RESOLUTIONS
from pipeline.fraud.scoring import rule_weight
from pipeline.masterdata.fraud_models import FraudRule
from pipeline.packets.render.facts import View

PERIOD = timedelta(days=30)
STORY = 20  # decided drafts of a rule
TITLES = ("Rule", "Looks for", "In 30 days", "Was right", "Changed")
SHOWN = {"all": "All", "on": "On", "off": "Off", "hits": "With hits"}

Numbers = Mapping[str, RowMapping]


def show(ctx: PageContext, where: Area) -> None:
    """The rule that the address names, else all of them."""
    state_id = state_of(ctx)
    with ctx.begin() as conn:
        found = queries.rows(conn, "fraud.rules", tenants=list(where.tenants), since=ctx.now - PERIOD)
        changed = queries.rows(conn, "fraud_rules.versions", state_id=state_id)
    numbers, versions = {row["rule_id"]: row for row in found}, {row["rule_id"]: row for row in changed}
    rule_id = st.query_params.get("rule")
    if rule_id is None:
        _list(ctx, state_id, numbers, versions)
    elif rule_id == acts.NEW:
        _back()
        fraud_editor.begin(ctx, state_id)
    else:
        _back()
        _one(ctx, state_id, rule_id, numbers.get(rule_id))


def state_of(ctx: PageContext) -> str:
    """The state whose rules count for the person's area."""
    return ctx.runtime.masterdata.current().tenant(ctx.caller.tenant_id).state_id


def _list(ctx: PageContext, state_id: str, numbers: Numbers, versions: Numbers) -> None:
    md = ctx.runtime.masterdata.current()
    rules = md.fraud_rules(state_id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.segmented_control(
            "Which rules", list(SHOWN), default="all", required=True, key="fraud.rules.shown", format_func=SHOWN.__getitem__
        )
        if can(ctx.caller, "edit_rules"):
            st.button("New rule", icon=":material/add:", key="fraud.rules.new", on_click=acts.show, args=("rule", acts.NEW))
    keep = {
        "all": lambda _: True,
        "on": lambda rule: rule.enabled,
        "off": lambda rule: not rule.enabled,
        "hits": lambda rule: rule.id in numbers,
    }
    chosen = sorted(filter(keep[str(shown)], rules), key=lambda rule: -_hits(numbers, rule))
    version = md.version_of(*RULES, state_id)
    st.caption(
        f"{len(chosen)} of {len(rules)} rules, version {version}. Of the flags that a person decided, “was right” is the share that was."
    )
    if not chosen:
        st.info("0 rules of this kind.", icon=":material/rule:")
        return
    rows.head("rule", TITLES)
    with st.container(key="rows-rules"):
        for rule in chosen:
            _row(ctx, rule, numbers.get(rule.id), versions.get(rule.id))


def _hits(numbers: Numbers, rule: FraudRule) -> int:
    return int(numbers[rule.id]["hits"]) if rule.id in numbers else 0


def _row(ctx: PageContext, rule: FraudRule, found: RowMapping | None, version: RowMapping | None) -> None:
    off = "" if rule.enabled else f" {mark('Off', 'gray')}"
    changed = "as shipped" if version is None else f"version {version['version']}"
    when = "" if version is None else f"<small>{escape(formats.local_date(version['changed_at'], ctx.zone))}</small>"
    rows.row(
        f"rule-{rule.id}",
        "rule",
        {
            "name": f"<strong>{escape(rule.name)}</strong>{off}<small>{escape(rule.id)}</small>",
            "what": f"{escape(words.CONDITIONS[rule.condition.type])} {_severity(rule)}",
            "hits": escape(_plural(0 if found is None else found["hits"], "hit")),
            "right": escape(precision(found)),
            "version": f"{escape(changed)}{when}",
        },
        f"Open {rule.id}, {rule.name}",
        acts.show,
        ("rule", rule.id),
    )


def _severity(rule: FraudRule) -> str:
    return mark(words.SEVERITIES[rule.severity], words.SEVERITY_COLOURS[rule.severity])


def _plural(count: int, word: str) -> str:
    return f"{formats.count(count)} {word}{'' if count == 1 else 's'}"


def precision(found: RowMapping | None) -> str:
    """How many of the decided flags were right: 12 of 15 (80 %)."""
    decided = 0 if found is None else found["proven"] + found["wrong"]
    if found is None or not decided:
        return "not known yet"
    return f"{formats.percent(found['proven'], decided)} of {formats.count(decided)}"


def _back() -> None:
    st.button("All rules", icon=":material/arrow_back:", type="tertiary", key="fraud.rules.back", on_click=acts.show, args=(None,))


def _one(ctx: PageContext, state_id: str, rule_id: str, found: RowMapping | None) -> None:
    md = ctx.runtime.masterdata.current()
    content = active_rules(md, state_id).get(rule_id)
    rule = next((one for one in md.fraud_rules(state_id) if one.id == rule_id), None)
    if rule is None or content is None:
        st.info(f"There is no rule {formats.plain_markdown(rule_id)}.", icon=":material/search_off:")
        return
    state = mark("On", "green") if rule.enabled else mark("Off", "gray")
    st.html(f'<div class="report-head"><h2>{escape(rule.name)}</h2>{state}{_severity(rule)}<p>{escape(rule.description)}</p></div>')
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        rows.part("What it does", rule.id)
        rows.facts(_about(ctx, state_id, rule, content))
    with right:
        rows.part("What came of it", "last 30 days")
        rows.facts(_numbers(found))
        if found is not None and found["undecided"]:
            st.link_button("Flags to be looked at", f"/fraud?fraud.view=Flags&fraud.rule={rule.id}", icon=":material/flag:")
    if can(ctx.caller, "edit_rules"):
        fraud_editor.offer(ctx, state_id, rule, content)
    story(ctx, state_id, rule.id)


def _about(ctx: PageContext, state_id: str, rule: FraudRule, content: Mapping[str, Any]) -> list[tuple[str, str]]:
    config = ctx.runtime.masterdata.current().risk_config(state_id)
    told = [
        ("Looks for", words.CONDITIONS[rule.condition.type]),
        ("Kind", config.category_descriptions[rule.category]),
        ("Points", f"{rule_weight(rule, config):g}"),
    ]
    for key, value in content["condition"].items():
        if key != "type":
            where = f"condition.{key}"
            told.append((words.field(where, rule.condition.type), words.value(where, value)))
    for key, value in content["action"].items():
        if value not in (False, None):
            told.append((words.field(f"action.{key}"), words.value(f"action.{key}", value)))
    return told


def _numbers(found: RowMapping | None) -> list[tuple[str, str]]:
    if found is None:
        return [("Hits", "0: nothing was flagged by this rule")]
    columns = dict(zip(RESOLUTIONS, ("proven", "wrong", "inconclusive", "repeated"), strict=True))
    told = [
        ("Hits", f"{formats.count(found['hits'])} on {formats.count(found['reports'])} reports"),
        ("To be looked at", formats.count(found["undecided"])),
    ]
    told += [(words.RESOLUTIONS[code][0], formats.count(found[column])) for code, column in columns.items()]
    return [*told, ("Was right", precision(found))]


def story(ctx: PageContext, state_id: str, rule_id: str | None) -> None:
    """Decided drafts, the newest first: of one rule, or of all."""
    if state_id not in ctx.caller.scope:
        return
    with ctx.begin() as conn:
        found = queries.rows(conn, "fraud_rules.story", state_id=state_id, rule_id=rule_id, limit=STORY)
        known = people.load(ctx, conn, View.REVIEW, {row[name] for row in found for name in ("created_by", "decided_by")})
    rows.part("Earlier changes", f"the last {STORY}" if len(found) == STORY else "")
    if not found:
        st.caption("0 changes: the rule is as it was shipped." if rule_id else "0 changes so far: all rules are as they were shipped.")
        return
    st.html(
        '<table class="facts checks"><thead><tr><th scope="col">When</th><th scope="col">What</th><th scope="col">Result</th>'
        f'<th scope="col">Why</th></tr></thead><tbody>{"".join(_told(ctx, row, known) for row in found)}</tbody></table>'
    )


def _told(ctx: PageContext, row: RowMapping, known: People) -> str:
    changes = fraud_editor.changes_of(ctx, row)
    result = mark(*words.DRAFT_STATES[row["state"]])
    if row["published_version"]:
        result += f" version {row['published_version']}"
    why = row["decision_comment"] or row["reason"]
    who = f"{known.name(row['created_by']) or 'an admin'}, decided by {known.name(row['decided_by']) or 'an admin'}"
    return (
        f'<tr><td class="num">{escape(formats.local_date(row["decided_at"], ctx.zone))}</td>'
        f"<td>{escape(row['rule_id'])}: {escape(_said(changes))}</td><td>{result}</td>"
        f'<td class="why">{escape(why)} <small>({escape(who)})</small></td></tr>'
    )


def _said(changes: Sequence[tuple[str, str, str]]) -> str:
    shown = [f"{name} {before} → {after}" for name, before, after in changes[:3]]
    return "; ".join(shown) + (f" and {len(changes) - 3} more" if len(changes) > 3 else "")
