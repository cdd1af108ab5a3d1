"""Verification of intent: the hub asks the callback whether it meant what was asked, and only then changes a subscription.

Who answers something else, or no, has asked for nothing; who cannot be reached is asked some times. A lease that ran out ends.
"""

import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import VERIFYING
from pipeline.identity.effect import Effect, EffectJob, Failed
from pipeline.identity.websub.hub import lease_end
from pipeline.identity.websub.outward import Outward
from pipeline.runtime import Runtime

NAME = "identity.subscriptions"
BATCH = 8  # they are asked one after the other, and each may take ten seconds of the lease
ENDED = "the lease ran out"

_LAPSED = text("""
    UPDATE websub.subscription SET status_code = 'ENDED', status_comment = :comment WHERE status_code = 'ACTIVE' AND expires_at <= :now
""")
_CLAIM = text("""
    WITH due AS (
        SELECT q.id FROM websub.subscription q WHERE q.wanted IS NOT NULL AND q.next_attempt_at <= :now
        ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE websub.subscription t SET attempts = t.attempts + 1, next_attempt_at = :lease FROM due WHERE t.id = due.id
    RETURNING t.id, t.topic, t.callback, t.wanted, t.wanted_lease_s, t.attempts, t.asked_at, t.status_code
""")
_CONFIRMED = text("""
    UPDATE websub.subscription
    SET status_code = CASE wanted WHEN 'SUBSCRIBE' THEN 'ACTIVE' ELSE 'ENDED' END,
        secret_sealed = CASE wanted WHEN 'SUBSCRIBE' THEN wanted_secret_sealed ELSE secret_sealed END,
        lease_s = wanted_lease_s, verified_at = :now, expires_at = CASE wanted WHEN 'SUBSCRIBE' THEN :expires_at ELSE :now END,
        status_comment = NULL, wanted = NULL, wanted_secret_sealed = NULL, next_attempt_at = NULL
    WHERE id = :id AND asked_at = :asked_at
""")
_REFUSED = text("""
    UPDATE websub.subscription
    SET status_code = CASE WHEN status_code = 'ACTIVE' AND wanted <> 'DENY' THEN 'ACTIVE' ELSE 'DENIED' END,
        status_comment = :comment, wanted = NULL, wanted_secret_sealed = NULL, next_attempt_at = NULL
    WHERE id = :id AND asked_at = :asked_at
""")
_LATER = text("UPDATE websub.subscription SET status_comment = :comment, next_attempt_at = :at WHERE id = :id AND asked_at = :asked_at")
_WAITING = text("SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM websub.subscription WHERE wanted IS NOT NULL")

Item = Row[Any]
Outcome = str | Failed  # the challenge came back, or why not


def verify_job(rt: Runtime, outward: Outward) -> EffectJob[Item, Outcome]:
    """The job that asks."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        return [_ask(outward, item) for item in items]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    conn.execute(_LAPSED, {"now": now, "comment": ENDED})
    return list(conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": BATCH}))


def _ask(outward: Outward, item: Item) -> Outcome:
    if item.wanted == "DENY":
        outward.ask(item.callback, {"hub.mode": "denied", "hub.topic": item.topic, "hub.reason": "there is no such topic"})
        return Failed("DENIED", "there is no such topic", final=True)
    challenge = secrets.token_urlsafe(32)
    query = {"hub.mode": item.wanted.lower(), "hub.topic": item.topic, "hub.challenge": challenge}
    if item.wanted == "SUBSCRIBE":
        query["hub.lease_seconds"] = str(item.wanted_lease_s)
    answer = outward.ask(item.callback, query)
    if isinstance(answer, Failed):
        return answer
    if not hmac.compare_digest(answer.encode(), challenge.encode()):
        return Failed("REFUSED", "another challenge came back", final=True)
    return challenge


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    for item, outcome in pairs:
        params = {"id": item.id, "asked_at": item.asked_at}  # who asked again meanwhile is asked again
        if isinstance(outcome, str):
            conn.execute(_CONFIRMED, {**params, "now": now, "expires_at": lease_end(now, item.wanted_lease_s)})
        elif outcome.final or VERIFYING.is_over(item.attempts):
            conn.execute(_REFUSED, {**params, "comment": outcome.comment})
        else:
            conn.execute(_LATER, {**params, "comment": outcome.comment, "at": now + VERIFYING.after(item.attempts)})
