"""What a state admin does about an exception of a reconciliation: have it put right, or set it aside with a reason. With history.

Nothing here pays. Where the provider knows more than we do it is asked, and its answer goes through the one door for a
payout's state; an order that was lost is left to the sending job, which repeats the same bytes under the same key. Where
money may have gone wrong everything that would go on by itself is stopped. The rest is for people, and only acknowledged.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import SYSTEM_ID, Caller
from pipeline.access.policy import check
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.payouts.answers import Answer, Paused, Refused, Unknown
from pipeline.payouts.books import Attempt, Books, Payout
from pipeline.payouts.findings import Kind
from pipeline.payouts.provider import Ambiguous, Lines, NoneFound, Paid, Provider, target_of
from pipeline.payouts.settle import FAILURE_TEXT_MAX, Seen, Settlement
from pipeline.payouts.states import FINAL_RANK
from pipeline.reports.workflow import Actor
from pipeline.runtime import Runtime

ROLE = "STATE_ADMIN"
MAX_AT_ONCE = 50  # a page of the list; four at a time they take the provider some seconds
LINES = 4
COMMENT_MAX = 1000

Remedy = Literal["ASK", "HOLD", "PERSON"]
Outcome = Literal["FIXED", "RESUMED", "HELD", "UNCHANGED", "ACKNOWLEDGED", "ALREADY"]

REMEDIES: Mapping[Kind, Remedy] = {
    "STATUS_MISMATCH": "ASK",
    "REVERSED_AFTER_SETTLED": "ASK",
    "STUCK": "ASK",
    "MISSING_AT_PROVIDER": "ASK",
    "AMOUNT_MISMATCH": "HOLD",
    "BENEFICIARY_MISMATCH": "HOLD",
    "DUPLICATE_AT_PROVIDER": "HOLD",
    "MISSING_IN_LEDGER": "PERSON",
    "UTR_REUSED": "PERSON",
    "BALANCE_BROKEN": "PERSON",
}

_ITEMS = text("""
    SELECT i.id, i.tenant_id, i.kind, i.status, i.field, i.theirs, i.fingerprint, i.next_step, i.provider_payout_id AS theirs_id,
           a.id AS attempt_id, a.payout_id, a.reference_id, a.provider_payout_id
    FROM payout.reconciliation_item i
    LEFT JOIN payout.attempt a ON a.id = i.attempt_id
    WHERE i.id = ANY (:ids)
""")
_LOCK = text("SELECT id, tenant_id, kind, status FROM payout.reconciliation_item WHERE id = ANY (:ids) ORDER BY id FOR UPDATE")
_STATUS = text("UPDATE payout.reconciliation_item SET status = :status WHERE id = :id")
_STEP = text("""
    INSERT INTO payout.reconciliation_step (id, tenant_id, item_id, step, outcome, comment, done_at, done_by)
    VALUES (:id, :tenant_id, :item_id, :step, :outcome, :comment, :now, :by)
""")
# Only what waits for its turn anyway is brought forward; an attempt that is being sent, or that a person must decide, is left alone
_RESUME = text("UPDATE payout.attempt SET next_send_at = :now WHERE id = :id AND phase = 'UNKNOWN' AND next_send_at > :now")

Found = Paid | NoneFound | Ambiguous | Answer


@dataclass(frozen=True)
class Done:
    """What became of one exception, and the sentence that its history keeps. ALREADY: somebody had dealt with it before."""

    item_id: UUID
    outcome: Outcome
    said: str

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done about it."""
        return self.outcome in ("FIXED", "ACKNOWLEDGED", "ALREADY")


def fix(rt: Runtime, caller: Caller, item_ids: Sequence[UUID], now: datetime) -> list[Done]:
    """Do about each exception what its kind allows, each in a transaction of its own; a second time does nothing. Calls the provider.

    Commits. Raises SDCRS_FORBIDDEN, and SDCRS_INVALID_REQUEST for more than 50 at once; what one of them cannot do is its own result.
    """
    _check(caller, item_ids)
    wanted = list(dict.fromkeys(item_ids))
    with rt.database.begin(caller.scope) as conn:
        rows = {row.id: row for row in conn.execute(_ITEMS, {"ids": wanted})}
    asked = [row for row in rows.values() if row.status == "OPEN" and REMEDIES.get(row.kind) == "ASK" and row.attempt_id is not None]
    answers: dict[UUID, Found] = {}
    if asked:
        with closing(Lines(target_of(rt.settings), LINES)) as lines:
            answers = dict(zip((row.id for row in asked), lines.run([partial(_ask, row=row) for row in asked]), strict=True))
    return [_fix_one(rt, caller, rows.get(item_id), item_id, answers.get(item_id), now) for item_id in wanted]


