"""Flags that come by themselves: raised with an evaluation, settled by what a person decides about the report."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import Command
from pipeline.fraud.flags.life import settled_by
from pipeline.ids import uuid7
from pipeline.masterdata.fraud_models import FraudRule
from pipeline.masterdata.master import MasterData

FIRST_EAR = "SENIOR_VERIFIER"  # of a rule that escalates and does not say to whom

# A report's rule is flagged once, however often the report is evaluated
_INSERT = text("""
    INSERT INTO fraud.flag (id, tenant_id, report_id, account_id, rule_id, rule_code, category, severity, score, message, rules_version,
                            status, escalated_to, raised_at, modified_at)
    SELECT v.id, v.tenant_id, v.report_id, v.account_id, v.rule_id, v.rule_code, v.category, v.severity, v.score, v.message, v.version,
           CASE WHEN v.escalated_to IS NULL THEN 'OPEN' ELSE 'ESCALATED' END, v.escalated_to, v.at, v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(id uuid, tenant_id text, report_id uuid, account_id uuid, rule_id text, rule_code text, category text, severity text,
             score double precision, message text, version int, escalated_to text, at timestamptz)
    ON CONFLICT (report_id, rule_id) DO NOTHING
""")
_UNSETTLED = text("""
    SELECT id, report_id, category FROM fraud.flag
    WHERE report_id = ANY (:reports) AND status <> 'RESOLVED' AND escalated_to IS NULL ORDER BY id FOR UPDATE
""")
_SETTLE = text("""
    UPDATE fraud.flag f
    SET status = 'RESOLVED', resolution = v.resolution, resolved_at = v.at, resolved_by = v.by, by_decision = true, comment = v.comment,
        modified_at = v.at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, resolution text, by uuid, at timestamptz, comment text)
    WHERE f.id = v.id
""")


class Fired(NamedTuple):
    """A rule that fired for a report. `score`: what it added to the report's score; 0 where another of its kind counted more."""

    report_id: UUID
    tenant_id: str
    reporter_id: UUID
    rule: FraudRule
    score: Decimal
    message: str
    at: datetime


def raise_flags(conn: Connection, md: MasterData, fired: Iterable[Fired]) -> None:
    """Raise a flag for each that is worth a person's look. Does not commit."""
    for command in flags_raised(md, fired):
        conn.execute(*command)


def flags_raised(md: MasterData, fired: Iterable[Fired]) -> list[Command]:
    """The statement that raises the flags, for a room that sends it along with others of its own; none where there is no flag.

    Worth a look is what added to the score or asks to be escalated; what only notifies is not.
    """
    rows = [_row(md, one) for one in fired if is_worth_a_look(one.rule, one.score)]
    return [(_INSERT, {"rows": json.dumps(rows)})] if rows else []


def is_worth_a_look(rule: FraudRule, score: Decimal) -> bool:
    """Whether a fired rule is flagged."""
    return rule.action.type != "NOTIFY" and (score > 0 or rule.action.escalate)


def settle_by_decision(conn: Connection, changes: Sequence[Row[Any]]) -> None:
    """Resolve the flags of reports that a person has decided, as life.settled_by says; escalated ones stay. Does not commit."""
    decided = {change.report_id: change for change in changes if settled_by(change.action, _reason(change), "") is not None}
    if not decided:
        return
    rows = []
    for flag in conn.execute(_UNSETTLED, {"reports": list(decided)}):
        change = decided[flag.report_id]
        rows.append(
            {
                "id": str(flag.id),
                "resolution": settled_by(change.action, _reason(change), flag.category),
                "by": str(change.actor_id),
                "at": change.occurred_at.isoformat(),
                "comment": f"Follows from {change.action} of the report",
            }
        )
    if rows:
        conn.execute(_SETTLE, {"rows": json.dumps(rows)})


def _reason(change: Row[Any]) -> str | None:
    code = change.facts.get("rejection_reason")
    return None if code is None else str(code)


def _row(md: MasterData, one: Fired) -> dict[str, Any]:
    rule, action = one.rule, one.rule.action
    return {
        "id": str(uuid7(one.at)),
        "tenant_id": one.tenant_id,
        "report_id": str(one.report_id),
        "account_id": str(one.reporter_id),
        "rule_id": rule.id,
        "rule_code": rule.code,
        "category": rule.category,
        "severity": rule.severity,
        "score": float(one.score),
        "message": one.message,
        "version": md.version_of("FRAUD-DETECTION", "FraudRules", one.tenant_id),
        "escalated_to": (action.escalate_to_role or FIRST_EAR) if action.escalate else None,
        "at": one.at.isoformat(),
    }
