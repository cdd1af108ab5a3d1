"""Sign-in by an identity provider that says and signs whatever we let it: who comes in, as whom, and what is refused."""

import base64
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx import Response
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import text
from starlette.testclient import TestClient

from pipeline.access import provider as provider_room
from pipeline.access.sso import challenge_of
from pipeline.api import shapes
from pipeline.api.app import build
from pipeline.clock import SettableClock
from pipeline.runtime import Runtime
from pipeline.settings import CLAIMS
from tests.factories import PASSWORD, VILLE, account
from tests.identity_provider import CLIENT_ID, CLIENT_SECRET, EC, OTHER_RSA, RSA, TEACHER, FakeProvider, fake_provider, said, signed

CALLBACK = "sdcrs://callback"
WITH_ID = {"X-Correlation-Id": "mob-1734200000001"}


@dataclass
class House:
    """Our API in front of the fake provider, and the runtime that it runs on."""

    http: TestClient
    provider: FakeProvider
    rt: Runtime

    def begin(self, headers: dict[str, str] | None = None, **query: str) -> dict[str, Any]:
        answer = self.http.get("/sso/v1/auth-url", params={"redirect_uri": CALLBACK, "client_type": "mobile", **query}, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def exchange(self, code: str, state: str, headers: dict[str, str] | None = None, **body: Any) -> Response:
        sent = {"code": code, "state": state, "redirect_uri": CALLBACK, **body}
        return self.http.post("/sso/v1/token-exchange", json=sent, headers=headers)

    def sign_in(self, employee: str, **claims: Any) -> Response:
        """The whole way of one person."""
        self.provider.claims = {"sub": f"sub-{employee}", "emp_id": employee, **TEACHER, **claims, **self.provider.claims}
        return self.exchange(*self.provider.authorize(self.begin()["authUrl"]))

    def one(self, sql: str, **params: Any) -> Any:
        with self.rt.database.worker() as conn:
            return conn.execute(text(sql), params).one_or_none()

    def sessions(self) -> int:
        return int(self.one("SELECT count(*) AS n FROM access.session").n)


@pytest.fixture(scope="module")
def serve(rt: Runtime) -> Any:
    def over(provider: FakeProvider, **changes: Any) -> Runtime:
        own = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET, **changes}
        return replace(rt, settings=replace(rt.settings, **own))

    return over


@pytest.fixture
def house(rt: Runtime, serve: Any) -> Iterator[House]:
    with fake_provider(rt.clock.now) as provider:
        own = serve(provider)
        with TestClient(build(own), base_url="http://api.test") as http:
            yield House(http, provider, own)


def fresh() -> str:
    return f"T{uuid4().hex[:8]}"


