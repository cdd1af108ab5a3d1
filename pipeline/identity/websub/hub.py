"""The hub's door: what subscribers ask for, and what our participants publish. Calls out nowhere; jobs do (verify.py, delivery.py).

A subscription that is asked for again goes on as it is while the new one is verified. Events are kept with one delivery for
each subscriber of the moment; published again, an event reaches also those who came later or are said to have it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from pipeline.errors import AppError
from pipeline.identity.messages import STATUS_TOPIC, Publication, Published, Subscription
from pipeline.ids import uuid7
from pipeline.masterdata.master import MasterData
from pipeline.packets.log import PacketHeader, identity_header, write_packets
from pipeline.runtime import Runtime

LEASE_S = 86_400  # a day, when the subscriber names none
SHORTEST_LEASE_S, LONGEST_LEASE_S = 60, 10 * 86_400  # below, it is renewed all the time; above, the dead are served for weeks
MAX_SECRET_BYTES = 199  # WebSub: less than 200
MAX_TOPIC, MAX_CALLBACK = 200, 500  # what the columns take
MAX_SUBSCRIPTIONS = 1000  # of a topic: more are a mistake or an attack
SEALED = "websub.secret"
_LEASE = re.compile(r"[0-9]{1,9}")

_ASK = text("""
    INSERT INTO websub.subscription AS s
        (id, topic, callback, status_code, lease_s, asked_at, next_attempt_at, wanted, wanted_lease_s)
    VALUES (:id, :topic, :callback, 'PENDING', :lease_s, :now, :now, :wanted, :lease_s)
    ON CONFLICT (topic, callback) DO UPDATE
    SET asked_at = :now, next_attempt_at = :now, attempts = 0, wanted = excluded.wanted, wanted_lease_s = excluded.wanted_lease_s,
        wanted_secret_sealed = NULL, status_code = CASE WHEN s.status_code = 'ACTIVE' THEN 'ACTIVE' ELSE 'PENDING' END
    RETURNING s.id
""")
_SECRET = text("UPDATE websub.subscription SET wanted_secret_sealed = :sealed WHERE id = :id")
_COUNT = text("SELECT count(*) FROM websub.subscription WHERE topic = :topic AND status_code IN ('PENDING', 'ACTIVE')")
_KNOWN = text("SELECT 1 FROM websub.subscription WHERE topic = :topic AND callback = :callback")
_HOLDS = text("""
    SELECT CASE WHEN wanted IS NULL THEN expires_at ELSE NULL END AS until FROM websub.subscription
    WHERE topic = :topic AND callback = :callback AND status_code = 'ACTIVE' AND expires_at > :now
""")
_EVENTS = text("""
    INSERT INTO websub.event (id, tenant_id, topic, content, content_type, published_at)
    SELECT v.id, v.tenant_id, v.topic, decode(v.content, 'hex'), v.content_type, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, tenant_id text, topic text, content text, content_type text)
    ON CONFLICT (id) DO NOTHING
""")
_DELIVERIES = text("""
    INSERT INTO websub.delivery AS d (id, event_id, subscription_id, tenant_id, status_code, next_attempt_at, created_at)
    SELECT gen_random_uuid(), e.id, s.id, e.tenant_id, 'NEW', :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, again boolean)
    JOIN websub.event e ON e.id = v.id
    JOIN websub.subscription s ON s.topic = e.topic AND s.status_code = 'ACTIVE' AND s.expires_at > :now
    ON CONFLICT (event_id, subscription_id) DO UPDATE
    SET status_code = 'NEW', attempts = 0, next_attempt_at = :now, dead_at = NULL, delivered_at = NULL, status_comment = NULL
    WHERE EXISTS (SELECT FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS v(id uuid, again boolean)
                  WHERE v.id = d.event_id AND v.again)
""")


@dataclass(frozen=True)
class Ask:
    """A subscriber's wish, checked."""

    mode: Literal["SUBSCRIBE", "UNSUBSCRIBE"]
    topic: str
    callback: str
    lease_s: int
    secret: str | None


def read_ask(form: Mapping[str, str]) -> Ask:
    """The wish of a form. Raises SDCRS_INVALID_REQUEST naming the field."""
    mode = form.get("hub.mode", "")
    if mode not in ("subscribe", "unsubscribe"):
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.mode", detail="must be subscribe, unsubscribe or publish")
    topic, callback, secret = form.get("hub.topic", ""), form.get("hub.callback", ""), form.get("hub.secret") or None
    if not 1 <= len(topic) <= MAX_TOPIC or not topic.isprintable():
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.topic", detail=f"must have 1 to {MAX_TOPIC} characters")
    _check_callback(callback)
    if secret is not None and len(secret.encode()) > MAX_SECRET_BYTES:
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.secret", detail="must be shorter than 200 bytes")
    lease = form.get("hub.lease_seconds") or str(LEASE_S)
    if not _LEASE.fullmatch(lease):
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.lease_seconds", detail="must be a whole number of seconds")
    bounded = min(max(int(lease), SHORTEST_LEASE_S), LONGEST_LEASE_S)
    return Ask("SUBSCRIBE" if mode == "subscribe" else "UNSUBSCRIBE", topic, callback, bounded, secret)


