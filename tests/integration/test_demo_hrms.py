"""The stand-in HRMS: its own door, its codes, and that it is nowhere but in a demo."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from httpx import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.access.provider import DEMO_CLIENT_ID
from pipeline.clock import SettableClock
from pipeline.errors import AppError
from pipeline.hrms.app import build, demo_client
from pipeline.runtime import Runtime
from pipeline.settings import load
from tests.factories import PASSWORD, account

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
ISSUER = "http://127.0.0.1:8504"
ASKED = {
    "client_id": DEMO_CLIENT_ID,
    "response_type": "code",
    "scope": "openid profile employee",
    "state": "a-state",
    "nonce": "a-nonce",
    "redirect_uri": "sdcrs://callback",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class Hrms:
    http: TestClient
    secret: str
    teacher: str

    def ask(self, **changes: str | None) -> Response:
        params = {name: value for name, value in {**ASKED, **changes}.items() if value is not None}
        return self.http.get("/oauth2/authorize", params=params)

    def grant(self, username: str = "", password: str = PASSWORD, **changes: str) -> Response:
        form = {"username": username or self.teacher, "password": password}
        return self.http.post("/oauth2/authorize", params={**ASKED, "nonce": uuid4().hex, **changes}, data=form)

    def code(self, **changes: str) -> str:
        answer = self.grant(**changes)
        assert answer.status_code == 302, answer.text
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    def redeem(self, code: str, *, client: str = DEMO_CLIENT_ID, secret: str | None = None, **changes: str | None) -> Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": "sdcrs://callback", "code_verifier": VERIFIER, **changes}
        kept = {name: value for name, value in form.items() if value is not None}
        return self.http.post("/oauth2/token", data=kept, auth=(client, self.secret if secret is None else secret))


@pytest.fixture
def hrms(rt: Runtime) -> Iterator[Hrms]:
    teacher = account(rt, f"T{uuid4().hex[:8]}", "TEACHER")
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET demo = true WHERE id = :id"), {"id": teacher.account_id})
    with TestClient(build(rt, ISSUER), base_url=ISSUER, follow_redirects=False) as http:
        yield Hrms(http, demo_client(rt).secret, teacher.username)


def test_the_page_says_that_it_is_a_demo_and_names_its_fields(hrms: Hrms) -> None:
    page = hrms.ask()
    assert page.status_code == 200
    assert "Demo: a stand-in" in page.text
    assert '<label for="username">Employee ID</label>' in page.text
    assert "form-action 'self' sdcrs:" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("changes", "led_back"),
    [
        ({"client_id": "another"}, False),
        ({"redirect_uri": "https://evil.example/"}, False),
        ({"redirect_uri": "sdcrs://callback.evil"}, False),
        ({"response_type": "token"}, True),
        ({"scope": "openid admin"}, True),
        ({"code_challenge": None, "code_challenge_method": None}, True),
        ({"code_challenge_method": "plain"}, True),
        ({"nonce": None}, True),
    ],
)
def test_a_request_that_is_not_as_it_must_be_is_refused_and_never_sent_to_a_stranger(
    hrms: Hrms, changes: dict[str, str | None], led_back: bool
) -> None:
    answer = hrms.ask(**changes)
    if led_back:
        assert answer.status_code == 302
        assert answer.headers["location"].startswith("sdcrs://callback?error=")
    else:
        assert answer.status_code in (400, 401)
        assert "location" not in answer.headers


def test_a_wrong_password_is_told_on_the_page_and_counted(hrms: Hrms) -> None:
    for _ in range(8):
        answer = hrms.grant(password="wrong")
        assert answer.status_code == 401
        assert "Employee ID or password is wrong." in answer.text
    assert hrms.grant().status_code == 429


def test_a_code_is_good_once(hrms: Hrms) -> None:
    code = hrms.code()
    assert hrms.redeem(code).status_code == 200
    assert hrms.redeem(code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"redirect_uri": "sdcrs://other"}, "invalid_grant"),
        ({"client": "another"}, "invalid_client"),
        ({"secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_a_code_is_worth_nothing_without_its_verifier_its_client_and_its_address(
    hrms: Hrms, changes: dict[str, str | None], error: str
) -> None:
    code = hrms.code()
    answer = hrms.redeem(code, **changes)
    assert (answer.status_code in (400, 401), answer.json()["error"]) == (True, error)


def test_a_code_lives_a_minute(hrms: Hrms, clock: SettableClock) -> None:
    code = hrms.code()
    clock.advance(timedelta(seconds=61))
    assert hrms.redeem(code).json()["error"] == "invalid_grant"


def test_staff_and_people_who_are_not_of_the_demo_are_no_employees_there(hrms: Hrms, rt: Runtime) -> None:
    verifier, teacher = account(rt, f"V{uuid4().hex[:8]}", "VERIFIER"), account(rt, f"T{uuid4().hex[:8]}", "TEACHER")
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET demo = true WHERE id = :id"), {"id": verifier.account_id})
    assert hrms.grant(verifier.username).status_code == 401
    assert hrms.grant(teacher.username).status_code == 401


def test_new_teachers_come_after_the_demos_own_people_which_an_account_before_them_would_keep_away(hrms: Hrms, rt: Runtime) -> None:
    password = rt.settings.demo_password
    assert hrms.grant("T30001", password).status_code == 302
    with rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET demo = false"))
    assert hrms.grant("T30001", password).status_code == 401


def test_it_does_not_run_beside_a_real_provider_nor_in_production(rt: Runtime) -> None:
    for changes in ({"oidc_issuer": "https://hrms.example"}, {"production": True}):
        with pytest.raises(AppError, match="SDCRS_BAD_SETTING"):
            build(replace(rt, settings=replace(rt.settings, **changes)), ISSUER)


@pytest.mark.parametrize(
    ("environ", "setting"),
    [
        ({"OIDC_ISSUER": "https://hrms.example"}, "OIDC_CLIENT_ID"),
        ({"OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://hrms.example", "OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "hrms", "OIDC_CLIENT_ID": "x"}, "OIDC_ISSUER"),
        (
            {"OIDC_ISSUER": "https://hrms.example", "OIDC_CLIENT_ID": "x", "CONSOLE_PUBLIC_URL": "http://console.example"},
            "CONSOLE_PUBLIC_URL",
        ),
        ({"OIDC_CLAIMS": "shoeSize=shoe"}, "OIDC_CLAIMS"),
        ({"OIDC_CLAIMS": "employeeId"}, "OIDC_CLAIMS"),
        ({"OIDC_ROLES": "root=SYSTEM"}, "OIDC_ROLES"),
    ],
)
def test_settings_that_would_be_unsafe_or_mean_nothing_stop_the_start(environ: dict[str, str], setting: str) -> None:
    with pytest.raises(AppError, match=setting):
        load(environ)