def acknowledge(conn: Connection, caller: Caller, item_ids: Sequence[UUID], reason: str, now: datetime) -> list[Done]:
    """Set exceptions aside with a reason; a later run that finds the same values keeps them so. Does not commit.

    Raises SDCRS_FORBIDDEN, SDCRS_FACT_MISSING without a reason, and SDCRS_INVALID_REQUEST.
    """
    _check(caller, item_ids)
    said = " ".join(reason.split())
    if not said:
        raise AppError("SDCRS_FACT_MISSING", action="Setting an exception aside", field="a reason")
    if len(said) > COMMENT_MAX or not said.isprintable():
        raise AppError("SDCRS_INVALID_REQUEST", field="reason", detail=f"has at most {COMMENT_MAX} characters")
    rows = {row.id: row for row in conn.execute(_LOCK, {"ids": list(item_ids)})}
    results = []
    for item_id in dict.fromkeys(item_ids):
        row = rows.get(item_id)
        done = _not_open(item_id, row) or Done(item_id, "ACKNOWLEDGED", said)
        if row is not None and done.outcome == "ACKNOWLEDGED":
            _write(conn, caller, row, "ACKNOWLEDGE", done, now)
        results.append(done)
    return results


def _check(caller: Caller, item_ids: Sequence[UUID]) -> None:
    check(caller, "resolve_payout")
    if not 1 <= len(item_ids) <= MAX_AT_ONCE:
        raise AppError("SDCRS_INVALID_REQUEST", field="items", detail=f"1 to {MAX_AT_ONCE} at once")


def _ask(provider: Provider, row: Row[Any]) -> Found:
    """What the provider has of the attempt: by its id, and where it denies that or we have none, by our reference."""
    if row.provider_payout_id is not None:
        answer = provider.fetch_payout(row.provider_payout_id)
        if not isinstance(answer, Refused):
            return answer
    return provider.find_by_reference(row.reference_id)


def _fix_one(rt: Runtime, caller: Caller, row: Row[Any] | None, item_id: UUID, answer: Found | None, now: datetime) -> Done:
    try:
        with rt.database.begin(caller.scope) as conn:
            locked = conn.execute(_LOCK, {"ids": [item_id]}).one_or_none()
            refused = _not_open(item_id, locked)
            if refused is not None or row is None:
                return refused or Done(item_id, "UNCHANGED", "This exception does not exist.")
            outcome, said = _remedy(rt, conn, caller, row, answer, now)
            done = Done(item_id, outcome, said)
            _write(conn, caller, row, "FIX", done, now)
            return done
    except AppError as error:
        done = Done(item_id, "UNCHANGED", error.message)
    with rt.database.begin(caller.scope) as conn:
        _write(conn, caller, row, "FIX", done, now)
    return done


def _remedy(rt: Runtime, conn: Connection, caller: Caller, row: Row[Any], answer: Found | None, now: datetime) -> tuple[Outcome, str]:
    remedy = REMEDIES.get(row.kind)
    if remedy == "PERSON" or remedy is None:
        return "UNCHANGED", f"A person must look into it. {row.next_step}"
    if row.attempt_id is None:
        return "UNCHANGED", f"We have no payout to it. {row.next_step}"
    if remedy == "HOLD":
        return _hold(conn, row, now)
    if isinstance(answer, Paid):
        return _take_over(rt, conn, caller, row, answer, now)
    if isinstance(answer, Ambiguous):
        return "UNCHANGED", f"The provider has {len(answer.ids)} payouts of this reference: {', '.join(answer.ids)}. Ask its support."
    if isinstance(answer, NoneFound):
        return _look_again(conn, row, now)
    why = answer.why if isinstance(answer, Unknown | Paused) else answer.description if isinstance(answer, Refused) else "no answer"
    return "UNCHANGED", f"The provider gave no certain answer ({why}). Try again shortly."


