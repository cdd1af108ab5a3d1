"""Making a submitted draft the rule: by a second admin, as a new version of the state's rules.

Needs a connection of the role `worker`, since nobody else may publish master data; so the caller's role and area are checked here against
the draft itself. Every process takes up the new version by itself within seconds (pipeline/masterdata/store.py).
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.fraud.editing.checking import RULES, active_rules, check_rule
from pipeline.fraud.editing.drafts import Draft, check_base, decide, lock, step
from pipeline.masterdata.documents import Document
from pipeline.masterdata.master import MasterData
from pipeline.masterdata.store import hold, load, publish


def activate(conn: Connection, caller: Caller, draft_id: UUID, version: int, now: datetime) -> Draft:
    """Publish the state's rules with the draft in them. Does not commit; `conn` is the worker's.

    Raises SDCRS_FORBIDDEN, SDCRS_NOT_FOUND, SDCRS_SELF_APPROVAL for the draft's author, SDCRS_DRAFT_DECIDED, SDCRS_DRAFT_CHANGED,
    SDCRS_RULE_CHANGED when the rule is no longer what the draft was begun on, SDCRS_INVALID_RULE.
    """
    policy.check(caller, "edit_rules")
    draft = lock(conn, caller, draft_id)
    if draft.created_by == caller.account_id:
        raise AppError("SDCRS_SELF_APPROVAL")
    step(draft, "activate", version)
    hold(conn)  # nobody publishes between the look at the rules and the new version
    md = load(conn)
    check_base(md, draft)
    check_rule(md, draft.tenant_id, draft.content)
    (published,) = publish(conn, [_document(md, draft)], now, caller.username)
    decide(conn, caller, draft, "activate", None, now, published.version)
    return lock(conn, caller, draft_id)


def _document(md: MasterData, draft: Draft) -> Document:
    """The state's rules with the draft in its rule's place, or at the end. A state's first own document is numbered on from the common
    one, so that a version recorded with an evaluation never means two sets of rules."""
    entry = md.entry_of(*RULES, draft.tenant_id)
    rules: dict[str, Any] = active_rules(md, draft.tenant_id)
    rules[draft.rule_id] = draft.content
    content = dict(entry.document.content) | {"tenantId": draft.tenant_id, RULES[1]: list(rules.values())}
    return Document(draft.tenant_id, *RULES, content=content, source=f"draft {draft.id}", version=entry.document.version + 1)
