"""The OpenID parts of the stand-in HRMS, by Authlib: authorization code with PKCE (S256 only), ID tokens signed with RS256.

Codes live a minute in this process's memory and are good once; the signing key is made at the start.
"""

import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, AuthorizationServer, ClientMixin, OAuth2Request, grants
from authlib.oauth2.rfc6749.errors import InvalidRequestError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse, Response

from pipeline.clock import Clock
from pipeline.hrms.register import Employee

SCOPES = ("openid", "profile", "employee")
CODE_LIFE_S = 60
TOKEN_LIFE_S = 3600
CODES_KEPT = 1000  # nobody's demo signs in that many people in a minute
KEY_BITS = 2048
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True)
class Client(ClientMixin):
    """The one application that may ask: ours."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uris[0]

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in SCOPES)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(client_secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass(frozen=True)
class Code(AuthorizationCodeMixin):
    """A code that was given out."""

    code: str = field(repr=False)
    client_id: str
    redirect_uri: str
    scope: str
    employee: Employee
    nonce: str | None
    code_challenge: str
    code_challenge_method: str
    expires_s: float

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Request(OAuth2Request):
    """A request as Authlib reads it: query, or form of a POST, each field at most once."""

    def __init__(self, method: str, uri: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> None:
        super().__init__(method, uri, headers={name.title(): value for name, value in headers.items()})
        self.payload = BasicOAuth2Payload(dict(fields))

    @property
    def args(self) -> Mapping[str, str]:
        return dict(self.payload.data)

    @property
    def form(self) -> Mapping[str, str]:
        return dict(self.payload.data)


class Grant(grants.AuthorizationCodeGrant):
    """Codes kept by the server, good for a minute and once."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

    def save_authorization_code(self, code: str, request: Request) -> None:
        asked = request.payload.data
        self.server.keep(
            Code(
                code=code,
                client_id=request.client.client_id,
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                employee=request.user,
                nonce=asked.get("nonce"),
                code_challenge=asked["code_challenge"],
                code_challenge_method=asked["code_challenge_method"],
                expires_s=self.server.now_s() + CODE_LIFE_S,
            )
        )

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        # taken out at once: a code that is tried twice, rightly or not, is used up
        found: Code | None = self.server.take(code)
        return found if found is not None and found.client_id == client.client_id else None

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """Nothing: taken out already."""

    def authenticate_user(self, authorization_code: Code) -> Employee:
        return authorization_code.employee


class IdTokens(OpenIDCode):
    """ID tokens with the employee's claims."""

    def __init__(self, server: "Server") -> None:
        super().__init__(require_nonce=True)
        self.server = server

    def exists_nonce(self, nonce: str, _request: Request) -> bool:
        return bool(self.server.knows_nonce(nonce))

    def resolve_client_private_key(self, _client: Client) -> RSAKey:
        return self.server.key

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        now_s = int(self.server.now_s())
        return {"iss": self.server.issuer, "aud": client.client_id, "iat": now_s, "auth_time": now_s, "exp": now_s + TOKEN_LIFE_S}

    def get_encode_header(self, _client: Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": self.server.key.kid}

    def generate_user_info(self, user: Employee, _scope: str) -> dict[str, Any]:
        return {"sub": user.id, **user.claims}


class S256(CodeChallenge):
    """PKCE, without which nothing is given; `plain` would show the verifier in the address."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Grant, redirect_uri: str) -> None:
        asked = grant.request.payload.data
        if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with S256 is required", redirect_uri=redirect_uri)
        super().validate_code_challenge(grant, redirect_uri)


class Server(AuthorizationServer):
    """The provider of one issuer with one client. Threads share it."""

    def __init__(self, issuer: str, client: Client, clock: Clock) -> None:
        super().__init__(scopes_supported=list(SCOPES))
        self.issuer, self.client, self._clock = issuer, client, clock
        self.key = RSAKey.generate_key(KEY_BITS, auto_kid=True)
        self._codes: dict[str, Code] = {}
        self._lock = threading.Lock()
        self.register_token_generator("default", self._bearer)
        self.register_grant(Grant, [S256(required=True), IdTokens(self)])

    def now_s(self) -> float:
        return self._clock.now().timestamp()

    def keep(self, code: Code) -> None:
        """Keep a code for its minute; those out of date go."""
        with self._lock:
            self._codes = {one: kept for one, kept in self._codes.items() if kept.expires_s > self.now_s()}
            if len(self._codes) < CODES_KEPT:
                self._codes[code.code] = code

    def take(self, code: str) -> Code | None:
        with self._lock:
            found = self._codes.pop(code, None)
        return found if found is not None and found.expires_s > self.now_s() else None

    def knows_nonce(self, nonce: str) -> bool:
        with self._lock:
            return any(kept.nonce == nonce for kept in self._codes.values())

    # what Authlib asks of the framework

    def query_client(self, client_id: str) -> Client | None:
        return self.client if client_id == self.client.client_id else None

    def save_token(self, token: Mapping[str, Any], request: Request) -> None:
        """Nothing: no endpoint here takes its access tokens."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def create_oauth2_request(self, request: Request) -> Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> Response:
        given = {**dict(headers), **NO_STORE}
        if isinstance(body, Mapping):
            return JSONResponse(dict(body), status, {name: value for name, value in given.items() if name.lower() != "content-type"})
        return Response(body, status, given)

    def _bearer(self, scope: str | None = None, **_: Any) -> dict[str, Any]:
        return {"token_type": "Bearer", "access_token": secrets.token_urlsafe(32), "expires_in": TOKEN_LIFE_S, "scope": scope or ""}

    def public_keys(self) -> dict[str, Any]:
        return {"keys": [{**self.key.as_dict(private=False), "use": "sig", "alg": "RS256"}]}
