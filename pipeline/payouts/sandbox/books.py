"""The one door for a payout's state: status, money, statement and outbox change together or not at all.

Lock order everywhere: payouts by seq, then the account row. The account row is taken late and held until the commit, so
that the statement's running balance chains.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from pipeline.payouts.sandbox import shapes
from pipeline.payouts.sandbox.box import Box
from pipeline.payouts.sandbox.events import NAMES, Notice, write
from pipeline.payouts.sandbox.ids import new_id
from pipeline.payouts.sandbox.outcomes import PAID_OUT, RELEASED


@dataclass(frozen=True)
class Move:
    """What is to become of one locked payout."""

    payout: RowMapping
    status: str
    reason: str | None
    step: int
    due_at: datetime | None
    gives_utr: bool = False
    utr: str | None = None  # a UTR chosen by a person
    keeps_money: bool = False


class NotEnoughError(Exception):
    """The balance does not reach for a payout that would leave the queue."""

    def __init__(self, payout_id: str, missing_paise: int) -> None:
        super().__init__(f"{payout_id}: {missing_paise} paise are missing")


def tax_within(fee_paise: int) -> int:
    """The tax that a fee contains: 18 % GST, so 18 of 118 parts, rounded half up to a paisa."""
    return (fee_paise * 18 * 2 + 118) // (118 * 2)


def make_utr(seq: int, now: datetime) -> str:
    """Twelve digits as UPI makes them: last digit of the year, day of the year, then eight digits, here the payout's number."""
    return f"{now.year % 10}{now.timetuple().tm_yday:03d}{seq % 10**8:08d}"


def held_after(move: Move) -> int:
    """What the account is poorer by once the move is made, in paise."""
    debit = move.payout["amount_paise"] + move.payout["fees_paise"]
    if move.status in PAID_OUT:
        return int(debit)
    if move.status in RELEASED or (move.status == "failed" and not move.keeps_money):
        return 0
    return int(move.payout["held_paise"])  # waiting states and a failure whose money is still out keep what they have


def apply(conn: Connection, box: Box, moves: Sequence[Move], now: datetime) -> list[dict[str, Any]]:
    """Make the moves and return the payouts as they are then. Raises NotEnoughError before anything is written. The caller commits."""
    if not moves:
        return []
    after = [_after(move, now) for move in moves]
    lines = _lines(conn, box, moves, after, now)
    conn.execute(UPDATE_PAYOUTS, {"now": now, **{name: [row[name] for row in after] for name in CHANGED}})
    if lines:
        conn.execute(INSERT_LINES, lines)
    write(conn, box, _notices(box, moves, after, lines), now)
    return after


CHANGED = ("seq", "status", "reason", "step", "due_at", "utr", "held_paise")

UPDATE_PAYOUTS = text(
    "UPDATE sandbox.payout AS p SET status = n.status, reason = n.reason, step = n.step, due_at = n.due_at, utr = n.utr, "
    "held_paise = n.held_paise, changed_at = :now "
    "FROM unnest(CAST(:seq AS bigint[]), CAST(:status AS text[]), CAST(:reason AS text[]), CAST(:step AS int[]), "
    "CAST(:due_at AS timestamptz[]), CAST(:utr AS text[]), CAST(:held_paise AS bigint[])) "
    "AS n (seq, status, reason, step, due_at, utr, held_paise) WHERE p.seq = n.seq"
)

INSERT_LINES = text(
    "INSERT INTO sandbox.transaction (id, account_number, credit_paise, debit_paise, balance_paise, source_kind, source_id, payout_id, "
    "created_at) VALUES (:id, :account_number, :credit_paise, :debit_paise, :balance_paise, :source_kind, :source_id, :payout_id, "
    ":created_at)"
)


