"""Who may do what, as a table: an operation or page, then the roles that may. Every other role is refused with a reason."""

from uuid import uuid4

import pytest

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.errors import AppError

ROLES = ["TEACHER", "VERIFIER", "SENIOR_VERIFIER", "MC_OFFICER", "MC_SUPERVISOR", "DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"]


def caller(*roles: str) -> Caller:
    return Caller(uuid4(), uuid4(), "X1", frozenset(roles), "dj.djibouti-ville", ("dj.djibouti-ville",))


OPERATIONS = [
    ("create_report", "TEACHER"),
    ("update_report", "TEACHER VERIFIER SENIOR_VERIFIER MC_OFFICER MC_SUPERVISOR DISTRICT_ADMIN STATE_ADMIN"),
    ("decide_pair", "VERIFIER SENIOR_VERIFIER"),
    ("search_reports", " ".join(ROLES)),
    ("upload_file", "TEACHER MC_OFFICER DISTRICT_ADMIN STATE_ADMIN"),
    ("search_officers", "MC_SUPERVISOR DISTRICT_ADMIN STATE_ADMIN AUDITOR"),
    ("locate", " ".join(ROLES)),
    ("evaluate_fraud", "DISTRICT_ADMIN STATE_ADMIN"),
    ("edit_rules", "STATE_ADMIN"),
    ("search_payouts", "DISTRICT_ADMIN STATE_ADMIN AUDITOR"),
    ("retry_payout", "STATE_ADMIN"),
    ("resolve_payout", "STATE_ADMIN"),
    ("reconcile", "STATE_ADMIN"),
    ("read_metrics", "STATE_ADMIN AUDITOR"),
    ("review_flags", "VERIFIER SENIOR_VERIFIER DISTRICT_ADMIN STATE_ADMIN"),
    ("correct_flags", "DISTRICT_ADMIN STATE_ADMIN"),
    ("confirm_fraud", "DISTRICT_ADMIN STATE_ADMIN"),
    ("lift_penalty", "DISTRICT_ADMIN STATE_ADMIN"),
    ("appeal_penalty", "TEACHER"),
    ("reveal_person", "DISTRICT_ADMIN STATE_ADMIN"),
    ("download_own_data", " ".join(ROLES)),
]
PAGES = [
    ("my_reports", "TEACHER", "TEACHER"),
    ("visits", "MC_OFFICER", "MC_OFFICER"),
    ("assignment", "MC_SUPERVISOR DISTRICT_ADMIN STATE_ADMIN", "MC_SUPERVISOR"),
    ("inbox", "VERIFIER SENIOR_VERIFIER DISTRICT_ADMIN STATE_ADMIN", "VERIFIER SENIOR_VERIFIER DISTRICT_ADMIN STATE_ADMIN"),
    ("payouts", "DISTRICT_ADMIN STATE_ADMIN AUDITOR", "STATE_ADMIN"),
    ("fraud", "DISTRICT_ADMIN STATE_ADMIN AUDITOR", "DISTRICT_ADMIN STATE_ADMIN"),
    ("analytics", " ".join(ROLES), ""),
    ("trace", " ".join(ROLES), ""),
]


@pytest.mark.parametrize(("operation", "roles"), OPERATIONS)
def test_an_operation_is_for_these_roles_alone(operation: policy.Operation, roles: str) -> None:
    for role in ROLES:
        assert policy.can(caller(role), operation) == (role in roles.split()), role
        if role in roles.split():
            policy.check(caller(role), operation)
        else:
            with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
                policy.check(caller(role), operation)


def test_the_table_above_names_every_operation_and_page() -> None:
    assert [operation for operation, _ in OPERATIONS] == list(policy.OPERATIONS)
    assert sorted(page for page, _, _ in PAGES) == sorted(policy.PAGES) == sorted(policy.PAGE_ACTORS)


@pytest.mark.parametrize(("page", "readers", "actors"), PAGES)
def test_a_page_is_opened_and_acted_on_by_these_roles_alone(page: policy.Page, readers: str, actors: str) -> None:
    for role in ROLES:
        assert policy.can_open(caller(role), page) == (role in readers.split()), role
        assert policy.can_act_on(caller(role), page) == (role in actors.split()), role
    with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
        policy.check_page(caller(), page)


def test_nobody_has_the_systems_operations() -> None:
    assert not any("SYSTEM" in roles for roles, _ in policy.OPERATIONS.values())


def test_a_tenant_outside_the_area_is_refused() -> None:
    policy.check_tenant(caller("VERIFIER"), "dj.djibouti-ville")
    with pytest.raises(AppError, match="SDCRS_TENANT_OUT_OF_SCOPE"):
        policy.check_tenant(caller("STATE_ADMIN"), "dj")


@pytest.mark.parametrize(
    ("roles", "everything", "own", "assigned", "reporters"),
    [
        ("TEACHER", False, True, False, False),
        ("MC_OFFICER", False, False, True, False),
        ("TEACHER MC_OFFICER", False, True, True, False),
        ("MC_SUPERVISOR", True, False, False, False),
        ("VERIFIER", True, False, False, True),
        ("SENIOR_VERIFIER", True, False, False, True),
        ("DISTRICT_ADMIN", True, False, False, True),
        ("STATE_ADMIN", True, False, False, True),
        ("AUDITOR", True, False, False, True),
        ("", False, False, False, False),
    ],
)
def test_who_reads_which_reports_and_learns_who_reported(roles: str, everything: bool, own: bool, assigned: bool, reporters: bool) -> None:
    somebody = caller(*roles.split())
    seen = policy.sight(somebody)
    assert seen.all == everything
    assert seen.reporter_id == (somebody.account_id if own else None)
    assert seen.officer_id == (somebody.account_id if assigned else None)
    assert policy.sees_reporters(somebody) == reporters
