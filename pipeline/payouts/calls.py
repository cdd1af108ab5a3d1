"""One order to the provider and what is learnt from it. No database here, and nothing is decided from silence."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar
from uuid import UUID

from pipeline.clock import Clock
from pipeline.payouts.answers import Answer, Paused, Refused, Unknown, Why
from pipeline.payouts.journal import Call, Kind, call_of
from pipeline.payouts.orders import REFERENCE_PREFIX
from pipeline.payouts.provider import Ambiguous, NoneFound, Paid, Provider
from pipeline.payouts.reasons import REFUSED
from pipeline.payouts.settle import Doubtful, Finding, Refusal, Seen, Unsent, Unsure
from pipeline.payouts.states import RANKS
from pipeline.payouts.trail import Said

SAFE_TO_RESEND = timedelta(days=6)  # the provider keeps keys for seven calendar days; one is for clocks and zones
SURE_OF_NOTHING = timedelta(hours=1)  # a lost order has shown itself by then, as the provider's own procedure says
AGAIN_S = (15, 60, 120, 300, 600)  # after an unknown outcome; the same key makes a repeat harmless, the last one repeats

Trouble = tuple[Why, float | None]
T = TypeVar("T", bound=Paid | NoneFound | Ambiguous | Answer)


@dataclass(frozen=True)
class Order:
    """An attempt that is to be sent, with the exact bytes. `before`: what it was before this call."""

    attempt_id: UUID
    reference: str
    key: str
    body: bytes
    sends: int  # this call's number
    tries: int  # calls before this one without a certain answer
    before: Literal["PREPARED", "UNKNOWN"]
    first_sent_at: datetime
    held: bool = False  # whether the teacher is not paid for the time being


@dataclass(frozen=True)
class Outcome:
    """What an order led to, and the calls that were made. `trouble` None: the provider answered about this payout."""

    finding: Finding
    trouble: Trouble | None = None
    calls: tuple[Call, ...] = ()


class _Line:
    """The provider for one order, with a record of what is asked there."""

    def __init__(self, provider: Provider, order: Order, clock: Clock) -> None:
        self._provider = provider
        self._order = order
        self._clock = clock
        self.calls: list[Call] = []

    def order(self) -> Paid | Answer:
        """Send the exact bytes under their key."""
        return self._noted("ORDER", lambda: self._provider.create_payout(self._order.body, self._order.key, self._order.reference))

    def look_up(self) -> Paid | NoneFound | Ambiguous | Answer:
        """Find the payout by the order's reference."""
        return self._noted("LOOK_UP", lambda: self._provider.find_by_reference(self._order.reference))

    def not_made(self, kind: Kind) -> None:
        """Our own time was up: a send that was begun, and no call."""
        self.calls.append(call_of(self._order.attempt_id, self._order.sends, kind, Paused("NOT_SENT"), self._clock.now(), 0))

    def _noted(self, kind: Kind, ask: Callable[[], T]) -> T:
        at, begun = self._clock.now(), time.monotonic()
        answer = ask()
        self.calls.append(call_of(self._order.attempt_id, self._order.sends, kind, answer, at, time.monotonic() - begun))
        return answer


def again_after(tries: int) -> timedelta:
    """How long to wait after `tries` earlier calls without a certain answer."""
    return timedelta(seconds=AGAIN_S[min(tries, len(AGAIN_S) - 1)])


def place(provider: Provider, order: Order, clock: Clock, last_start: float) -> Outcome:
    """Send an order, or look it up once it is too old to be sent again. `last_start` by time.monotonic: too late for a call."""
    line = _Line(provider, order, clock)
    return replace(_place(line, order, clock, last_start), calls=tuple(line.calls))


