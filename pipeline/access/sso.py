"""Sign-in by the state's identity provider: begun with a state, a nonce and a PKCE challenge, finished with the code, once.

What was begun is a row for ten minutes, bound to who began it: a browser by a cookie, an app by its own PKCE challenge and by the
X-Correlation-Id, as far as it sent them. The row goes with its first use, before the provider is asked.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.claims import Person, read_person
from pipeline.access.federation import Found, account_for
from pipeline.access.id_token import Claims, verified
from pipeline.access.login_packets import record_login
from pipeline.access.provider import Provider, provider_of
from pipeline.access.sessions import Kind, SignedIn, open_session
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.runtime import Runtime
from pipeline.vault.seal import seal, unseal

FLOW_LIFE = timedelta(minutes=10)  # packet 01/02
SECRET_BYTES = 32  # state, nonce, cookie and verifier: 256 bits each
PRUNED_AT_ONCE = 100  # rows out of date that each new sign-in clears away
PURPOSE = "sign-in-flow"

_BEGIN = text("""
    INSERT INTO access.sign_in_flow (state_hash, kind, redirect_uri, sealed, cookie_hash, correlation_hash, challenge, next_path,
                                     begun_at, expires_at)
    VALUES (:state_hash, :kind, :redirect_uri, :sealed, :cookie_hash, :correlation_hash, :challenge, :next_path, :now, :expires_at)
""")
_PRUNE = text("""
    DELETE FROM access.sign_in_flow WHERE state_hash IN (
        SELECT state_hash FROM access.sign_in_flow WHERE expires_at < :now ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED)
""")
_TAKE = text("""
    DELETE FROM access.sign_in_flow WHERE state_hash = :state_hash AND kind = :kind
    RETURNING redirect_uri, sealed, cookie_hash, correlation_hash, challenge, next_path, begun_at, expires_at
