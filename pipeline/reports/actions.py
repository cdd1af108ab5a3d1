"""What people do to a report: each action's facts are gathered here, checked, and carried through the one door.

`act` takes many updates and answers for each. The table at the foot says which function gathers which action's facts.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from pipeline.access.caller import Caller
from pipeline.errors import AppError
from pipeline.masterdata.master import MasterData
from pipeline.reports import assignment, pairs, verification, visits
from pipeline.reports.update import Update
from pipeline.reports.workflow import Actor, Item, Outcome, transition

MAX_UPDATES = 200  # one bulk action from a screen; larger ones are split by their caller


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

    Errors per update besides the door's: SDCRS_FACT_MISSING, SDCRS_UNKNOWN_REASON, SDCRS_UNKNOWN_OFFICER,
    SDCRS_FORBIDDEN (an action that only the system takes).
    """
    if len(updates) > MAX_UPDATES:
        raise AppError("SDCRS_INVALID_REQUEST", field="DogReports", detail=f"at most {MAX_UPDATES} in one request")
    actor = Actor(caller.account_id, caller.roles)
    results: dict[int, Outcome] = {}
    items: dict[str, list[tuple[int, Item]]] = {}
    for index, update in enumerate(updates):
        gather = GATHER.get(update.action)
        try:
            if gather is None:
                raise AppError("SDCRS_FORBIDDEN", reason=f"{update.action} is taken by the system itself or does not exist")
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
