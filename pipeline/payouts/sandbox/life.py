"""What happens at the provider without anyone asking: payouts take their steps, the queue drains, lost requests commit late.

`advance` does everything that is due and is called by the ticker thread and by `settle`; one at a time per process, and
safe against other processes because it locks what it moves.
"""

import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from pipeline.payouts.sandbox import books, payouts, shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.events import Notice, write
from pipeline.payouts.sandbox.outcomes import next_step, script_of
from pipeline.payouts.sandbox.refusals import RefusedError
from pipeline.payouts.sandbox.replies import Request

BATCH = 500  # payouts moved in one transaction: it holds the account row, so that new payouts wait for it (some 50 ms)
PASS = 20_000  # due payouts looked at in one pass; the next pass sees the rest
TICK_S = 0.05  # a busy ticker moves what fell due in this time together
IDLE_S = 1.0  # how often it looks although nothing rang: the clock may have been moved
TROUBLE_S = 1.0  # pause after the database failed
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Waiting:
    """What waits, in one look: times None where nothing does, sums in paise."""

    payout_at: datetime | None
    validation_at: datetime | None
    late_at: datetime | None
    balance: int
    smallest: int | None  # in the queue for money

    @property
    def drains(self) -> bool:
        return self.smallest is not None and self.smallest <= self.balance

    @property
    def next_at(self) -> datetime | None:
        """When something happens by itself next; None when all waits for people, money or nothing."""
        return min((at for at in (self.payout_at, self.validation_at, self.late_at) if at is not None), default=None)


LOOK = text(
    "SELECT (SELECT min(due_at) FROM sandbox.payout WHERE due_at IS NOT NULL) AS payout_at, "
    "(SELECT min(due_at) FROM sandbox.validation WHERE due_at IS NOT NULL) AS validation_at, "
    "(SELECT min(due_at) FROM sandbox.delayed_request WHERE done_at IS NULL) AS late_at, "
    "(SELECT balance_paise FROM sandbox.account WHERE account_number = :number) AS balance, "
    "(SELECT min(amount_paise + fees_paise) FROM sandbox.payout WHERE status = 'queued' AND reason = 'low_balance') AS smallest"
)


def look(box: Box) -> Waiting:
    """What waits, and since when."""
    with box.single.connect() as conn:
        return Waiting(**conn.execute(LOOK, {"number": box.config.account_number}).mappings().one())


def advance(box: Box, *, everything: bool = False, late: bool = False) -> Counter[str]:
    """Do what is due, once through. `everything`: also steps whose delay has not passed; `late`: also late commits. Commits in batches."""
    done: Counter[str] = Counter()
    with _one_at_a_time:
        waiting, now = look(box), box.now()
        if _due(waiting.late_at, now, late):
            done["late_commits"] += _commit_late(box, late)
        if waiting.drains:
            done["drained"] += _drain(box)
        if _due(waiting.payout_at, now, everything):
            done["moved"] += _step(box, everything)
        if _due(waiting.validation_at, now, everything):
            done["validated"] += _validate(box, everything)
    if done.total():
        box.courier_bell.ring()
    return done


def _due(at: datetime | None, now: datetime, anyway: bool) -> bool:
    return at is not None and (anyway or at <= now)


def _step(box: Box, everything: bool) -> int:
    """Payouts take the next step of their script; each at most one."""
    moved = 0
    due = FOREVER if everything else box.now()
    with box.single.connect() as conn:
        waiting = conn.execute(DUE, {"due": due, "count": PASS}).scalars().all()
    for first in range(0, len(waiting), BATCH):
        with box.engine.begin() as conn:
            now = box.now()
            rows = conn.execute(LOCK_DUE, {"due": due, "seqs": waiting[first : first + BATCH]}).mappings().all()
            books.apply(conn, box, [_move(box, row, now) for row in rows], now)
            moved += len(rows)
    return moved


def _move(box: Box, row: RowMapping, now: datetime) -> books.Move:
    step = next_step(row["script"], row["step"])
    if step is None:  # a script that this version knows no longer: the payout stays as it is
        return books.Move(row, row["status"], row["reason"], row["step"], None)
    due_at = payouts.due_of(box, next_step(row["script"], row["step"] + 1), now)
    return books.Move(row, step.status, step.reason, row["step"] + 1, due_at, gives_utr=step.gives_utr, keeps_money=step.keeps_money)


# Two statements, so that the first is answered by its small index alone, whatever the planner knows of the table.
DUE = text("SELECT seq FROM sandbox.payout WHERE due_at <= :due ORDER BY due_at, seq LIMIT :count")
LOCK_DUE = text(
    "SELECT * FROM sandbox.payout WHERE seq = ANY (CAST(:seqs AS bigint[])) AND due_at <= :due ORDER BY seq FOR NO KEY UPDATE SKIP LOCKED"
)


def drain(box: Box) -> int:
    """Let the queue go on after money came in; how many payouts left it. Commits."""
    with _one_at_a_time:
        drained = _drain(box)
    if drained:
        box.life_bell.ring()
        box.courier_bell.ring()
    return drained


