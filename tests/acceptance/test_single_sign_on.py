"""The whole way over HTTP and in a browser: through the demo's own HRMS, and through an OpenID provider of other people.

npm's `oidc-provider` is installed by itself into a temporary folder. Without Node, or without a way to the package, the tests with it
are skipped and say so.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import uuid4

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey
from playwright.sync_api import Page, expect
from sqlalchemy import text

from pipeline.clock import SystemClock
from pipeline.database.engine import Database
from pipeline.database.urls import Urls
from pipeline.runtime import Runtime, assemble
from pipeline.settings import Settings
from tests import factories
from tests.acceptance import desks
from tests.conftest import ROLE_PREFIX

SERVER = Path(__file__).parent / "unrelated_provider/serve.mjs"
PACKAGE = "oidc-provider@9.13.3"  # what was tried; a newer one is a change to be looked at
INSTALL_S = 180  # forty small packages over a slow line
NO_WAY_THERE = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "EAI_AGAIN", "ERR_SOCKET_TIMEOUT", "ENETUNREACH")
CALLBACK = "sdcrs://callback"
CLIENT, SECRET = "sdcrs-mobile", "a secret of the test with 32 characters"
CORRELATION = {"X-Correlation-Id": "mob-1734200000001"}
TEACHER = {
    "name": "Made Up",
    "designation": "TGT",
    "school_code": "DJGHS001",
    "school_name": "Govt High School Djibouti",
    "district_code": "DJ01",
    "upi_vpa": "made.up@okaxis",
    "status": "ACTIVE",
}


@dataclass
class Stand:
    """Console and API with a provider beside them."""

    house: desks.House
    provider: str

    def api(self) -> httpx.Client:
        return httpx.Client(base_url=self.house.api, timeout=30, trust_env=False)

    def allowed(self, token: str) -> int:
        """What the API answers to this token."""
        with self.api() as http:
            asked = {"searchCriteria": {"tenantId": factories.VILLE}}
            return http.post("/sdcrs-services/v1/report/_search", json=asked, headers={"Authorization": f"Bearer {token}"}).status_code


@pytest.fixture(scope="module")
def live(urls: Urls, settings: Settings) -> Iterator[Runtime]:
    with closing(Database(urls.app, ROLE_PREFIX, pool_size=4)) as database:
        yield assemble(settings, database, SystemClock())


@pytest.fixture(scope="module")
def demo(settings: Settings, live: Runtime) -> Iterator[Stand]:
    port = desks.free_port()
    hrms = f"http://127.0.0.1:{port}"
    with desks.house(settings, live, {"HRMS_PORT": str(port)}, {f"{hrms}/": ("-m", "pipeline.hrms")}) as house:
        yield Stand(house, hrms)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where Node finds the provider."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node 20 or later with npm: the provider of other people is written for it")
    folder = tmp_path_factory.mktemp("provider")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    command = ["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    if done.returncode and any(word in done.stderr for word in NO_WAY_THERE):
        pytest.skip(f"needs a way to npm's package {PACKAGE}")
    assert done.returncode == 0, done.stderr
    shutil.copy(SERVER, folder)
    return folder


@pytest.fixture(scope="module", params=["RS256", "ES256"])
def stranger(request: pytest.FixtureRequest, package: Path, settings: Settings, live: Runtime) -> Iterator[Stand]:
    """Console and API that know the provider by the three settings alone. With RS256 it tells of the person at its user info only."""
    port, console_port = desks.free_port(), desks.free_port()
    issuer, console = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{console_port}"
    algorithm = request.param
    made: Any = RSAKey.generate_key(2048) if algorithm == "RS256" else ECKey.generate_key("P-256")
    given = {
        "issuer": issuer,
        "port": port,
        "clientId": CLIENT,
        "clientSecret": SECRET,
        "redirectUris": [CALLBACK, f"{console}/auth/return"],
        "algorithm": algorithm,
        "keys": [{**made.as_dict(private=True), "use": "sig", "alg": algorithm, "kid": "test"}, *_the_others(algorithm)],
        "claimsAtUserInfoOnly": algorithm == "RS256",
        "teacher": TEACHER,
    }
    command = ["node", SERVER.name, json.dumps(given)]
    with subprocess.Popen(command, cwd=package, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            more = {"PORT": str(console_port), "OIDC_ISSUER": issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
            with desks.house(settings, live, more) as house:
                yield Stand(house, issuer)
        finally:
            process.terminate()


def _the_others(algorithm: str) -> list[dict[str, Any]]:
    """A key of the other kind beside the one that signs, as real providers have."""
    other: Any = ECKey.generate_key("P-256") if algorithm == "RS256" else RSAKey.generate_key(2048)
    return [{**other.as_dict(private=True), "use": "sig", "alg": "ES256" if algorithm == "RS256" else "RS256", "kid": "other"}]


def teacher_of_the_demo(rt: Runtime) -> str:
    teacher = factories.account(rt, f"T{uuid4().hex[:8]}", "TEACHER")
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET demo = true WHERE id = :id"), {"id": teacher.account_id})
    return teacher.username


def code_from(location: str) -> tuple[str, str]:
    assert location.startswith(f"{CALLBACK}?"), location
    found = parse_qs(urlsplit(location).query)
    return found["code"][0], found["state"][0]


def in_the_hrms(url: str, username: str, password: str) -> tuple[str, str]:
    """The person at the demo's sign-in page."""
    with httpx.Client(timeout=30, trust_env=False) as person:
        page = person.get(url)
        assert "Demo: a stand-in" in page.text
        return code_from(person.post(url, data={"username": username, "password": password}).headers["location"])


