"""Rights that end while somebody is at work: the next call, page, click, download and connection are refused, whatever ended them."""

import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import uuid4

import pytest
import streamlit as st
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboard import console
from dashboard.backend import BACKEND
from dashboard.routes import middleware, routes
from dashboard.widgets import payout_cap, payout_export
from dashboard.widgets.payout_filter import Filter, Wanted
from dashboard.widgets.work import Area
from pipeline.access.caller import Caller
from pipeline.access.refresh import give_refresh_token, refresh
from pipeline.access.sessions import SignedIn, open_session, read_session, sign_out_everywhere
from pipeline.errors import AppError
from pipeline.reports.actions import act
from pipeline.reports.update import Update
from pipeline.runtime import Runtime
from tests import factories
from tests.api import REPORT
from tests.authorization import matrix
from tests.authorization.world import ALI_SABIEH, VILLE, WHOLE_STATE, World
from tests.console import shown, tab, token_for

HOST = "http://console.test"
OTHER_ROLE = {"VERIFIER": "MC_SUPERVISOR"}  # what somebody becomes instead; whoever is not named here: a verifier


def _set(rt: Runtime, caller: Caller, column: str, value: object) -> None:
    with rt.database.worker() as conn:
        conn.execute(text(f"UPDATE access.account SET {column} = :value WHERE id = :id"), {"value": value, "id": caller.account_id})


def _revoked(rt: Runtime, caller: Caller) -> None:
    assert sign_out_everywhere(rt, caller.account_id, caller.tenant_id, None) >= 1


WAYS: dict[str, Callable[[Runtime, Caller], None]] = {
    "the account is closed": lambda rt, who: _set(rt, who, "active", False),
    "the role is another one": lambda rt, who: _set(rt, who, "roles", [OTHER_ROLE.get(min(who.roles), "VERIFIER")]),
    "the account is in another tenant": lambda rt, who: _set(rt, who, "tenant_id", ALI_SABIEH),
    "the session is revoked": _revoked,
}


def somebody(rt: Runtime, *roles: str) -> Caller:
    """A fresh account with these roles."""
    tenant_id = "dj" if set(roles) & set(WHOLE_STATE) else VILLE
    made = factories.account(rt, f"R{uuid4().hex[:8]}", roles[0], tenant_id=tenant_id)
    if len(roles) > 1:
        _set(rt, made, "roles", list(roles))
    return replace(made, roles=frozenset(roles))


def api_session(rt: Runtime, caller: Caller) -> SignedIn:
    with rt.database.worker() as conn:
        return open_session(rt, conn, caller.account_id, caller.tenant_id, sorted(caller.roles), "API", rt.clock.now())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", matrix.ROLES)
def test_the_next_call_is_refused_by_token_by_cookie_and_by_refresh(rt: Runtime, http: TestClient, role: str, way: str) -> None:
    caller = somebody(rt, role)
    session = api_session(rt, caller)
    renewal = give_refresh_token(rt, session)
    cookie = {"Cookie": f"sdcrs_session={token_for(rt, caller)}"}
    bearer = {"Authorization": f"Bearer {session.token}"}
    search = {"RequestInfo": {"authToken": session.token}, "searchCriteria": {"tenantId": caller.tenant_id}}

    def statuses() -> list[int]:
        return [
            http.post(f"{REPORT}/_search", json=search, headers=bearer).status_code,
            http.post(f"{REPORT}/_search", json=search).status_code,
            http.get("/user/v1/mydata", headers=bearer).status_code,
            http.get("/user/v1/mydata", headers=cookie).status_code,
        ]

    assert statuses() == [200] * 4
    WAYS[way](rt, caller)
    assert statuses() == [401] * 4
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        refresh(rt, renewal)


def test_of_two_roles_the_one_that_is_left_still_counts_and_the_other_does_not(world: World, rt: Runtime, http: TestClient) -> None:
    caller = somebody(rt, "VERIFIER", "MC_SUPERVISOR")
    session = api_session(rt, caller)
    bearer = {"Authorization": f"Bearer {session.token}"}
    body = {"DogReports": [{"id": str(world.reports["VERIFIED"]), "workflow": {"action": "VERIFY"}}]}
    assert http.post(f"{REPORT}/_update", json=body, headers=bearer).status_code == 409  # it is verified already
    _set(rt, caller, "roles", ["MC_SUPERVISOR"])
    answer = http.post(f"{REPORT}/_update", json=body, headers=bearer)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (403, "SDCRS_ROLE_NOT_ALLOWED")
    assert http.post("/user/v1/_search", json={"tenantId": VILLE}, headers=bearer).status_code == 200
    _set(rt, caller, "roles", ["MC_SUPERVISOR", "STATE_ADMIN"])  # a new right comes with the next sign-in
    assert read_session(rt, session.token).roles == {"MC_SUPERVISOR"}


done: list[str] = []