def _after(move: Move, now: datetime) -> dict[str, Any]:
    row = dict(move.payout)
    utr = move.utr or row["utr"] or (make_utr(row["seq"], now) if move.gives_utr else None)
    row.update(
        status=move.status, reason=move.reason, step=move.step, due_at=move.due_at, utr=utr, held_paise=held_after(move), changed_at=now
    )
    return row


def _lines(conn: Connection, box: Box, moves: Sequence[Move], after: Sequence[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """The statement lines of the moves; takes the account row when there are any."""
    moved = [(row, row["held_paise"] - move.payout["held_paise"]) for move, row in zip(moves, after, strict=True)]
    moved = [(row, debit) for row, debit in moved if debit]
    if not moved:
        return []
    balance = lock_account(conn, box)
    lines = []
    for row, debit in moved:
        if debit > balance:
            raise NotEnoughError(row["id"], debit - balance)
        balance -= debit
        lines.append(line("payout" if debit > 0 else "reversal", row, debit, balance, now))
    set_balance(conn, box, balance)
    return lines


def line(kind: str, payout: dict[str, Any], debit_paise: int, balance_paise: int, now: datetime) -> dict[str, Any]:
    """A statement line of a payout; a negative debit is a credit."""
    return {
        "id": new_id("txn"),
        "account_number": payout["account_number"],
        "credit_paise": max(-debit_paise, 0),
        "debit_paise": max(debit_paise, 0),
        "balance_paise": balance_paise,
        "source_kind": kind,
        "source_id": payout["id"] if kind == "payout" else new_id("rvrsl"),
        "payout_id": payout["id"],
        "created_at": now,
    }


def _notices(box: Box, moves: Sequence[Move], after: Sequence[dict[str, Any]], lines: Sequence[dict[str, Any]]) -> Iterable[Notice]:
    for move, row in zip(moves, after, strict=True):
        old = move.payout["status"]
        name = "payout.updated" if row["status"] == old else NAMES[row["status"]]
        yield Notice(name, row["id"], old, row["status"], "payout", shapes.payout(row))
    by_id = {row["id"]: row for row in after}
    for entry in lines:
        yield from line_notice(box, entry, by_id[entry["payout_id"]])


def line_notice(box: Box, entry: dict[str, Any], payout: dict[str, Any] | None) -> Iterable[Notice]:
    """The event of a statement line, for the few who subscribe to it."""
    if "transaction.created" in box.switches.events:
        yield Notice("transaction.created", entry["id"], None, "created", "transaction", shapes.transaction(entry, payout))


def lock_account(conn: Connection, box: Box) -> int:
    """The balance in paise, with the account row locked until the caller's transaction ends."""
    statement = text("SELECT balance_paise FROM sandbox.account WHERE account_number = :number FOR NO KEY UPDATE")
    return int(conn.execute(statement, {"number": box.config.account_number}).scalar_one())


def set_balance(conn: Connection, box: Box, balance_paise: int) -> None:
    conn.execute(
        text("UPDATE sandbox.account SET balance_paise = :balance WHERE account_number = :number"),
        {"balance": balance_paise, "number": box.config.account_number},
    )


def fund(conn: Connection, box: Box, change_paise: int, now: datetime) -> int:
    """Pay money in (positive) or take it out by another way than a payout (negative); the new balance.

    Raises NotEnoughError. The caller commits.
    """
    balance = lock_account(conn, box) + change_paise
    if balance < 0:
        raise NotEnoughError(box.config.account_number, -balance)
    if change_paise:
        entry = {
            "id": new_id("txn"),
            "account_number": box.config.account_number,
            "credit_paise": max(change_paise, 0),
            "debit_paise": max(-change_paise, 0),
            "balance_paise": balance,
            "source_kind": "bank_transfer" if change_paise > 0 else "external",
            "source_id": new_id("bt"),
            "payout_id": None,
            "created_at": now,
        }
        set_balance(conn, box, balance)
        conn.execute(INSERT_LINES, entry)
        write(conn, box, line_notice(box, entry, None), now)
    return balance
