"""Sign-in and the session row behind an opaque token. The row is read at every request, so that revoking acts at once."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Connection, Row, text

from pipeline.access.caller import Caller
from pipeline.access.passwords import verify_password
from pipeline.access.throttle import Throttle
from pipeline.access.tokens import issue, looks_signed, session_of
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.runtime import Runtime

Kind = Literal["CONSOLE", "API"]
TOKEN_BYTES = 32  # 256 bits from the system's generator
IDLE = {"CONSOLE": timedelta(minutes=30), "API": timedelta(hours=1)}
ABSOLUTE = {"CONSOLE": timedelta(hours=12), "API": timedelta(hours=12)}  # a working day
TOUCH_EVERY = timedelta(minutes=1)  # a session row is not rewritten at every click
TOKEN_LIFE = timedelta(hours=1)  # of an access token; then the refresh token gives the next, to the session's end
BY_PROVIDER = frozenset({"TEACHER"})  # who must sign in with the state's account once there is one

_CANDIDATES = text("""
    SELECT id, tenant_id, state_id, username, password_hash, roles FROM access.account
    WHERE username = :username AND active AND (CAST(:state_id AS text) IS NULL OR state_id = :state_id)
    ORDER BY state_id LIMIT 2
""")
_INSERT = text("""
    INSERT INTO access.session (id, tenant_id, account_id, token_hash, kind, roles, scope, created_at, last_seen_at,
                                idle_expires_at, expires_at)
    VALUES (:id, :tenant_id, :account_id, :token_hash, :kind, :roles, :scope, :now, :now, :idle, :expires)
""")
# A role counts while both have it, the session and the account: one that is taken away ends at once, one that is given comes with the
# next sign-in. Nobody takes a session along into another tenant.
_READ = text("""
    SELECT s.id, s.account_id, s.kind, s.scope, s.last_seen_at, a.username, a.tenant_id, a.wards, a.locale, a.school_name, a.demo,
           ARRAY(SELECT role FROM unnest(s.roles) AS role WHERE role = ANY (a.roles)) AS roles
    FROM access.session s JOIN access.account a ON a.id = s.account_id
    WHERE s.token_hash = :token_hash AND s.revoked_at IS NULL AND s.idle_expires_at > :now AND s.expires_at > :now AND a.active
      AND s.roles && a.roles AND s.tenant_id = a.tenant_id
""")
_TOUCH = text(
    "UPDATE access.session SET last_seen_at = :now, idle_expires_at = least(:idle, expires_at) WHERE id = :id AND revoked_at IS NULL"
)
_REVOKE = text(
    "UPDATE access.session SET revoked_at = :now, revoked_reason = :reason WHERE token_hash = :token_hash AND revoked_at IS NULL"
)
_REVOKE_ALL = text(
    "UPDATE access.session SET revoked_at = :now, revoked_reason = :reason WHERE account_id = :account_id AND revoked_at IS NULL"
)


@dataclass(frozen=True)
class SignedIn:
    """A new session. The token exists only here and at the client."""

    token: str
    caller: Caller
    expires_at: datetime


def sign_in(rt: Runtime, username: str, password: str, kind: Kind, client: str, state_id: str | None = None) -> SignedIn:
    """Check the password and open a session. `client` is the network address, for throttling and the audit.

    Raises SDCRS_SIGN_IN_THROTTLED after repeated failures, SDCRS_BAD_CREDENTIALS without saying which part is wrong, and
    SDCRS_SSO_REQUIRED to a teacher where the state's identity provider is set up.
    """
    now = rt.clock.now()
    username = username.strip()
    throttle = Throttle(rt.keyring, username, client)
    with rt.database.worker() as conn:
        throttle.check(conn, now)
        candidates = conn.execute(_CANDIDATES, {"username": username, "state_id": state_id}).all()
    account = _matching(candidates, password)
    if account is None:
        with rt.database.worker() as conn:
            throttle.failed(conn, now)
            if candidates:
                record(conn, candidates[0].tenant_id, None, None, "SIGN_IN_FAILED", "ACCOUNT", str(candidates[0].id), now)
        raise AppError("SDCRS_BAD_CREDENTIALS")
    if rt.settings.oidc_issuer is not None and BY_PROVIDER.issuperset(account.roles):
        raise AppError("SDCRS_SSO_REQUIRED")
    with rt.database.worker() as conn:
        throttle.passed(conn)
        signed_in = open_session(rt, conn, account.id, account.tenant_id, account.roles, kind, now)
        record(conn, account.tenant_id, account.id, account.roles[0], "SIGN_IN", "SESSION", str(signed_in.caller.session_id), now)
    return signed_in


def open_session(rt: Runtime, conn: Connection, account_id: UUID, tenant_id: str, roles: list[str], kind: Kind, now: datetime) -> SignedIn:
    """Insert a session for an account that has proved itself; the scope is its tenant and all below. Does not commit."""
    session_id, expires_at = uuid7(now), now + ABSOLUTE[kind]
    token = new_token(rt, kind, session_id, now, expires_at)
    token_hash = hash_of(token)
    conn.execute(
        _INSERT,
        {
            "id": session_id,
            "tenant_id": tenant_id,
            "account_id": account_id,
            "token_hash": token_hash,
            "kind": kind,
            "roles": list(roles),
            "scope": list(rt.masterdata.current().descendants(tenant_id)),
            "now": now,
            "idle": min(now + IDLE[kind], expires_at),
            "expires": expires_at,
        },
    )
    row = conn.execute(_READ, {"token_hash": token_hash, "now": now}).mappings().one()
    return SignedIn(token, _caller(row), expires_at)


def new_token(rt: Runtime, kind: Kind, session_id: UUID, now: datetime, ends_at: datetime) -> str:
    """A token for a session: opaque for a browser's cookie, a signed one that names the session for the API."""
    if kind == "CONSOLE":
        return secrets.token_urlsafe(TOKEN_BYTES)
    return issue(rt.keyring, session_id, now, min(now + TOKEN_LIFE, ends_at))