def at_the_stranger(url: str, username: str) -> tuple[str, str]:
    """The person at the sign-in and consent pages of npm's provider, which redirect many times."""
    with httpx.Client(timeout=30, trust_env=False) as person:
        answer = person.get(url)
        for _ in range(12):
            if answer.is_redirect:
                location = urljoin(str(answer.url), answer.headers["location"])
                if location.startswith(CALLBACK):
                    return code_from(location)
                answer = person.get(location)
                continue
            form = re.search(r'<form[^>]*action="([^"]+)"[^>]*method="post"', answer.text)
            assert form is not None, answer.text[-2000:]
            prompt = "login" if 'value="login"' in answer.text else "consent"
            fields = {"prompt": prompt, **({"login": username, "password": "any"} if prompt == "login" else {})}
            answer = person.post(urljoin(str(answer.url), form[1]), data=fields)
    raise AssertionError("it never came back")


def goes_the_whole_way(stand: Stand, person: Any) -> dict[str, Any]:
    """auth-url, sign-in there, exchange, a call, refresh, the old refresh token again, and nothing is left; returns who it was."""
    with stand.api() as http:
        begun = http.get("/sso/v1/auth-url", params={"redirect_uri": CALLBACK, "client_type": "mobile"}, headers=CORRELATION).json()
        code, state = person(begun["authUrl"])
        assert state == begun["state"]
        body = {"code": code, "state": state, "redirect_uri": CALLBACK}
        answer = http.post("/sso/v1/token-exchange", json=body, headers=CORRELATION)
        assert answer.status_code == 200, answer.text
        first = answer.json()
        assert stand.allowed(first["access_token"]) == 200
        again = http.post("/sso/v1/token-exchange", json=body, headers=CORRELATION)
        assert (again.status_code, again.json()["Errors"][0]["code"]) == (400, "SDCRS_SSO_STATE")
        second = http.post("/sso/v1/token-refresh", json={"refresh_token": first["refresh_token"]}).json()
        assert (stand.allowed(first["access_token"]), stand.allowed(second["access_token"])) == (401, 200)
        reused = http.post("/sso/v1/token-refresh", json={"refresh_token": first["refresh_token"]})
        assert reused.status_code == 401
        assert stand.allowed(second["access_token"]) == 401
        assert http.post("/sso/v1/token-refresh", json={"refresh_token": second["refresh_token"]}).status_code == 401
        return dict(first["userInfo"])


def test_a_teacher_of_the_demo_goes_the_whole_way_over_http(demo: Stand) -> None:
    username = teacher_of_the_demo(demo.house.rt)
    info = goes_the_whole_way(demo, lambda url: in_the_hrms(url, username, factories.PASSWORD))
    assert (info["userName"], info["tenantId"], info["additionalDetails"]["designation"]) == (username, factories.VILLE, "TGT")


def test_a_new_teacher_of_the_demo_gets_an_account_at_the_first_sign_in(demo: Stand, settings: Settings) -> None:
    teacher_of_the_demo(demo.house.rt)
    info = goes_the_whole_way(demo, lambda url: in_the_hrms(url, "T30001", settings.demo_password))
    assert (info["userName"], info["name"], [role["code"] for role in info["roles"]]) == ("T30001", "Demo New Teacher One", ["TEACHER"])


def test_with_the_demos_own_provider_teachers_keep_their_password(demo: Stand) -> None:
    username = teacher_of_the_demo(demo.house.rt)
    form = {"grant_type": "password", "username": username, "password": factories.PASSWORD, "tenantId": factories.VILLE}
    with demo.api() as http:
        assert http.post("/user/oauth/token", data=form).status_code == 200


