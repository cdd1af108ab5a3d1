"""The provider's webhooks: signature over the raw bytes, stored first, answered at once, and settled by a batch job.

A signed event is never refused for what it says: refusals for a day make the provider switch the webhook off. The event id
is not signed, so what an event does is idempotent by payout and status, not by its id. Nothing here believes an event that
names another amount, another address or another payout than the attempt it refers to.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.database.engine import at_once
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.jobs.batch import BatchJob
from pipeline.jobs.job import NOT_FAILED
from pipeline.masterdata.master import MasterData
from pipeline.packets.contracts.common import parse, read_json
from pipeline.packets.contracts.webhook import PayoutEntity, WebhookEvent
from pipeline.payouts.calls import is_ours
from pipeline.payouts.provider import target_of
from pipeline.payouts.reasons import LOW_BALANCE
from pipeline.payouts.settle import Seen, settle
from pipeline.payouts.states import DEAD, RANKS
from pipeline.payouts.trail import Said
from pipeline.runtime import Runtime
from pipeline.vault.persons import Vault

NAME = "payout.settle"
BATCH = 200  # events a transaction
MAX_BYTES = 256 * 1024  # the provider's events are a few KB
SIGNATURE_HEADER = "x-razorpay-signature"
EVENT_ID_HEADER = "x-razorpay-event-id"
LOOK_AGAIN = timedelta(minutes=1)  # for a payout of ours that we do not know: a restored database, a transaction that commits late
LOOK_UNTIL = timedelta(hours=24)  # as long as the provider itself goes on delivering

_STORE = text("""
    INSERT INTO payout.webhook_event (id, event_id, event, provider_payout_id, reference_id, provider_status, sealed, received_at,
                                      next_look_at, processed_at, outcome)
    VALUES (:id, :event_id, :event, :provider_payout_id, :reference_id, :provider_status, :sealed, :now, :now,
            CAST(:processed_at AS timestamptz), :outcome)
    ON CONFLICT (event_id) DO NOTHING RETURNING id
""")
_CLAIM = text(f"""
    SELECT q.id FROM payout.webhook_event q
    WHERE q.processed_at IS NULL AND (CAST(:only AS uuid[]) IS NULL OR q.id = ANY (:only)) AND q.next_look_at <= :now AND {NOT_FAILED}
    ORDER BY q.received_at, q.id LIMIT :limit FOR UPDATE OF q SKIP LOCKED
""")  # noqa: S608 - a constant fragment, no value
_LOAD = text("""
    SELECT id, event_id, event, provider_payout_id, reference_id, sealed, received_at
    FROM payout.webhook_event WHERE id = ANY (:ids) ORDER BY received_at, id
""")
_BY_PAYOUT = text("SELECT id, provider_payout_id FROM payout.attempt WHERE provider_payout_id = ANY (:ids)")
_BY_REFERENCE = text("SELECT id, reference_id FROM payout.attempt WHERE reference_id = ANY (:references)")
_DONE = text("""
    UPDATE payout.webhook_event e SET processed_at = :now, outcome = v.outcome, attempt_id = v.attempt_id, tenant_id = a.tenant_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:attempts AS uuid[])) AS v (id, outcome, attempt_id)
    LEFT JOIN payout.attempt a ON a.id = v.attempt_id
    WHERE e.id = v.id
""")
_LATER = text("UPDATE payout.webhook_event SET next_look_at = :at WHERE id = ANY (:ids)")
_WAITING = text("""
    SELECT count(*) AS waiting, min(next_look_at) AS due FROM payout.webhook_event WHERE processed_at IS NULL AND next_look_at > :now
""")


@dataclass(frozen=True)
class Receipt:
    """What became of a delivery: stored now, or known before."""

    event_id: str
    event: str
    fresh: bool


def receive(rt: Runtime, raw: bytes, headers: Mapping[str, str], now: datetime) -> Receipt:
    """Check the signature and store the event; whatever it says is looked at later. Commits.

    Raises SDCRS_BODY_TOO_LARGE, SDCRS_BAD_SIGNATURE and, for a signed body that is no JSON object, SDCRS_INVALID_JSON.
    """
    return receive_all(rt, [(raw, headers)], now)[0]


def receive_all(rt: Runtime, deliveries: Sequence[tuple[bytes, Mapping[str, str]]], now: datetime) -> list[Receipt]:
    """The same for several, each with its headers, in one transaction: one that is refused refuses them all."""
    rows = [_checked(rt, raw, headers, now) for raw, headers in deliveries]
    with rt.database.worker() as conn:
        stored = at_once(conn, *((_STORE, row) for row in rows))
    return [Receipt(row["event_id"], row["event"], bool(found)) for row, found in zip(rows, stored, strict=True)]


def _checked(rt: Runtime, raw: bytes, headers: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """The row of a delivery that is genuine. Raises what `receive` raises."""
    if len(raw) > MAX_BYTES:
        raise AppError("SDCRS_BODY_TOO_LARGE", maxBytes=MAX_BYTES)
    named = {name.lower(): value for name, value in headers.items()}
    if not signed(raw, named.get(SIGNATURE_HEADER), target_of(rt.settings).webhook_secrets):
        raise AppError("SDCRS_BAD_SIGNATURE")
    body = read_json(raw)
    if not isinstance(body, dict):
        raise AppError("SDCRS_INVALID_JSON", detail="the body must be an object")
    event_id = (named.get(EVENT_ID_HEADER) or "").strip()[:128] or f"body-{hashlib.sha256(raw).hexdigest()}"
    read = _read(body)
    payout = read.payout if read is not None else None
    outcome = "UNREADABLE" if read is None else "IGNORED" if payout is None else None
    return {
        "id": uuid7(now),
        "event_id": event_id,
        "event": read.event if read is not None else str(body.get("event"))[:64],
        "provider_payout_id": payout.id if payout else None,
        "reference_id": payout.reference_id if payout else None,
        "provider_status": payout.status if payout else None,
        "sealed": rt.vault.seal("payout.webhook", event_id, raw),
        "now": now,
        "processed_at": None if outcome is None else now,
        "outcome": outcome,
    }


def signed(raw: bytes, signature: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes. During a rotation the older secret still signs what it once did."""
    if not signature or not signature.isascii():
        return False
    given = signature.strip().lower().encode()
    matches = [hmac.compare_digest(hmac.digest(secret.encode(), raw, "sha256").hex().encode(), given) for secret in secrets]
    return any(matches)  # all are compared, so that the time tells nothing


