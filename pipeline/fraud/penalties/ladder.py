"""Which step of the ladder is due for each strike. Pure: strikes and configuration in, steps out, in any order of arrival.

A strike is a rejection that counts, or a fraud that two admins confirmed. Each has one step: the severest whose condition
held when it happened, with the strikes before it. Spans are counted in calendar days of the tenant, ends included: of
three strikes within 30 days the first lies at most 30 days before the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pipeline.clock import local_day
from pipeline.masterdata.fraud_models import Penalty, PenaltyEscalation

Kind = Literal["REJECTION", "FRAUD"]


@dataclass(frozen=True)
class Strike:
    """Something that counts."""

    id: UUID
    number: int  # in order of arrival: of several at one moment the later ones follow the earlier
    report_id: UUID
    kind: Kind
    at: datetime


@dataclass(frozen=True)
class Due:
    """The step that a strike calls for. `until` None: for ever. `counted`: what made it due, the cause last."""

    cause: Strike
    step: Penalty
    counted: tuple[Strike, ...]
    until: datetime | None
    watched_until: datetime  # good behaviour until then ends the warning that stays behind

    @property
    def by_fraud(self) -> bool:
        """Whether a confirmed fraud, and not the number of rejections, made it due."""
        return self.counted[-1].kind == "FRAUD"


def due(strikes: Sequence[Strike], steps: Sequence[Penalty], escalation: PenaltyEscalation, zone: ZoneInfo) -> list[Due]:
    """For each strike the severest step that it made due; strikes that reach no step are left out. In order of time."""
    ordered = sorted(strikes, key=lambda strike: (strike.at, strike.number))
    severest_first = sorted(steps, key=lambda step: step.level, reverse=True)
    found = []
    for number, cause in enumerate(ordered, start=1):
        for step in severest_first:
            counted = _counted(ordered[:number], step, escalation, zone)
            if counted:
                found.append(_due(cause, step, counted, escalation))
                break
    return found


def _counted(strikes: Sequence[Strike], step: Penalty, escalation: PenaltyEscalation, zone: ZoneInfo) -> tuple[Strike, ...]:
    """The strikes that fulfil the step's condition at the last of them; none when it is not fulfilled."""
    trigger, last = step.trigger_condition, strikes[-1]
    days = min(trigger.within_days or escalation.reset_after_days, escalation.reset_after_days)
    first_day = local_day(last.at, zone) - timedelta(days=days)
    recent = [strike for strike in strikes if local_day(strike.at, zone) >= first_day]
    wanted = trigger.rejections if last.kind == "REJECTION" else trigger.confirmed_frauds
    alike = tuple(strike for strike in recent if strike.kind == last.kind)
    return alike if wanted is not None and len(alike) >= wanted else ()


def _due(cause: Strike, step: Penalty, counted: tuple[Strike, ...], escalation: PenaltyEscalation) -> Due:
    watched_until = cause.at + timedelta(days=escalation.good_behavior_reduction_days)
    if step.code == "WARNING":
        until: datetime | None = watched_until
    else:
        until = None if step.duration is None else cause.at + step.duration.span
    return Due(cause, step, counted, until, watched_until)
