"""The console's way to the state's provider and back: who is offered it, to whom a return belongs, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.backend import BACKEND
from dashboard.routes import middleware, routes
from pipeline.access.sessions import read_session, sign_in
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from tests import factories
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, TEACHER, FakeProvider, fake_provider

PUBLIC = "http://localhost:8501"
BEGIN = "/auth/state-account"


@pytest.fixture
def provider(rt: Runtime) -> Iterator[FakeProvider]:
    with fake_provider(rt.clock.now) as made:
        made.claims = {"sub": uuid4().hex, "emp_id": f"T{uuid4().hex[:8]}", **TEACHER}
        yield made


@pytest.fixture
def own(rt: Runtime, provider: FakeProvider) -> Runtime:
    changes = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
    return replace(rt, settings=replace(rt.settings, **changes))


def browser(base_url: str = PUBLIC) -> TestClient:
    return TestClient(Starlette(routes=routes(), middleware=middleware()), base_url=base_url, follow_redirects=False)


@pytest.fixture
def client(own: Runtime) -> Iterator[TestClient]:
    with BACKEND.adopted(own), browser() as found:
        yield found


def way_back(client: TestClient, provider: FakeProvider, wanted: str = "/trace", **more: str) -> tuple[str, dict[str, str]]:
    """Begin in this browser and be sent back."""
    away = client.get(BEGIN, params={"next": wanted}).headers["location"]
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(away).query).items()}
    code, state = provider.authorize(away)
    return asked["redirect_uri"], {"code": code, "state": state, **more}


def refused(answer: Any) -> str:
    assert answer.status_code == 303
    assert "sdcrs_session" not in answer.headers.get("set-cookie", "")
    target = urlsplit(answer.headers["location"])
    assert target.path == "/auth/login"
    return parse_qs(target.query)["why"][0]


def test_a_teacher_comes_back_with_a_session_to_the_page_that_was_wanted(client: TestClient, provider: FakeProvider, own: Runtime) -> None:
    address, query = way_back(client, provider)
    assert address == f"{PUBLIC}/auth/return"
    answer = client.get("/auth/return", params=query)
    assert (answer.status_code, answer.headers["location"], answer.headers["cache-control"]) == (303, "/trace", "no-store")
    assert read_session(own, client.cookies["sdcrs_session"]).username == provider.claims["emp_id"]
    assert "sdcrs_sign_in" not in client.cookies


def test_signing_in_there_ends_the_session_before(client: TestClient, provider: FakeProvider, own: Runtime) -> None:
    client.get("/auth/return", params=way_back(client, provider)[1])
    first = client.cookies["sdcrs_session"]
    client.get("/auth/return", params=way_back(client, provider)[1])
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        read_session(own, first)


def test_a_return_belongs_to_the_browser_that_began_and_is_good_once(client: TestClient, provider: FakeProvider) -> None:
    _, query = way_back(client, provider)
    with browser() as another:
        assert refused(another.get("/auth/return", params=query)) == "SDCRS_SSO_STATE"
    assert refused(client.get("/auth/return", params=query)) == "SDCRS_SSO_STATE"
    _, second = way_back(client, provider)
    assert client.get("/auth/return", params=second).headers["location"] == "/trace"
    assert refused(client.get("/auth/return", params=second)) == "SDCRS_SSO_STATE"


def test_a_sign_in_of_the_console_is_not_finished_by_an_app_nor_the_other_way(
    client: TestClient, provider: FakeProvider, own: Runtime
) -> None:
    from pipeline.api.app import build

    address, query = way_back(client, provider)
    with TestClient(build(own)) as api:
        answer = api.post("/sso/v1/token-exchange", json={**query, "redirect_uri": address})
        assert answer.json()["Errors"][0]["code"] == "SDCRS_SSO_STATE"
        begun = api.get("/sso/v1/auth-url", params={"redirect_uri": "sdcrs://callback"}).json()
    code, state = provider.authorize(begun["authUrl"])
    assert refused(client.get("/auth/return", params={"code": code, "state": state})) == "SDCRS_SSO_STATE"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"error": "access_denied", "state": "x"},
        {"code": "c"},
        {"state": "s"},
        {"code": "c" * 5000, "state": "s"},
        {"code": "\x00", "state": "\ud7ff"},
    ],
)
def test_who_turns_back_at_the_provider_or_comes_with_nonsense_is_at_the_sign_in_page(client: TestClient, query: dict[str, str]) -> None:
    assert refused(client.get("/auth/return", params=query)) == "SDCRS_SSO_STATE"


def test_the_answer_of_another_provider_is_refused(client: TestClient, provider: FakeProvider) -> None:
    _, query = way_back(client, provider, iss="https://other.example")
    assert refused(client.get("/auth/return", params=query)) == "SDCRS_SSO_REFUSED"


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/auth/logout"])
def test_the_way_on_leads_nowhere_else(client: TestClient, provider: FakeProvider, wanted: str) -> None:
    _, query = way_back(client, provider, wanted)
    assert client.get("/auth/return", params=query).headers["location"] == "/"


def test_the_page_says_what_went_wrong_in_our_words_only(client: TestClient) -> None:
    page = client.get("/auth/login", params={"why": "SDCRS_SSO_NO_ACCOUNT"})
    assert "opens no account here" in page.text
    for why in ("SDCRS_INTERNAL", "<script>alert(1)</script>", "KeyError"):
        assert 'role="alert"' not in client.get("/auth/login", params={"why": why}).text


def test_a_host_header_is_not_believed_where_a_code_is_sent_to(own: Runtime) -> None:
    with BACKEND.adopted(own), browser("http://evil.example") as strange:
        assert "Sign in with the state" not in strange.get("/auth/login").text
        assert refused(strange.get(BEGIN)) == "SDCRS_SSO_REDIRECT_URI"
    public = replace(own, settings=replace(own.settings, console_public_url="https://console.example"))
    with BACKEND.adopted(public), browser("http://evil.example") as strange:
        away = strange.get(BEGIN).headers["location"]
        assert parse_qs(urlsplit(away).query)["redirect_uri"] == ["https://console.example/auth/return"]


def test_behind_tls_the_cookie_of_a_sign_in_is_secure_and_bound_to_the_host(own: Runtime) -> None:
    public = replace(own, settings=replace(own.settings, console_public_url="https://console.example"))
    with BACKEND.adopted(public), browser("https://console.example") as secure:
        cookie = secure.get(BEGIN).headers["set-cookie"]
    assert cookie.startswith("__Host-sdcrs_sign_in=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}


def test_with_a_provider_a_teachers_password_opens_nothing_here(client: TestClient, own: Runtime) -> None:
    teacher = factories.account(own, f"T{uuid4().hex[:8]}", "TEACHER")
    form = {"username": teacher.username, "password": factories.PASSWORD}
    answer = client.post("/auth/login", data=form, headers={"Origin": PUBLIC})
    assert answer.status_code == 403
    assert "with the state&#x27;s account" in answer.text


def test_production_without_a_provider_offers_none(rt: Runtime) -> None:
    own = replace(rt, settings=replace(rt.settings, production=True))
    with BACKEND.adopted(own), browser() as client:
        assert "Sign in with the state" not in client.get("/auth/login").text
        assert refused(client.get(BEGIN)) in ("SDCRS_SSO_OFF", "SDCRS_SSO_REDIRECT_URI")


def test_signing_out_on_all_devices_needs_a_page_of_ours_and_ends_every_session(client: TestClient, own: Runtime) -> None:
    verifier = factories.account(own, f"V{uuid4().hex[:8]}", "VERIFIER")
    elsewhere = sign_in(own, verifier.username, factories.PASSWORD, "API", "10.9.0.1").token
    form = {"username": verifier.username, "password": factories.PASSWORD}
    client.post("/auth/login", data=form, headers={"Origin": PUBLIC})
    assert client.post("/auth/logout", data={"everywhere": "1"}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert read_session(own, elsewhere).account_id == verifier.account_id
    assert client.post("/auth/logout", data={"everywhere": "1"}, headers={"Origin": PUBLIC}).status_code == 303
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        read_session(own, elsewhere)
    with own.database.worker() as conn:
        left = conn.execute(
            text("SELECT count(*) FROM access.session WHERE account_id = :id AND revoked_at IS NULL"), {"id": verifier.account_id}
        ).scalar_one()
    assert left == 0
