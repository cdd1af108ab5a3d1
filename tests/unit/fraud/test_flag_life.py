"""The life of a flag as a table: every state, every action, who may, and what a decision about the report makes of it."""

from uuid import uuid4

import pytest

from pipeline.access.caller import Caller
from pipeline.fraud.flags import life
from pipeline.fraud.flags.commands import can_work

# state, escalated to, then the state after TAKE RELEASE ESCALATE RESOLVE CORRECT; - where it is not possible
TABLE = """
OPEN          -                UNDER_REVIEW  -          ESCALATED  RESOLVED  -
UNDER_REVIEW  -                -             OPEN       ESCALATED  RESOLVED  -
UNDER_REVIEW  SENIOR_VERIFIER  -             ESCALATED  ESCALATED  RESOLVED  -
ESCALATED     SENIOR_VERIFIER  UNDER_REVIEW  -          ESCALATED  RESOLVED  -
RESOLVED      -                -             -          -          -         RESOLVED
RESOLVED      DISTRICT_ADMIN   -             -          -          -         RESOLVED
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]

# who may deal with a flag escalated so far
REACH = [
    (None, "VERIFIER SENIOR_VERIFIER DISTRICT_ADMIN STATE_ADMIN"),
    ("SENIOR_VERIFIER", "SENIOR_VERIFIER DISTRICT_ADMIN STATE_ADMIN"),
    ("DISTRICT_ADMIN", "DISTRICT_ADMIN STATE_ADMIN"),
    ("STATE_ADMIN", "STATE_ADMIN"),
]
ROLES = ["TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[1]}")
def test_each_action_leads_where_the_table_says(row: list[str]) -> None:
    state, ear, *after = row
    found = [life.next_state(state, action, None if ear == "-" else ear) or "-" for action in life.ACTIONS]  # type: ignore[arg-type]
    assert found == after


def test_the_table_is_total() -> None:
    assert set(life.TRANSITIONS) == set(life.STATES) == {row[0] for row in ROWS}
    assert all(set(actions) <= set(life.ACTIONS) for actions in life.TRANSITIONS.values())


@pytest.mark.parametrize(("ear", "roles"), REACH)
def test_an_escalated_flag_is_for_the_role_named_and_those_above(ear: str | None, roles: str) -> None:
    for role in ROLES:
        caller = Caller(uuid4(), uuid4(), "X", frozenset({role}), "dj", ("dj",))
        assert can_work(caller, "RESOLVE", "ESCALATED" if ear else "OPEN", ear) == (role in roles.split()), role


def test_only_admins_correct() -> None:
    able = [
        role for role in ROLES if can_work(Caller(uuid4(), uuid4(), "X", frozenset({role}), "dj", ("dj",)), "CORRECT", "RESOLVED", None)
    ]
    assert able == ["DISTRICT_ADMIN", "STATE_ADMIN"]


@pytest.mark.parametrize(
    ("action", "reason", "category", "resolution"),
    [
        ("VERIFY", None, "LOC", "FALSE_POSITIVE"),
        ("REJECT", "FRAUDULENT", "LOC", "TRUE_POSITIVE"),
        ("REJECT", "NOT_A_DOG", "LOC", "INCONCLUSIVE"),
        ("REJECT", "POOR_QUALITY", "EVD", "INCONCLUSIVE"),
        ("MARK_DUPLICATE", "DUPLICATE", "DUP", "TRUE_POSITIVE"),
        ("MARK_DUPLICATE", "DUPLICATE", "TMP", "INCONCLUSIVE"),
        ("AUTO_VALIDATE_FAIL", "FRAUD_DETECTED", "LOC", None),
        ("ESCALATE", None, "LOC", None),
        ("SEND_BACK", None, "LOC", None),
        ("REOPEN", None, "LOC", None),
    ],
)
def test_a_persons_decision_about_the_report_settles_its_flags(
    action: str, reason: str | None, category: str, resolution: str | None
) -> None:
    assert life.settled_by(action, reason, category) == resolution
