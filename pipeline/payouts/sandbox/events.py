"""Webhook events: what is sent, and its signature. Written in the transaction of the change; `courier.py` delivers."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from pipeline.payouts.sandbox import shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.config import ACCOUNT_ID
from pipeline.payouts.sandbox.ids import new_id

# The webhook of each status; None: the provider has none, the change is seen by polling only
NAMES: dict[str, str | None] = {
    "pending": "payout.pending",
    "scheduled": None,
    "queued": "payout.queued",
    "processing": "payout.initiated",
    "processed": "payout.processed",
    "failed": "payout.failed",
    "reversed": "payout.reversed",
    "cancelled": None,
    "rejected": "payout.rejected",
}


@dataclass(frozen=True)
class Notice:
    """Something that happened to `subject_id`. `name` None: no webhook exists for it."""

    name: str | None
    subject_id: str
    old_status: str | None
    new_status: str
    contains: str  # the key under `payload`
    entity: dict[str, Any]


def sign(raw: bytes, secret: str) -> str:
    """Hex HMAC-SHA256 over the exact bytes."""
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def row_of(box: Box, notice: Notice, now: datetime) -> dict[str, Any]:
    """The outbox row of a notice: the body as it will be sent, or silence."""
    row: dict[str, Any] = {
        "id": new_id("event"),
        "name": notice.name,
        "subject_id": notice.subject_id,
        "old_status": notice.old_status,
        "new_status": notice.new_status,
        "body": None,
        "signature": None,
        "state": "silent",
    }
    if notice.name is None:
        return row
    raw = shapes.encode(
        {
            "entity": "event",
            "account_id": ACCOUNT_ID,
            "event": notice.name,
            "contains": [notice.contains],
            "payload": {notice.contains: {"entity": notice.entity}},
            "created_at": int(now.timestamp()),
        }
    )
    row.update(body=raw.decode(), signature=sign(raw, box.config.webhook_secret), state=_state(box, notice.name))
    return row


def _state(box: Box, name: str) -> str:
    if box.config.webhook_url is None or name not in box.switches.events:
        return "silent"
    return "pending" if box.switches.webhooks_enabled else "dropped"


COLUMNS = ("id", "name", "subject_id", "old_status", "new_status", "body", "signature", "state")

WRITE = text(
    "INSERT INTO sandbox.event (id, name, subject_id, old_status, new_status, body, signature, state, next_attempt_at, created_at) "
    "SELECT e.id, e.name, e.subject_id, e.old_status, e.new_status, e.body, e.signature, e.state, :now, :now "
    "FROM unnest(CAST(:id AS text[]), CAST(:name AS text[]), CAST(:subject_id AS text[]), CAST(:old_status AS text[]), "
    "CAST(:new_status AS text[]), CAST(:body AS text[]), CAST(:signature AS text[]), CAST(:state AS text[])) "
    "WITH ORDINALITY AS e (id, name, subject_id, old_status, new_status, body, signature, state, nr) ORDER BY e.nr"
)


def write(conn: Connection, box: Box, notices: Iterable[Notice], now: datetime) -> None:
    """Put notices into the outbox, in order. The caller commits and rings the courier."""
    rows: Sequence[dict[str, Any]] = [row_of(box, notice, now) for notice in notices]
    if rows:
        conn.execute(WRITE, {"now": now, **{column: [row[column] for row in rows] for column in COLUMNS}})
