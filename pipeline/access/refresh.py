"""Going on without the password: a refresh token beside a session, good once.

Using it gives the session a new access token and a new refresh token; both old ones end. The session's absolute end stays.
"""

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import text

from pipeline.access.sessions import IDLE, TOKEN_BYTES, SignedIn, read_session
from pipeline.errors import AppError
from pipeline.runtime import Runtime

_GIVE = text("UPDATE access.session SET refresh_hash = :refresh_hash WHERE id = :id AND revoked_at IS NULL")
# An idle session may still be refreshed, which is what a refresh token is for; a revoked or ended one may not
_USE = text("""
    UPDATE access.session s
    SET token_hash = :token_hash, refresh_hash = :new_hash, last_seen_at = :now, idle_expires_at = least(:idle, s.expires_at)
    FROM access.account a
    WHERE s.refresh_hash = :old_hash AND s.revoked_at IS NULL AND s.expires_at > :now AND a.id = s.account_id AND a.active
    RETURNING s.expires_at
""")


def give_refresh_token(rt: Runtime, signed_in: SignedIn) -> str:
    """A refresh token for a session just opened; it exists only here and at the client. Commits."""
    refresh_token = secrets.token_urlsafe(TOKEN_BYTES)
    with rt.database.worker() as conn:
        conn.execute(_GIVE, {"refresh_hash": _hash(refresh_token), "id": signed_in.caller.session_id})
    return refresh_token


def refresh(rt: Runtime, refresh_token: str) -> tuple[SignedIn, str]:
    """The session again under a new token, with its next refresh token. Raises SDCRS_NOT_SIGNED_IN. Commits."""
    now = rt.clock.now()
    token, following = secrets.token_urlsafe(TOKEN_BYTES), secrets.token_urlsafe(TOKEN_BYTES)
    with rt.database.worker() as conn:
        expires_at: datetime | None = conn.execute(
            _USE,
            {
                "token_hash": _hash(token),
                "new_hash": _hash(following),
                "old_hash": _hash(refresh_token),
                "now": now,
                "idle": now + IDLE["API"],
            },
        ).scalar_one_or_none()
    if expires_at is None:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    return SignedIn(token, read_session(rt, token), expires_at), following


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
