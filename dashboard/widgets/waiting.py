"""What a report waits for: who does the next step, and since when. Drawn from the workflow's own table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import RowMapping

from dashboard import formats
from dashboard.widgets.people import People
from pipeline.masterdata.workflow import Transition, WorkflowTable

# What runs by itself, by the state that it takes a report out of
SYSTEM_STEPS: dict[str, str] = {
    "PENDING_VALIDATION": "the automatic checks",
    "CAPTURED": "the payout to be started",
    "PAYOUT_PENDING": "the bank",
    "PAYOUT_FAILED": "another attempt, or a state admin",
}
STEPS: dict[str, str] = {
    "VERIFY": "verify",
    "REJECT": "reject",
    "MARK_DUPLICATE": "mark as a duplicate",
    "SEND_BACK": "ask the teacher",
    "ESCALATE": "escalate",
    "REOPEN": "reopen",
    "ASSIGN": "assign",
    "REASSIGN": "reassign",
    "START_FIELD_VISIT": "start the visit",
    "MARK_CAPTURED": "report the capture",
    "MARK_UNABLE_TO_LOCATE": "report that no dog was found",
    "COMMENT": "answer",
    "RETRY_PAYOUT": "send the payout again",
    "MANUAL_RESOLVE": "settle by hand",
    "RATE": "rate",
}
OTHER_SYSTEMS_NAMES = frozenset({"SYSTEM", "CITIZEN"})  # no account has these roles


@dataclass(frozen=True)
class Wait:
    """`what` None: nothing, the work is over. `next_step`: who may do what now, None when nobody may do anything."""

    what: str | None
    since: datetime
    next_step: str | None


def of(table: WorkflowTable, report: RowMapping, people: People) -> Wait:
    """What the report waits for now."""
    status = report["status"]
    open_now = [row for (state, _), found in table.transitions.items() if state == status for row in found if _holds(row, report["queue"])]
    told = _steps(open_now, report, people)
    if report["awaiting_teacher_at"] is not None:
        return Wait("the teacher's answer", report["awaiting_teacher_at"], told)
    since = report["state_entered_at"]
    if status in table.final_states:
        return Wait(None, since, told)
    if status in SYSTEM_STEPS:
        return Wait(SYSTEM_STEPS[status], since, told)
    return Wait(_who(open_now, report, people), since, told)


def _holds(row: Transition, queue: str) -> bool:
    return row.when != ("STANDARD_QUEUE" if queue == "SENIOR" else "SENIOR_QUEUE")


def _steps(open_now: Sequence[Transition], report: RowMapping, people: People) -> str | None:
    """Who may do what, as one sentence: Verifier may verify, reject or escalate."""
    by_role: dict[str, dict[str, None]] = {}
    for row in open_now:
        for role in sorted(row.roles - OTHER_SYSTEMS_NAMES):
            if row.action in STEPS:
                by_role.setdefault(role, {})[STEPS[row.action]] = None
    by_steps: dict[tuple[str, ...], list[str]] = {}
    for role, steps in by_role.items():
        by_steps.setdefault(tuple(steps), []).append(_named(role, report, people))
    return "; ".join(f"{_listed(who)} may {_listed(list(steps))}" for steps, who in by_steps.items()) or None


def _named(role: str, report: RowMapping, people: People) -> str:
    label = formats.ROLES.get(role, formats.words(role)).lower()
    officer = people.name(report["assigned_officer_id"]) if role == "MC_OFFICER" else None
    return f"the {label} {officer}" if officer else f"the {label}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _who(open_now: Sequence[Transition], report: RowMapping, people: People) -> str:
    """The role that takes the step which leads on: the first of the document."""
    roles = next((row.roles - OTHER_SYSTEMS_NAMES for row in open_now if row.roles - OTHER_SYSTEMS_NAMES), frozenset())
    return _named(min(roles), report, people) if roles else "nobody"
