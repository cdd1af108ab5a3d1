"""Sign-in, sign-out and the gate of the console, over HTTP against real sessions."""

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dashboard.backend import BACKEND
from dashboard.routes import auth, middleware, routes
from pipeline.access.sessions import read_session
from pipeline.errors import AppError
from tests import factories

HOST = "http://console.test"
STREAM = "ws://console.test/_stcore/stream"
OURS = {"Origin": HOST}
STRANGE = ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", "/auth/logout", "inbox", "/a\nb", "/" + "a" * 600]


@pytest.fixture
def client(rt):
    """A browser in front of the console's routes and gate; Streamlit's own answers are stand-ins."""

    def page(request):
        return PlainTextResponse("a page")

    async def stream(websocket):
        await websocket.accept()
        await websocket.close()

    inner = [Route("/_stcore/metrics", page), Route("/{path:path}", page), WebSocketRoute("/_stcore/stream", stream)]
    app = Starlette(routes=[*routes(), *inner], middleware=middleware())
    with BACKEND.adopted(rt), TestClient(app, base_url=HOST, follow_redirects=False) as browser:
        yield browser


@pytest.fixture
def verifier(rt):
    return factories.people(rt).verifier


def sign_in(client, username, password=factories.PASSWORD, headers=OURS, **fields):
    return client.post("/auth/login", data={"username": username, "password": password, **fields}, headers=headers)


def test_a_page_without_a_session_leads_to_the_sign_in_and_back(client, verifier):
    refused = client.get("/trace?report=DR-DJ-2026-000001")
    assert refused.status_code == 303
    assert refused.headers["location"] == "/auth/login?next=%2Ftrace%3Freport%3DDR-DJ-2026-000001"
    form = client.get(refused.headers["location"])
    assert 'value="/trace?report=DR-DJ-2026-000001"' in form.text
    entered = sign_in(client, verifier.username, next="/trace?report=DR-DJ-2026-000001")
    assert entered.status_code == 303
    assert entered.headers["location"] == "/trace?report=DR-DJ-2026-000001"
    assert client.get("/trace").text == "a page"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client, verifier):
    cookie = sign_in(client, verifier.username).headers["set-cookie"]
    assert cookie.startswith("sdcrs_session=")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {part.strip() for part in cookie.split(";")}


def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host(client, verifier):
    secure = "https://console.test"
    form = {"username": verifier.username, "password": factories.PASSWORD}
    answer = client.post(f"{secure}/auth/login", data=form, headers={"Origin": secure})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-sdcrs_session=")
    assert "Secure" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_wrong_password_says_nothing_about_the_account(client, verifier):
    wrong = sign_in(client, verifier.username, "not this")
    unknown = sign_in(client, "V-nobody", "not this")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.text.replace(verifier.username, "NAME") == unknown.text.replace("V-nobody", "NAME")
    assert "set-cookie" not in wrong.headers


def test_what_was_typed_cannot_become_part_of_the_page(client):
    answer = sign_in(client, '"><script>alert(1)</script>')
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.test"}, {"Origin": "null"}, {"Origin": "http://console.test:8080"}])
@pytest.mark.parametrize("path", ["/auth/login", "/auth/logout"])
def test_a_form_of_another_site_is_refused(client, rt, verifier, headers, path):
    sign_in(client, verifier.username)
    token = client.cookies["sdcrs_session"]
    answer = client.post(path, data={"username": verifier.username, "password": factories.PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert read_session(rt, token).username == verifier.username


@pytest.mark.parametrize("wanted", STRANGE)
def test_the_way_on_never_leads_out_of_the_console(wanted):
    assert auth.safe_next(wanted) == "/"


def test_sign_out_ends_the_session_in_the_database(client, rt, verifier):
    sign_in(client, verifier.username)
    token = client.cookies["sdcrs_session"]
    asked = client.get("/auth/logout")
    assert asked.status_code == 200
    assert read_session(rt, token).username == verifier.username
    left = client.post("/auth/logout", headers=OURS)
    assert left.status_code == 303
    assert "sdcrs_session" not in client.cookies
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        read_session(rt, token)
    client.cookies.set("sdcrs_session", token)
    assert client.get("/inbox").status_code == 303


def test_signing_in_again_ends_the_session_before(client, rt, verifier):
    sign_in(client, verifier.username)
    first = client.cookies["sdcrs_session"]
    sign_in(client, verifier.username)
    with pytest.raises(AppError, match="SDCRS_NOT_SIGNED_IN"):
        read_session(rt, first)


def test_who_is_signed_in_is_not_asked_again(client, verifier):
    sign_in(client, verifier.username)
    answer = client.get("/auth/login?next=/trace")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/trace"


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.test"}])
def test_a_websocket_needs_the_consoles_own_origin(client, verifier, headers):
    sign_in(client, verifier.username)
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=headers):
        pass


def test_a_websocket_needs_a_session(client, verifier):
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=OURS):
        pass
    sign_in(client, verifier.username)
    with client.websocket_connect(STREAM, headers=OURS):
        pass


def test_another_site_may_not_ask_anything(client, verifier):
    sign_in(client, verifier.username)
    assert client.get("/inbox", headers={"Origin": "http://evil.test"}).status_code == 403
    assert client.get("/inbox", headers=OURS).status_code == 200


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/script-health-check", "/auth/callback", "/oauth2callback"])
def test_what_streamlit_answers_by_itself_is_closed(client, verifier, path):
    sign_in(client, verifier.username)
    assert client.get(path).status_code == 404


def test_every_answer_names_what_a_browser_may_load(client):
    policy = client.get("/auth/login").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    page = client.get("/_stcore/health").headers
    assert "img-src 'self' data: blob: http://console.test:8502" in page["content-security-policy"]
    assert page["x-content-type-options"] == "nosniff"
    assert page["referrer-policy"] == "same-origin"


def test_leaflet_comes_from_the_console_itself(client):
    for path in ("/leaflet/leaflet.js", "/leaflet/leaflet.css", "/leaflet/draw/leaflet.draw.js", "/leaflet/draw/images/spritesheet.svg"):
        assert client.get(path).status_code == 200
    assert client.get("/leaflet/../../../__init__.py").status_code in (303, 404)


def test_demo_accounts_are_offered_only_where_the_demo_made_them(client, rt):
    assert "Demo data" not in client.get("/auth/login").text
    factories.account(rt, "V001", "VERIFIER")
    assert "Demo data" not in client.get("/auth/login").text
    assert client.post("/auth/login", data={"demo": "V001"}, headers=OURS).status_code == 401


def test_while_the_database_starts_the_page_looks_again_by_itself(client):
    with BACKEND.adopted(None):
        answer = client.get("/auth/login")
        assert client.get("/inbox").headers["location"] == "/auth/login?next=%2Finbox"
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert '<meta http-equiv="refresh" content="2">' in answer.text
    assert "SDCRS_STARTING" in answer.text


def test_a_huge_form_is_not_read_to_its_end(client):
    assert client.post("/auth/login", data={"username": "a" * 100_000, "password": "b"}, headers=OURS).status_code == 401