""")


@dataclass(frozen=True)
class Proof:
    """By what somebody shows that the sign-in is theirs; what was given when it began must be given again."""

    cookie: str | None = field(default=None, repr=False)
    correlation: str | None = None
    verifier: str | None = field(default=None, repr=False)  # of the app's own challenge


@dataclass(frozen=True)
class Begun:
    """Where to send the person, and the state that comes back. `cookie`: for the browser, to show on return."""

    url: str
    state: str = field(repr=False)
    cookie: str | None = field(repr=False)
    params: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Arrival:
    """Somebody who has signed in, and where a browser wanted to go."""

    signed_in: SignedIn
    next_path: str | None


def begin(
    rt: Runtime,
    kind: Kind,
    redirect_uri: str,
    *,
    correlation: str | None = None,
    challenge: str | None = None,
    next_path: str | None = None,
) -> Begun:
    """The provider's sign-in address for one sign-in. The caller has checked `redirect_uri`. Commits.

    Raises SDCRS_SSO_OFF and SDCRS_SSO_AWAY.
    """
    provider = provider_of(rt)
    described = provider.description()
    now = rt.clock.now()
    state, nonce, verifier = (secrets.token_urlsafe(SECRET_BYTES) for _ in range(3))
    cookie = secrets.token_urlsafe(SECRET_BYTES) if kind == "CONSOLE" else None
    wanted = provider.config.scope.split()
    scopes = [scope for scope in wanted if scope == "openid" or described.scopes is None or scope in described.scopes]
    params = {
        "client_id": provider.config.client_id,
        "response_type": "code",
        "scope": " ".join(dict.fromkeys(["openid", *scopes])),
        "state": state,
        "nonce": nonce,
        "redirect_uri": redirect_uri,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    state_hash = _hash(state)
    kept = json.dumps({"nonce": nonce, "verifier": verifier}).encode()
    with rt.database.worker() as conn:
        conn.execute(_PRUNE, {"now": now, "most": PRUNED_AT_ONCE})
        conn.execute(
            _BEGIN,
            {
                "state_hash": state_hash,
                "kind": kind,
                "redirect_uri": redirect_uri,
                "sealed": seal(rt.keyring, PURPOSE, state_hash.hex(), kept),
                "cookie_hash": None if cookie is None else _hash(cookie),
                "correlation_hash": None if correlation is None else _hash(correlation),
                "challenge": challenge,
                "next_path": next_path,
                "now": now,
                "expires_at": now + FLOW_LIFE,
            },
        )
    separator = "&" if "?" in described.authorization_endpoint else "?"
    return Begun(f"{described.authorization_endpoint}{separator}{urlencode(params)}", state, cookie, params)


def finish(rt: Runtime, kind: Kind, state: str, code: str, redirect_uri: str, proof: Proof, *, issuer: str | None = None) -> Arrival:
    """Redeem the code and open a session for the person behind it. `issuer`: as a redirect named it (RFC 9207). Commits.

    Raises SDCRS_SSO_STATE for a sign-in that is not under way with this proof, SDCRS_SSO_REFUSED, SDCRS_SSO_AWAY,
    SDCRS_SSO_NO_ACCOUNT and SDCRS_ACCOUNT_INACTIVE. Whatever comes of it, the state is used up.
    """
    provider, now = provider_of(rt), rt.clock.now()
    flow = _take(rt, kind, state, redirect_uri, proof, now)
    if issuer is not None and issuer != provider.config.issuer:
        raise AppError("SDCRS_SSO_REFUSED", reason="another provider answered")
    kept = json.loads(unseal(rt.keyring, PURPOSE, _hash(state).hex(), flow.sealed))
    tokens = provider.redeem(code, kept["verifier"], redirect_uri)
    now = rt.clock.now()  # the provider took its time
    claims = verified(provider, tokens.get("id_token"), kept["nonce"], tokens.get("access_token"), now)
    person, claims = _person(rt, provider, claims, tokens.get("access_token"))
    with rt.database.worker() as conn:
        found = account_for(rt, conn, provider.config.issuer, person, now)
        signed_in = open_session(rt, conn, found.id, found.tenant_id, found.roles, kind, now)
        _audit(conn, signed_in, found, provider.config.issuer, now)
        if kind == "API":
            record_login(conn, signed_in.caller, found, flow.begun_at, now, redirect_uri, tokens, claims)
    return Arrival(signed_in, flow.next_path)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii", "replace")).digest()).rstrip(b"=").decode()


def _take(rt: Runtime, kind: Kind, state: str, redirect_uri: str, proof: Proof, now: datetime) -> Row[Any]:
    """The sign-in under way, which is under way no longer. Raises SDCRS_SSO_STATE without saying what does not fit."""
    with rt.database.worker() as conn:
        flow = conn.execute(_TAKE, {"state_hash": _hash(state), "kind": kind}).one_or_none()
    if flow is None or flow.expires_at <= now or flow.redirect_uri != redirect_uri:
        raise AppError("SDCRS_SSO_STATE")
    shown = (
        (flow.cookie_hash, None if proof.cookie is None else _hash(proof.cookie)),
        (flow.correlation_hash, None if proof.correlation is None else _hash(proof.correlation)),
        (
            None if flow.challenge is None else flow.challenge.encode(),
            None if proof.verifier is None else challenge_of(proof.verifier).encode(),
        ),
    )
    if any(given is not None and not (again is not None and hmac.compare_digest(bytes(given), again)) for given, again in shown):
        raise AppError("SDCRS_SSO_STATE")
    return flow


def _person(rt: Runtime, provider: Provider, claims: Claims, access_token: object) -> tuple[Person, Claims]:
    """Who it is. A provider may tell less in the ID token than at its user info; there the same subject must be named."""
    person = read_person(rt.settings, claims)
    if (person.employee_id is None or person.district is None) and isinstance(access_token, str):
        told = provider.user_info(access_token)
        if told and told.get("sub") != claims["sub"]:
            raise AppError("SDCRS_SSO_REFUSED", reason="the user info is about somebody else")
        claims = {**told, **claims}
        person = read_person(rt.settings, claims)
    return person, claims


def _audit(conn: Connection, signed_in: SignedIn, found: Found, issuer: str, now: datetime) -> None:
    caller = signed_in.caller
    details = {"provider": issuer, "made": found.made, "changed": list(found.changed)}
    session: UUID = caller.session_id
    record(conn, found.tenant_id, found.id, found.roles[0], "SIGN_IN", "SESSION", str(session), now, details=details)


def _hash(value: str) -> bytes:
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()
