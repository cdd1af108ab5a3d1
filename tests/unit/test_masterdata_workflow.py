"""The shipped workflow as a table: every state, action, role and end."""

import pytest

from pipeline.masterdata.files import load_folder
from pipeline.masterdata.workflow import WorkflowTable


@pytest.fixture(scope="module")
def workflow() -> WorkflowTable:
    return load_folder().workflow("dj.djibouti-ville")


# from, action, queue, whether an officer is named, who, to
TABLE = [
    (None, "SUBMIT", "STANDARD", False, "CITIZEN TEACHER", "PENDING_VALIDATION"),
    ("PENDING_VALIDATION", "AUTO_VALIDATE_PASS", "STANDARD", False, "SYSTEM", "PENDING_VERIFICATION"),
    ("PENDING_VALIDATION", "AUTO_VALIDATE_FAIL", "STANDARD", False, "SYSTEM", "AUTO_REJECTED"),
    ("AUTO_REJECTED", "REOPEN", "STANDARD", False, "DISTRICT_ADMIN STATE_ADMIN", "PENDING_VERIFICATION"),
    ("PENDING_VERIFICATION", "VERIFY", "STANDARD", False, "VERIFIER", "VERIFIED"),
    ("PENDING_VERIFICATION", "VERIFY", "SENIOR", False, "SENIOR_VERIFIER", "VERIFIED"),
    ("PENDING_VERIFICATION", "REJECT", "STANDARD", False, "VERIFIER", "REJECTED"),
    ("PENDING_VERIFICATION", "REJECT", "SENIOR", False, "SENIOR_VERIFIER", "REJECTED"),
    ("PENDING_VERIFICATION", "MARK_DUPLICATE", "STANDARD", False, "VERIFIER", "DUPLICATE"),
    ("PENDING_VERIFICATION", "MARK_DUPLICATE", "SENIOR", False, "SENIOR_VERIFIER", "DUPLICATE"),
    ("PENDING_VERIFICATION", "SEND_BACK", "STANDARD", False, "VERIFIER", "PENDING_VERIFICATION"),
    ("PENDING_VERIFICATION", "SEND_BACK", "SENIOR", False, "SENIOR_VERIFIER", "PENDING_VERIFICATION"),
    ("PENDING_VERIFICATION", "ESCALATE", "STANDARD", False, "VERIFIER", "PENDING_VERIFICATION"),
    ("PENDING_VERIFICATION", "ESCALATE", "SENIOR", False, None, None),
    ("PENDING_VERIFICATION", "COMMENT", "STANDARD", False, "CITIZEN TEACHER", "PENDING_VERIFICATION"),
    ("PENDING_VERIFICATION", "COMMENT", "SENIOR", False, "CITIZEN TEACHER", "PENDING_VERIFICATION"),
    ("VERIFIED", "ASSIGN", "STANDARD", True, "MC_SUPERVISOR", "ASSIGNED"),
    ("ASSIGNED", "START_FIELD_VISIT", "STANDARD", False, "MC_OFFICER", "IN_PROGRESS"),
    ("ASSIGNED", "REASSIGN", "STANDARD", True, "MC_SUPERVISOR", "ASSIGNED"),
    ("ASSIGNED", "REASSIGN", "STANDARD", False, "MC_SUPERVISOR", "VERIFIED"),
    ("IN_PROGRESS", "MARK_CAPTURED", "STANDARD", False, "MC_OFFICER", "CAPTURED"),
    ("IN_PROGRESS", "MARK_UNABLE_TO_LOCATE", "STANDARD", False, "MC_OFFICER", "UNABLE_TO_LOCATE"),
    ("CAPTURED", "INITIATE_PAYOUT", "STANDARD", False, "SYSTEM", "PAYOUT_PENDING"),
    ("CAPTURED", "RESOLVE_NO_PAYOUT", "STANDARD", False, "SYSTEM", "RESOLVED"),
    ("PAYOUT_PENDING", "PAYOUT_SUCCESS", "STANDARD", False, "SYSTEM", "RESOLVED"),
    ("PAYOUT_PENDING", "PAYOUT_FAILED", "STANDARD", False, "SYSTEM", "PAYOUT_FAILED"),
    ("PAYOUT_FAILED", "RETRY_PAYOUT", "STANDARD", False, "STATE_ADMIN SYSTEM", "PAYOUT_PENDING"),
    ("PAYOUT_FAILED", "MANUAL_RESOLVE", "STANDARD", False, "STATE_ADMIN", "RESOLVED"),
    ("RESOLVED", "RATE", "STANDARD", False, "CITIZEN TEACHER", "CLOSED"),
    ("RESOLVED", "PAYOUT_REVERSED", "STANDARD", False, "SYSTEM", "PAYOUT_FAILED"),
    ("CLOSED", "PAYOUT_REVERSED", "STANDARD", False, "SYSTEM", "PAYOUT_FAILED"),
    ("REJECTED", "VERIFY", "STANDARD", False, None, None),
]


