"""The life of a flag as a table, and which decision about a report settles its flags. Pure.

A flag that was escalated is for the role named and those above it. A resolution can be corrected, never undone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

State = Literal["OPEN", "UNDER_REVIEW", "ESCALATED", "RESOLVED"]
Action = Literal["TAKE", "RELEASE", "ESCALATE", "RESOLVE", "CORRECT"]
Resolution = Literal["TRUE_POSITIVE", "FALSE_POSITIVE", "INCONCLUSIVE", "DUPLICATE_FLAG"]

STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)
RESOLUTIONS: tuple[Resolution, ...] = get_args(Resolution)

# Who hears what is escalated, one above the other
LADDER = ("VERIFIER", "SENIOR_VERIFIER", "DISTRICT_ADMIN", "STATE_ADMIN")

# Every state with what may be done to it and where that leads; RELEASE gives an escalated flag back to ESCALATED
TRANSITIONS: Mapping[State, Mapping[Action, State]] = MappingProxyType(
    {
        "OPEN": {"TAKE": "UNDER_REVIEW", "ESCALATE": "ESCALATED", "RESOLVE": "RESOLVED"},
        "UNDER_REVIEW": {"RELEASE": "OPEN", "ESCALATE": "ESCALATED", "RESOLVE": "RESOLVED"},
        "ESCALATED": {"TAKE": "UNDER_REVIEW", "ESCALATE": "ESCALATED", "RESOLVE": "RESOLVED"},
        "RESOLVED": {"CORRECT": "RESOLVED"},
    }
)


def next_state(state: State, action: Action, escalated_to: str | None) -> State | None:
    """Where the action leads; None where it is not possible."""
    led = TRANSITIONS[state].get(action)
    return "ESCALATED" if action == "RELEASE" and led is not None and escalated_to is not None else led


def rank(roles: frozenset[str]) -> int:
    """How high on the ladder somebody stands; -1 off it."""
    return max((step for step, role in enumerate(LADDER) if role in roles), default=-1)


def reaches(roles: frozenset[str], escalated_to: str | None) -> bool:
    """Whether somebody may deal with a flag that was escalated so far."""
    return rank(roles) >= (LADDER.index(escalated_to) if escalated_to is not None else 0)


def above(escalated_to: str | None) -> str | None:
    """The next role up; None at the top."""
    step = LADDER.index(escalated_to) if escalated_to is not None else 0
    return LADDER[step + 1] if step + 1 < len(LADDER) else None


def settled_by(action: str, reason: str | None, category: str) -> Resolution | None:
    """What a person's decision about a report makes of its flags that are not escalated; None: they stay.

    Who verifies a report has read its flags and holds it for good: they were wrong. A rejection as fraudulent proves them,
    a duplicate proves those that spoke of duplicates; any other rejection says nothing about them. An automatic rejection
    settles nothing, since nobody has looked.
    """
    if action == "VERIFY":
        return "FALSE_POSITIVE"
    if action == "REJECT":
        return "TRUE_POSITIVE" if reason == "FRAUDULENT" else "INCONCLUSIVE"
    if action == "MARK_DUPLICATE":
        return "TRUE_POSITIVE" if category == "DUP" else "INCONCLUSIVE"
    return None