def read_session(rt: Runtime, token: str | None) -> Caller:
    """The caller behind a token, from the session row as it is now. Raises SDCRS_NOT_SIGNED_IN.

    A signed token must be ours, in date, and the last that its session got: the row is found by the token's hash.
    """
    if not token:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    now = rt.clock.now()
    named = session_of(rt.keyring, token, now) if looks_signed(token) else None
    row = rt.database.worker_row(_READ, {"token_hash": hash_of(token), "now": now})
    if row is None or (named is not None and named != row["id"]):
        raise AppError("SDCRS_NOT_SIGNED_IN")
    if now - row["last_seen_at"] > TOUCH_EVERY:
        kind: Kind = row["kind"]
        with rt.database.worker() as conn:
            conn.execute(_TOUCH, {"id": row["id"], "now": now, "idle": now + IDLE[kind]})
    return _caller(row)


def sign_out(rt: Runtime, token: str | None) -> None:
    """Revoke the session of this token; an unknown token is no error."""
    if token:
        with rt.database.worker() as conn:
            conn.execute(_REVOKE, {"token_hash": hash_of(token), "now": rt.clock.now(), "reason": "signed out"})


def sign_out_everywhere(rt: Runtime, account_id: UUID, tenant_id: str, actor: Caller | None) -> int:
    """Revoke every session of an account, on all its devices; how many there were. Commits. `actor` None: the operator."""
    now = rt.clock.now()
    with rt.database.worker() as conn:
        ended = conn.execute(_REVOKE_ALL, {"account_id": account_id, "now": now, "reason": "signed out everywhere"}).rowcount
        by, role = (None, None) if actor is None else (actor.account_id, min(actor.roles))
        record(conn, tenant_id, by, role, "SIGN_OUT_EVERYWHERE", "ACCOUNT", str(account_id), now, details={"sessions": ended})
    return ended


def _matching(candidates: Sequence[Row[Any]], password: str) -> Row[Any] | None:
    if not candidates:
        verify_password(None, password)
    return next((row for row in candidates if verify_password(row.password_hash, password)), None)


def _caller(row: Mapping[Any, Any]) -> Caller:
    return Caller(
        session_id=row["id"],
        account_id=row["account_id"],
        username=row["username"],
        roles=frozenset(row["roles"]),
        tenant_id=row["tenant_id"],
        scope=tuple(row["scope"]),
        wards=tuple(row["wards"]),
        locale=row["locale"],
        school_name=row["school_name"],
        demo=row["demo"],
    )


def hash_of(token: str) -> bytes:
    """Under which a token is stored; the token itself is not."""
    return hashlib.sha256(token.encode()).digest()
