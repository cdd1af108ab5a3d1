"""The workflow document and the table made from it: which action leads from which state to which, by whom and when.

The table is what the one door of reports/ works by; this module changes no report.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from pipeline.masterdata.base import Strict

Queue = Literal["STANDARD", "SENIOR"]
When = Literal["STANDARD_QUEUE", "SENIOR_QUEUE", "ASSIGNEE_NAMED", "ASSIGNEE_EMPTY"]
OnlyBy = Literal["REPORTER", "ASSIGNED_OFFICER"]
Need = Literal[
    "assignee",
    "comment",
    "duplicateOf",
    "manualPaymentMethod",
    "manualPaymentReference",
    "rejectionReason",
    "resolutionType",
    "unableToLocateReason",
]

QUEUE_CONDITIONS: frozenset[When] = frozenset({"STANDARD_QUEUE", "SENIOR_QUEUE"})
ASSIGNEE_CONDITIONS: frozenset[When] = frozenset({"ASSIGNEE_NAMED", "ASSIGNEE_EMPTY"})


class Effects(Strict):
    """What an action marks on the report besides its state; None leaves a mark as it is."""

    queue: Queue | None = None
    awaiting_comment: bool | None = None  # true: the state's clock stands still until the teacher answers


class ActionEntry(Strict):
    """One action of one state as the document has it. Two entries of one name need different `when`."""

    action: str
    next_state: str
    roles: tuple[str, ...] = Field(min_length=1)
    when: When | None = None
    only_by: OnlyBy | None = None  # besides the role: the person who reported, or the officer who has it
    needs: tuple[Need, ...] = ()  # facts without which the action is refused
    sets: Effects = Effects()
    active: bool = True
    tenant_id: str | None = None  # accepted as other products write it; the document's own tenant decides


class StateEntry(Strict):
    """One state as the document has it; `sla` in milliseconds from entry, None where nothing is due."""

    state: str | None
    application_status: str | None
    sla: int | None = Field(ge=0)
    doc_upload_required: bool = False
    is_start_state: bool
    is_terminate_state: bool
    is_final_state: bool = False
    is_state_updatable: bool = False
    public_state: str | None = None
    public_label: str | None = None
    public_status_label: str | None = None
    actions: tuple[ActionEntry, ...]
    tenant_id: str | None = None


class BusinessService(Strict):
    """The workflow document: its states in the order of a report's life."""

    business_service: str
    business: str
    business_service_sla: int = Field(gt=0)
    states: tuple[StateEntry, ...]
    tenant_id: str | None = None


@dataclass(frozen=True)
class State:
    """A state of a report. Terminal: no action leaves it. Final: the work is over, though a late event may still leave it."""

    code: str
    sla_s: int | None  # from entry into the state; None: nothing is due
    start: bool  # where a new report begins
    terminal: bool
    final: bool
    public_state: str  # what the tracking page calls it
    public_label: str  # in the timeline
    public_status_label: str  # as the present state


@dataclass(frozen=True)
class Transition:
    """One row of the table. `from_state` None: the report does not exist yet."""

    action: str
    from_state: str | None
    to_state: str
    roles: frozenset[str]
    when: When | None
    only_by: OnlyBy | None
    needs: tuple[Need, ...]
    sets: Effects


@dataclass(frozen=True)
class WorkflowTable:
    """All states and transitions of one version of a workflow."""

    version: int  # of the document, for history rows; 0: read from a file, never published
    business_service: str
    business: str
    sla_s: int
    states: Mapping[str, State]
    transitions: Mapping[tuple[str | None, str], tuple[Transition, ...]]

    def pick(self, from_state: str | None, action: str, *, queue: Queue = "STANDARD", assignee_named: bool = False) -> Transition | None:
        """The one transition that holds for a report in this state and queue; None when the action is not possible there.

        Two entries of one action exclude each other by their `when`, which checks.py sees to.
        """
        holds = {
            None,
            "SENIOR_QUEUE" if queue == "SENIOR" else "STANDARD_QUEUE",
            "ASSIGNEE_NAMED" if assignee_named else "ASSIGNEE_EMPTY",
        }
        return next((row for row in self.transitions.get((from_state, action), ()) if row.when in holds), None)

    def open_to(self, from_state: str | None, roles: Collection[str], queue: Queue = "STANDARD") -> tuple[Transition, ...]:
        """What somebody with these roles may do with a report in this state and queue, in the document's order."""
        other = "STANDARD_QUEUE" if queue == "SENIOR" else "SENIOR_QUEUE"
        return tuple(
            row
            for (state, _), rows in self.transitions.items()
            if state == from_state
            for row in rows
            if row.when != other and not row.roles.isdisjoint(roles)
        )

    @property
    def actions(self) -> frozenset[str]:
        """Every action's name."""
        return frozenset(action for _, action in self.transitions)

    @property
    def final_states(self) -> frozenset[str]:
        """Where a report's work is over: it is no longer late and waits for nobody."""
        return frozenset(code for code, state in self.states.items() if state.final)


def table(service: BusinessService, version: int) -> WorkflowTable:
    """The table of a workflow document that checks.py has accepted; inactive actions are left out."""
    begins = {action.next_state for entry in service.states if entry.is_start_state for action in entry.actions}
    states: dict[str, State] = {}
    rows: dict[tuple[str | None, str], tuple[Transition, ...]] = {}
    for entry in service.states:
        if entry.state is not None:
            label = entry.public_label or entry.state
            states[entry.state] = State(
                code=entry.state,
                sla_s=None if entry.sla is None else entry.sla // 1000,
                start=entry.state in begins,
                terminal=entry.is_terminate_state,
                final=entry.is_final_state,
                public_state=entry.public_state or entry.state,
                public_label=label,
                public_status_label=entry.public_status_label or label,
            )
        for action in entry.actions:
            if not action.active:
                continue
            key = (entry.state, action.action)
            row = Transition(
                action=action.action,
                from_state=entry.state,
                to_state=action.next_state,
                roles=frozenset(action.roles),
                when=action.when,
                only_by=action.only_by,
                needs=action.needs,
                sets=action.sets,
            )
            rows[key] = (*rows.get(key, ()), row)
    return WorkflowTable(
        version=version,
        business_service=service.business_service,
        business=service.business,
        sla_s=service.business_service_sla // 1000,
        states=states,
        transitions=rows,
    )
