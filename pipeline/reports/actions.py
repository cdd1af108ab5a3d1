"""What people do to a report: each action's facts are gathered here, checked, and carried through the one door.

`act` takes many updates and answers for each. The table at the foot says which function gathers which action's facts.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.caller import Caller
from pipeline.access.policy import sight
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports import assignment, pairs, verification, visits
from pipeline.reports.update import Update
from pipeline.reports.workflow import Actor, Item, Outcome, transition

MAX_UPDATES = 200  # one bulk action from a screen; larger ones are split by their caller

_SEEN = text("""
    SELECT id, reporter_id = CAST(:reporter_id AS uuid) OR assigned_officer_id = CAST(:officer_id AS uuid) AS theirs
    FROM sdcrs.report WHERE id = ANY (:ids)
""")

Gather = Callable[[Connection, MasterData, Caller, Update, datetime], Item]


def act(
    conn: Connection,
    md: MasterData,
    caller: Caller,
    updates: Sequence[Update],
    now: datetime,
    correlation_id: UUID | None = None,
    body: Mapping[str, Any] | None = None,
) -> list[Outcome]:
    """Carry out people's actions, with a result per update in the order given. Does not commit.

    Who may never take an action is told so before anything is said of the report; who may not read a report learns nothing
    of it here either. Errors per update besides the door's: SDCRS_FACT_MISSING,
    SDCRS_UNKNOWN_REASON, SDCRS_UNKNOWN_OFFICER, SDCRS_FORBIDDEN (an action that only the system takes).
    """
    if len(updates) > MAX_UPDATES:
        raise AppError("SDCRS_INVALID_REQUEST", field="DogReports", detail=f"at most {MAX_UPDATES} in one request")
    actor = Actor(caller.account_id, caller.roles)
    hidden = _hidden(conn, caller, [update.report_id for update in updates])
    results: dict[int, Outcome] = {}
    items: dict[str, list[tuple[int, Item]]] = {}
    for index, update in enumerate(updates):
        gather = GATHER.get(update.action)
        try:
            if gather is None:
                raise AppError("SDCRS_FORBIDDEN", reason=f"{update.action} is taken by the system itself or does not exist")
            if caller.roles.isdisjoint(_takers(md, caller, update.action)):
                raise AppError("SDCRS_ROLE_NOT_ALLOWED", action=update.action)
            if update.report_id in hidden:
                raise hidden[update.report_id]
            items.setdefault(update.action, []).append((index, gather(conn, md, caller, update, now)))
        except AppError as error:
            results[index] = Outcome(update.report_id, error)
    for action, group in items.items():
        outcomes = transition(conn, md, action, [item for _, item in group], actor, now, correlation_id, body)
        for (index, _), outcome in zip(group, outcomes, strict=True):
            results[index] = outcome
    accepted = [(updates[i], outcome) for i, outcome in results.items() if outcome.ok]
    visits.attach_capture_photos(conn, md, caller, accepted, now)
    pairs.remember_reopened(conn, caller, [update.report_id for update, _ in accepted if update.action == "REOPEN"], now)
    return [results[i] for i in range(len(updates))]


def _takers(md: MasterData, caller: Caller, action: str) -> set[str]:
    """The roles that take this action in any state of a report in the caller's area."""
    tables = {id(table): table for table in map(md.workflow, caller.scope)}
    return {
        role
        for table in tables.values()
        for (_, name), rows in table.transitions.items()
        if name == action
        for row in rows
        for role in row.roles
    }


def _hidden(conn: Connection, caller: Caller, ids: Sequence[UUID]) -> dict[UUID, AppError]:
    """What teachers and officers are told of reports that are not theirs: neither state nor version, which the door would name."""
    seen = sight(caller)
    if seen.all:
        return {}
    found = {row.id: row for row in conn.execute(_SEEN, {"ids": list(ids), "reporter_id": seen.reporter_id, "officer_id": seen.officer_id})}
    errors: dict[UUID, AppError] = {}
    for report_id in ids:
        row = found.get(report_id)
        if row is not None and seen.officer_id is not None and not row.theirs:
            errors[report_id] = AppError("SDCRS_NOT_YOUR_REPORT")  # it may have been taken back while the officer was out
        elif row is None or not row.theirs:
            errors[report_id] = AppError("SDCRS_NOT_FOUND", kind="Report", id=str(report_id))
    return errors


GATHER: dict[str, Gather] = {
    "VERIFY": verification.verify,
    "REJECT": verification.reject,
    "MARK_DUPLICATE": verification.mark_duplicate,
    "ESCALATE": verification.plain,
    "SEND_BACK": verification.plain,
    "COMMENT": verification.plain,
    "REOPEN": verification.reopen,
    "ASSIGN": assignment.assign,
    "REASSIGN": assignment.reassign,
    "START_FIELD_VISIT": visits.start,
    "MARK_CAPTURED": visits.captured,
    "MARK_UNABLE_TO_LOCATE": visits.unable_to_locate,
    "RATE": verification.rate,
}
