"""The one door for a payout's state: what was learnt of attempts becomes status, money, report and packets, in one transaction.

It is told findings, whatever their source (the answer to an order, a webhook, a poll), and applies them forward only. A
finding that contradicts what we have done with the money changes nothing but the attempt, which then waits for a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection

from pipeline.access.caller import SYSTEM_ID
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.packets.contracts.webhook import PayoutEntity
from pipeline.packets.log import PacketHeader, write_packets
from pipeline.payouts import polling
from pipeline.payouts.books import Attempt, Books, Payout
from pipeline.payouts.cap import release
from pipeline.payouts.ledger import Entry, Kind, enter
from pipeline.payouts.reasons import advice_for
from pipeline.payouts.states import RANKS, effect_of
from pipeline.payouts.trail import Said, header
from pipeline.reports.late import complete_utr
from pipeline.reports.workflow import Actor, Item, transition

SYSTEM = Actor(SYSTEM_ID, frozenset({"SYSTEM"}))
FAILURE_TEXT_MAX = 500

Verdict = Literal["APPLIED", "LATE", "MISMATCH", "IGNORED"]
Source = Literal["REPLY", "WEBHOOK", "POLL"]


@dataclass(frozen=True)
class Seen:
    """The provider has a payout for the attempt, and this is how it is."""

    attempt_id: UUID
    payout: PayoutEntity
    source: Source
    at: datetime
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """The attempt was certainly not taken. `sends`: the call that says so; a later one knows better."""

    attempt_id: UUID
    sends: int
    reason: str
    text: str
    at: datetime
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Unsure:
    """Sent, and nobody knows: the same bytes again at `again_at`."""

    attempt_id: UUID
    sends: int
    why: str
    again_at: datetime
    at: datetime
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Unsent:
    """This call certainly did not reach the provider; `before`: the phase to go back to."""

    attempt_id: UUID
    sends: int
    why: str
    again_at: datetime
    before: Literal["PREPARED", "UNKNOWN"]
    at: datetime
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Doubtful:
    """Neither sending again nor looking it up can tell any more: a person must."""

    attempt_id: UUID
    sends: int
    why: str
    at: datetime
    said: tuple[Said, ...] = ()


@dataclass(frozen=True)
class Decision:
    """A person's word on a doubtful attempt; with the UTR where it was paid."""

    attempt_id: UUID
    paid: bool
    comment: str
    utr: str | None
    at: datetime


Finding = Seen | Refusal | Unsure | Unsent | Doubtful


def settle(conn: Connection, md: MasterData, findings: Sequence[Finding], now: datetime) -> list[Verdict]:
    """Apply findings and say what became of each, in the order given. Does not commit.

    Raises AppError when a report's own state does not allow what the money did; the caller then narrows it down.
    """
    if not findings:
        return []
    settlement = Settlement(Books.of_attempts(conn, {finding.attempt_id for finding in findings}), md, now)
    verdicts: dict[int, Verdict] = {}
    # lower ranks first, so that a batch with `processed` and `reversed` takes both steps whatever came first
    for index in sorted(range(len(findings)), key=lambda i: (_rank(findings[i]), i)):
        verdicts[index] = settlement.take(findings[index])
    settlement.write(conn)
    return [verdicts[index] for index in range(len(findings))]


def _rank(finding: Finding) -> int:
    return RANKS.get(finding.payout.status, 0) if isinstance(finding, Seen) else 0


