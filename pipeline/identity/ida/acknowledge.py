"""Saying what became of a credential: CREDENTIAL_STATUS_UPDATE, after the commit that stored it or gave it up.

Never given up itself: without it the issuer would wait or issue again. Its event id follows from the event that it answers, so
that it is the same however often it is said.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import ACKNOWLEDGING
from pipeline.identity.credentials.callback import status_event, written
from pipeline.identity.effect import BATCH, Effect, EffectJob, Failed
from pipeline.identity.messages import STATUS_TOPIC, About, Publication, Published
from pipeline.identity.ports import Hub
from pipeline.runtime import Runtime

NAME = "identity.acknowledge"
PUBLISHER = "IDA"
MAX_RETRIES = "MAX_RETRIES"

_CLAIM = text("""
    WITH due AS (
        SELECT q.event_id FROM ida.credential_event_store q
        WHERE q.ended_at IS NOT NULL AND q.acknowledged_at IS NULL AND q.next_attempt_at <= :now
        ORDER BY q.next_attempt_at, q.event_id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE ida.credential_event_store t SET ack_attempts = t.ack_attempts + 1, next_attempt_at = :lease, upd_dtimes = :now
    FROM due WHERE t.event_id = due.event_id
    RETURNING t.event_id, t.tenant_id, t.registration_id, t.credential_transaction_id, t.credential_id, t.status_code, t.status_comment,
              t.ack_attempts, t.ended_at
""")
_SAID = text("""
    UPDATE ida.credential_event_store SET acknowledged_at = :now, upd_dtimes = :now
    WHERE event_id = ANY (:ids) AND ended_at IS NOT NULL AND acknowledged_at IS NULL
""")
_LATER = text("""
    UPDATE ida.credential_event_store SET next_attempt_at = :at, upd_dtimes = :now WHERE event_id = :id AND acknowledged_at IS NULL
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM ida.credential_event_store
    WHERE ended_at IS NOT NULL AND acknowledged_at IS NULL
""")

Item = Row[Any]
Outcome = Published | Failed


def acknowledge_job(rt: Runtime, hub: Hub) -> EffectJob[Item, Outcome]:
    """The job of step 6."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        return hub.publish([_publication(item) for item in items])

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def status_event_id(event_id: UUID) -> UUID:
    """The id of the event that answers another."""
    return uuid5(event_id, STATUS_TOPIC)


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    return sorted(conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": BATCH}), key=lambda row: str(row.event_id))


def _publication(item: Item) -> Publication:
    stored = item.status_code == "STORED"
    reason = None if stored else MAX_RETRIES if item.status_code == "FAILED_WITH_MAX_RETRIES" else item.status_comment
    event_id = status_event_id(item.event_id)
    event = status_event(
        event_id, item.credential_transaction_id, item.credential_id, "STORED" if stored else "FAILED", reason, item.ended_at
    )
    whole = {"publisher": PUBLISHER, "topic": STATUS_TOPIC, "publishedOn": item.ended_at.isoformat(), "event": event}
    about = About(item.tenant_id, item.registration_id, item.credential_transaction_id)
    return Publication(about, event_id, STATUS_TOPIC, written(whole), ("26/01",), again=item.ack_attempts > 1)


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    said = [item.event_id for item, outcome in pairs if isinstance(outcome, Published)]
    if said:
        conn.execute(_SAID, {"ids": said, "now": now})
    for item, outcome in pairs:
        if isinstance(outcome, Failed):
            conn.execute(_LATER, {"id": item.event_id, "at": now + ACKNOWLEDGING.after(item.ack_attempts), "now": now})