def _check_callback(callback: str) -> None:
    parts = urlsplit(callback) if callback.isascii() and callback.isprintable() and " " not in callback else None
    try:
        good = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts is None or parts.username is not None or parts.fragment or not 8 <= len(callback) <= MAX_CALLBACK:
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.callback", detail="must be an http or https address without name or fragment")


def ask(conn: Connection, rt: Runtime, wish: Ask, now: datetime) -> None:
    """Take a wish down; whether the subscriber means it, the verifying job asks it. The caller commits.

    A topic that there is not is taken down to be denied, as WebSub has it. Raises SDCRS_NOT_FOUND for the end of a subscription
    that is none, and SDCRS_TOO_MANY_SUBSCRIPTIONS.
    """
    known = conn.execute(_KNOWN, {"topic": wish.topic, "callback": wish.callback}).one_or_none() is not None
    if wish.mode == "UNSUBSCRIBE" and not known:
        raise AppError("SDCRS_NOT_FOUND", kind="subscription to", id=wish.topic)
    if not known and conn.execute(_COUNT, {"topic": wish.topic}).scalar_one() >= MAX_SUBSCRIPTIONS:
        raise AppError("SDCRS_TOO_MANY_SUBSCRIPTIONS", topic=wish.topic)
    wanted = wish.mode if wish.mode == "UNSUBSCRIBE" or wish.topic in topics(rt.masterdata.current()) else "DENY"
    params = {"id": uuid7(now), "topic": wish.topic, "callback": wish.callback, "lease_s": wish.lease_s, "now": now, "wanted": wanted}
    subscription_id = conn.execute(_ASK, params).scalar_one()
    if wish.secret is not None:
        sealed = rt.vault.seal(SEALED, str(subscription_id), wish.secret.encode())
        conn.execute(_SECRET, {"id": subscription_id, "sealed": sealed})


def topics(md: MasterData) -> frozenset[str]:
    """Everything that can be subscribed to: each partner's credentials in any tenant, and what becomes of them."""
    tenants = [tenant.id for tenant in md.tenants()]
    return frozenset(partner.topic for tenant in tenants for partner in md.partners(tenant)) | {STATUS_TOPIC}


def may_subscribe(rt: Runtime, callback: str, own: str) -> bool:
    """Whether deliveries may go there: to ourselves, and to whom the operator lists. A stranger would use up shares."""
    listed = rt.settings.websub_subscribers
    return any(callback.startswith(f"{prefix.rstrip('/')}/") or callback == prefix for prefix in (own, *listed))


def holds_until(rt: Runtime, wanted: Subscription, now: datetime) -> datetime | None:
    """When a subscription ends; None when there is none or it is being verified."""
    with rt.database.worker() as conn:
        found = conn.execute(_HOLDS, {"topic": wanted.topic, "callback": wanted.callback, "now": now}).one_or_none()
    return None if found is None else found.until


def publish(rt: Runtime, events: Sequence[Publication], now: datetime) -> list[Published]:
    """Keep events and a delivery of each for every subscriber. An event that there is stays as it is. Commits.

    Raises SDCRS_INVALID_REQUEST for a topic that there is not.
    """
    known = topics(rt.masterdata.current())
    if any(event.topic not in known for event in events):
        raise AppError("SDCRS_INVALID_REQUEST", field="hub.topic", detail="is no topic of this hub")
    rows = [
        {
            "id": str(event.event_id),
            "tenant_id": event.about.tenant_id,
            "topic": event.topic,
            "content": event.content.hex(),
            "content_type": event.content_type,
        }
        for event in events
    ]
    again = [{"id": str(event.event_id), "again": event.again} for event in events]
    with rt.database.worker() as conn:
        conn.execute(_EVENTS, {"rows": json.dumps(rows), "now": now})
        conn.execute(_DELIVERIES, {"rows": json.dumps(again), "now": now})
        write_packets(conn, said(events, now))
    return [Published(event.event_id) for event in events]


def said(events: Sequence[Publication], now: datetime) -> list[PacketHeader]:
    """The headers for which publications stand."""
    return [
        identity_header(step, e.about.registration_id, e.about.tenant_id, now, correlation_id=e.about.request_id, causation_id=e.event_id)
        for e in events
        for step in e.packets
    ]


def lease_end(now: datetime, lease_s: int) -> datetime:
    """When a subscription that is verified now ends."""
    return now + timedelta(seconds=lease_s)