def code_of(answer: Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["Errors"][0]["code"]


REFUSED = (401, "SDCRS_SSO_REFUSED")
STALE = (400, "SDCRS_SSO_STATE")
NOBODY = (403, "SDCRS_SSO_NO_ACCOUNT")


# Who comes in


def test_the_address_carries_state_nonce_and_a_challenge_whose_verifier_stays_here(house: House) -> None:
    begun = house.begin()
    asked = {name: values[-1] for name, values in parse_qs(urlsplit(begun["authUrl"]).query).items()}
    assert begun["authUrl"].startswith(f"{house.provider.issuer}/authorize?")
    assert (begun["expiresIn"], asked["state"], asked["code_challenge_method"]) == (600, begun["state"], "S256")
    assert (asked["client_id"], asked["response_type"], asked["redirect_uri"]) == (CLIENT_ID, "code", CALLBACK)
    house.provider.claims = {"sub": "x", "emp_id": fresh(), **TEACHER}
    house.exchange(*house.provider.authorize(begun["authUrl"]))
    (form,) = [form for path, _, form in house.provider.asked if path == "/token"]
    assert challenge_of(form["code_verifier"]) == asked["code_challenge"]
    with house.rt.database.worker() as conn:
        dump = conn.execute(text("SELECT coalesce(string_agg(f::text, ''), '') FROM access.sign_in_flow f")).scalar_one()
    assert begun["state"] not in dump


def test_a_new_teacher_gets_an_account_in_the_tenant_of_the_district_and_the_vpa_goes_to_the_vault_alone(house: House) -> None:
    employee = fresh()
    answer = house.sign_in(employee)
    assert answer.status_code == 200, answer.text
    shapes.TokenAnswer.model_validate(answer.json())
    info = answer.json()["userInfo"]
    assert (info["userName"], info["tenantId"], info["emailId"]) == (employee, VILLE, TEACHER["email"])
    assert [role["code"] for role in info["roles"]] == ["TEACHER"]
    assert info["additionalDetails"]["designation"] == "TGT"
    assert "okaxis" not in answer.text
    assert "1234567890" not in answer.text
    row = house.one("SELECT id, password_hash, demo FROM access.account WHERE username = :u", u=employee)
    assert (row.password_hash, row.demo) == (None, False)
    with house.rt.database.worker() as conn:
        kept = house.rt.vault.get(conn, [row.id], ("vpa", "bank_account"))[row.id]
    assert kept == {"vpa": TEACHER["upi_vpa"], "bank_account": TEACHER["bank_account"]}
    event = house.one("SELECT action, details FROM audit.event WHERE actor_id = :id", id=row.id)
    assert (event.action, event.details["made"], event.details["provider"]) == ("SIGN_IN", True, house.provider.issuer)


def test_the_same_person_comes_back_to_the_same_account_which_follows_the_provider(house: House) -> None:
    employee = fresh()
    first = house.sign_in(employee).json()["userInfo"]["uuid"]
    house.provider.claims = {}
    again = house.sign_in(employee, upi_vpa="moved@ybl", school_name="Another School", designation="PGT")
    assert again.json()["userInfo"]["uuid"] == first
    assert again.json()["userInfo"]["additionalDetails"]["schoolName"] == "Another School"
    event = house.one("SELECT details FROM audit.event WHERE actor_id = :id ORDER BY id DESC LIMIT 1", id=first)
    assert event.details["changed"] == ["school_name", "designation", "vpa"]
    assert "moved" not in json.dumps(event.details)


def test_who_is_known_by_the_subject_stays_so_whatever_employee_id_is_said_later(house: House) -> None:
    employee, other = fresh(), fresh()
    mine = house.sign_in(employee).json()["userInfo"]["uuid"]
    house.provider.claims = {}
    assert house.sign_in(other, sub=f"sub-{employee}").json()["userInfo"]["uuid"] == mine


def test_an_account_of_a_teacher_is_found_by_employee_id_and_belongs_to_one_subject_alone(house: House) -> None:
    teacher = account(house.rt, fresh(), "TEACHER")
    assert house.sign_in(teacher.username).json()["userInfo"]["uuid"] == str(teacher.account_id)
    house.provider.claims = {}
    assert code_of(house.sign_in(teacher.username, sub="somebody else")) == NOBODY


def test_an_employee_id_counts_within_its_state_only(house: House) -> None:
    elsewhere = account(house.rt, fresh(), "TEACHER", tenant_id="ncr.noida")
    assert house.sign_in(elsewhere.username).json()["userInfo"]["uuid"] != str(elsewhere.account_id)


def test_es256_is_taken_too(house: House) -> None:
    house.provider.sign = lambda claims: signed(claims, EC, "ES256")
    assert house.sign_in(fresh()).status_code == 200


def test_a_provider_that_tells_of_the_person_only_at_its_user_info_is_asked_there(house: House) -> None:
    employee = fresh()
    house.provider.user_info = {"sub": "only-me", "emp_id": employee, **TEACHER}
    house.provider.claims = {"sub": "only-me"}
    answer = house.exchange(*house.provider.authorize(house.begin()["authUrl"]))
    assert answer.json()["userInfo"]["userName"] == employee
    house.provider.user_info = {**house.provider.user_info, "sub": "not me"}
    assert code_of(house.exchange(*house.provider.authorize(house.begin()["authUrl"]))) == REFUSED


def test_claims_of_other_names_are_read_through_the_mapping(house: House, rt: Runtime, serve: Any) -> None:
    own = serve(house.provider, oidc_claims={**CLAIMS, "employeeId": "preferred", "district": "unit"})
    with TestClient(build(own)) as http:
        employee = fresh()
        answer = House(http, house.provider, own).sign_in("ignored", preferred=employee, unit="dj.ali-sabieh", district_code=None)
    assert (answer.json()["userInfo"]["userName"], answer.json()["userInfo"]["tenantId"]) == (employee, "dj.ali-sabieh")


# Who stays out


def test_an_inactive_account_stays_out_whatever_the_provider_says(house: House) -> None:
    teacher = account(house.rt, fresh(), "TEACHER")
    with house.rt.database.worker() as conn:
        conn.execute(text("UPDATE access.account SET active = false WHERE id = :id"), {"id": teacher.account_id})
    assert code_of(house.sign_in(teacher.username)) == (403, "SDCRS_ACCOUNT_INACTIVE")


def test_somebody_whom_the_provider_calls_inactive_stays_out(house: House) -> None:
    employee = fresh()
    assert code_of(house.sign_in(employee, status="RETIRED")) == (403, "SDCRS_ACCOUNT_INACTIVE")
    assert house.one("SELECT 1 AS x FROM access.account WHERE username = :u", u=employee) is None


@pytest.mark.parametrize("claims", [{"district_code": "XX99"}, {"district_code": None}, {"emp_id": None}, {"emp_id": "a b"}, {"emp_id": 5}])
def test_without_employee_id_or_a_district_of_ours_nobody_gets_an_account(house: House, claims: dict[str, Any]) -> None:
    assert code_of(house.sign_in(fresh(), **claims)) == NOBODY


def test_role_claims_give_no_role(house: House) -> None:
    answer = house.sign_in(fresh(), roles=["STATE_ADMIN"], role="STATE_ADMIN", groups=["STATE_ADMIN"])
    assert [role["code"] for role in answer.json()["userInfo"]["roles"]] == ["TEACHER"]


def test_a_claimed_employee_id_opens_no_account_of_the_staff(house: House) -> None:
    for role in ("VERIFIER", "STATE_ADMIN"):
        staff = account(house.rt, fresh(), role, tenant_id=VILLE)
        house.provider.claims = {}
        assert code_of(house.sign_in(staff.username, roles=[role])) == NOBODY


def test_a_role_that_the_operator_maps_is_given_and_no_other(house: House, serve: Any) -> None:
    own = serve(house.provider, oidc_roles={"hrms-verifier": "VERIFIER"})
    with TestClient(build(own)) as http:
        mapped = House(http, house.provider, own)
        answer = mapped.sign_in(fresh(), roles=["hrms-verifier", "STATE_ADMIN"])
        assert [role["code"] for role in answer.json()["userInfo"]["roles"]] == ["VERIFIER"]
        verifier, admin = account(own, fresh(), "VERIFIER"), account(own, fresh(), "STATE_ADMIN", tenant_id="dj")
        house.provider.claims = {}
        assert mapped.sign_in(verifier.username, roles="hrms-verifier").json()["userInfo"]["uuid"] == str(verifier.account_id)
        house.provider.claims = {}
        assert code_of(mapped.sign_in(admin.username, roles=["hrms-verifier"])) == NOBODY


def test_teachers_have_no_password_here_once_there_is_a_provider_and_the_staff_has(house: House) -> None:
    teacher, verifier = account(house.rt, fresh(), "TEACHER"), account(house.rt, fresh(), "VERIFIER")
    form = {"grant_type": "password", "password": PASSWORD}
    assert code_of(house.http.post("/user/oauth/token", data={**form, "username": teacher.username})) == (403, "SDCRS_SSO_REQUIRED")
    assert house.http.post("/user/oauth/token", data={**form, "username": verifier.username}).status_code == 200
    wrong = house.http.post("/user/oauth/token", data={**form, "username": teacher.username, "password": "wrong"})
    assert code_of(wrong) == (401, "SDCRS_BAD_CREDENTIALS")  # who does not know the password learns nothing


# Attacks on the way


def test_a_state_that_we_did_not_give_is_refused_before_the_provider_is_asked(house: House) -> None:
    code, _ = house.provider.authorize(house.begin()["authUrl"])
    assert code_of(house.exchange(code, "A" * 43)) == STALE
    assert house.provider.times("/token") == 0


def test_a_state_is_good_once_for_ten_minutes_and_for_its_own_redirect(house: House, clock: SettableClock) -> None:
    house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
    code, state = house.provider.authorize(house.begin()["authUrl"])
    assert house.exchange(code, state).status_code == 200
    assert code_of(house.exchange(code, state)) == STALE
    late = house.provider.authorize(house.begin()["authUrl"])
    clock.advance(timedelta(minutes=10, seconds=1))
    assert code_of(house.exchange(*late)) == STALE
    other = house.provider.authorize(house.begin()["authUrl"])
    assert code_of(house.exchange(*other, redirect_uri="https://evil.example/")) == STALE


def test_a_replayed_code_is_refused_by_the_provider_and_so_by_us(house: House) -> None:
    house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
    code, state = house.provider.authorize(house.begin()["authUrl"])
    assert house.exchange(code, state).status_code == 200
    assert code_of(house.exchange(code, house.begin()["state"])) == REFUSED


def test_a_sign_in_is_bound_to_the_app_that_began_it(house: House) -> None:
    house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
    begun = [house.provider.authorize(house.begin(WITH_ID)["authUrl"]) for _ in range(3)]
    assert code_of(house.exchange(*begun[0])) == STALE
    assert code_of(house.exchange(*begun[1], headers={"X-Correlation-Id": "mob-2"})) == STALE
    assert house.exchange(*begun[2], headers=WITH_ID).status_code == 200


def test_an_app_with_a_challenge_of_its_own_must_show_the_verifier(house: House) -> None:
    house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
    verifier = "v" * 43
    begun = [house.begin(code_challenge=challenge_of(verifier), code_challenge_method="S256") for _ in range(3)]
    ways = [house.provider.authorize(one["authUrl"]) for one in begun]
    assert code_of(house.exchange(*ways[0])) == STALE
    assert code_of(house.exchange(*ways[1], code_verifier="w" * 43)) == STALE
    assert house.exchange(*ways[2], code_verifier=verifier).status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.example/", "sdcrs://callback.evil", "sdcrs://callback/x", "javascript:alert(1)", ""])
def test_nobody_is_sent_to_an_address_that_the_operator_does_not_list(house: House, wanted: str) -> None:
    answer = house.http.get("/sso/v1/auth-url", params={"redirect_uri": wanted})
    assert code_of(answer) == (400, "SDCRS_SSO_REDIRECT_URI")
    assert "authUrl" not in answer.text


def test_the_answer_of_another_provider_is_not_redeemed_here(house: House) -> None:
    code, state = house.provider.authorize(house.begin()["authUrl"])
    assert code_of(house.exchange(code, state, iss="https://other.example")) == REFUSED
    assert house.provider.times("/token") == 0


# Attacks on the ID token


def later(seconds: int) -> Any:
    return lambda provider: int(provider.now().timestamp()) + seconds


@pytest.mark.parametrize(
    ("changed", "left_out"),
    [
        ({"nonce": "another sign-in's"}, ()),
        ({}, ("nonce",)),
        ({"exp": later(-61)}, ()),
        ({}, ("exp",)),
        ({"exp": "soon"}, ()),
        ({"iat": later(-3600)}, ()),
        ({"iat": later(600)}, ()),
        ({}, ("iat",)),
        ({"nbf": later(600)}, ()),
        ({"aud": "another client"}, ()),
        ({"aud": ["another client"]}, ()),
        ({"aud": [CLIENT_ID, "another client"]}, ()),  # and nobody says who asked
        ({"azp": "another client"}, ()),
        ({}, ("aud",)),
        ({"iss": "https://other.example"}, ()),
        ({}, ("iss",)),
        ({"sub": ""}, ()),
        ({"at_hash": "of another access token"}, ()),
    ],
)
def test_an_id_token_for_another_sign_in_client_time_or_issuer_opens_nothing(
    house: House, changed: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    before = house.sessions()
    claims = {name: value(house.provider) if callable(value) else value for name, value in changed.items()}
    house.provider.left_out = left_out
    assert code_of(house.sign_in(fresh(), **claims)) == REFUSED
    assert house.sessions() == before


def unsigned(claims: dict[str, Any], **header: Any) -> str:
    parts = [json.dumps({"alg": "none", **header}).encode(), json.dumps(claims).encode()]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


def with_public_key_as_secret(claims: dict[str, Any]) -> str:
    pem = RSA.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    secret = OctKey.import_key(base64.urlsafe_b64encode(pem).rstrip(b"=").decode())
    return jwt.encode({"alg": "HS256", "kid": RSA.kid}, claims, secret, algorithms=["HS256"])


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        lambda claims: unsigned(claims, alg="None", kid=RSA.kid),
        lambda claims: unsigned(claims, alg="RS256", kid=RSA.kid),
        with_public_key_as_secret,
        lambda claims: signed(claims, OTHER_RSA, "RS256", kid=RSA.kid),  # another key under this one's name
        lambda claims: signed(claims, RSA, "RS512"),
        lambda claims: signed(claims, EC, "ES256", kid=RSA.kid),
        lambda claims: signed(claims, RSA, "RS256")[:-4] + "AAAA",
        lambda claims: "no token",
    ],
    ids=["none", "None", "no-signature", "HS256-public-key", "other-key", "RS512", "other-kind", "altered", "nonsense"],
)
def test_an_id_token_must_be_signed_by_a_key_of_the_provider(house: House, sign: Any) -> None:
    before = house.sessions()
    house.provider.sign = sign
    assert code_of(house.sign_in(fresh())) == REFUSED
    assert house.sessions() == before


