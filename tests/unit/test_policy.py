"""Policy, held to the matrix: an operation or page is for the roles that stand there, and every other is refused with a reason."""

from uuid import uuid4

import pytest

from pipeline.access import policy
from pipeline.access.caller import Caller
from pipeline.errors import AppError
from tests.authorization.matrix import OPERATIONS, PAGES, ROLES, roles_of


def caller(*roles: str) -> Caller:
    return Caller(uuid4(), uuid4(), "X1", frozenset(roles), "dj.djibouti-ville", ("dj.djibouti-ville",))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_for_the_roles_of_the_matrix_alone(operation: policy.Operation) -> None:
    allowed = roles_of(OPERATIONS[operation])
    for role in (*ROLES, "SYSTEM", "CITIZEN"):
        assert policy.can(caller(role), operation) == (role in allowed), role
        if role in allowed:
            policy.check(caller(role), operation)
        else:
            with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
                policy.check(caller(role), operation)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_opened_and_acted_on_by_the_roles_of_the_matrix_alone(page: policy.Page) -> None:
    readers, actors = roles_of(PAGES[page]["open"]), roles_of(PAGES[page]["act"])
    for role in (*ROLES, "SYSTEM"):
        assert policy.can_open(caller(role), page) == (role in readers), role
        assert policy.can_act_on(caller(role), page) == (role in actors), role
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
