"""Drafts of rules: begun and changed by their author, submitted once tried, withdrawn by the author or rejected by another admin.

Every function checks the role and the area, records the deed in the audit, and does not commit. A draft that was begun on a rule which
has changed since is refused: its author would undo somebody's work unseen.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.fraud.editing.checking import RULES, Content, active_rules, check_rule, invalid
from pipeline.masterdata.master import MasterData

State = Literal["DRAFT", "SUBMITTED", "ACTIVATED", "REJECTED", "WITHDRAWN"]
Action = Literal["save", "try", "submit", "activate", "reject", "withdraw"]

# What may be done with a draft, and what it is then; what is not here is refused. Three states are the end.
TRANSITIONS: Mapping[tuple[State, Action], State] = MappingProxyType(
    {
        ("DRAFT", "save"): "DRAFT",
        ("DRAFT", "try"): "DRAFT",
        ("DRAFT", "submit"): "SUBMITTED",
        ("DRAFT", "withdraw"): "WITHDRAWN",
        ("SUBMITTED", "activate"): "ACTIVATED",
        ("SUBMITTED", "reject"): "REJECTED",
        ("SUBMITTED", "withdraw"): "WITHDRAWN",
    }
)
ROLE = "STATE_ADMIN"
SUBJECT = "FRAUD_RULE_DRAFT"
MAX_REASON = 500  # characters, of a reason and of a decision's comment
MAX_OPEN = 20  # drafts of one author in one state: beyond that nobody looks them through

_COLUMNS = (
    "id, tenant_id, rule_id, state, version, content, base, base_version, reason, trial, tried_at, created_at, created_by, modified_at, "
    "submitted_at, decided_at, decided_by, decision_comment, published_version"
)
_LOCK = text(f"SELECT {_COLUMNS} FROM fraud.rule_draft WHERE id = :id FOR UPDATE")  # noqa: S608 - a constant list of columns
_OPEN = text("SELECT count(*) FROM fraud.rule_draft WHERE tenant_id = :tenant_id AND created_by = :by AND state IN ('DRAFT', 'SUBMITTED')")
_INSERT = text("""
    INSERT INTO fraud.rule_draft (id, tenant_id, rule_id, state, version, content, base, base_version, reason, created_at, created_by,
                                  modified_at)
    VALUES (:id, :tenant_id, :rule_id, 'DRAFT', 1, CAST(:content AS jsonb), CAST(:base AS jsonb), :base_version, :reason, :now, :by, :now)
    ON CONFLICT (id) DO NOTHING
""")
_CHANGE = text("""
    UPDATE fraud.rule_draft SET content = CAST(:content AS jsonb), reason = :reason, trial = NULL, tried_at = NULL, version = version + 1,
        modified_at = :now
    WHERE id = :id
""")
_TRIED = text("""
    UPDATE fraud.rule_draft SET trial = CAST(:trial AS jsonb), tried_at = :now, version = version + 1, modified_at = :now WHERE id = :id
""")
_SUBMIT = text(
    "UPDATE fraud.rule_draft SET state = 'SUBMITTED', submitted_at = :now, version = version + 1, modified_at = :now WHERE id = :id"
)
_DECIDE = text("""
    UPDATE fraud.rule_draft SET state = :state, decided_at = :now, decided_by = :by, decision_comment = :comment,
        published_version = :published, version = version + 1, modified_at = :now
    WHERE id = :id
