"""The state's identity provider as we call it: its description, its keys, and its token endpoint (OpenID Connect discovery).

Every call has a time limit and a size limit and follows no redirect; description and keys are kept for an hour. Nothing here
judges a token or touches the database, and no call is made while a transaction is open.
"""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote_plus, urlsplit

import httpx

from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.settings import LOOPBACK

CONNECT_S, READ_S = 3.0, 5.0  # a person waits at the sign-in; a provider that takes longer is away
CALL_S = 10.0  # of one call in all, however the bytes drip
MAX_ANSWER_BYTES = 256 * 1024  # descriptions and key sets have a few kilobytes
KEPT_S = 3600.0  # description and keys; a key that is not among them is looked for at once
LOOK_AGAIN_S = 10.0  # at the soonest, for unknown keys: nobody makes us ask at will
DISCOVERY = "/.well-known/openid-configuration"
DEMO_CLIENT_ID = "sdcrs-mobile"
DEMO_SECRET_PURPOSE = "hrms-demo-client"  # noqa: S105 - what the secret is derived for

Value = TypeVar("Value")


@dataclass(frozen=True)
class ProviderConfig:
    """Who the provider is and who we are to it."""

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str


@dataclass(frozen=True)
class Description:
    """What the provider says of itself, as far as we use it."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    scopes: tuple[str, ...] | None  # None: it does not say
    secret_in_body: bool  # it takes the client secret only as a form field
    says_issuer: bool  # its redirects name it (RFC 9207)


def provider_of(rt: Runtime) -> "Provider":
    """The provider of this installation, one for the process. Raises SDCRS_SSO_OFF where there is none."""
    settings = rt.settings
    if settings.oidc_issuer is not None:
        return _provider(
            ProviderConfig(settings.oidc_issuer, settings.oidc_client_id or "", settings.oidc_client_secret, settings.oidc_scope)
        )
    if not settings.demo_hrms:
        raise AppError("SDCRS_SSO_OFF")
    issuer = f"http://127.0.0.1:{settings.hrms_port}"
    return _provider(ProviderConfig(issuer, DEMO_CLIENT_ID, rt.keyring.lookup_key(DEMO_SECRET_PURPOSE).hex(), settings.oidc_scope))


@lru_cache(maxsize=32)  # one for a process; tests have more
def _provider(config: ProviderConfig) -> "Provider":
    return Provider(config)


class Provider:
    """One provider. Threads share it."""

    def __init__(self, config: ProviderConfig) -> None:
        self.config = config
        self._http = httpx.Client(
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            follow_redirects=False,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=4),
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )
        self._lock = threading.Lock()
        self._description: tuple[float, Description] | None = None
        self._keys: tuple[float, Sequence[Mapping[str, Any]]] | None = None

    def description(self) -> Description:
        """What the provider says of itself. Raises SDCRS_SSO_AWAY, also when it says it of somebody else."""
        with self._lock:
            if self._description is None or _older(self._description[0], KEPT_S):
                self._description = (time.monotonic(), self._describe())
            return self._description[1]

    def keys(self, *, again: bool = False) -> Sequence[Mapping[str, Any]]:
        """The provider's public keys as JWKs; `again`: one was missing, so look whether there are new ones. Raises SDCRS_SSO_AWAY."""
        address = self.description().jwks_uri
        with self._lock:
            kept = self._keys
            if kept is None or _older(kept[0], KEPT_S) or (again and _older(kept[0], LOOK_AGAIN_S)):
                found = self._get_json(address).get("keys")
                if not isinstance(found, list):
                    raise AppError("SDCRS_SSO_AWAY", why="its key set cannot be read")
                self._keys = kept = (time.monotonic(), [key for key in found if isinstance(key, dict)])
            return kept[1]

    def redeem(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """The tokens for a code. Raises SDCRS_SSO_REFUSED when the provider does not take the code, and SDCRS_SSO_AWAY."""
        described = self.description()
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri, "code_verifier": verifier}
        headers = {}
        if self.config.client_secret is None or described.secret_in_body:
            form["client_id"] = self.config.client_id
            if self.config.client_secret is not None:
                form["client_secret"] = self.config.client_secret
        else:
            pair = f"{quote_plus(self.config.client_id)}:{quote_plus(self.config.client_secret)}"
            headers["Authorization"] = "Basic " + b64encode(pair.encode()).decode()
        status, body = self._call(lambda: self._http.build_request("POST", described.token_endpoint, data=form, headers=headers))
        if status in (400, 401, 403):
            raise AppError("SDCRS_SSO_REFUSED", reason=f"it does not take the code ({_oauth_error(body)})")
        return _object(status, body)

    def user_info(self, access_token: str) -> Mapping[str, Any]:
        """What the provider's user info says; nothing when it has none. Raises SDCRS_SSO_AWAY."""
        address = self.description().userinfo_endpoint
        if address is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        return _object(*self._call(lambda: self._http.build_request("GET", address, headers=headers)))

    def _describe(self) -> Description:
        found = self._get_json(self.config.issuer.rstrip("/") + DISCOVERY)
        if found.get("issuer") != self.config.issuer:
            raise AppError("SDCRS_SSO_AWAY", why="its description names another issuer")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        scopes = found.get("scopes_supported")
        return Description(
            authorization_endpoint=self._endpoint(found, "authorization_endpoint"),
            token_endpoint=self._endpoint(found, "token_endpoint"),
            jwks_uri=self._endpoint(found, "jwks_uri"),
            userinfo_endpoint=self._endpoint(found, "userinfo_endpoint") if found.get("userinfo_endpoint") else None,
            scopes=tuple(str(scope) for scope in scopes) if isinstance(scopes, list) else None,
            secret_in_body="client_secret_post" in methods and "client_secret_basic" not in methods,
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        """An address that the description names: encrypted, as the issuer's own is."""
        address = found.get(name)
        parts = urlsplit(address) if isinstance(address, str) else None
        plain = urlsplit(self.config.issuer).scheme == "http"  # which settings allow on loopback, for the demo
        if parts is None or not parts.hostname or not (parts.scheme == "https" or (plain and parts.hostname in LOOPBACK)):
            raise AppError("SDCRS_SSO_AWAY", why=f"its description has no usable {name}")
        return str(address)

    def _get_json(self, address: str) -> Mapping[str, Any]:
        return _object(*self._call(lambda: self._http.build_request("GET", address)))

    def _call(self, request: Callable[[], httpx.Request]) -> tuple[int, bytes]:
        end = time.monotonic() + CALL_S
        try:
            answer = self._http.send(request(), stream=True)
            try:
                whole = bytearray()
                for chunk in answer.iter_raw():
                    whole += chunk
                    if len(whole) > MAX_ANSWER_BYTES:
                        raise AppError("SDCRS_SSO_AWAY", why="its answer is too large")
                    if time.monotonic() > end:
                        raise AppError("SDCRS_SSO_AWAY", why="its answer takes too long")
                return answer.status_code, bytes(whole)
            finally:
                answer.close()
        except httpx.TimeoutException as error:
            raise AppError("SDCRS_SSO_AWAY", why="its answer takes too long") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise AppError("SDCRS_SSO_AWAY", why="it cannot be reached") from error


def _older(since: float, limit_s: float) -> bool:
    return time.monotonic() - since > limit_s


def _object(status: int, body: bytes) -> Mapping[str, Any]:
    if status != 200:
        raise AppError("SDCRS_SSO_AWAY", why=f"it answers {status}")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AppError("SDCRS_SSO_AWAY", why="its answer is no JSON") from error
    if not isinstance(found, dict):
        raise AppError("SDCRS_SSO_AWAY", why="its answer is no JSON object")
    return found


def _oauth_error(body: bytes) -> str:
    """The provider's error code, one word of RFC 6749; its sentences are not repeated."""
    try:
        code = json.loads(body).get("error")
    except (ValueError, RecursionError, AttributeError):
        return "no reason"
    return code if isinstance(code, str) and code.isascii() and code.replace("_", "").isalnum() and len(code) <= 40 else "no reason"