def _drain(box: Box) -> int:
    """First in, first out, skipping what the balance does not reach for."""
    drained = 0
    while (waiting := look(box)).drains:
        with box.engine.begin() as conn:
            now = box.now()
            rows = conn.execute(QUEUE, {"balance": waiting.balance, "count": BATCH}).mappings().all()
            left = books.lock_account(conn, box)
            moves = []
            for row in rows:
                debit = row["amount_paise"] + row["fees_paise"]
                if debit <= left:
                    left -= debit
                    due = payouts.first_due(box, row["script"], now)
                    moves.append(books.Move(row, "processing", None, row["step"], due))
            books.apply(conn, box, moves, now)
            drained += len(moves)
        if not moves:
            break
    return drained


QUEUE = text(
    "SELECT * FROM sandbox.payout WHERE status = 'queued' AND reason = 'low_balance' AND amount_paise + fees_paise <= :balance "
    "ORDER BY seq LIMIT :count FOR NO KEY UPDATE SKIP LOCKED"
)


def _validate(box: Box, everything: bool) -> int:
    """Validations find out whether their address is real."""
    with box.engine.begin() as conn:
        now = box.now()
        rows = conn.execute(
            text(
                "SELECT v.*, f.address, c.name FROM sandbox.validation AS v JOIN sandbox.fund_account AS f ON f.id = v.fund_account_id "
                "JOIN sandbox.contact AS c ON c.id = f.contact_id WHERE v.due_at <= :due ORDER BY v.seq LIMIT :count "
                "FOR NO KEY UPDATE OF v SKIP LOCKED"
            ),
            {"due": FOREVER if everything else now, "count": BATCH},
        ).mappings()
        found = [_verdict(row) for row in rows]
        if not found:
            return 0
        conn.execute(
            text(
                "UPDATE sandbox.validation SET status = :status, account_status = :account_status, registered_name = :registered_name, "
                "due_at = NULL WHERE seq = :seq"
            ),
            found,
        )
        accounts = conn.execute(
            text("SELECT * FROM sandbox.fund_account WHERE id = ANY (:ids)"), {"ids": [row["fund_account_id"] for row in found]}
        ).mappings()
        by_id = {row["id"]: row for row in accounts}
        write(conn, box, [_validated(row, by_id[row["fund_account_id"]]) for row in found], now)
        return len(found)


def _verdict(row: Any) -> dict[str, Any]:
    script = script_of(row["address"])
    verdict = dict(row)
    if script == "validation.fails":
        verdict.update(status="failed", account_status=None, registered_name=None)
    elif script == "fails.vpa.invalid":
        verdict.update(status="completed", account_status="invalid", registered_name=None)
    else:
        verdict.update(status="completed", account_status="active", registered_name=row["name"])
    return verdict


def _validated(row: dict[str, Any], account: Any) -> Notice:
    name = f"fund_account.validation.{row['status']}"
    return Notice(name, row["id"], "created", row["status"], "fund_account.validation", shapes.validation(row, account))


def delay_commit(box: Box, request: Request, seconds: float) -> None:
    """Keep a request whose reply is lost, to be carried out later. Commits."""
    due_at = box.now() + timedelta(seconds=seconds)
    with box.engine.begin() as conn:
        conn.execute(
            text("INSERT INTO sandbox.delayed_request (idempotency_key, body, due_at) VALUES (:key, :body, :due_at)"),
            {"key": request.key, "body": request.raw, "due_at": due_at},
        )
    box.life_bell.ring(due_at)


def _commit_late(box: Box, late: bool) -> int:
    """Carry out requests whose reply was lost. Each twice at worst, and the key makes that harmless."""
    with box.single.connect() as conn:
        rows = conn.execute(
            text(
                "SELECT seq, idempotency_key, body FROM sandbox.delayed_request WHERE done_at IS NULL AND due_at <= :due "
                "ORDER BY seq LIMIT :count"
            ),
            {"due": FOREVER if late else box.now(), "count": BATCH},
        ).all()
    for row in rows:
        try:
            outcome = payouts.create(box, Request(bytes(row.body), {}, key=row.idempotency_key)).raw.decode()
        except RefusedError as refusal:
            outcome = str(refusal)
        with box.engine.begin() as conn:
            conn.execute(
                text("UPDATE sandbox.delayed_request SET done_at = :now, outcome = :outcome WHERE seq = :seq"),
                {"now": box.now(), "outcome": outcome, "seq": row.seq},
            )
    return len(rows)


def ticker(box: Box, report: Any) -> None:
    """The thread that lets time pass. Ends when the box stops; a failing database is reported and tried again."""
    while not box.stopping.is_set():
        try:
            busy = advance(box).total() > 0
            due = box.now() if busy else look(box).next_at
        except (DBAPIError, PoolTimeout) as error:
            report("ticker", error)
            box.stopping.wait(TROUBLE_S)
            continue
        box.stopping.wait(TICK_S)
        now = box.now()
        wait = IDLE_S if due is None else min((due - now).total_seconds(), IDLE_S)
        if wait > 0:
            box.life_bell.sleep(wait, now + timedelta(seconds=wait))
