"""Going on without the password: a refresh token beside a session, good once.

Using it gives the session a new access token and a new refresh token; both old ones end. The session's absolute end stays.
A refresh token that comes a second time was copied: nobody can tell by whom, so the whole session ends.
"""

import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from pipeline.access.sessions import IDLE, TOKEN_BYTES, SignedIn, hash_of, new_token, read_session
from pipeline.audit.log import record
from pipeline.errors import AppError
from pipeline.runtime import Runtime

_GIVE = text("UPDATE access.session SET refresh_hash = :refresh_hash WHERE id = :id AND revoked_at IS NULL")
# An idle session may still be refreshed, which is what a refresh token is for; a revoked or ended one may not. The row is
# locked: of two that come with one token at once, the second finds it used.
_FIND = text("""
    SELECT s.id, s.tenant_id, s.expires_at FROM access.session s JOIN access.account a ON a.id = s.account_id
    WHERE s.refresh_hash = :old_hash AND s.revoked_at IS NULL AND s.expires_at > :now AND a.active
    FOR UPDATE OF s
""")
_USE = text("""
    UPDATE access.session
    SET token_hash = :token_hash, refresh_hash = :new_hash, last_seen_at = :now, idle_expires_at = least(:idle, expires_at)
    WHERE id = :id
""")
_USED = text("INSERT INTO access.refresh_used (refresh_hash, session_id, tenant_id, used_at) VALUES (:old_hash, :id, :tenant_id, :now)")
_REVOKE_REUSED = text("""
    UPDATE access.session s SET revoked_at = :now, revoked_reason = 'refresh token used again'
    FROM access.refresh_used u
    WHERE u.refresh_hash = :old_hash AND s.id = u.session_id AND s.revoked_at IS NULL
    RETURNING s.id, s.tenant_id, s.account_id
""")


def give_refresh_token(rt: Runtime, signed_in: SignedIn) -> str:
    """A refresh token for a session just opened; it exists only here and at the client. Commits."""
    refresh_token = secrets.token_urlsafe(TOKEN_BYTES)
    with rt.database.worker() as conn:
        conn.execute(_GIVE, {"refresh_hash": hash_of(refresh_token), "id": signed_in.caller.session_id})
    return refresh_token


def refresh(rt: Runtime, refresh_token: str) -> tuple[SignedIn, str]:
    """The session again under a new token, with its next refresh token. Raises SDCRS_NOT_SIGNED_IN. Commits.

    A token used before revokes its session, which is in the audit.
    """
    now = rt.clock.now()
    old_hash, following = hash_of(refresh_token), secrets.token_urlsafe(TOKEN_BYTES)
    with rt.database.worker() as conn:
        session = conn.execute(_FIND, {"old_hash": old_hash, "now": now}).one_or_none()
        if session is None:
            _end_reused(conn, old_hash, now)  # raising here would undo it
            token = None
        else:
            token = new_token(rt, "API", session.id, now, session.expires_at)
            conn.execute(_USED, {"old_hash": old_hash, "id": session.id, "tenant_id": session.tenant_id, "now": now})
            _take_over(conn, session.id, token, following, now)
    if session is None or token is None:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    return SignedIn(token, read_session(rt, token), session.expires_at), following


def _take_over(conn: Connection, session_id: UUID, token: str, refresh_token: str, now: datetime) -> None:
    conn.execute(
        _USE,
        {"id": session_id, "token_hash": hash_of(token), "new_hash": hash_of(refresh_token), "now": now, "idle": now + IDLE["API"]},
    )


def _end_reused(conn: Connection, old_hash: bytes, now: datetime) -> None:
    """Revoke the session that this token once refreshed; an unknown token is nobody's."""
    ended = conn.execute(_REVOKE_REUSED, {"old_hash": old_hash, "now": now}).one_or_none()
    if ended is not None:
        record(conn, ended.tenant_id, ended.account_id, None, "REFRESH_REUSED", "SESSION", str(ended.id), now)