""")


@dataclass(frozen=True)
class Draft:
    """One draft as it is stored. `base` None: a new rule. `trial` None: not tried since it was written."""

    id: UUID
    tenant_id: str  # a state
    rule_id: str
    state: State
    version: int
    content: dict[str, Any]
    base: dict[str, Any] | None
    base_version: int
    reason: str
    trial: dict[str, Any] | None
    tried_at: datetime | None
    created_at: datetime
    created_by: UUID
    modified_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    decided_by: UUID | None
    decision_comment: str | None
    published_version: int | None


@dataclass(frozen=True)
class Change:
    """One field that a draft changes: its path, what it says now and what it would say. None: the field is not there."""

    field: str
    before: Any
    after: Any


def save(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    state_id: str,
    draft_id: UUID,
    content: Content,
    reason: str,
    now: datetime,
    version: int | None = None,
) -> Draft:
    """Begin a draft under an id of the caller's making (`version` None), or change one's own. What was tried before is forgotten.

    A second click with the same content changes nothing. Raises SDCRS_FORBIDDEN, SDCRS_TENANT_OUT_OF_SCOPE, SDCRS_INVALID_RULE,
    SDCRS_RULE_CHANGED, SDCRS_NOT_FOUND, SDCRS_DRAFT_CHANGED, SDCRS_DRAFT_DECIDED.
    """
    _check_state(md, caller, state_id)
    reason = _said("reason", reason)
    rule = check_rule(md, state_id, content)
    before = active_rules(md, state_id).get(rule.id)
    if before == dict(content):
        raise invalid("rule", "is as it was: nothing would change")
    if version is None:
        return _begin(conn, md, caller, state_id, draft_id, content, before, reason, now)
    draft = _own(conn, caller, draft_id)
    if draft.content == dict(content) and draft.reason == reason and draft.version == version + 1:
        return draft  # the second of two clicks
    step(draft, "save", version)
    if draft.rule_id != rule.id:
        raise invalid("id", f"stays {draft.rule_id}: begin another draft for another rule")
    check_base(md, draft)
    conn.execute(_CHANGE, {"id": draft.id, "content": _json(content), "reason": reason, "now": now})
    _audit(conn, caller, draft, "FRAUD_RULE_DRAFT_CHANGED", now)
    return lock(conn, caller, draft_id)


def switched(md: MasterData, state_id: str, rule_id: str, enabled: bool) -> dict[str, Any]:
    """The content of a draft that turns a rule on or off. Raises SDCRS_NOT_FOUND."""
    found = active_rules(md, state_id).get(rule_id)
    if found is None:
        raise AppError("SDCRS_NOT_FOUND", kind="Rule", id=rule_id)
    return found | {"enabled": enabled}


def tried(conn: Connection, caller: Caller, draft_id: UUID, version: int, trial: Mapping[str, Any], now: datetime) -> Draft:
    """Keep what a draft of one's own would have done: computed by validation/trial.py, never by a client."""
    policy.check(caller, "edit_rules")
    draft = _own(conn, caller, draft_id)
    step(draft, "try", version)
    conn.execute(_TRIED, {"id": draft.id, "trial": _json(trial), "now": now})
    _audit(conn, caller, draft, "FRAUD_RULE_DRAFT_TRIED", now, flagged=trial.get("flagged"), reports=trial.get("reports"))
    return lock(conn, caller, draft_id)


def submit(conn: Connection, md: MasterData, caller: Caller, draft_id: UUID, version: int, now: datetime) -> Draft:
    """Hand one's own draft to the other admins. It must have been tried as it is. Raises SDCRS_DRAFT_NOT_TRIED and what `save` raises."""
    policy.check(caller, "edit_rules")
    draft = _own(conn, caller, draft_id)
    step(draft, "submit", version)
    check_base(md, draft)
    check_rule(md, draft.tenant_id, draft.content)  # what it names may be gone since
    if draft.trial is None:
        raise AppError("SDCRS_DRAFT_NOT_TRIED")
    conn.execute(_SUBMIT, {"id": draft.id, "now": now})
    _audit(conn, caller, draft, "FRAUD_RULE_DRAFT_SUBMITTED", now)
    return lock(conn, caller, draft_id)


def withdraw(conn: Connection, caller: Caller, draft_id: UUID, version: int, now: datetime) -> Draft:
    """Take one's own draft back for good."""
    policy.check(caller, "edit_rules")
    draft = _own(conn, caller, draft_id)
    step(draft, "withdraw", version)
    decide(conn, caller, draft, "withdraw", None, now)
    return lock(conn, caller, draft_id)


def reject(conn: Connection, caller: Caller, draft_id: UUID, version: int, comment: str, now: datetime) -> Draft:
    """Refuse another admin's draft, with a comment for its author. Raises SDCRS_FORBIDDEN for one's own: that is withdrawn."""
    policy.check(caller, "edit_rules")
    comment = _said("comment", comment)
    draft = lock(conn, caller, draft_id)
    if draft.created_by == caller.account_id:
        raise AppError("SDCRS_FORBIDDEN", reason="your own draft is withdrawn, not rejected")
    step(draft, "reject", version)
    decide(conn, caller, draft, "reject", comment, now)
    return lock(conn, caller, draft_id)


def differences(before: Content | None, after: Content) -> list[Change]:
    """What changes, field by field in the order of the new content; fields that go come last."""
    old, new = dict(_flat(before or {})), dict(_flat(after))
    changed = [Change(path, old.get(path), value) for path, value in new.items() if path not in old or old[path] != value]
    return changed + [Change(path, value, None) for path, value in old.items() if path not in new]


# What activation.py shares


