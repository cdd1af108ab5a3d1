"""A few reports in every state, brought there through the real code: what the mass of existing reports is copied from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import text

from pipeline.bench import calls
from pipeline.bench.clients import Errand
from pipeline.bench.floor import Floor
from pipeline.bench.people import TENANT, Person
from pipeline.reports.actions import act
from pipeline.reports.update import Update

EACH = 4  # of every state, so that copies are not all of one report
OUTSIDE = (11.85, 43.5)  # far from the photo's place, and outside the tenant
ANSWERS_S = 0.2

_STATES = text("SELECT id, status FROM sdcrs.report WHERE tenant_id = :tenant_id AND created_at >= :since LIMIT 1000")


def make_models(floor: Floor) -> Mapping[str, Sequence[UUID]]:
    """Ids by the state that was reached."""
    since = floor.rt.clock.now()
    wanted = EACH * len(_PATHS)
    for number in range(wanted + EACH):
        draft = floor.stock.draft()
        if number >= wanted:
            draft = replace(draft, spot=OUTSIDE)
        call = calls.create(draft, floor.message_id())
        floor.clients.send(Errand((call,)))
    answered = 0
    while answered < wanted + EACH:
        answers = floor.clients.receive(ANSWERS_S)
        answered += len(answers)
    floor.settle()
    waiting = floor.in_state("PENDING_VERIFICATION", since)
    number_of = dict(waiting)
    paths = list(_PATHS)
    for index, report_id in enumerate(number_of):
        officer = floor.staff.officers[index % len(floor.staff.officers)]
        for action in _PATHS[paths[index % len(paths)]]:
            _do(floor, officer, report_id, action, waiting[0][1])
    floor.settle()
    found: dict[str, list[UUID]] = {}
    with floor.rt.database.worker() as conn:
        for row in conn.execute(_STATES, {"tenant_id": TENANT, "since": since}):
            found.setdefault(row.status, []).append(row.id)
    return found


_PATHS: Mapping[str, tuple[str, ...]] = {
    "PENDING_VERIFICATION": (),
    "VERIFIED": ("VERIFY",),
    "REJECTED": ("REJECT",),
    "DUPLICATE": ("MARK_DUPLICATE",),
    "ASSIGNED": ("VERIFY", "ASSIGN"),
    "IN_PROGRESS": ("VERIFY", "ASSIGN", "START_FIELD_VISIT"),
    "UNABLE_TO_LOCATE": ("VERIFY", "ASSIGN", "START_FIELD_VISIT", "MARK_UNABLE_TO_LOCATE"),
    "RESOLVED": ("VERIFY", "ASSIGN", "START_FIELD_VISIT", "MARK_CAPTURED"),
}


def _do(floor: Floor, officer: Person, report_id: UUID, action: str, first_number: str) -> None:
    known: dict[str, dict[str, Any]] = {
        "REJECT": {"rejection_reason": "DOMESTIC_DOG", "rejection_remarks": "It wears a collar"},
        "MARK_DUPLICATE": {"duplicate_of": first_number},
        "ASSIGN": {"assignee": officer.caller.account_id},
        "MARK_UNABLE_TO_LOCATE": {"unable_reason": "DOG_MOVED"},
    }
    fields = known.get(action, {})
    if action == "MARK_CAPTURED":
        fields = {"capture_file_id": floor.stock.capture(officer), "resolution_type": "CAPTURED"}
    who = {"ASSIGN": floor.supervisor()}.get(action) or (officer if action in _OFFICERS else floor.verifier())
    with floor.rt.database.begin(who.caller.scope) as conn:
        update = Update(report_id, action, comment="Bench", fields=fields)
        outcome = act(conn, floor.rt.masterdata.current(), who.caller, [update], floor.rt.clock.now())[0]
        if outcome.error is not None:
            raise outcome.error


_OFFICERS = frozenset({"START_FIELD_VISIT", "MARK_CAPTURED", "MARK_UNABLE_TO_LOCATE"})
