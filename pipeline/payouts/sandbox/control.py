"""The control surface under `/_sandbox/`: what the provider's test dashboard can do, and the hands of a tester.

GET  health                           {"sandbox": true}
GET  status                           balance, shortfall, counts, outbox, clock, switches
GET  audit                            whether the books are right; every number but `lines` must be 0
GET  journal/{kind}?after=&limit=     rows in the order they were made: payouts keys transactions events faults
                                      contacts fund_accounts validations delayed
GET, POST settings                    the switches of switches.py
GET, POST clock                       {"offset_seconds": n} or {"fixed": "2024-12-14T15:00:00+00:00"}
GET, POST, DELETE faults              {"kind", "count", "seconds", "operation", "reference_id"}; DELETE forgets all
POST funds                            {"amount_paise": n} paid in; the queue drains
POST balance                          {"amount_paise": n}: the balance becomes this, by paying in or out
POST payouts/{id}                     {"status", "reason", "utr"}: any status, as the test dashboard allows
POST approvals/{id}                   {"approved": true | false}: of a payout that is pending, as the provider's own approver
POST webhooks/redeliver               {"payout_id" | "event_id" | "all": true}: the same events once more
POST settle                           {"delay": 0, "late": true}: take every due step (with delay 0: every step) and deliver
                                      every pending event before answering; late: also late commits and late events
POST reset                            empty the books and open the account again
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from pipeline.payouts.sandbox import books, life, payouts, rules, shapes
from pipeline.payouts.sandbox import courier as courier_room
from pipeline.payouts.sandbox import faults as faults_room
from pipeline.payouts.sandbox.box import Box, keep_clock, open_account
from pipeline.payouts.sandbox.courier import Courier
from pipeline.payouts.sandbox.outcomes import DEFAULT_REASON, STATUSES
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Reply

SETTLE_LONGEST_S = 120.0  # under a steady stream of payouts there is always something left
JOURNAL_DEFAULT, JOURNAL_MAX = 100, 1000

Body = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A control request: `rest` is what follows in the path, `body` its JSON and its query."""

    box: Box
    courier: Courier
    rest: str
    body: Body