def lock(conn: Connection, caller: Caller, draft_id: UUID) -> Draft:
    """The draft, locked for the rest of the transaction. Raises SDCRS_NOT_FOUND for one outside the caller's area."""
    row: Row[Any] | None = conn.execute(_LOCK, {"id": draft_id}).one_or_none()
    if row is None or row.tenant_id not in caller.scope:  # the role worker sees every state's
        raise AppError("SDCRS_NOT_FOUND", kind="Draft", id=str(draft_id))
    return Draft(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping


def step(draft: Draft, action: Action, version: int) -> State:
    """The state that the action leads to. Raises SDCRS_DRAFT_DECIDED, or SDCRS_DRAFT_CHANGED for a version that is not the newest."""
    then = TRANSITIONS.get((draft.state, action))
    if then is None:
        raise AppError("SDCRS_DRAFT_DECIDED", action=action.capitalize(), state=draft.state.lower())
    if draft.version != version:
        raise AppError("SDCRS_DRAFT_CHANGED", current=draft.version, sent=version)
    return then


def check_base(md: MasterData, draft: Draft) -> None:
    """Raise SDCRS_RULE_CHANGED unless the rule is still what the draft was begun on. Other rules may have changed."""
    if active_rules(md, draft.tenant_id).get(draft.rule_id) != draft.base:
        current = md.version_of(*RULES, draft.tenant_id)
        raise AppError("SDCRS_RULE_CHANGED", ruleId=draft.rule_id, base=draft.base_version, current=current)


def decide(
    conn: Connection, caller: Caller, draft: Draft, action: Action, comment: str | None, now: datetime, published: int | None = None
) -> None:
    """Write the end of a draft's life, with its audit row."""
    then = TRANSITIONS[draft.state, action]
    conn.execute(_DECIDE, {"id": draft.id, "state": then, "now": now, "by": caller.account_id, "comment": comment, "published": published})
    _audit(conn, caller, draft, f"FRAUD_RULE_DRAFT_{then}", now, publishedVersion=published)


def _begin(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    state_id: str,
    draft_id: UUID,
    content: Content,
    before: Content | None,
    reason: str,
    now: datetime,
) -> Draft:
    if conn.execute(_OPEN, {"tenant_id": state_id, "by": caller.account_id}).scalar_one() >= MAX_OPEN:
        raise invalid("rule", f"you have {MAX_OPEN} open drafts; submit or withdraw one first")
    values = {
        "id": draft_id,
        "tenant_id": state_id,
        "rule_id": content["id"],
        "content": _json(content),
        "base": None if before is None else _json(before),
        "base_version": md.version_of(*RULES, state_id),
        "reason": reason,
        "now": now,
        "by": caller.account_id,
    }
    made = conn.execute(_INSERT, values).rowcount
    draft = lock(conn, caller, draft_id)
    if made:
        _audit(conn, caller, draft, "FRAUD_RULE_DRAFT_BEGUN", now)
    elif (draft.content, draft.reason, draft.created_by) != (dict(content), reason, caller.account_id):
        raise AppError("SDCRS_DRAFT_CHANGED", current=draft.version, sent=0)
    return draft


def _check_state(md: MasterData, caller: Caller, state_id: str) -> None:
    policy.check(caller, "edit_rules")
    policy.check_tenant(caller, state_id)
    if not md.tenant(state_id).is_state:
        raise AppError("SDCRS_INVALID_REQUEST", field="tenantId", detail=f"rules are the state's, {state_id} is none")


def _own(conn: Connection, caller: Caller, draft_id: UUID) -> Draft:
    draft = lock(conn, caller, draft_id)
    if draft.created_by != caller.account_id:
        raise AppError("SDCRS_FORBIDDEN", reason="a draft is changed by its author")
    return draft


def _said(field: str, words: str) -> str:
    words = words.strip()
    if not words:
        raise AppError("SDCRS_INVALID_REQUEST", field=field, detail="say why: others read it")
    if len(words) > MAX_REASON:
        raise AppError("SDCRS_INVALID_REQUEST", field=field, detail=f"at most {MAX_REASON} characters")
    return words


def _flat(content: Content, prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, Mapping):
            pairs += _flat(value, f"{prefix}{key}.")
        elif not key.startswith("_"):  # a remark for people
            pairs.append((f"{prefix}{key}", value))
    return pairs


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, allow_nan=False)


def _audit(conn: Connection, caller: Caller, draft: Draft, action: str, now: datetime, **details: Any) -> None:
    told = {
        "ruleId": draft.rule_id,
        "baseVersion": draft.base_version,
        **{key: value for key, value in details.items() if value is not None},
    }
    record(conn, draft.tenant_id, caller.account_id, ROLE, action, SUBJECT, str(draft.id), now, details=told)
