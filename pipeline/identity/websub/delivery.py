"""Deliveries: each event to each subscriber, signed with the subscriber's secret, until it is taken or given up.

2xx is delivered, 410 ends the subscription, everything else is tried again ever more slowly. What was delivered and lost all
the same is found by the comparison (compare.py), not here.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import DELIVERING
from pipeline.identity.effect import BATCH, Effect, EffectJob, Failed, failure_of
from pipeline.identity.messages import Delivered
from pipeline.identity.websub.hub import SEALED
from pipeline.identity.websub.outward import Call, Outward
from pipeline.identity.websub.signature import signature
from pipeline.runtime import Runtime

NAME = "identity.deliver"
GONE = 410

_CLAIM = text("""
    WITH due AS (
        SELECT q.id FROM websub.delivery q
        WHERE q.status_code IN ('NEW', 'FAILED') AND q.dead_at IS NULL AND q.next_attempt_at <= :now
        ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE websub.delivery t SET attempts = t.attempts + 1, next_attempt_at = :lease
    FROM due, websub.event e, websub.subscription s
    WHERE t.id = due.id AND e.id = t.event_id AND s.id = t.subscription_id
    RETURNING t.id, t.attempts, t.subscription_id, e.topic, e.content, e.content_type, s.callback, s.secret_sealed,
              s.status_code = 'ACTIVE' AND s.expires_at > :now AS active
""")
_DELIVERED = text("""
    UPDATE websub.delivery SET status_code = 'DELIVERED', delivered_at = :now, status_comment = NULL
    WHERE id = ANY (:ids) AND status_code IN ('NEW', 'FAILED')
""")
_FAILED = text("""
    UPDATE websub.delivery t
    SET status_code = 'FAILED', status_comment = v.comment, next_attempt_at = v.next_attempt_at, dead_at = v.dead_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, comment text, next_attempt_at timestamptz, dead_at timestamptz)
    WHERE t.id = v.id AND t.status_code IN ('NEW', 'FAILED')
""")
_ENDED = text("""
    UPDATE websub.subscription SET status_code = 'ENDED', status_comment = :comment
    WHERE id = ANY (:ids) AND status_code = 'ACTIVE'
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM websub.delivery
    WHERE status_code IN ('NEW', 'FAILED') AND dead_at IS NULL
""")

Item = Row[Any]
Outcome = Delivered | Failed


def delivery_job(rt: Runtime, outward: Outward, hub_url: str) -> EffectJob[Item, Outcome]:
    """The job that brings events to subscribers. `hub_url`: how the hub calls itself in the Link of a delivery."""

    def act(items: list[Item]) -> Sequence[Outcome]:
        calls = [_call(rt, item, hub_url) for item in items]
        answers = iter(outward.deliver([one for one in calls if isinstance(one, Call)]))
        return [one if isinstance(one, Failed) else next(answers) for one in calls]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    rows = conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": BATCH})
    return sorted(rows, key=lambda row: str(row.id))


def _call(rt: Runtime, item: Item, hub_url: str) -> Call | Failed:
    if not item.active:
        return Failed("SUBSCRIPTION_ENDED", final=True)
    content = bytes(item.content)
    headers = {"Content-Type": item.content_type, "Link": f'<{hub_url}>; rel="hub", <{item.topic}>; rel="self"'}
    if item.secret_sealed is not None:
        try:
            secret = rt.vault.unseal(SEALED, str(item.subscription_id), item.secret_sealed).decode()
        except Exception as error:  # noqa: BLE001 - sorted by failure_of: a secret that cannot be opened takes no other with it
            return failure_of(error)
        headers["X-Hub-Signature"] = signature(secret, content)
    return Call(item.callback, headers, content)


def _settle(conn: Connection, pairs: list[tuple[Item, Outcome]], now: datetime) -> None:
    taken = [item.id for item, outcome in pairs if isinstance(outcome, Delivered) and 200 <= outcome.status < 300]
    gone = [item.subscription_id for item, outcome in pairs if isinstance(outcome, Delivered) and outcome.status == GONE]
    if taken:
        conn.execute(_DELIVERED, {"ids": taken, "now": now})
    if gone:
        conn.execute(_ENDED, {"ids": gone, "comment": "the subscriber is gone (410)"})
    rows = [_failed(item, outcome, now) for item, outcome in pairs if item.id not in set(taken)]
    if rows:
        conn.execute(_FAILED, {"rows": json.dumps(rows)})


def _failed(item: Item, outcome: Outcome, now: datetime) -> dict[str, Any]:
    failed = outcome if isinstance(outcome, Failed) else Failed(f"HTTP_{outcome.status}", final=outcome.status == GONE)
    over = failed.code in ("SUBSCRIPTION_ENDED", f"HTTP_{GONE}") or DELIVERING.is_over(item.attempts)
    return {
        "id": str(item.id),
        "comment": failed.comment,
        "next_attempt_at": (now + DELIVERING.after(item.attempts)).isoformat(),
        "dead_at": now.isoformat() if over else None,
    }