class Settlement:
    """The consequences of a batch of findings, gathered and then written together."""

    def __init__(self, books: Books, md: MasterData, now: datetime, actor: Actor = SYSTEM) -> None:
        self._actor = actor
        self._books = books
        self._md = md
        self._now = now
        self._entries: list[Entry] = []
        self._releases: list[tuple[UUID, Any, int]] = []
        self._moves: dict[UUID, list[tuple[str, Item]]] = {}
        self._headers: list[PacketHeader] = []
        self._utrs: dict[UUID, str] = {}  # of reports that were resolved before the bank named it

    def take(self, finding: Finding) -> Verdict:
        """Take one finding into account."""
        attempt = self._books.attempts.get(finding.attempt_id)
        if attempt is None:
            raise KeyError(f"attempt {finding.attempt_id} does not exist")
        payout = self._books.payouts[attempt.payout_id]
        self._headers += [header(said, payout.subject, finding.at) for said in finding.said]
        if isinstance(finding, Seen):
            return self._see(finding, payout, attempt)
        if attempt.phase == "ACCEPTED" or attempt.provider_payout_id is not None or attempt.sends != finding.sends:
            return "LATE"  # the provider has told us better meanwhile, or a later call is under way
        if isinstance(finding, Refusal):
            return self._refused(finding, payout, attempt)
        attempt.lease_until = None
        attempt.last_error = finding.why
        if isinstance(finding, Doubtful):
            attempt.phase = "REVIEW"
            self._call_person(payout, f"{finding.why} Look the reference {attempt.reference_id} up at the provider, then settle it.")
        else:
            attempt.phase = finding.before if isinstance(finding, Unsent) else "UNKNOWN"
            attempt.tries += 1
            attempt.next_send_at = finding.again_at
        self._books.change(attempt)
        return "APPLIED"

    def decide(self, decision: Decision) -> None:
        """Take a person's word on the attempt that the obligation waits for."""
        attempt = self._books.attempts[decision.attempt_id]
        payout = self._books.payouts[attempt.payout_id]
        attempt.phase = "ACCEPTED" if attempt.provider_payout_id is not None else "REFUSED"
        attempt.last_error = decision.comment[:FAILURE_TEXT_MAX]
        if decision.paid:
            attempt.utr = decision.utr
            self._paid(payout, attempt, decision.at, f"Paid, as an admin found out: {decision.comment}")
        else:
            self._failed(payout, attempt, decision.at, "FAILED", "not_paid", decision.comment)
        self._books.change(payout, attempt)

    def write(self, conn: Connection) -> None:
        """Write rows, ledger, months, reports and packets. Does not commit."""
        self._books.write(conn, self._now)
        enter(conn, self._entries)
        release(conn, self._releases)
        write_packets(conn, self._headers)
        while any(self._moves.values()):
            self._move_once(conn)
        complete_utr(conn, self._utrs)

    def _see(self, seen: Seen, payout: Payout, attempt: Attempt) -> Verdict:
        entity = seen.payout
        mismatch = _mismatch(entity, payout, attempt)
        if mismatch is not None:
            self._doubt(payout, attempt, mismatch)
            return "MISMATCH"
        if entity.status not in RANKS:
            self._call_person(payout, f"The provider shows the status {entity.status}, which is unknown here.")
            return "IGNORED"
        current = attempt.number == payout.retry_count and not payout.settled_by_hand
        paid_by_it = current and payout.status == "COMPLETED"
        effect = effect_of(
            status=entity.status,
            known_status=attempt.provider_status,
            known_rank=attempt.provider_rank,
            counts=current and (attempt.phase != "REFUSED" or paid_by_it),
            open_=payout.open,
            paid_by_it=paid_by_it,
        )
        if effect == "LATE":
            return self._late(seen, payout, attempt)
        self._note(seen, attempt)
        if effect == "CONFLICT":
            self._doubt(
                payout, attempt, f"The provider shows {entity.id} as {entity.status}, though we count it otherwise: it may pay twice."
            )
        elif effect == "PAID":
            self._paid(payout, attempt, seen.at, "Paid by UPI" + (f", UTR {attempt.utr}" if attempt.utr else ""))
        elif effect == "FAILED":
            self._failed(payout, attempt, seen.at, "REVERSED" if entity.status == "reversed" else "FAILED", _why(entity), _text(entity))
        elif effect == "REVERSED":
            self._reversed(seen, payout, attempt)
        else:
            self._calm(payout)
            if effect == "UNDER_WAY" and self._md.upi_config().state_of(entity.status) == "PROCESSING":
                payout.status = "PROCESSING"
        self._books.change(payout, attempt)
        if seen.source != "REPLY":
            self._headers.append(header(Said("08/09", attempt.reference_id), payout.subject, seen.at))
        return "APPLIED"

    def _note(self, seen: Seen, attempt: Attempt) -> None:
        """What is true of the attempt, whatever it means for the obligation."""
        entity = seen.payout
        attempt.phase = "ACCEPTED"
        attempt.lease_until = None
        attempt.last_error = None
        attempt.provider_payout_id = entity.id
        attempt.provider_status = entity.status
        attempt.provider_rank = RANKS[entity.status]
        attempt.accepted_at = attempt.accepted_at or seen.at
        attempt.reason = entity.status_details.reason if entity.status_details else None
        attempt.reason_text = _text(entity) or None
        attempt.utr = entity.utr or attempt.utr
        attempt.fees_paise = entity.fees or 0
        attempt.tax_paise = entity.tax or 0
        attempt.polls = 0
        attempt.next_poll_at = polling.first_poll_at(attempt.provider_rank, entity.status, seen.at)

    def _late(self, seen: Seen, payout: Payout, attempt: Attempt) -> Verdict:
        """Nothing new but what may come late: the UTR, the fees, the reason of a queue; and a poll was made."""
        entity = seen.payout
        verdict: Verdict = "LATE"
        if entity.status == attempt.provider_status and self._completed(entity, attempt):
            verdict = "APPLIED"
            if payout.status == "COMPLETED" and attempt.number == payout.retry_count and not payout.settled_by_hand:
                payout.utr = payout.utr or attempt.utr
                if payout.utr is not None:
                    self._utrs[payout.report_id] = payout.utr
            self._books.change(payout, attempt)
        if seen.source == "POLL":
            since = attempt.accepted_at or seen.at
            attempt.polls += 1
            attempt.next_poll_at = polling.next_poll_at(attempt.provider_rank, attempt.polls, since, seen.at)
            if polling.is_stuck(attempt.provider_rank, since, seen.at):
                self._call_person(
                    payout, "The provider has not settled it within three working days. Ask its support for the bank's answer."
                )
            self._books.change(attempt)
        return verdict

    def _completed(self, entity: PayoutEntity, attempt: Attempt) -> bool:
        """Take over what was missing or has changed at the same status; whether there was anything."""
        reason = entity.status_details.reason if entity.status_details else None
        before = (attempt.utr, attempt.reason, attempt.fees_paise, attempt.tax_paise)
        attempt.utr = attempt.utr or entity.utr
        if reason is not None and reason != attempt.reason:
            attempt.reason, attempt.reason_text = reason, _text(entity) or None
        attempt.fees_paise, attempt.tax_paise = entity.fees or attempt.fees_paise, entity.tax or attempt.tax_paise
        return before != (attempt.utr, attempt.reason, attempt.fees_paise, attempt.tax_paise)

    def _paid(self, payout: Payout, attempt: Attempt, at: datetime, comment: str) -> None:
        payout.status, payout.completed_at, payout.utr = "COMPLETED", at, attempt.utr
        payout.failure_reason = payout.failure_text = payout.needs_person = None
        self._enter("SETTLE", payout, attempt, at)
        self._call_back("09/01", payout, at)
        facts = {"payout_status": "SUCCESS", "utr": attempt.utr, "payout_completed_at": at, "resolved_at": at}
        self._move("PAYOUT_SUCCESS", payout, attempt, facts, comment, at)

    def _failed(self, payout: Payout, attempt: Attempt, at: datetime, status: str, reason: str, words: str) -> None:
        self._reopen(payout, at, status, reason, words)
        self._enter("RELEASE", payout, attempt, at)
        self._releases.append((payout.beneficiary_id, payout.cap_month, payout.amount_paise))
        self._call_back("09/04", payout, at)
        facts = {"payout_status": "FAILED", "payout_failure_reason": payout.failure_text, "retry_count": payout.retry_count}
        self._move("PAYOUT_FAILED", payout, attempt, facts, f"UPI payout failed: {payout.failure_text}", at)

    def _reversed(self, seen: Seen, payout: Payout, attempt: Attempt) -> None:
        self._reopen(payout, seen.at, "REVERSED", _why(seen.payout), _text(seen.payout))
        payout.completed_at = None
        self._enter("REVERSE", payout, attempt, seen.at)
        self._releases.append((payout.beneficiary_id, payout.cap_month, payout.amount_paise))
        self._call_back("09/04", payout, seen.at)
        facts = {
            "payout_status": "FAILED",
            "payout_failure_reason": payout.failure_text,
            "resolved_at": None,
            "payout_completed_at": None,
            "utr": None,
        }
        self._move("PAYOUT_REVERSED", payout, attempt, facts, f"The bank returned the payout: {payout.failure_text}", seen.at)

    def _reopen(self, payout: Payout, at: datetime, status: str, reason: str, words: str) -> None:
        """The obligation is unpaid again; tried again by itself only where the provider says that it may help."""
        advice = advice_for(reason)
        config = self._md.payout_config(payout.tenant_id)
        payout.status, payout.utr, payout.needs_person = status, None, None
        payout.failure_reason = reason
        payout.failure_text = (words or reason.replace("_", " ").capitalize())[:FAILURE_TEXT_MAX]
        again = advice.retry and payout.retry_count < config.max_retries
        payout.next_retry_at = at + timedelta(minutes=config.retry_after_minutes) if again else None

    def _refused(self, refusal: Refusal, payout: Payout, attempt: Attempt) -> Verdict:
        if attempt.number != payout.retry_count or not payout.open:
            return "LATE"
        attempt.phase, attempt.lease_until, attempt.last_error = "REFUSED", None, None
        attempt.reason, attempt.reason_text = refusal.reason, refusal.text[:FAILURE_TEXT_MAX]
        self._failed(payout, attempt, refusal.at, "FAILED", refusal.reason, refusal.text)
        self._books.change(payout, attempt)
        return "APPLIED"

    def _doubt(self, payout: Payout, attempt: Attempt, why: str) -> None:
        """Put the attempt before a person and stop everything that would go on by itself."""
        attempt.phase, attempt.lease_until, attempt.last_error = "REVIEW", None, why[:FAILURE_TEXT_MAX]
        payout.next_retry_at = None
        self._call_person(payout, why)
        self._books.change(attempt)

    def _calm(self, payout: Payout) -> None:
        """Nobody must look any more once no attempt waits for a decision."""
        if not any(attempt.phase == "REVIEW" for attempt in self._books.attempts_of(payout.id)):
            payout.needs_person = None

    def _call_person(self, payout: Payout, why: str) -> None:
        payout.needs_person = why[:FAILURE_TEXT_MAX]
        self._books.change(payout)

    def _enter(self, kind: Kind, payout: Payout, attempt: Attempt, at: datetime) -> None:
        self._entries.append(
            Entry(kind, payout.tenant_id, payout.id, payout.beneficiary_id, payout.cap_month, payout.amount_paise, attempt.id, at)
        )

    def _call_back(self, packet: str, payout: Payout, at: datetime) -> None:
        self._headers.append(header(Said(packet, str(payout.report_id)), payout.subject, at))

    def _move(self, action: str, payout: Payout, attempt: Attempt, facts: dict[str, Any], comment: str, at: datetime) -> None:
        noted = {"payoutId": payout.id, "razorpayPayoutId": attempt.provider_payout_id, "referenceId": attempt.reference_id}
        self._moves.setdefault(payout.id, []).append((action, Item(payout.report_id, facts, noted, comment[:1000], at=at)))

    def _move_once(self, conn: Connection) -> None:
        """Take the next step of every report; a report with two (paid, then reversed) comes again."""
        steps: dict[str, list[tuple[UUID, Item]]] = {}
        for payout_id, waiting in self._moves.items():
            if waiting:
                action, item = waiting.pop(0)
                steps.setdefault(action, []).append((payout_id, item))
        for action, moved in steps.items():
            for (payout_id, _), outcome in zip(
                moved, transition(conn, self._md, action, [item for _, item in moved], self._actor, self._now), strict=True
            ):
                if outcome.error is not None:
                    raise outcome.error from None
                if outcome.history_id is None:
                    raise AppError("SDCRS_INTERNAL", reference=str(payout_id))


