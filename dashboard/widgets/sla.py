"""How much of a state's time is used up, as the band that a queue shows. The time itself is the workflow's own `sla`.

A state's clock runs from entry into the state and stands still while the teacher is asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from dashboard import formats
from pipeline.masterdata.master import MasterData

ATTENTION_FROM = 0.5  # half the time is gone: enough is left to plan
URGENT_FROM = 0.8  # of a day's 24 hours under five are left: this shift has to do it


@dataclass(frozen=True)
class Band:
    """A part of the time allowed; `since` and `until` are shares of it, None without end."""

    key: str
    label: str
    colour: str
    since: float | None
    until: float | None


BANDS = (
    Band("on_track", "On track", "green", None, ATTENTION_FROM),
    Band("attention", "Attention", "blue", ATTENTION_FROM, URGENT_FROM),
    Band("urgent", "Urgent", "orange", URGENT_FROM, 1.0),
    Band("breached", "Overdue", "red", 1.0, None),
)
BY_KEY = {band.key: band for band in BANDS}


def seconds(md: MasterData, tenants: Iterable[str]) -> list[dict[str, Any]]:
    """The time allowed in each state of each tenant, as queries take it; states without any are left out."""
    return [
        {"tenant_id": tenant_id, "status": state.code, "seconds": state.sla_s}
        for tenant_id in tenants
        for state in md.workflow(tenant_id).states.values()
        if state.sla_s is not None
    ]


def spent_s(report: RowMapping, now: datetime) -> float:
    """Seconds in the present state, without those in which the clock stood still."""
    until = report["awaiting_teacher_at"] or now
    return float((until - report["state_entered_at"]).total_seconds() - report["paused_s"])


def band_of(spent: float, allowed_s: int | None) -> Band | None:
    """The band; None where nothing is due."""
    if allowed_s is None:
        return None
    share = spent / allowed_s if allowed_s else 1.0
    return next(band for band in BANDS if band.until is None or share < band.until)


def due_words(spent: float, allowed_s: int | None) -> str:
    """What is left, or by how much it is over: 2 h left, 3 h over."""
    if allowed_s is None:
        return "Nothing due"
    rest = allowed_s - spent
    return f"{formats.duration(rest)} left" if rest >= 0 else f"{formats.duration(rest)} over"