@pytest.fixture
def acting_views(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    """Every page has its name, a button whose callback acts, one that verifies a report, and a fragment with a button of its own."""

    def view(path: str) -> types.ModuleType:
        module = types.ModuleType(f"dashboard.views.{path}")

        def deed(ctx: console.PageContext) -> str:
            done.append(path)
            return "It was done."

        def verify(ctx: console.PageContext) -> str:
            with ctx.begin() as conn:
                update = Update(world.reports["PENDING_VERIFICATION"], "VERIFY")
                (outcome,) = act(conn, ctx.runtime.masterdata.current(), ctx.caller, [update], ctx.now)
            if outcome.error is not None:
                raise outcome.error
            return "It is verified."

        @st.fragment
        def part() -> None:
            ctx = console.context()
            st.text(f"fragment for {ctx.caller.username}")

        def render(ctx: console.PageContext) -> None:
            st.text(f"page {path}")
            st.button("Act", on_click=console.perform, args=(deed,))
            st.button("Verify", on_click=console.perform, args=(verify,))
            part()

        module.render = render  # type: ignore[attr-defined]
        return module

    done.clear()
    for spec in console.PAGES:
        monkeypatch.setitem(sys.modules, spec.view, view(spec.path))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", matrix.PAGES)
def test_the_next_click_does_nothing_and_the_page_with_its_fragment_is_gone(rt: Runtime, acting_views: None, path: str, way: str) -> None:
    role = min(matrix.roles_of(matrix.PAGES[path]["open"]))
    caller = somebody(rt, role)
    with tab(rt, token_for(rt, caller), path) as test:
        test.run()
        assert f"page {path}" in shown(test)
        assert f"fragment for {caller.username}" in shown(test)
        test.button[0].click().run()
        assert done == [path]
        WAYS[way](rt, caller)
        test.button[0].click().run()
        assert done == [path]
        assert "You are signed out" in shown(test)
        assert "page " not in shown(test)
        assert "fragment for" not in shown(test)


def test_a_click_counts_with_the_roles_that_are_left_and_a_page_of_the_other_role_closes(
    rt: Runtime, world: World, acting_views: None
) -> None:
    caller = somebody(rt, "VERIFIER", "MC_SUPERVISOR")
    with tab(rt, token_for(rt, caller), "inbox") as test:
        test.run()
        assert "page inbox" in shown(test)
        _set(rt, caller, "roles", ["MC_SUPERVISOR"])
        test.button[1].click().run()
        assert "not for your role" in shown(test)
        assert "page inbox" not in shown(test)
    assert factories.status_of(rt, world.reports["PENDING_VERIFICATION"]) == "PENDING_VERIFICATION"


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_a_page_offered_is_not_made_any_more(rt: Runtime, way: str) -> None:
    caller = somebody(rt, "DISTRICT_ADMIN")
    token = token_for(rt, caller)
    for make in exports(rt, token):
        assert make()
    WAYS[way](rt, caller)
    for make in exports(rt, token):
        with pytest.raises(AppError) as refused:
            make()
        assert refused.value.status in (401, 403)


@pytest.mark.parametrize("role", matrix.ROLES)
def test_a_file_is_made_for_the_roles_of_the_matrix_alone(rt: Runtime, role: str) -> None:
    token = token_for(rt, somebody(rt, role))
    for module, make in zip(("payout_export", "payout_cap"), exports(rt, token), strict=True):
        if role in matrix.roles_of(matrix.DOWNLOADS[f"dashboard.widgets.{module}"]["who"]):
            assert make()
        else:
            with pytest.raises(AppError, match="SDCRS_FORBIDDEN"):
                make()


def test_a_file_made_elsewhere_has_no_line_of_ours(rt: Runtime, world: World) -> None:
    """Whatever tenants the page's own state names: it came from a browser."""
    ours = [make() for make in exports(rt, token_for(rt, somebody(rt, "DISTRICT_ADMIN")))]
    assert all(world.ours["TEACHER"].username.encode() in file or world.numbers["CLOSED"].encode() in file for file in ours)
    for about, outsider in world.outsiders:
        if outsider.roles & {"DISTRICT_ADMIN", "STATE_ADMIN", "AUDITOR"}:
            for file in (make() for make in exports(rt, token_for(rt, outsider))):
                assert len(file.splitlines()) == 1, about


def exports(rt: Runtime, token: str) -> list[Callable[[], bytes]]:
    """Both files with a list in them, of our tenant."""
    month = rt.clock.now().date().replace(day=1)

    def made(make: Callable[[], bytes]) -> Callable[[], bytes]:
        def run() -> bytes:
            with BACKEND.adopted(rt):
                return make()

        return run

    wanted = Wanted(Area("dj", ("dj", VILLE)), Filter(), None)
    return [
        made(lambda: payout_export.make(token, wanted, "csv")),
        made(lambda: payout_cap.make(token, month, ("dj", VILLE), "csv")),
    ]


@pytest.fixture
def browser(rt: Runtime) -> Iterator[TestClient]:
    """Something in front of the console's gate; Streamlit's own answers are stand-ins."""

    def page(request: object) -> PlainTextResponse:
        return PlainTextResponse("a page")

    async def stream(websocket: object) -> None:
        await websocket.accept()  # type: ignore[attr-defined]
        await websocket.close()  # type: ignore[attr-defined]

    inner = [Route("/{path:path}", page), WebSocketRoute("/_stcore/stream", stream)]
    app = Starlette(routes=[*routes(), *inner], middleware=middleware())
    with BACKEND.adopted(rt), TestClient(app, base_url=HOST, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize("way", WAYS)
def test_the_gate_lets_neither_a_page_nor_a_stream_through_any_more(rt: Runtime, browser: TestClient, way: str) -> None:
    caller = somebody(rt, "VERIFIER")
    headers = {"Cookie": f"sdcrs_session={token_for(rt, caller)}", "Origin": HOST}
    assert browser.get("/inbox", headers=headers).text == "a page"
    with browser.websocket_connect("ws://console.test/_stcore/stream", headers=headers):
        pass
    WAYS[way](rt, caller)
    assert browser.get("/inbox", headers=headers).status_code == 303
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect("ws://console.test/_stcore/stream", headers=headers):
        pass


@pytest.mark.parametrize("path", [*matrix.PAGES, "", "home", "nowhere"])
def test_the_gate_lets_nobody_to_a_page_without_a_session(browser: TestClient, path: str) -> None:
    assert browser.get(f"/{path}").status_code == 303
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect("ws://console.test/_stcore/stream", headers={"Origin": HOST}):
        pass