def test_a_key_too_short_to_trust_is_refused_though_the_provider_names_it(house: House) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library itself warns of it
        short = RSAKey.generate_key(1024, {"kid": "short"})
    house.provider.keys = [short]
    house.provider.sign = lambda claims: signed(claims, short, "RS256")
    assert code_of(house.sign_in(fresh())) == REFUSED


def test_an_unknown_key_is_looked_for_once_more_and_then_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_room, "LOOK_AGAIN_S", 0.0)
    house.provider.sign = lambda claims: signed(claims, OTHER_RSA, "RS256")
    assert code_of(house.sign_in(fresh())) == REFUSED
    assert house.provider.times("/keys") == 2


def test_a_key_that_the_provider_has_changed_to_is_found(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_room, "LOOK_AGAIN_S", 0.0)
    assert house.sign_in(fresh()).status_code == 200
    house.provider.keys, house.provider.claims = [OTHER_RSA], {}
    house.provider.sign = lambda claims: signed(claims, OTHER_RSA, "RS256")
    assert house.sign_in(fresh()).status_code == 200


def test_description_and_keys_are_asked_for_once_for_many_sign_ins(house: House) -> None:
    for _ in range(3):
        house.provider.claims = {}
        assert house.sign_in(fresh()).status_code == 200
    assert (house.provider.times("/.well-known/openid-configuration"), house.provider.times("/keys")) == (1, 1)


