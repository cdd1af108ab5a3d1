"""Answers kept by what was asked, so that the same photo is not judged twice. Never a photo, a place or a person: a hash.

A tenant's answers are for that tenant alone.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

_RECALL = text("""
    SELECT c.tenant_id, c.validator_id, c.question, c.outputs
    FROM unnest(CAST(:tenants AS text[]), CAST(:validators AS text[]), CAST(:questions AS bytea[])) AS a(tenant_id, validator_id, question)
    JOIN fraud.validator_cache c USING (tenant_id, validator_id, question)
    WHERE c.expires_at > :now
""")
_KEEP = text("""
    INSERT INTO fraud.validator_cache (tenant_id, validator_id, question, outputs, answered_at, expires_at)
    SELECT DISTINCT ON (v.tenant_id, v.validator_id, v.question)
           v.tenant_id, v.validator_id, decode(v.question, 'hex'), v.outputs, :now, v.expires_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS v(tenant_id text, validator_id text, question text, outputs jsonb, expires_at timestamptz)
    ORDER BY v.tenant_id, v.validator_id, v.question
    ON CONFLICT (tenant_id, validator_id, question)
    DO UPDATE SET outputs = excluded.outputs, answered_at = excluded.answered_at, expires_at = excluded.expires_at
""")
_FORGET = text("DELETE FROM fraud.validator_cache WHERE expires_at <= :now")


class Key(NamedTuple):
    """Whose question to whom; `question` is a SHA-256."""

    tenant_id: str
    validator_id: str
    question: bytes


class Kept(NamedTuple):
    """An answer to be remembered until `expires_at`."""

    key: Key
    outputs: dict[str, Any]
    expires_at: datetime


def recall(conn: Connection, keys: Sequence[Key], now: datetime) -> dict[Key, dict[str, Any]]:
    """What is remembered of these questions."""
    if not keys:
        return {}
    params = {
        "tenants": [key.tenant_id for key in keys],
        "validators": [key.validator_id for key in keys],
        "questions": [key.question for key in keys],
        "now": now,
    }
    return {Key(row.tenant_id, row.validator_id, bytes(row.question)): row.outputs for row in conn.execute(_RECALL, params)}


def keep(conn: Connection, answers: Sequence[Kept], now: datetime) -> None:
    """Remember answers. Does not commit."""
    if not answers:
        return
    rows = [
        {
            "tenant_id": one.key.tenant_id,
            "validator_id": one.key.validator_id,
            "question": one.key.question.hex(),
            "outputs": one.outputs,
            "expires_at": one.expires_at.isoformat(),
        }
        for one in answers
    ]
    conn.execute(_KEEP, {"rows": json.dumps(rows), "now": now})


def forget_expired(conn: Connection, now: datetime) -> None:
    """Remove what is remembered no longer. Does not commit."""
    conn.execute(_FORGET, {"now": now})
