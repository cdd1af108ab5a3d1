"""Every route, asked by every role about its own tenant, by nobody, and by every role of other tenants."""

import pytest
from starlette.testclient import TestClient

from tests.authorization import matrix
from tests.authorization.calls import ask, told_of
from tests.authorization.world import World


@pytest.mark.parametrize("call", matrix.ROUTES)
def test_a_route_answers_each_role_of_its_own_tenant_as_the_matrix_says(world: World, http: TestClient, call: str) -> None:
    route = matrix.ROUTES[call]
    got = {role: ask(world, http, call, world.ours[role]).status_code for role in matrix.ROLES}
    assert got == {role: matrix.expected(route, role, own=True) for role in matrix.ROLES}


@pytest.mark.parametrize("call", matrix.ROUTES)
def test_a_route_answers_nobody_but_where_it_is_open_to_anybody(world: World, http: TestClient, call: str) -> None:
    answer = ask(world, http, call, None)
    assert answer.status_code == matrix.expected(matrix.ROUTES[call], None, own=True), answer.text
    if answer.status_code == 401 and matrix.ROUTES[call]["who"] != matrix.ANYBODY:
        body = answer.json()  # the identity flow has an envelope of its own
        assert (body["errors"][0]["errorCode"] if "errors" in body else body["Errors"][0]["code"]) == "SDCRS_NOT_SIGNED_IN"


@pytest.mark.parametrize("call", matrix.ROUTES)
def test_a_route_tells_nobody_elsewhere_anything_of_our_tenant(world: World, http: TestClient, call: str) -> None:
    route = matrix.ROUTES[call]
    for about, outsider in world.outsiders:
        (role,) = outsider.roles
        wanted = matrix.expected(route, role, own=False)
        answer = ask(world, http, call, outsider)
        if wanted == "nothing":
            assert (answer.status_code, told_of(answer)) == (200, []), (about, answer.text)
        else:
            assert answer.status_code == wanted, (about, answer.text)
