"""Stage 01: how a teacher signs in through the state's provider. Codes, verifiers and tokens are never recorded, so never shown.

`login` of the facts holds what is: redirect_uri, client_id, scope, issuer, expires_s, found (an account existed), created_at,
claims (of the ID token, without persons' values), account (the account's row), at (when it was).
"""

from typing import Any

from pipeline.packets.render.facts import RecordedFacts, Row, iso, ms
from pipeline.packets.render.reading import user_answer

NOT_KEPT = None  # the place of a secret
PROVIDER, BY_SYSTEM = "STATE_HRMS", "system"
_CLAIMS = (
    "sub", "emp_id", "designation", "subject", "school_code", "school_name", "district_code", "district_name", "status", "iss", "aud",
    "exp", "iat",
)  # fmt: skip

Part = dict[str, Any]


def auth_url_request(facts: RecordedFacts) -> Part:
    """01/01: where do I sign in."""
    return {"redirect_uri": facts.login.get("redirect_uri"), "client_type": facts.login.get("client_type", "mobile")}


def auth_url_response(facts: RecordedFacts) -> Part:
    """01/02: there, for ten minutes."""
    login = facts.login
    asked = {"client_id": login.get("client_id"), "response_type": "code", "scope": login.get("scope"), "code_challenge_method": "S256"}
    return {"authUrl": login.get("authorize_url"), "params": asked, "state": NOT_KEPT, "expiresIn": login.get("state_expires_s", 600)}


def hrms_redirect(facts: RecordedFacts) -> Part:
    """01/03: back with a code."""
    return {"url": facts.login.get("redirect_uri"), "queryParams": {"code": NOT_KEPT, "state": NOT_KEPT}}


def token_exchange_request(facts: RecordedFacts) -> Part:
    """01/04: the code for a token."""
    return {"code": NOT_KEPT, "state": NOT_KEPT, "redirect_uri": facts.login.get("redirect_uri")}


def hrms_token_request(facts: RecordedFacts) -> Part:
    """01/05: the code and its verifier for the provider's tokens."""
    return {
        "grant_type": "authorization_code",
        "code": NOT_KEPT,
        "redirect_uri": facts.login.get("redirect_uri"),
        "code_verifier": NOT_KEPT,
    }


def hrms_token_response(facts: RecordedFacts) -> Part:
    """01/06: the provider's tokens."""
    return {
        "access_token": NOT_KEPT,
        "token_type": "Bearer",
        "expires_in": facts.login.get("expires_s"),
        "refresh_token": NOT_KEPT,
        "id_token": NOT_KEPT,
        "scope": facts.login.get("scope"),
    }


def id_token_decoded(facts: RecordedFacts) -> Part:
    """01/07: who it is, as the provider says."""
    claims: Row = facts.login.get("claims", {})
    shown = {name: claims.get(name) for name in _CLAIMS}
    shown |= {"name": _person(facts, "name"), "phone": _person(facts, "phone"), "email": _person(facts, "email")}
    return {"payload": shown, "jwksValidation": {"signatureValid": facts.login.get("signature_valid")}}


def user_search_request(facts: RecordedFacts) -> Part:
    """01/08: do we know this employee."""
    return {"tenantId": facts.tenant_id or _account(facts).get("tenant_id"), "userName": _account(facts).get("username")}


def user_search_response(facts: RecordedFacts) -> Part:
    """01/09: yes, or an empty list at the first sign-in."""
    return {"ResponseInfo": {"status": "successful"}, "user": [_user(facts)] if facts.login.get("found") else []}


def user_write_request(facts: RecordedFacts) -> Part:
    """01/10 and 01/11: the account as HRMS has it. The UPI address and bank data go to the vault and are shown to nobody here."""
    return {"user": _user(facts)}


def token_response(facts: RecordedFacts) -> Part:
    """01/12: our token and who it is for; the UPI address is not told."""
    return {
        "access_token": NOT_KEPT,
        "token_type": "Bearer",
        "expires_in": facts.login.get("expires_s"),
        "refresh_token": NOT_KEPT,
        "scope": "read write",
        "userInfo": _user(facts),
    }


def login_app_state(facts: RecordedFacts) -> Part:
    """01/13: what the app keeps."""
    return {"auth": {"isAuthenticated": True, "loginMethod": "STATE_HRMS_SSO"}, "user": _user(facts)}


def _account(facts: RecordedFacts) -> Row:
    """Who signs in; teachers do so here, so officers and supervisors are not told."""
    account: Row = {} if facts.hides_reporter else facts.login.get("account", {})
    return account


def _person(facts: RecordedFacts, what: str) -> Any:
    return facts.person(_account(facts).get("id"), what)


def _user(facts: RecordedFacts) -> Part:
    account, claims = _account(facts), facts.login.get("claims", {})
    shown = user_answer({**account, "name": _person(facts, "name"), "phone": _person(facts, "phone")})
    at = facts.login.get("at")
    details = {
        "hrmsEmpId": claims.get("emp_id"),
        "schoolCode": account.get("school_code"),
        "schoolName": account.get("school_name"),
        "designation": account.get("designation"),
        "subject": claims.get("subject"),
        "joiningDate": claims.get("joining_date"),
        "hrmsStatus": claims.get("status"),
        "ssoProvider": PROVIDER,
        "lastHrmsSync": iso(at),
    }
    return {
        **shown,
        "emailId": _person(facts, "email"),
        "roles": [{**role, "name": str(role["code"]).replace("_", " ").title()} for role in shown["roles"]],
        "additionalDetails": {**shown["additionalDetails"], **details},
        "createdBy": BY_SYSTEM,
        "createdDate": ms(account.get("created_at")),
        "lastModifiedBy": BY_SYSTEM,
        "lastModifiedDate": ms(at),
    }