@pytest.mark.parametrize("size", [desks.DESKTOP, desks.PHONE], ids=["desktop", "phone"])
def test_a_teacher_signs_in_to_the_console_with_the_states_account_and_out_on_all_devices(demo: Stand, size: tuple[int, int]) -> None:
    username = teacher_of_the_demo(demo.house.rt)
    with demo.api() as http:
        form = {"grant_type": "password", "username": username, "password": factories.PASSWORD}
        phone = http.post("/user/oauth/token", data=form).json()["access_token"]
    with desks.browser(demo.house, size, demo.provider) as page:
        page.goto(f"{demo.house.console}/auth/login?next=/trace")
        page.get_by_role("link", name="Sign in with the state's account").click()
        expect(page.get_by_text("Demo: a stand-in for the state's HRMS")).to_be_visible()
        page.get_by_label("Employee ID").fill(username)
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("Employee ID or password is wrong.")
        page.get_by_label("Password").fill(factories.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{demo.house.console}/trace")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        cookies = {cookie["name"]: cookie for cookie in page.context.cookies(demo.house.console)}
        assert (cookies["sdcrs_session"]["httpOnly"], cookies["sdcrs_session"]["sameSite"]) == (True, "Lax")
        assert "sdcrs_sign_in" not in cookies
        page.goto(f"{demo.house.console}/auth/logout")
        page.get_by_role("button", name="Sign out on all devices").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert demo.allowed(phone) == 401


def test_a_sign_in_begun_in_another_browser_ends_at_the_sign_in_page(demo: Stand) -> None:
    username = teacher_of_the_demo(demo.house.rt)
    with httpx.Client(timeout=30, trust_env=False) as attacker:
        away = attacker.get(f"{demo.house.console}/auth/state-account").headers["location"]
        back = attacker.post(away, data={"username": username, "password": factories.PASSWORD}).headers["location"]
    assert back.startswith(f"{demo.house.console}/auth/return?code=")
    with desks.browser(demo.house, desks.DESKTOP, demo.provider) as victim:
        victim.goto(back)
        expect(victim.get_by_role("alert")).to_contain_text("not begun here")
        assert [cookie["name"] for cookie in victim.context.cookies(demo.house.console)] == []
    with httpx.Client(timeout=30, trust_env=False) as attacker:  # and the code is of no use to its thief either
        assert attacker.get(back).headers["location"].startswith("/auth/login?why=SDCRS_SSO_STATE")


def test_a_provider_of_other_people_signs_a_teacher_in_over_http(stranger: Stand) -> None:
    employee = f"T{uuid4().hex[:8]}"
    info = goes_the_whole_way(stranger, lambda url: at_the_stranger(url, employee))
    assert (info["userName"], info["tenantId"], info["name"]) == (employee, factories.VILLE, TEACHER["name"])
    assert (info["additionalDetails"]["schoolCode"], info["additionalDetails"]["designation"]) == ("DJGHS001", "TGT")
    with stranger.house.rt.database.worker() as conn:
        account_id = conn.execute(text("SELECT id FROM access.account WHERE username = :u"), {"u": employee}).scalar_one()
        assert stranger.house.rt.vault.get(conn, [account_id], ("vpa",))[account_id] == {"vpa": TEACHER["upi_vpa"]}


def test_with_a_provider_of_other_people_teachers_have_no_password_here(stranger: Stand) -> None:
    teacher = factories.account(stranger.house.rt, f"T{uuid4().hex[:8]}", "TEACHER")
    with stranger.api() as http:
        form = {"grant_type": "password", "username": teacher.username, "password": factories.PASSWORD}
        answer = http.post("/user/oauth/token", data=form)
    assert (answer.status_code, answer.json()["Errors"][0]["code"]) == (403, "SDCRS_SSO_REQUIRED")


def test_a_provider_of_other_people_signs_a_teacher_in_to_the_console(stranger: Stand) -> None:
    employee = f"T{uuid4().hex[:8]}"
    with desks.browser(stranger.house, desks.DESKTOP, stranger.provider) as page:
        page.goto(f"{stranger.house.console}/auth/login")
        page.get_by_role("link", name="Sign in with the state's account").click()
        _through(page, employee)
        page.wait_for_url(f"{stranger.house.console}/my_reports")
        expect(page.get_by_text(TEACHER["name"])).to_be_visible()


def _through(page: Page, employee: str) -> None:
    page.locator('input[name="login"]').fill(employee)
    page.locator('input[name="password"]').fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()