def _mismatch(entity: PayoutEntity, payout: Payout, attempt: Attempt) -> str | None:
    """Why this payout of the provider cannot be the attempt's; None: it can."""
    if entity.reference_id is not None and entity.reference_id != attempt.reference_id:
        return f"The provider's payout {entity.id} carries the reference {entity.reference_id}, not {attempt.reference_id}."
    if attempt.provider_payout_id is not None and entity.id != attempt.provider_payout_id:
        return f"The provider has two payouts of the reference {attempt.reference_id}: {attempt.provider_payout_id} and {entity.id}."
    if entity.amount != payout.amount_paise:
        return f"The provider's payout {entity.id} is of {entity.amount} paise, ours of {payout.amount_paise}."
    ours = attempt.provider_fund_account_id
    if ours is not None and entity.fund_account_id is not None and entity.fund_account_id != ours:
        return f"The provider's payout {entity.id} goes to the fund account {entity.fund_account_id}, ours to {ours}."
    return None


def _why(entity: PayoutEntity) -> str:
    """The reason code of a payout that did not pay; the status where there is none."""
    return (entity.status_details.reason if entity.status_details else None) or entity.status


def _text(entity: PayoutEntity) -> str:
    """The provider's sentence."""
    return ((entity.status_details.description if entity.status_details else None) or entity.failure_reason or "")[:FAILURE_TEXT_MAX]
