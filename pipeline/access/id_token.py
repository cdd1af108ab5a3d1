"""Judging an ID token: signed by one of the provider's keys, by it, for us, now, and for the sign-in that we began.

Two algorithms are taken, both asymmetric, and each only with a key of its own kind: a token cannot choose `none`, nor make a
public key into a shared secret.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import extract_compact

from pipeline.access.provider import Provider
from pipeline.errors import AppError

KINDS = {"RS256": "RSA", "ES256": "EC"}
MIN_RSA_BITS = 2048
CURVE = "P-256"
MAX_TOKEN_CHARACTERS = 16_384  # a dozen claims and a signature are two thousand
MAX_SUBJECT = 255  # OpenID Connect Core, section 2
SKEW_S = 60  # between the provider's clock and ours
OLDEST_S = 600  # an ID token is made when the code is redeemed

Claims = Mapping[str, Any]


def verified(provider: Provider, token: object, nonce: str, access_token: object, now: datetime) -> Claims:
    """The claims of an ID token that holds. Raises SDCRS_SSO_REFUSED naming what does not, and SDCRS_SSO_AWAY."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused("there is no ID token")
    try:
        header = extract_compact(token.encode("ascii")).headers()
        algorithm = header.get("alg")
        if algorithm not in KINDS:
            raise _refused("the ID token is not signed as it must be")
        key = _key_for(provider, str(algorithm), header.get("kid"))
        claims = jwt.decode(token, key, algorithms=[str(algorithm)]).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refused("the ID token's signature does not hold") from error
    _check(claims, provider.config.issuer, provider.config.client_id, nonce, now.timestamp())
    _check_hash(claims, access_token)
    return claims


def _key_for(provider: Provider, algorithm: str, kid: object) -> RSAKey | ECKey:
    """The provider's key that the token names; asked for once more when it is not known yet."""
    for again in (False, True):
        fitting = _fitting(provider.keys(again=again), algorithm, kid)
        if len(fitting) == 1:
            return _imported(fitting[0], algorithm)
    raise _refused("the ID token is signed with an unknown key")


def _fitting(keys: Sequence[Mapping[str, Any]], algorithm: str, kid: object) -> list[Mapping[str, Any]]:
    return [
        key
        for key in keys
        if key.get("kty") == KINDS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]


def _imported(key: Mapping[str, Any], algorithm: str) -> RSAKey | ECKey:
    # what else the provider says of its key is no business of the signature, and private parts would be a mishap of its own
    if algorithm == "ES256":
        if key.get("crv") != CURVE:
            raise _refused("the ID token's key is of another curve")
        return ECKey.import_key({name: str(key[name]) for name in ("kty", "crv", "x", "y") if name in key})
    if len(base64.urlsafe_b64decode(str(key.get("n", "")) + "==").lstrip(b"\0")) * 8 < MIN_RSA_BITS:
        raise _refused("the ID token's key is too short")
    return RSAKey.import_key({name: str(key[name]) for name in ("kty", "n", "e") if name in key})


def _check(claims: Claims, issuer: str, client_id: str, nonce: str, now_s: float) -> None:
    """OpenID Connect Core, section 3.1.3.7."""
    if claims.get("iss") != issuer:
        raise _refused("the ID token comes from another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if client_id not in audiences:
        raise _refused("the ID token is for another client")
    if ("azp" in claims or len(audiences) > 1) and claims.get("azp") != client_id:
        raise _refused("the ID token was asked for by another client")
    made_at, ends_at = _moment(claims, "iat"), _moment(claims, "exp")
    if now_s >= ends_at + SKEW_S:
        raise _refused("the ID token has expired")
    if not now_s - OLDEST_S - SKEW_S <= made_at <= now_s + SKEW_S:
        raise _refused("the ID token was not made now")
    if "nbf" in claims and _moment(claims, "nbf") > now_s + SKEW_S:
        raise _refused("the ID token does not hold yet")
    sent = claims.get("nonce")
    if not isinstance(sent, str) or not hmac.compare_digest(sent.encode(), nonce.encode()):
        raise _refused("the ID token belongs to another sign-in")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise _refused("the ID token names nobody")


def _check_hash(claims: Claims, access_token: object) -> None:
    """Where the token names its access token, they must have come together; both algorithms hash with SHA-256."""
    if "at_hash" not in claims:
        return
    if not isinstance(access_token, str):
        raise _refused("the ID token came without its access token")
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    if not hmac.compare_digest(base64.urlsafe_b64encode(half).rstrip(b"="), str(claims["at_hash"]).encode()):
        raise _refused("the ID token came with another access token")


def _moment(claims: Claims, name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(f"the ID token has no {name}")
    return float(value)


def _refused(reason: str) -> AppError:
    return AppError("SDCRS_SSO_REFUSED", reason=reason)