class MisuseError(Exception):
    """A control request that cannot be carried out."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def handle(box: Box, courier: Courier, method: str, path: str, query: dict[str, str], raw: bytes) -> Reply:
    """Answer a control request."""
    head, _, rest = path.partition("/")
    try:
        action = ACTIONS.get((method, path)) or ACTIONS.get((method, head + "/"))
        if action is None:
            raise MisuseError(f"{method} {path} does not exist here", 404)
        body = dict(query) if method == "GET" else rules.parse(raw)  # a link cannot change anything
        return Reply(shapes.encode(action(Call(box, courier, rest, body))))
    except (MisuseError, RefusedError, ValueError, OverflowError, books.NotEnoughError) as error:
        status = error.status if isinstance(error, MisuseError) else 409 if isinstance(error, books.NotEnoughError) else 400
        return Reply(shapes.encode({"error": str(error)}), status)


def _health(call: Call) -> Body:
    return {"sandbox": True, "account_number": call.box.config.account_number, "key_id": call.box.config.key_id}


def _status(call: Call) -> Body:
    with call.box.single.connect() as conn:
        balance = conn.execute(
            text("SELECT balance_paise FROM sandbox.account WHERE account_number = :number"), {"number": call.box.config.account_number}
        ).scalar_one()
        counts = conn.execute(
            text(
                "SELECT status, count(*) AS number, sum(amount_paise) AS paise, sum(held_paise) AS held FROM sandbox.payout GROUP BY status"
            )
        ).all()
        waiting = conn.execute(
            text(
                "SELECT COALESCE(sum(amount_paise + fees_paise), 0) FROM sandbox.payout WHERE status = 'queued' AND reason = 'low_balance'"
            )
        ).scalar_one()
    due = life.look(call.box).next_at
    return {
        "sandbox": True,
        "account_number": call.box.config.account_number,
        "balance_paise": balance,
        "shortfall_paise": max(int(waiting) - balance, 0),
        "held_paise": int(sum(row.held for row in counts)),
        "payouts": {row.status: {"count": row.number, "amount_paise": int(row.paise)} for row in counts},
        "events": courier_room.pending(call.box),
        "next_due_at": due.isoformat() if due else None,
        "now": call.box.now().isoformat(),
        "clock": call.box.clock.spec(),
        "settings": asdict(call.box.switches),
        "webhook_url": call.box.config.webhook_url,
    }


AUDIT = text(
    "WITH chain AS (SELECT balance_paise - credit_paise + debit_paise AS before, "
    "lag(balance_paise, 1, 0::bigint) OVER (PARTITION BY account_number ORDER BY seq) AS expected FROM sandbox.transaction), "
    "per_payout AS (SELECT payout_id, sum(debit_paise - credit_paise) AS held FROM sandbox.transaction "
    "WHERE payout_id IS NOT NULL GROUP BY 1) "
    "SELECT (SELECT count(*) FROM sandbox.transaction) AS lines, "
    "(SELECT count(*) FROM chain WHERE before <> expected) AS broken_links, "
    "(SELECT count(*) FROM sandbox.account AS a WHERE balance_paise <> (SELECT COALESCE(sum(credit_paise - debit_paise), 0) "
    "FROM sandbox.transaction AS t WHERE t.account_number = a.account_number)) AS wrong_balances, "
    "(SELECT count(*) FROM sandbox.payout AS p LEFT JOIN per_payout AS s ON s.payout_id = p.id "
    "WHERE p.held_paise <> COALESCE(s.held, 0)) AS wrong_holds, "
    "(SELECT count(*) FROM sandbox.payout AS p LEFT JOIN sandbox.idempotency_key AS k ON k.payout_id = p.id "
    "WHERE k.key IS NULL) AS keyless_payouts"
)


def _audit(call: Call) -> Body:
    with call.box.single.connect() as conn:
        return dict(conn.execute(AUDIT).mappings().one())


# Only constants become part of the statement; values are always bound.
JOURNALS = {
    "payouts": "SELECT p.*, k.key AS idempotency_key FROM sandbox.payout AS p JOIN sandbox.idempotency_key AS k ON k.payout_id = p.id",
    "keys": "SELECT k.*, p.seq FROM sandbox.payout AS p JOIN sandbox.idempotency_key AS k ON k.payout_id = p.id",
    "transactions": "SELECT p.* FROM sandbox.transaction AS p",
    "events": "SELECT p.* FROM sandbox.event AS p",
    "faults": "SELECT p.* FROM sandbox.fault_hit AS p",
    "contacts": "SELECT p.* FROM sandbox.contact AS p",
    "fund_accounts": "SELECT p.* FROM sandbox.fund_account AS p",
    "validations": "SELECT p.* FROM sandbox.validation AS p",
    "delayed": "SELECT p.* FROM sandbox.delayed_request AS p",
}


def _journal(call: Call) -> Body:
    if call.rest not in JOURNALS:
        raise MisuseError(f"journals are {', '.join(JOURNALS)}", 404)
    limit, after = int(call.body.get("limit", JOURNAL_DEFAULT)), int(call.body.get("after", 0))
    if not 1 <= limit <= JOURNAL_MAX:
        raise MisuseError(f"limit must be from 1 to {JOURNAL_MAX}")
    with call.box.single.connect() as conn:
        statement = text(f"{JOURNALS[call.rest]} WHERE p.seq > :after ORDER BY p.seq LIMIT :limit")
        rows = conn.execute(statement, {"after": after, "limit": limit})
        items = [{name: _shown(value) for name, value in row.items()} for row in rows.mappings()]
    return {"items": items, "next_after": items[-1]["seq"] if len(items) == limit else None}


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return bytes(value).decode(errors="replace") if isinstance(value, bytes | memoryview) else value


def _settings(call: Call) -> Body:
    return asdict(call.box.switches)


def _set_settings(call: Call) -> Body:
    with call.box.engine.begin() as conn:
        call.box.board.change(conn, call.body)
    call.box.life_bell.ring()
    call.box.courier_bell.ring()
    return _settings(call)


def _clock(call: Call) -> Body:
    return {**call.box.clock.spec(), "now": call.box.now().isoformat()}


def _set_clock(call: Call) -> Body:
    if set(call.body) not in ({"offset_seconds"}, {"fixed"}):
        raise MisuseError("send offset_seconds or fixed")
    call.box.clock.load(call.body)
    with call.box.engine.begin() as conn:
        keep_clock(conn, call.box)
    call.box.life_bell.ring()
    call.box.courier_bell.ring()
    return _clock(call)


def _faults(call: Call) -> Body:
    with call.box.engine.begin() as conn:
        statement = text(
            "SELECT seq, kind, operation, reference_id, remaining, seconds FROM sandbox.fault WHERE remaining > 0 ORDER BY seq LIMIT 1000"
        )
        return {
            "waiting": [dict(row) for row in conn.execute(statement).mappings()],
            "kinds": faults_room.KINDS,
            "operations": faults_room.OPERATIONS,
        }


def _set_fault(call: Call) -> Body:
    with call.box.engine.begin() as conn:
        fault = call.box.faults.add(conn, call.body, call.box.now())
    _reload_faults(call.box)
    return asdict(fault)


def _clear_faults(call: Call) -> Body:
    with call.box.engine.begin() as conn:
        cleared = call.box.faults.clear(conn)
    _reload_faults(call.box)
    return {"cleared": cleared}


def _reload_faults(box: Box) -> None:
    with box.single.connect() as conn:
        box.faults.load(conn)


def _paise(body: Body, least: int) -> int:
    value = body.get("amount_paise")
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10**15:
        raise MisuseError(f"amount_paise must be a whole number from {least}")
    return value


def _funds(call: Call) -> Body:
    amount = _paise(call.body, 1)
    with call.box.engine.begin() as conn:
        books.fund(conn, call.box, amount, call.box.now())
    return _after_money(call.box)


def _balance(call: Call) -> Body:
    wanted = _paise(call.body, 0)
    with call.box.engine.begin() as conn:
        books.fund(conn, call.box, wanted - books.lock_account(conn, call.box), call.box.now())
    return _after_money(call.box)


def _after_money(box: Box) -> Body:
    """Let the queue drain, and say what is left."""
    drained = life.drain(box)
    with box.single.connect() as conn:
        statement = text("SELECT balance_paise FROM sandbox.account WHERE account_number = :number")
        return {"balance_paise": conn.execute(statement, {"number": box.config.account_number}).scalar_one(), "drained": drained}


def _move(call: Call) -> Body:
    """Put a payout into any status by hand. Its script ends there."""
    status, reason, utr = call.body.get("status"), call.body.get("reason"), call.body.get("utr")
    if status not in STATUSES:
        raise MisuseError(f"status must be one of {', '.join(STATUSES)}")
    if reason is not None and (not isinstance(reason, str) or len(reason) > 100):
        raise MisuseError("reason must be a string of at most 100 characters")
    if utr is not None and (not isinstance(utr, str) or len(utr) != 12 or not utr.isascii() or not utr.isdecimal()):
        raise MisuseError("utr must have 12 digits")
    now = call.box.now()
    with call.box.engine.begin() as conn:
        row = payouts.lock(conn, call.rest)
        if row is None:
            raise MisuseError(f"{call.rest} does not exist", 404)
        reason = reason or DEFAULT_REASON.get(status)
        move = books.Move(row, status, reason, row["step"], None, gives_utr=status == "processed", utr=utr)
        after = books.apply(conn, call.box, [move], now)
    call.box.courier_bell.ring(now)
    return shapes.payout(after[0])


def _approve(call: Call) -> Body:
    if not isinstance(call.body.get("approved"), bool):
        raise MisuseError("approved must be true or false")
    return payouts.decide(call.box, call.rest, call.body["approved"])


def _redeliver(call: Call) -> Body:
    """Events that have a body go out again, with the id and signature they had."""
    chosen = {name: call.body[name] for name in ("payout_id", "event_id", "all") if call.body.get(name)}
    if len(chosen) != 1 or not isinstance(chosen.get("payout_id", chosen.get("event_id", "")), str):
        raise MisuseError("send one of payout_id, event_id, all")
    now = call.box.now()
    with call.box.engine.begin() as conn:
        again = conn.execute(
            text(
                "UPDATE sandbox.event SET state = 'pending', next_attempt_at = :now, not_before = NULL WHERE body IS NOT NULL "
                "AND (CAST(:event_id AS text) IS NULL OR id = :event_id) AND (CAST(:payout_id AS text) IS NULL OR subject_id = :payout_id)"
            ),
            {"now": now, "event_id": call.body.get("event_id"), "payout_id": call.body.get("payout_id")},
        ).rowcount
    call.box.courier_bell.ring()
    return {"events": again}


def _settle(call: Call) -> Body:
    """Progress and deliver until nothing more happens. `settled` is false when it was cut short or a receiver refuses."""
    if call.body.get("delay") not in (None, 0):
        raise MisuseError("delay can only be 0: every step at once")
    everything, late = call.body.get("delay") == 0, bool(call.body.get("late"))
    done: Counter[str] = Counter()
    deadline = time.monotonic() + SETTLE_LONGEST_S
    in_time = True
    while in_time and not call.box.stopping.is_set():
        lived = life.advance(call.box, everything=everything, late=late)
        sent = call.courier.deliver(forced=True, late=late)
        done.update(lived)
        done.update({"delivered": sent["delivered"], "dropped": sent["dropped"], "refused": sent["pending"]})
        if not lived.total() and not sent["delivered"] + sent["dropped"]:
            break
        in_time = time.monotonic() < deadline
    left = courier_room.pending(call.box)["pending"]
    due = life.look(call.box).next_at
    return {**done, "pending_events": left, "next_due_at": due.isoformat() if due else None, "settled": in_time and left == 0}


# In the order that foreign keys allow.
TABLES = (
    "event",
    "transaction",
    "idempotency_key",
    "payout",
    "validation",
    "fund_account",
    "contact",
    "delayed_request",
    "fault_hit",
    "fault",
    "account",
)


def _reset(call: Call) -> Body:
    with call.box.engine.begin() as conn:
        for table in TABLES:
            conn.execute(text(f"DELETE FROM sandbox.{table}"))  # noqa: S608 - our own constants
        open_account(conn, call.box)
    _reload_faults(call.box)
    return {"reset": True}


Action = Callable[[Call], Body]

# A trailing slash: the rest of the path is the action's own.
ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "health"): _health,
    ("GET", "status"): _status,
    ("GET", "audit"): _audit,
    ("GET", "journal/"): _journal,
    ("GET", "settings"): _settings,
    ("POST", "settings"): _set_settings,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _set_clock,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _set_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "funds"): _funds,
    ("POST", "balance"): _balance,
    ("POST", "payouts/"): _move,
    ("POST", "approvals/"): _approve,
    ("POST", "webhooks/redeliver"): _redeliver,
    ("POST", "settle"): _settle,
    ("POST", "reset"): _reset,
}