def settle_job(rt: Runtime) -> BatchJob:
    """The job that settles stored events, as the worker runs it."""
    return _SettleJob(rt)


class _SettleJob(BatchJob):
    def __init__(self, rt: Runtime) -> None:
        def work(conn: Connection, ids: list[UUID], now: datetime) -> None:
            settle_events(conn, rt.masterdata.current(), rt.vault, ids, now)

        super().__init__(NAME, rt.database, _claim, work, BATCH)
        self._rt = rt

    def waits_for(self, now: datetime) -> tuple[int, datetime] | None:
        with self._rt.database.worker() as conn:
            row = conn.execute(_WAITING, {"now": now}).one()
        return (row.waiting, row.due) if row.waiting else super().waits_for(now)


def _claim(conn: Connection, now: datetime, limit: int, only: Sequence[UUID] | None) -> list[UUID]:
    params = {"job": NAME, "now": now, "limit": limit, "only": None if only is None else list(only)}
    return list(conn.execute(_CLAIM, params).scalars())


def settle_events(conn: Connection, md: MasterData, vault: Vault, ids: Sequence[UUID], now: datetime) -> None:
    """Settle events in order of receipt; one about a payout that is not known yet is kept for later. Does not commit."""
    events = conn.execute(_LOAD, {"ids": list(ids)}).all()
    attempts = _attempts(conn, events)
    seen: list[tuple[Row[Any], Seen]] = []
    done: list[tuple[UUID, str, UUID | None]] = []
    later: list[UUID] = []
    for event in events:
        attempt_id = attempts.get(event.id)
        if attempt_id is None:
            if is_ours(event.reference_id) and event.received_at > now - LOOK_UNTIL:
                later.append(event.id)
            else:
                done.append((event.id, "UNKNOWN_PAYOUT", None))
            continue
        body = json.loads(vault.unseal("payout.webhook", event.event_id, event.sealed))  # it was read strictly when it came
        payout = parse(WebhookEvent, body).payout
        if payout is None or payout.status not in RANKS:
            done.append((event.id, "IGNORED", attempt_id))
            continue
        said = (Said(packet_of(event.event, payout), event.event_id, body),)
        seen.append((event, Seen(attempt_id, payout, "WEBHOOK", event.received_at, said)))
    verdicts = settle(conn, md, [one for _, one in seen], now)
    done += [(event.id, verdict, one.attempt_id) for (event, one), verdict in zip(seen, verdicts, strict=True)]
    if done:
        params = {"ids": [d[0] for d in done], "outcomes": [d[1] for d in done], "attempts": [d[2] for d in done], "now": now}
        conn.execute(_DONE, params)
    if later:
        conn.execute(_LATER, {"ids": later, "at": now + LOOK_AGAIN})


def _attempts(conn: Connection, events: Sequence[Row[Any]]) -> dict[UUID, UUID]:
    """The attempt that each event is about: by the provider's id, else by our reference, since events outrun answers."""
    ids = [event.provider_payout_id for event in events]
    by_payout = {row.provider_payout_id: row.id for row in conn.execute(_BY_PAYOUT, {"ids": ids})}
    references = [event.reference_id for event in events if event.provider_payout_id not in by_payout and event.reference_id]
    by_reference = {row.reference_id: row.id for row in conn.execute(_BY_REFERENCE, {"references": references})} if references else {}
    found = {event.id: by_payout.get(event.provider_payout_id) or by_reference.get(event.reference_id) for event in events}
    return {event_id: attempt_id for event_id, attempt_id in found.items() if attempt_id is not None}


def packet_of(event: str, payout: PayoutEntity) -> str:
    """The packet as which an event is filed."""
    if event == "payout.queued" and payout.reason == LOW_BALANCE:
        return "11/08"
    if payout.status == "processed":
        return "08/07"
    return "08/08" if payout.status in DEAD else "08/06"


def _read(body: dict[str, Any]) -> WebhookEvent | None:
    try:
        return parse(WebhookEvent, body)
    except AppError:
        return None
