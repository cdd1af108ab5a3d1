"""What a dashboard asks: of which reports, in which period, on whose behalf; and the answers, kept for a minute.

Every number, chart and list goes through `ask` with the parameters of one predicate (`matching` in queries/analytics.sql), so
what a tile counts is what its list shows. Times are whole minutes: all parts of a page speak of the same moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import streamlit as st

import queries
from dashboard import formats
from dashboard.console import PageContext
from dashboard.widgets.period import BEGINNING, Period
from dashboard.widgets.work import Area
from pipeline.access.policy import sight
from pipeline.masterdata.master import MasterData
from pipeline.runtime import Runtime

KEPT_S = 60  # as long as a page says the same "as of"
MAX_KEPT = 2000  # answers of all viewers together; each is at most a few hundred short rows

Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Asked:
    """The filters of a dashboard. `own_reporter` or `own_officer` is set for those who see their own reports only."""

    area: Area
    period: Period
    as_of: datetime
    zone: str
    district: str | None
    ward: str | None
    own_reporter: UUID | None
    own_officer: UUID | None

    def params(self, measure: "Measure", *, before: bool = False) -> dict[str, Any]:
        """The predicate's parameters for a measure, in the period before where that is asked for."""
        from_at, to_at = self.period.from_at, self.period.to_at
        if before and self.period.before is not None:
            from_at, to_at = self.period.before
        if measure.ever:
            from_at, to_at = BEGINNING, self.as_of + timedelta(minutes=1)
        if measure.age_days is not None:
            oldest = BEGINNING if measure.age_days[1] is None else self.as_of - timedelta(days=measure.age_days[1])
            from_at, to_at = oldest, min(to_at, self.as_of - timedelta(days=measure.age_days[0])) if measure.age_days[0] else to_at
        return {
            "tenants": self.area.tenants,
            "from_at": from_at,
            "to_at": to_at,
            "statuses": measure.statuses,
            "service_type": measure.service_type,
            "district_code": measure.district or self.district,
            "ward_code": measure.ward or self.ward,
            "own_reporter": self.own_reporter,
            "own_officer": self.own_officer,
            "overdue": measure.overdue,
            "as_of": self.as_of,
        }


@dataclass(frozen=True)
class Measure:
    """A kind of reports that is counted and listed. None filters nothing; `ever`: whatever the period."""

    title: str
    statuses: tuple[str, ...] | None = None
    overdue: bool | None = None
    ever: bool = False
    service_type: str | None = None
    district: str | None = None
    ward: str | None = None
    age_days: tuple[int, int | None] | None = None  # from, until


AGES: tuple[tuple[str, int, int | None], ...] = (
    ("Up to 24 h", 0, 1),
    ("24 to 48 h", 1, 2),
    ("48 to 72 h", 2, 3),
    ("More than 72 h", 3, None),
)


def asked(ctx: PageContext, area: Area, period: Period, as_of: datetime, district: str | None, ward: str | None) -> Asked:
    """The question of this viewer: who may not see all reports asks of the own ones."""
    seen = sight(ctx.caller)
    own_officer = None if seen.all or seen.reporter_id is not None else seen.officer_id
    return Asked(area, period, as_of, ctx.zone.key, district, ward, None if seen.all else seen.reporter_id, own_officer)


def ask(ctx: PageContext, name: str, params: Mapping[str, Any], **more: Any) -> list[dict[str, Any]]:
    """The rows of a statement of queries/analytics.sql inside the caller's scope, at most a minute old."""
    key = tuple(sorted({**params, **more}.items()))
    return _answer(ctx.runtime, id(ctx.runtime), ctx.caller.scope, name, key)


def total(ctx: PageContext, question: Asked, measure: Measure, *, before: bool = False) -> int:
    """How many reports a measure has: the count of its own list."""
    return int(ask(ctx, "analytics.page", question.params(measure, before=before), limit=0, offset=0)[0]["total"])


def measure(md: MasterData, question: Asked, key: str) -> Measure | None:
    """The measure that an address names, such as resolved, status:VERIFIED or age:3; None for anything else."""
    kind, _, value = key.partition(":")
    if not value:
        return measures(md, question.area.root).get(kind)
    if kind == "status" and value in formats.STATUS:
        return Measure(formats.status_label(value), statuses_like(value))
    types = md.report_types(question.area.root, retired=True)
    if kind == "type" and value in types:
        return Measure(types[value].name, service_type=value)
    districts = {one.code: one.name for one in md.districts(question.area.root)}
    if kind == "district" and value in districts:
        return Measure(districts[value], district=value)
    wards = {one.code: one.name for one in md.wards(question.area.root)}
    if kind == "ward" and value in wards:
        return Measure(wards[value], ward=value)
    if kind == "age" and value in {str(i) for i in range(len(AGES))}:
        label, oldest, youngest = AGES[int(value)]
        return Measure(f"Open, {label[:1].lower()}{label[1:]}", open_states(md, question.area.root), ever=True, age_days=(oldest, youngest))
    return None


def measures(md: MasterData, tenant_id: str) -> dict[str, Measure]:
    """The measures that have a name. A report whose payout is under way or failed counts as captured, a closed one as resolved."""
    resolved = _public(md, tenant_id, "RESOLVED")
    captured = resolved + _public(md, tenant_id, "CAPTURED")
    given = captured + _public(md, tenant_id, "ASSIGNED", "IN_PROGRESS", "UNABLE_TO_LOCATE")
    closed = resolved + _public(md, tenant_id, "UNABLE_TO_LOCATE", "REJECTED")
    still_open = open_states(md, tenant_id)
    return {
        "all": Measure("Reports"),
        "resolved": Measure("Resolved", resolved),
        "captured": Measure("Dog captured", captured),
        "given": Measure("Given to officers", given),
        "closed": Measure("Closed", closed),
        "in_time": Measure("Closed in time", closed, overdue=False),
        "open": Measure("Open", still_open, ever=True),
        "overdue": Measure("Open and overdue", still_open, overdue=True, ever=True),
    }


def open_states(md: MasterData, tenant_id: str) -> tuple[str, ...]:
    """The states in which a report still waits for somebody; one whose dog is captured waits for its payout only."""
    states = md.workflow(tenant_id).states.values()
    return tuple(state.code for state in states if not state.final and state.public_state != "CAPTURED")


def statuses_like(code: str) -> tuple[str, ...]:
    """The states that people know by the same words."""
    return tuple(other for other in formats.STATUS if formats.status_label(other) == formats.status_label(code))


def _public(md: MasterData, tenant_id: str, *names: str) -> tuple[str, ...]:
    return tuple(state.code for state in md.workflow(tenant_id).states.values() if state.public_state in names)


@st.cache_data(ttl=KEPT_S, max_entries=MAX_KEPT, show_spinner=False)
def _answer(_runtime: Runtime, runtime_id: int, scope: tuple[str, ...], name: str, params: Key) -> list[dict[str, Any]]:  # noqa: ARG001
    """The key is the runtime, the scope, the statement and its parameters: an answer depends on nothing else."""
    plain = {key: list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value for key, value in params}
    with _runtime.database.begin(scope) as conn:
        return [dict(row) for row in queries.rows(conn, name, **plain)]
