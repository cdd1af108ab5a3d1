"""Payouts: creating one exactly once per key, reading, listing, cancelling."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from pipeline.payouts.sandbox import books, outcomes, refusals, rules, shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.events import NAMES, Notice, row_of, write
from pipeline.payouts.sandbox.ids import new_id
from pipeline.payouts.sandbox.outcomes import next_step, script_of
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Reply, Request, ok

# The key is taken first and decides: a request that loses this race waits here until the winner has committed.
TAKE_KEY = text(
    "WITH taken AS (INSERT INTO sandbox.idempotency_key (key, body_sha256, payout_id, created_at) "
    "VALUES (:key, :body, :payout, :now) ON CONFLICT (key) DO NOTHING RETURNING 1) "
    "SELECT EXISTS (SELECT 1 FROM taken) AS fresh, f.id, f.address, f.active, c.active AS contact_active "
    "FROM (VALUES (1)) AS always (one) LEFT JOIN sandbox.fund_account AS f ON f.id = :fund_account "
    "LEFT JOIN sandbox.contact AS c ON c.id = f.contact_id"
)

# Takes the account row; nothing comes back when the balance does not reach.
DEBIT = text(
    "UPDATE sandbox.account SET balance_paise = balance_paise - :debit "
    "WHERE account_number = :number AND balance_paise >= :debit RETURNING balance_paise"
)

# Payout, statement line (when it was debited) and event in one round trip: the account row is held meanwhile.
RECORD = text(
    "WITH made AS (INSERT INTO sandbox.payout (id, account_number, fund_account_id, amount_paise, fees_paise, tax_paise, mode, purpose, "
    "reference_id, narration, notes, status, reason, held_paise, script, step, due_at, first_reply, created_at, changed_at) "
    "VALUES (:id, :account_number, :fund_account_id, :amount_paise, :fees_paise, :tax_paise, :mode, :purpose, "
    ":reference_id, :narration, CAST(:notes_json AS jsonb), :status, :reason, :held_paise, :script, 0, :due_at, :first_reply, :now, "
    ":now)), "
    "line AS (INSERT INTO sandbox.transaction (id, account_number, credit_paise, debit_paise, balance_paise, source_kind, source_id, "
    "payout_id, created_at) SELECT :line_id, :account_number, 0, :held_paise, :balance_paise, 'payout', :id, :id, :now "
    "WHERE CAST(:balance_paise AS bigint) IS NOT NULL) "
    "INSERT INTO sandbox.event (id, name, subject_id, new_status, body, signature, state, next_attempt_at, created_at) "
    "VALUES (:event_id, :event_name, :id, :status, :event_body, :event_signature, :event_state, :now, :now)"
)


def create(box: Box, request: Request) -> Reply:
    """Make a payout, once per key. The same key with the same body answers that payout; with another body it is refused."""
    key = rules.check_key(request.key)
    body = rules.parse(request.raw)
    now = box.now()
    with box.engine.begin() as conn:
        payout_id = new_id("pout")
        digest = hashlib.sha256(request.raw).hexdigest()
        _refuse_if_in_flight(conn, box, key)
        named = body.get("fund_account_id")
        values = {"key": key, "body": digest, "payout": payout_id, "now": now, "fund_account": named if isinstance(named, str) else None}
        found = conn.execute(TAKE_KEY, values).one()
        row = _new_row(conn, box, payout_id, body, found, now) if found.fresh else None
        repeated = None if found.fresh else _repeated(conn, box, key, digest)
    if row is not None:
        if row["due_at"] is not None:
            box.life_bell.ring(row["due_at"])
        box.courier_bell.ring(now)
        return Reply(row["first_reply"].encode())
    if isinstance(repeated, Reply):
        return repeated
    raise RefusedError(refusals.KEY_REUSED, field="X-Payout-Idempotency")  # after the commit: the conflict is on record


def _refuse_if_in_flight(conn: Connection, box: Box, key: str) -> None:
    """By switch, answer 409 instead of waiting for another request with this key."""
    if box.switches.key_in_flight == "conflict":
        free = conn.execute(text("SELECT pg_try_advisory_xact_lock(hashtextextended(:key, 8503))"), {"key": key}).scalar()
        if not free:
            raise RefusedError(refusals.KEY_IN_FLIGHT, status=409, field="X-Payout-Idempotency")


def _repeated(conn: Connection, box: Box, key: str, digest: str) -> Reply | None:
    """The answer to a key that was used before, None when it was used for another body; either is noted in the journal."""
    used = conn.execute(
        text(
            "UPDATE sandbox.idempotency_key SET replays = replays + CASE WHEN body_sha256 = :body THEN 1 ELSE 0 END, "
            "conflicts = conflicts + CASE WHEN body_sha256 = :body THEN 0 ELSE 1 END WHERE key = :key RETURNING body_sha256, payout_id"
        ),
        {"key": key, "body": digest},
    ).one()
    if used.body_sha256 != digest:
        return None
    row = _by_id(conn, used.payout_id)
    return Reply(row["first_reply"].encode()) if box.switches.replay == "saved" else ok(shapes.payout(row))


def _new_row(conn: Connection, box: Box, payout_id: str, body: dict[str, Any], found: Any, now: datetime) -> dict[str, Any]:
    """Check the request, take the money and write payout, statement line and event. A RefusedError undoes the key as well."""
    wanted = rules.new_payout(body, box.config.account_number)
    if found.id is None:
        raise RefusedError(refusals.UNKNOWN_ID, field="fund_account_id")
    if not found.active:
        raise RefusedError(refusals.INACTIVE_FUND_ACCOUNT, field="fund_account_id")
    if not found.contact_active:
        raise RefusedError(refusals.INACTIVE_CONTACT, field="fund_account_id")
    fees = box.switches.fee_paise
    row: dict[str, Any] = {
        "id": payout_id,
        "account_number": box.config.account_number,
        "fund_account_id": wanted.fund_account_id,
        "amount_paise": wanted.amount_paise,
        "fees_paise": fees,
        "tax_paise": books.tax_within(fees),
        "mode": wanted.mode,
        "purpose": wanted.purpose,
        "reference_id": wanted.reference_id,
        "narration": wanted.narration,
        "notes": wanted.notes,
        "notes_json": json.dumps(wanted.notes),
        "utr": None,
        "script": _script(conn, found.id, found.address),
        "created_at": now,
    }
    if box.switches.approval == "asked":
        row.update(status="pending", reason="pending_approval", held_paise=0, due_at=None)
        balance = None
    else:
        balance = _begin(conn, box, row, wanted.queue_if_low_balance, now)
    _record(conn, box, row, balance, now)
    return row


def _begin(conn: Connection, box: Box, row: dict[str, Any], queue_if_low_balance: bool, now: datetime) -> int | None:
    """Take the money, or say what happens without it; the balance afterwards, None when nothing was taken."""
    debit = row["amount_paise"] + row["fees_paise"]
    balance: int | None = conn.execute(DEBIT, {"debit": debit, "number": box.config.account_number}).scalar()
    if balance is not None:
        row.update(status="processing", reason=None, held_paise=debit, due_at=first_due(box, row["script"], now))
    elif queue_if_low_balance:
        row.update(status="queued", reason="low_balance", held_paise=0, due_at=None)
    elif box.switches.low_balance == "failed":
        row.update(status="failed", reason="insufficient_funds", held_paise=0, due_at=None)
    else:
        raise RefusedError(refusals.LOW_BALANCE, reason="insufficient_funds", field="amount")
    return balance


def _record(conn: Connection, box: Box, row: dict[str, Any], balance: int | None, now: datetime) -> None:
    """Write the payout with its statement line (`balance` None: it was not debited) and its events."""
    entity = shapes.payout(row)
    row["first_reply"] = shapes.encode(entity).decode()
    event = row_of(box, Notice(NAMES[row["status"]], row["id"], None, row["status"], "payout", entity), now)
    line = books.line("payout", row, row["held_paise"], balance or 0, now)
    values = {f"event_{name}": event[name] for name in ("id", "name", "body", "signature", "state")}
    conn.execute(RECORD, {**row, **values, "line_id": line["id"], "balance_paise": balance, "now": now})
    if balance is not None:
        write(conn, box, books.line_notice(box, line, row), now)


def first_due(box: Box, script: str, now: datetime) -> datetime | None:
    """When a payout that starts processing now takes its first step; None when a person must move it."""
    return due_of(box, next_step(script, 0), now)


def due_of(box: Box, step: outcomes.Step | None, now: datetime) -> datetime | None:
    """When a step is taken that follows what happened now."""
    if step is None or box.switches.life == "manual":
        return None
    return now + timedelta(seconds=box.switches.later_seconds if step.later else box.switches.delay_seconds)


def _script(conn: Connection, fund_account_id: str, address: str) -> str:
    """The outcome that the VPA names. `fails.once` counts the payouts to this fund account so far."""
    script = script_of(address)
    if script == "fails.once":
        earlier = text("SELECT EXISTS (SELECT 1 FROM sandbox.payout WHERE fund_account_id = :id)")
        return "paid" if conn.execute(earlier, {"id": fund_account_id}).scalar() else script
    return script


def _by_id(conn: Connection, payout_id: str) -> RowMapping:
    row = conn.execute(text("SELECT * FROM sandbox.payout WHERE id = :id"), {"id": payout_id}).mappings().one_or_none()
    if row is None:
        raise RefusedError(refusals.UNKNOWN_ID, field="id")
    return row


def get(box: Box, request: Request) -> Reply:
    """One payout as it is now."""
    payout_id = rules.check_id("pout", request.path["id"])
    with box.single.connect() as conn:
        row = _by_id(conn, payout_id)
        return ok(_expanded(conn, [row], request.expand)[0])


# Only constants become part of the statement; values are always bound.
FILTERS = {
    "account_number": "p.account_number = :account_number",
    "contact_id": "p.fund_account_id IN (SELECT f.id FROM sandbox.fund_account AS f WHERE f.contact_id = :contact_id)",
    "fund_account_id": "p.fund_account_id = :fund_account_id",
    "mode": "p.mode = :mode",
    "reference_id": "p.reference_id = :reference_id",
    "status": "p.status = :status",
}


def listed(box: Box, request: Request) -> Reply:
    """Payouts of the account, newest first. The order is ours: the provider promises none."""
    rules.check_account(request.query.get("account_number"), box.config.account_number)
    page = rules.page(request.query, FILTERS)
    where = [FILTERS[name] for name in page.filters]
    values: dict[str, Any] = {**page.filters, "count": page.count, "skip": page.skip}
    if page.created_from is not None:
        where.append("p.created_at >= :since")
        values["since"] = page.created_from
    if page.created_to is not None:
        where.append("p.created_at < :until")
        values["until"] = page.created_to
    tail = "ORDER BY p.seq DESC LIMIT :count OFFSET :skip"
    statement = f"SELECT p.* FROM sandbox.payout AS p WHERE {' AND '.join(where)} {tail}"  # noqa: S608
    with box.single.connect() as conn:
        rows = conn.execute(text(statement), values).mappings().all()
        return ok(shapes.collection(_expanded(conn, rows, request.expand)))


def _expanded(conn: Connection, rows: Any, expand: tuple[str, ...]) -> list[shapes.Entity]:
    """The payouts, with their fund accounts inside where `expand[]=fund_account` asks for it."""
    entities = [shapes.payout(row) for row in rows]
    if "fund_account" in expand and entities:
        wanted = list({entity["fund_account_id"] for entity in entities})
        found = conn.execute(text("SELECT * FROM sandbox.fund_account WHERE id = ANY (:ids)"), {"ids": wanted}).mappings()
        accounts = {row["id"]: shapes.fund_account(row) for row in found}
        for entity in entities:
            entity["fund_account"] = accounts[entity["fund_account_id"]]
    return entities


def cancel(box: Box, request: Request) -> Reply:
    """Take a payout out of the queue. There is no webhook for it."""
    payout_id = rules.check_id("pout", request.path["id"])
    now = box.now()
    with box.engine.begin() as conn:
        row = lock(conn, payout_id)
        if row is None:
            raise RefusedError(refusals.UNKNOWN_ID, field="id")
        if row["status"] != "queued":
            raise RefusedError(refusals.NOT_CANCELLABLE, field="id")
        after = books.apply(conn, box, [books.Move(row, "cancelled", None, row["step"], None)], now)
    box.courier_bell.ring(now)
    return ok(shapes.payout(after[0]))


def decide(box: Box, payout_id: str, approved: bool) -> shapes.Entity:
    """Approve or reject a pending payout; an approved one for which there is no money waits in the queue. Raises ValueError."""
    now = box.now()
    with box.engine.begin() as conn:
        row = lock(conn, payout_id)
        if row is None or row["status"] != "pending":
            raise ValueError(f"{payout_id} does not wait for an approval")
        if not approved:
            move = books.Move(row, "rejected", None, row["step"], None)
        elif row["amount_paise"] + row["fees_paise"] <= books.lock_account(conn, box):
            move = books.Move(row, "processing", None, row["step"], first_due(box, row["script"], now))
        else:
            move = books.Move(row, "queued", "low_balance", row["step"], None)
        after = books.apply(conn, box, [move], now)
    if after[0]["due_at"] is not None:
        box.life_bell.ring(after[0]["due_at"])
    box.courier_bell.ring(now)
    return shapes.payout(after[0])


def lock(conn: Connection, payout_id: str) -> RowMapping | None:
    """The payout's row, locked until the caller's transaction ends."""
    statement = text("SELECT * FROM sandbox.payout WHERE id = :id FOR NO KEY UPDATE")
    return conn.execute(statement, {"id": payout_id}).mappings().one_or_none()
