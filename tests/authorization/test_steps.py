"""Every step of the workflow, in every state, by every role: over HTTP, on reports that are one's own, a colleague's and a stranger's.

All reports go into one request: at least one of them refuses, so the request is refused whole and nothing changes, and its errors say
for each report what stopped it. A report without an error would have taken the step.
"""

from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.access.caller import Caller
from tests.api import REPORT
from tests.authorization import matrix
from tests.authorization.calls import PROCESS, as_, claimed
from tests.authorization.world import VILLE, World
from tests.factories import status_of

HIDDEN = {"SDCRS_NOT_FOUND", "SDCRS_FORBIDDEN", "SDCRS_NOT_YOUR_REPORT", "SDCRS_TENANT_OUT_OF_SCOPE", "SDCRS_ROLE_NOT_ALLOWED"}

UNASSIGNED = {
    *("PENDING_VALIDATION", "AUTO_REJECTED", "PENDING_VERIFICATION", "PENDING_VERIFICATION in the senior queue"),
    *("REJECTED", "DUPLICATE", "VERIFIED"),
}
WITH_PAYOUT = {"PAYOUT_PENDING", "PAYOUT_FAILED", "RESOLVED", "CLOSED"}


def facts(world: World, action: str) -> dict[str, Any]:
    """What the step needs, so that nothing but the right to take it is missing."""
    officer = str(world.ours["MC_OFFICER"].account_id)
    return {
        "REJECT": {"rejectionReason": "NOT_A_DOG"},
        "MARK_DUPLICATE": {"additionalDetails": {"duplicateOf": world.numbers["CLOSED"]}},
        "ASSIGN": {"assignedOfficerId": officer},
        "REASSIGN": {"assignedOfficerId": officer},
        "MARK_CAPTURED": {"captureEvidence": {"photoFileStoreId": str(world.files["CAPTURE_PHOTO"])}, "resolutionType": "CAPTURED"},
        "MARK_UNABLE_TO_LOCATE": {"unableToLocateReason": "DOG_MOVED"},
        "MANUAL_RESOLVE": {"payoutDetails": {"manualPaymentReference": "REF-1", "manualPaymentMethod": "CASH"}},
        "RATE": {"rating": 4},
    }.get(action, {})


def attempt(world: World, http: TestClient, caller: Caller, action: str) -> dict[str, str]:
    """What became of the step in each state: DONE, or the code that refused it."""
    entries = [
        {"id": str(report_id), "workflow": {"action": action, "comment": "Because"}, **facts(world, action)}
        for report_id in world.reports.values()
    ]
    answer = as_(world, http, caller).post(f"{REPORT}/_update", {"RequestInfo": claimed(), "DogReports": entries})
    assert answer.status_code in (400, 403, 404, 409), answer.text
    errors = answer.json()["Errors"]
    by_report = {error["params"]["reportId"]: error["code"] for error in errors if "reportId" in (error["params"] or {})}
    if not by_report:  # refused before any report was looked at
        (code,) = {error["code"] for error in errors}
        return dict.fromkeys(world.reports, code)
    return {state: by_report.get(str(report_id), "DONE") for state, report_id in world.reports.items()}


def read(code: str) -> str:
    return code if code == "DONE" else "REFUSED" if code in HIDDEN else "NOT NOW"


@pytest.mark.parametrize("role", matrix.ROLES)
@pytest.mark.parametrize("action", matrix.STEPS)
def test_a_step_is_taken_in_each_state_from_the_roles_of_the_matrix(world: World, http: TestClient, action: str, role: str) -> None:
    got = attempt(world, http, world.ours[role], action)
    told = {state: read(code) for state, code in got.items()}
    wanted = {
        state: matrix.step_expected(action, state, role, mine=role == "TEACHER" or state not in UNASSIGNED) for state in world.reports
    }
    if action == "MARK_DUPLICATE":
        wanted["CLOSED"] = "REFUSED"  # it is the original that the step names, and nothing is its own duplicate
    if action in ("RETRY_PAYOUT", "MANUAL_RESOLVE"):
        wanted |= {state: "REFUSED" for state in wanted if state not in WITH_PAYOUT}  # nothing is owed there: 404
    assert told == wanted, got


@pytest.mark.parametrize("role", ["TEACHER", "MC_OFFICER"])
@pytest.mark.parametrize("action", matrix.STEPS)
def test_a_colleague_of_the_same_role_learns_nothing_of_a_report_that_is_not_theirs(
    world: World, http: TestClient, action: str, role: str
) -> None:
    got = attempt(world, http, world.colleagues[role], action)
    assert set(got.values()) <= HIDDEN - {"SDCRS_TENANT_OUT_OF_SCOPE"}


@pytest.mark.parametrize("action", matrix.STEPS)
def test_nobody_elsewhere_takes_a_step_or_learns_that_there_is_a_report(world: World, http: TestClient, action: str) -> None:
    for about, outsider in world.outsiders:
        got = attempt(world, http, outsider, action)
        assert set(got.values()) <= HIDDEN | {"SDCRS_UNKNOWN_OFFICER"}, about


@pytest.mark.parametrize("role", matrix.ROLES)
def test_a_step_by_number_is_judged_as_one_by_id(world: World, http: TestClient, role: str) -> None:
    client = as_(world, http, world.ours[role])
    for action in ("VERIFY", "ASSIGN", "START_FIELD_VISIT", "AUTO_VALIDATE_PASS"):
        by_id = attempt(world, http, world.ours[role], action)
        for state, number in world.numbers.items():
            if by_id[state] == "DONE":
                continue
            entry = {"tenantId": VILLE, "businessId": number, "action": action, "comment": "Because"}
            if action == "ASSIGN":
                entry["assignee"] = [str(world.ours["MC_OFFICER"].account_id)]
            body = {"RequestInfo": claimed(), "ProcessInstances": [entry]}
            answer = client.post(f"{PROCESS}/_transition", body)
            assert answer.status_code == 403 or answer.json()["Errors"][0]["code"] in {by_id[state], "SDCRS_NOT_FOUND"}, (
                state,
                answer.text,
            )


def test_nothing_of_all_this_changed_a_report(world: World) -> None:
    for state, report_id in world.reports.items():
        assert status_of(world.rt, report_id) == state.removesuffix(" in the senior queue")
