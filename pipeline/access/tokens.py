"""Access tokens of the API: a signed JWT that names the session and nobody. It proves nothing by itself: the session's row decides.

Signed with Ed25519 by a key derived from the installation's keys. `kid` is the id of the master key, so that tokens made
before a rotation hold to their end.
"""

import secrets
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import extract_compact

from pipeline.errors import AppError
from pipeline.vault.keys import Keyring

ALGORITHM = "Ed25519"
TYPE = "at+jwt"  # RFC 9068: an access token is never mistaken for an ID token
ISSUER = "sdcrs"
AUDIENCE = "sdcrs-api"
PURPOSE = "access-token"
MAX_CHARACTERS = 1024  # ours have some 350


def looks_signed(token: str) -> bool:
    """Whether the token has the form of a JWT; ours of the console are opaque and have no dots."""
    return token.count(".") == 2


def issue(keyring: Keyring, session_id: UUID, now: datetime, expires_at: datetime) -> str:
    """A token for the session. No two are alike: the one before must be distinguishable to end with a refresh."""
    key_id = keyring.current  # asked once: a rotation may come in between
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key_id}
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sid": str(session_id),
        "iat": int(now.timestamp()),
        "exp": int(expires_at.timestamp()),
        "jti": secrets.token_urlsafe(12),
    }
    return jwt.encode(header, claims, _signing_key(keyring.derive(PURPOSE, key_id)), algorithms=[ALGORITHM])


def session_of(keyring: Keyring, token: str, now: datetime) -> UUID:
    """The session that a token of ours names. Raises SDCRS_NOT_SIGNED_IN for any other text."""
    if len(token) > MAX_CHARACTERS:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    try:
        protected = extract_compact(token.encode("ascii")).headers()
        if protected.get("typ") != TYPE:
            raise AppError("SDCRS_NOT_SIGNED_IN")
        session_id, ends_s = _verified(token, _seed(keyring, str(protected.get("kid"))))
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise AppError("SDCRS_NOT_SIGNED_IN") from error
    if now.timestamp() >= ends_s:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    return session_id


@lru_cache(maxsize=4096)  # the tokens of a busy hour; a signature that holds once holds always, and costs a sixth of a millisecond
def _verified(token: str, seed: bytes) -> tuple[UUID, int]:
    """Session and end of a token that this key has signed. Raises JoseError, ValueError, TypeError or KeyError."""
    claims = jwt.decode(token, _signing_key(seed), algorithms=[ALGORITHM]).claims
    if claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE:
        raise ValueError("a token for somebody else")
    return UUID(claims["sid"]), int(claims["exp"])


def _seed(keyring: Keyring, key_id: str) -> bytes:
    try:
        return keyring.derive(PURPOSE, key_id)
    except AppError as error:  # signed with a key that is not ours, or is no longer
        raise AppError("SDCRS_NOT_SIGNED_IN") from error


@lru_cache(maxsize=16)
def _signing_key(seed: bytes) -> OKPKey:
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))