def _place(line: _Line, order: Order, clock: Clock, last_start: float) -> Outcome:
    at = clock.now()
    if time.monotonic() > last_start:
        line.not_made("ORDER")
        return Outcome(Unsent(order.attempt_id, order.sends, "NOT_SENT", at, order.before, at), ("NOT_SENT", None))
    too_old = at - order.first_sent_at > SAFE_TO_RESEND
    if order.before == "UNKNOWN" and (too_old or order.held):  # sent before the hold: whether it was taken may be asked, not made so
        doubt = "It was sent long ago, its outcome is unknown, and its key has run out." if too_old else None
        return _look_up(line, order, clock, doubt)
    answer = line.order()
    at = clock.now()
    if isinstance(answer, Paid):
        return _seen(order, answer, at)
    if isinstance(answer, Refused):
        if order.before == "UNKNOWN":
            return _look_up(line, order, clock, None, answer)
        return Outcome(_refusal(order, answer, at))
    if isinstance(answer, Paused):
        wait = timedelta(seconds=answer.wait_s or 1.0)
        unsent = Unsent(order.attempt_id, order.sends, answer.why, at + wait, order.before, at, (_error(order),))
        return Outcome(unsent, (answer.why, answer.wait_s))
    if isinstance(answer, Unknown) and answer.why == "KEY_REUSED":
        return _look_up(line, order, clock, "The provider has its key with another body.")
    return _unsure(order, answer.why if isinstance(answer, Unknown) else "UNREADABLE_ANSWER", at)


def _look_up(line: _Line, order: Order, clock: Clock, doubt: str | None, refused: Refused | None = None) -> Outcome:
    """Find the payout by its reference. `doubt`: why a person must decide when there is none; else `refused` decides, but late.

    With neither it is asked again later.
    """
    found = line.look_up()
    at = clock.now()
    if isinstance(found, Paid):
        return _seen(order, found, at)
    if isinstance(found, Ambiguous):
        why = f"The provider has {len(found.ids)} payouts of its reference: {', '.join(found.ids)}."
        return Outcome(Doubtful(order.attempt_id, order.sends, why, at, (_error(order),)))
    if not isinstance(found, NoneFound):
        return _unsure(order, found.why if isinstance(found, Unknown | Paused) else "UNREADABLE_ANSWER", at)
    if doubt is not None:
        return Outcome(Doubtful(order.attempt_id, order.sends, doubt, at, (_error(order),)))
    if refused is not None and at - order.first_sent_at > SURE_OF_NOTHING:
        return Outcome(_refusal(order, refused, at))
    why = "HELD_WHILE_UNKNOWN" if refused is None else "REFUSED_AFTER_UNKNOWN"
    return Outcome(Unsure(order.attempt_id, order.sends, why, at + again_after(order.tries), at, (_error(order),)))


def _seen(order: Order, paid: Paid, at: datetime) -> Outcome:
    if paid.payout.status not in RANKS:
        if at - order.first_sent_at <= SURE_OF_NOTHING:
            return _unsure(order, "UNREADABLE_ANSWER", at)
        why = f"The provider shows {paid.payout.id} in the status {paid.payout.status}, which is unknown here."
        return Outcome(Doubtful(order.attempt_id, order.sends, why, at, (_error(order),)))
    said = (Said("08/04", order.reference, paid.body), Said("08/05", paid.payout.id))
    return Outcome(Seen(order.attempt_id, paid.payout, "REPLY", at, said))


def _refusal(order: Order, refused: Refused, at: datetime) -> Refusal:
    return Refusal(order.attempt_id, order.sends, reason_of(refused), refused.description, at, (_error(order),))


def _unsure(order: Order, why: Why, at: datetime) -> Outcome:
    return Outcome(
        Unsure(order.attempt_id, order.sends, why, at + again_after(order.tries), at, (_error(order),)),
        (why, None),
    )


def _error(order: Order) -> Said:
    return Said("08/10", order.reference)


def reason_of(refused: Refused) -> str:
    """The reason code of a refusal; a refused field says nothing that the provider's own reasons know, but for low balance."""
    if refused.reason in (None, "input_validation_failed"):
        return REFUSED
    return str(refused.reason)


def is_ours(reference: str | None) -> bool:
    """Whether a reference at the provider is one of this product's."""
    return reference is not None and reference.startswith(REFERENCE_PREFIX)
