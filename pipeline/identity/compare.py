"""The comparison: what was issued some time ago and never answered. Lost messages are found here and sent once more.

An event that the authentication side does not know is published again, so many times; an answer that the generator does not
know is said again. After that the request is given up to a person, and stands among the stuck ones.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.identity.backoff import COMPARING
from pipeline.identity.credentials.generator import opened, without_number
from pipeline.identity.credentials.service import partner_of, publication
from pipeline.identity.effect import BATCH, Effect, EffectJob, Failed, failure_of
from pipeline.identity.messages import IssueRequest, Publication, Published
from pipeline.identity.ports import Hub
from pipeline.runtime import Runtime

NAME = "identity.compare"
LOST = "NO_ANSWER"

_CLAIM = text("""
    WITH due AS (
        SELECT q.id FROM credential.credential_transaction q
        WHERE q.status_code = 'ISSUED' AND q.dead_at IS NULL AND q.next_attempt_at <= :now
        ORDER BY q.next_attempt_at, q.id LIMIT :limit FOR UPDATE SKIP LOCKED)
    UPDATE credential.credential_transaction t SET next_attempt_at = :lease, upd_dtimes = :now
    FROM due, credential.issuance i WHERE t.id = due.id AND i.id = t.credential_id
    RETURNING t.*, i.share_id, i.event_id, i.published
""")
_ARRIVED = text("""
    SELECT event_id, ended_at IS NOT NULL AS ended, acknowledged_at IS NOT NULL AS acknowledged
    FROM ida.credential_event_store WHERE event_id = ANY (:ids)
""")
_SAY_AGAIN = text("""
    UPDATE ida.credential_event_store SET acknowledged_at = NULL, next_attempt_at = :now, upd_dtimes = :now
    WHERE event_id = ANY (:ids) AND ended_at IS NOT NULL AND acknowledged_at IS NOT NULL
""")
_COUNT = text("UPDATE credential.issuance SET published = published + 1 WHERE id = ANY (:ids)")
_NEXT = text("""
    UPDATE credential.credential_transaction t
    SET next_attempt_at = v.next_attempt_at, dead_at = v.dead_at, status_comment = v.comment, upd_dtimes = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, next_attempt_at timestamptz, dead_at timestamptz, comment text)
    WHERE t.id = v.id AND t.status_code = 'ISSUED'
""")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_attempt_at) AS due FROM credential.credential_transaction
    WHERE status_code = 'ISSUED' AND dead_at IS NULL
""")

Item = Row[Any]


@dataclass(frozen=True)
class Found:
    """What the comparison says of one: still under way there, answered without an answer here, published again, or given up."""

    what: Literal["UNDER_WAY", "UNSAID", "PUBLISHED", "LOST"]
    failed: Failed | None = None


def compare_job(rt: Runtime, hub: Hub) -> EffectJob[Item, Found]:
    """The job that compares."""

    def act(items: list[Item]) -> Sequence[Found]:
        with rt.database.worker() as conn:
            arrived = {row.event_id: row for row in conn.execute(_ARRIVED, {"ids": [item.event_id for item in items]})}
        found: dict[UUID, Found] = {}
        lost: list[tuple[Item, Publication]] = []
        for item in items:
            known = arrived.get(item.event_id)
            if known is not None:
                found[item.id] = Found("UNSAID" if known.acknowledged else "UNDER_WAY")
            elif COMPARING.is_over(item.published):
                found[item.id] = Found("LOST")
            else:
                try:
                    lost.append((item, _again(rt, item)))
                except Exception as error:  # noqa: BLE001 - sorted by failure_of: one that cannot be read takes no other with it
                    found[item.id] = Found("UNDER_WAY", failure_of(error))
        for (item, _), answer in zip(lost, hub.publish([event for _, event in lost]), strict=True):
            found[item.id] = Found("PUBLISHED") if isinstance(answer, Published) else Found("UNDER_WAY", answer)
        return [found[item.id] for item in items]

    return EffectJob(rt, Effect(NAME, _claim, act, _settle, _WAITING))


def _claim(conn: Connection, now: datetime, lease: datetime) -> list[Item]:
    return sorted(conn.execute(_CLAIM, {"now": now, "lease": lease, "limit": BATCH}), key=lambda row: str(row.id))


def _again(rt: Runtime, item: Item) -> Publication:
    request = without_number(opened(rt, item))
    asked = IssueRequest(request, item.credential_id, item.share_id, item.event_id)
    return publication(asked, partner_of(rt, request), item.data_share_url, item.signature, item.issuance_date, again=True)


def _settle(conn: Connection, outcomes: list[tuple[Item, Found | Failed]], now: datetime) -> None:
    pairs = [(item, Found("UNDER_WAY", one) if isinstance(one, Failed) else one) for item, one in outcomes]
    unsaid = [item.event_id for item, found in pairs if found.what == "UNSAID"]
    published = [item.credential_id for item, found in pairs if found.what == "PUBLISHED"]
    if unsaid:
        conn.execute(_SAY_AGAIN, {"ids": unsaid, "now": now})
    if published:
        conn.execute(_COUNT, {"ids": published})
    rows = []
    for item, found in pairs:
        times = item.published + (found.what == "PUBLISHED")
        rows.append(
            {
                "id": str(item.id),
                "next_attempt_at": (now + COMPARING.after(max(times, 1))).isoformat(),
                "dead_at": now.isoformat() if found.what == "LOST" else None,
                "comment": LOST if found.what == "LOST" else found.failed.comment if found.failed else None,
            }
        )
    conn.execute(_NEXT, {"rows": json.dumps(rows), "now": now})
