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
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.ids import uuid7
from pipeline.runtime import Runtime
from pipeline.vault.seal import keyed_hash

Kind = Literal["CONSOLE", "API"]
TOKEN_BYTES = 32  # 256 bits from the system's generator
IDLE = {"CONSOLE": timedelta(minutes=30), "API": timedelta(hours=1)}
ABSOLUTE = {"CONSOLE": timedelta(hours=12), "API": timedelta(hours=12)}  # a working day
TOUCH_EVERY = timedelta(minutes=1)  # a session row is not rewritten at every click
FAILURES_ALLOWED = 8  # then the user name waits; a person mistypes less often than that
FAILURE_WINDOW = timedelta(minutes=15)

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
_READ = text("""
    SELECT s.id, s.account_id, s.kind, s.roles, s.scope, s.last_seen_at, a.username, a.tenant_id, a.wards, a.locale, a.school_name, a.demo
    FROM access.session s JOIN access.account a ON a.id = s.account_id
    WHERE s.token_hash = :token_hash AND s.revoked_at IS NULL AND s.idle_expires_at > :now AND s.expires_at > :now AND a.active
""")
_TOUCH = text(
    "UPDATE access.session SET last_seen_at = :now, idle_expires_at = least(:idle, expires_at) WHERE id = :id AND revoked_at IS NULL"
)
_REVOKE = text(
    "UPDATE access.session SET revoked_at = :now, revoked_reason = :reason WHERE token_hash = :token_hash AND revoked_at IS NULL"
)
_THROTTLE = text("SELECT failures, window_starts_at, locked_until FROM access.sign_in_throttle WHERE subject = :subject")
_COUNT_FAILURE = text("""
    INSERT INTO access.sign_in_throttle AS t (subject, failures, window_starts_at) VALUES (:subject, 1, :now)
    ON CONFLICT (subject) DO UPDATE SET
        failures = CASE WHEN t.window_starts_at < :window THEN 1 ELSE t.failures + 1 END,
        window_starts_at = CASE WHEN t.window_starts_at < :window THEN :now ELSE t.window_starts_at END,
        locked_until = CASE WHEN t.window_starts_at >= :window AND t.failures + 1 >= :allowed THEN CAST(:until AS timestamptz) END
""")
_FORGET_FAILURES = text("DELETE FROM access.sign_in_throttle WHERE subject = :subject")


@dataclass(frozen=True)
class SignedIn:
    """A new session. The token exists only here and at the client."""

    token: str
    caller: Caller
    expires_at: datetime


def sign_in(rt: Runtime, username: str, password: str, kind: Kind, client: str, state_id: str | None = None) -> SignedIn:
    """Check the password and open a session. `client` is the network address, for throttling and the audit.

    Raises SDCRS_SIGN_IN_THROTTLED after repeated failures and SDCRS_BAD_CREDENTIALS without saying which part is wrong.
    """
    now = rt.clock.now()
    username = username.strip()
    subject = keyed_hash(rt.keyring, "sign-in", f"{username.casefold()}|{client}")
    with rt.database.worker() as conn:
        _check_throttle(conn, subject, now)
        candidates = conn.execute(_CANDIDATES, {"username": username, "state_id": state_id}).all()
    account = _matching(candidates, password)
    if account is None:
        with rt.database.worker() as conn:
            conn.execute(
                _COUNT_FAILURE,
                {
                    "subject": subject,
                    "now": now,
                    "window": now - FAILURE_WINDOW,
                    "allowed": FAILURES_ALLOWED,
                    "until": now + FAILURE_WINDOW,
                },
            )
            if candidates:
                record(conn, candidates[0].tenant_id, None, None, "SIGN_IN_FAILED", "ACCOUNT", str(candidates[0].id), now)
        raise AppError("SDCRS_BAD_CREDENTIALS")
    with rt.database.worker() as conn:
        conn.execute(_FORGET_FAILURES, {"subject": subject})
        signed_in = open_session(rt, conn, account.id, account.tenant_id, account.roles, kind, now)
        record(conn, account.tenant_id, account.id, account.roles[0], "SIGN_IN", "SESSION", str(signed_in.caller.session_id), now)
    return signed_in


def open_session(rt: Runtime, conn: Connection, account_id: UUID, tenant_id: str, roles: list[str], kind: Kind, now: datetime) -> SignedIn:
    """Insert a session for an account that has proved itself; the scope is its tenant and all below. Does not commit."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    token_hash = _hash(token)
    expires_at = now + ABSOLUTE[kind]
    conn.execute(
        _INSERT,
        {
            "id": uuid7(now),
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


def read_session(rt: Runtime, token: str | None) -> Caller:
    """The caller behind a token, from the session row as it is now. Raises SDCRS_NOT_SIGNED_IN."""
    if not token:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    now = rt.clock.now()
    row = rt.database.worker_row(_READ, {"token_hash": _hash(token), "now": now})
    if row is None:
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
            conn.execute(_REVOKE, {"token_hash": _hash(token), "now": rt.clock.now(), "reason": "signed out"})


def _check_throttle(conn: Connection, subject: bytes, now: datetime) -> None:
    row = conn.execute(_THROTTLE, {"subject": subject}).one_or_none()
    if row is not None and row.locked_until is not None and row.locked_until > now:
        raise AppError("SDCRS_SIGN_IN_THROTTLED", retryAfterSeconds=int((row.locked_until - now).total_seconds()) + 1)


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


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