@pytest.mark.parametrize(("state", "action", "queue", "named", "roles", "end"), TABLE)
def test_each_action_leads_where_the_contract_says(workflow, state, action, queue, named, roles, end):
    row = workflow.pick(state, action, queue=queue, assignee_named=named)
    assert (row and " ".join(sorted(row.roles)), row and row.to_state) == (roles, end)


def test_the_table_above_is_whole(workflow):
    assert set(workflow.transitions) == {(state, action) for state, action, _, _, roles, _ in TABLE if roles}


# state, hours until due, terminal, final, on the tracking page
STATES = [
    ("PENDING_VALIDATION", 1, False, False, "Report Submitted"),
    ("AUTO_REJECTED", None, False, True, "Not Accepted"),
    ("PENDING_VERIFICATION", 24, False, False, "Under Review"),
    ("REJECTED", None, True, True, "Not Accepted"),
    ("DUPLICATE", None, True, True, "Already Reported"),
    ("VERIFIED", 1, False, False, "Verified"),
    ("ASSIGNED", 48, False, False, "Team Assigned"),
    ("IN_PROGRESS", 24, False, False, "Field Visit Started"),
    ("CAPTURED", 1, False, False, "Dog Captured"),
    ("PAYOUT_PENDING", 24, False, False, "Dog Captured"),
    ("PAYOUT_FAILED", None, False, False, "Dog Captured"),
    ("RESOLVED", None, False, True, "Resolved"),
    ("UNABLE_TO_LOCATE", None, True, True, "Dog Not Found"),
    ("CLOSED", None, False, True, "Resolved"),
]


def test_states_have_their_hours_ends_and_labels(workflow):
    found = [(s.code, s.sla_s and s.sla_s // 3600, s.terminal, s.final, s.public_label) for s in workflow.states.values()]
    assert found == STATES
    assert [state.code for state in workflow.states.values() if state.start] == ["PENDING_VALIDATION"]


def test_money_matters_are_not_told_to_the_public(workflow):
    assert {workflow.states[code].public_state for code in ("CAPTURED", "PAYOUT_PENDING", "PAYOUT_FAILED")} == {"CAPTURED"}
    assert workflow.states["CLOSED"].public_state == "RESOLVED"
    assert workflow.states["RESOLVED"].public_status_label == "Resolved - Dog Captured"


def test_escalating_moves_into_the_senior_queue_and_a_comment_ends_the_waiting(workflow):
    assert workflow.pick("PENDING_VERIFICATION", "ESCALATE").sets.queue == "SENIOR"
    assert workflow.pick("PENDING_VERIFICATION", "SEND_BACK").sets.awaiting_comment is True
    assert workflow.pick("PENDING_VERIFICATION", "COMMENT").sets.awaiting_comment is False
    assert workflow.pick("PENDING_VERIFICATION", "VERIFY").sets.awaiting_comment is None


def test_visits_are_the_assigned_officers_and_comments_and_ratings_the_reporters(workflow):
    by = {(action, row.only_by) for (_, action), rows in workflow.transitions.items() for row in rows if row.only_by}
    assert by == {
        ("START_FIELD_VISIT", "ASSIGNED_OFFICER"),
        ("MARK_CAPTURED", "ASSIGNED_OFFICER"),
        ("MARK_UNABLE_TO_LOCATE", "ASSIGNED_OFFICER"),
        ("COMMENT", "REPORTER"),
        ("RATE", "REPORTER"),
    }


# roles, queue, the actions offered on a report under review
OFFERED = [
    ({"VERIFIER"}, "STANDARD", ["VERIFY", "REJECT", "MARK_DUPLICATE", "SEND_BACK", "ESCALATE"]),
    ({"VERIFIER"}, "SENIOR", []),
    ({"SENIOR_VERIFIER"}, "STANDARD", []),
    ({"SENIOR_VERIFIER"}, "SENIOR", ["VERIFY", "REJECT", "MARK_DUPLICATE", "SEND_BACK"]),
    ({"MC_OFFICER"}, "STANDARD", []),
]


@pytest.mark.parametrize(("roles", "queue", "offered"), OFFERED)
def test_seniors_have_the_verifiers_actions_in_their_own_queue(workflow, roles, queue, offered):
    assert [row.action for row in workflow.open_to("PENDING_VERIFICATION", roles, queue)] == offered