# A provider that is away, or not itself

AWAY = (503, "SDCRS_SSO_AWAY")


@pytest.mark.parametrize("path", ["/keys", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (302, {"Location": "http://127.0.0.1:1/elsewhere"}, b""),
        (200, {}, b"no json"),
        (200, {}, b"[]"),
        (200, {}, b"{" + b" " * 300_000 + b"}"),
    ],
    ids=["500", "redirect", "no-json", "no-object", "too-large"],
)
def test_keys_or_tokens_that_cannot_be_had_open_nothing(house: House, path: str, answer: tuple[int, dict[str, str], bytes]) -> None:
    before = house.sessions()
    house.provider.answers[path] = answer
    refused = house.sign_in(fresh())
    assert code_of(refused) == AWAY
    assert int(refused.headers["retry-after"]) > 0
    assert house.sessions() == before


@pytest.mark.parametrize("path", ["/keys", "/token", "/.well-known/openid-configuration"])
def test_no_redirect_is_followed_though_the_right_answer_is_there(house: House, path: str) -> None:
    at_home = house.provider.answer
    house.provider.answers[path] = (307, {"Location": f"{house.provider.issuer}/moved"}, b"")

    def moved(method: str, asked: str, headers: dict[str, str], form: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if asked == "/moved":
            house.provider.answers.clear()
            return at_home(method, path, headers, form)
        return at_home(method, asked, headers, form)

    house.provider.answer = moved  # type: ignore[method-assign]
    begun = house.http.get("/sso/v1/auth-url", params={"redirect_uri": CALLBACK})
    if begun.status_code == 200:
        house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
        begun = house.exchange(*house.provider.authorize(begun.json()["authUrl"]))
    assert code_of(begun) == AWAY


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example"},
        {"token_endpoint": "http://10.0.0.1/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
    ],
)
def test_a_description_of_somebody_else_or_without_tls_is_not_believed(house: House, described: dict[str, Any]) -> None:
    house.provider.described = described
    assert code_of(house.http.get("/sso/v1/auth-url", params={"redirect_uri": CALLBACK})) == AWAY