def _take_over(rt: Runtime, conn: Connection, caller: Caller, row: Row[Any], paid: Paid, now: datetime) -> tuple[Outcome, str]:
    """The provider's answer through the one door for a payout's state."""
    books = Books.of_attempts(conn, {row.attempt_id})
    attempt = books.attempts[row.attempt_id]
    known = attempt.provider_status
    settlement = Settlement(books, rt.masterdata.current(), now, Actor(SYSTEM_ID, frozenset({"SYSTEM"}), on_behalf_of=caller.account_id))
    verdict = settlement.take(Seen(attempt.id, paid.payout, "POLL", now))
    settlement.write(conn)
    status = paid.payout.status
    if attempt.phase == "REVIEW":
        return "HELD", attempt.last_error or "It contradicts our books: decide it in the payout's story."
    if _agrees(row, attempt, paid, moved=verdict == "APPLIED" and known != status):
        return "FIXED", f"The provider shows {paid.payout.id} as {status}; our books say so now."
    if row.field != "status":
        what = {"utr": "bank reference"}.get(row.field, "statement")
        return "UNCHANGED", f"The provider shows {paid.payout.id} as {status}, as we do; only the {what} differs. Ask its support."
    if row.kind == "STUCK":
        return "UNCHANGED", f"The provider still shows it as {status}. Ask its support for the bank's answer."
    return "UNCHANGED", f"The provider shows it as {status}, we have {known}, and one does not follow from the other. Ask its support."


def _agrees(row: Row[Any], attempt: Attempt, paid: Paid, *, moved: bool) -> bool:
    """Whether what differed is the same now. What the statement shows is only answered by a step of the payout's state."""
    if attempt.provider_status != paid.payout.status or attempt.phase != "ACCEPTED":
        return False
    if row.kind == "STUCK":
        return attempt.provider_rank >= FINAL_RANK
    if row.field == "utr":
        return attempt.utr == paid.payout.utr
    return row.field == "status" or moved


def _look_again(conn: Connection, row: Row[Any], now: datetime) -> tuple[Outcome, str]:
    """The provider has nothing under our reference. What it never confirmed is sent again, the same bytes under the same key."""
    books = Books.of_attempts(conn, {row.attempt_id})
    attempt, payout = books.attempts[row.attempt_id], books.payouts[row.payout_id]
    if attempt.provider_payout_id is None and attempt.phase in ("PREPARED", "SENDING", "UNKNOWN"):
        conn.execute(_RESUME, {"id": attempt.id, "now": now})
        return "RESUMED", "The provider has nothing of it: the same order goes out again under the same key, which cannot pay twice."
    if attempt.phase == "REVIEW":
        return "UNCHANGED", "The provider has nothing of it. Decide it in the payout's story once the bank statement tells."
    if attempt.provider_payout_id is None:
        return "UNCHANGED", "The provider never took it, and says so again; the money left by another way. Ask the bank."
    said = f"The provider says that it does not have {attempt.provider_payout_id}. Ask its support."
    return _stop(conn, books, payout, said, now), said


def _hold(conn: Connection, row: Row[Any], now: datetime) -> tuple[Outcome, str]:
    books = Books.of_attempts(conn, {row.attempt_id})
    why = f"A reconciliation found it to differ at the provider. {row.next_step}"
    return _stop(conn, books, books.payouts[row.payout_id], why, now), f"Nothing goes on by itself with this payout. {row.next_step}"


def _stop(conn: Connection, books: Books, payout: Payout, why: str, now: datetime) -> Outcome:
    """No automatic retry, and a person is called; with a payout that counts as paid nothing goes on anyway."""
    if payout.status == "COMPLETED":
        return "UNCHANGED"
    payout.next_retry_at, payout.needs_person = None, why[:FAILURE_TEXT_MAX]
    books.change(payout)
    books.write(conn, now)
    return "HELD"


def _not_open(item_id: UUID, row: Row[Any] | None) -> Done | None:
    if row is None:
        return Done(item_id, "UNCHANGED", "This exception does not exist.")
    if row.status != "OPEN":
        return Done(item_id, "ALREADY", "It has been dealt with already.")
    return Done(item_id, "UNCHANGED", "It is under way; there is nothing to do yet.") if row.kind == "IN_FLIGHT" else None


def _write(conn: Connection, caller: Caller, row: Row[Any] | None, step: str, done: Done, now: datetime) -> None:
    """History, state and audit of one exception. Does not commit."""
    if row is None:
        return
    said = done.said[:COMMENT_MAX]
    values = {"id": uuid7(now), "tenant_id": row.tenant_id, "item_id": row.id, "step": step, "outcome": done.outcome, "comment": said}
    conn.execute(_STEP, values | {"now": now, "by": caller.account_id})
    if done.settled:
        conn.execute(_STATUS, {"id": row.id, "status": done.outcome})
    details = {"kind": row.kind, "outcome": done.outcome, "comment": said}
    record(conn, row.tenant_id, caller.account_id, ROLE, f"RECONCILIATION_{step}", "RECONCILIATION_ITEM", str(row.id), now, details=details)
