"""The matrix names all there is, and nothing that is not: a new route, page, step, file or download must be thought about first."""

import ast
from pathlib import Path

from starlette.routing import Mount, Route

from dashboard import console, routes
from pipeline.access import policy
from pipeline.api.app import create_app
from pipeline.masterdata.files import read_folder
from pipeline.masterdata.master import MasterData
from pipeline.settings import load
from tests.authorization import matrix
from tests.authorization.calls import CALLS

DASHBOARD = Path(console.__file__).parent


def api_calls() -> set[str]:
    app = create_app(load({}))
    found = set()
    for route in app.routes:
        inner = route.original_router.routes if hasattr(route, "original_router") else [route]
        for one in inner:
            assert isinstance(one, Route) or hasattr(one, "methods"), f"{one} is neither a route nor a router: say who may reach it"
            found |= {f"{method} {one.path}" for method in one.methods - {"HEAD"}}
    return found


def test_every_route_of_the_api_is_in_the_matrix_and_none_besides() -> None:
    assert api_calls() == set(matrix.ROUTES) == set(CALLS)


def test_every_route_of_the_console_is_in_the_matrix_and_none_besides() -> None:
    found = set()
    for route in routes.routes():
        if isinstance(route, Mount):
            found.add(f"MOUNT {route.path}")
        else:
            assert isinstance(route, Route), route
            found |= {f"{method} {route.path}" for method in (route.methods or set()) - {"HEAD"}}
    assert found == set(matrix.CONSOLE_ROUTES)


def test_every_page_is_in_the_matrix_with_the_roles_that_policy_and_menu_give_it() -> None:
    wanted = {path: matrix.roles_of(page["open"]) for path, page in matrix.PAGES.items()}
    assert dict(policy.PAGES) == wanted
    assert {spec.path: spec.roles for spec in console.PAGES} == wanted
    assert dict(policy.PAGE_ACTORS) == {path: matrix.roles_of(page["act"]) for path, page in matrix.PAGES.items()}


def test_every_view_is_a_page_or_there_is_a_view_that_nobody_guards() -> None:
    views = {f"dashboard.views.{path.stem}" for path in (DASHBOARD / "views").glob("*.py") if path.stem != "__init__"}
    assert views == {spec.view for spec in console.PAGES}


def test_every_step_of_the_workflow_is_in_the_matrix_and_none_besides() -> None:
    md = MasterData(read_folder())
    for tenant in md.leaves():
        assert md.workflow(tenant).actions == set(matrix.STEPS), tenant


def test_the_states_of_the_matrix_are_the_workflows() -> None:
    md = MasterData(read_folder())
    named = {state.removesuffix(" in the senior queue") for step in matrix.STEPS.values() for state in step["states"]}
    for tenant in md.leaves():
        assert named <= set(md.workflow(tenant).states)


def test_every_download_of_the_console_is_in_the_matrix_and_none_besides() -> None:
    found = set()
    for path in DASHBOARD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "download_button":
                found.add(".".join(path.relative_to(DASHBOARD.parent).with_suffix("").parts))
    assert found == set(matrix.DOWNLOADS)


def test_every_operation_is_in_the_matrix_with_its_roles() -> None:
    assert {name: roles for name, (roles, _) in policy.OPERATIONS.items()} == {
        name: matrix.roles_of(said) for name, said in matrix.OPERATIONS.items()
    }


def test_no_role_of_the_matrix_is_the_systems() -> None:
    assert set(matrix.ROLES) == policy.EVERYONE
    assert "SYSTEM" not in matrix.ROLES