def test_a_provider_that_wants_the_secret_in_the_form_gets_it_there(house: House) -> None:
    house.provider.described = {"token_endpoint_auth_methods_supported": ["client_secret_post"], "scopes_supported": ["openid", "profile"]}
    begun = house.begin()
    assert parse_qs(urlsplit(begun["authUrl"]).query)["scope"] == ["openid profile"]
    house.provider.claims = {"sub": "s", "emp_id": fresh(), **TEACHER}
    assert house.exchange(*house.provider.authorize(begun["authUrl"])).status_code == 200
    (headers, form) = next((headers, form) for path, headers, form in house.provider.asked if path == "/token")
    assert ("authorization" in headers, form["client_secret"]) == (False, CLIENT_SECRET)


def test_without_a_provider_production_says_so(rt: Runtime) -> None:
    own = replace(rt, settings=replace(rt.settings, production=True))
    with TestClient(build(own)) as http:
        assert code_of(http.get("/sso/v1/auth-url", params={"redirect_uri": CALLBACK})) == (404, "SDCRS_SSO_OFF")


def test_what_is_left_of_sign_ins_never_finished_is_cleared_away(house: House, clock: SettableClock) -> None:
    for _ in range(3):
        house.begin()
    clock.advance(timedelta(hours=1))
    house.begin()
    assert house.one("SELECT count(*) AS n FROM access.sign_in_flow WHERE expires_at < :now", now=clock.now()).n == 0


def test_the_packets_of_a_sign_in_stand_under_its_session_without_any_secret(house: House) -> None:
    employee = fresh()
    answer = house.sign_in(employee)
    account_id = answer.json()["userInfo"]["uuid"]
    with house.rt.database.worker() as conn:
        rows = conn.execute(
            text("SELECT packet, p::text AS whole FROM packet.log p WHERE subject_kind = 'SESSION' AND key = :key ORDER BY packet"),
            {"key": account_id},
        ).all()
    assert [row.packet for row in rows] == ["01/01", "01/02", *(f"01/{n:02d}" for n in range(4, 11)), "01/12"]
    whole = "".join(row.whole for row in rows)
    secrets = (
        answer.json()["access_token"],
        TEACHER["name"],
        TEACHER["phone"],
        TEACHER["upi_vpa"],
        TEACHER["bank_account"],
        TEACHER["email"],
    )
    assert [secret for secret in secrets if secret in whole] == []


def test_what_the_provider_says_of_its_refusal_is_not_repeated(house: House) -> None:
    house.provider.answers["/token"] = said({"error": "invalid_client", "error_description": "SECRET-OF-THE-PROVIDER"}, 401)
    assert "SECRET-OF-THE-PROVIDER" not in house.sign_in(fresh()).text
