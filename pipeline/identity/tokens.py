"""How our participants show each other who they are: a JWT for one of them, signed with a derived key, that ends within a minute or two."""

from functools import lru_cache
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import extract_compact

from pipeline.errors import AppError
from pipeline.vault.keys import Keyring

Participant = Literal["credentialrequest", "credentialservice", "datashare", "websub"]

ALGORITHM = "Ed25519"
TYPE = "service+jwt"  # never mistaken for an access token
ISSUER = "sdcrs"
PURPOSE = "service-token"
LIFE_S = 60  # for one call
SKEW_S = 30  # between the clocks of two machines
MAX_CHARACTERS = 1024  # ours have some 300


def service_token(keyring: Keyring, audience: Participant, now_s: int) -> str:
    """A token for one call to a participant."""
    key_id = keyring.current
    header = {"alg": ALGORITHM, "typ": TYPE, "kid": key_id}
    claims = {"iss": ISSUER, "aud": audience, "iat": now_s, "exp": now_s + LIFE_S}
    return jwt.encode(header, claims, _key(keyring.derive(PURPOSE, key_id)), algorithms=[ALGORITHM])


def check_service(keyring: Keyring, audience: Participant, authorization: str, now_s: int) -> None:
    """Raise SDCRS_NOT_SIGNED_IN unless the header carries a token of ours for this participant."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_CHARACTERS:
        raise AppError("SDCRS_NOT_SIGNED_IN")
    try:
        protected = extract_compact(token.encode("ascii")).headers()
        if protected.get("typ") != TYPE:
            raise ValueError("not a service token")
        claims = jwt.decode(token, _key(keyring.derive(PURPOSE, str(protected.get("kid")))), algorithms=[ALGORITHM]).claims
        good = claims.get("iss") == ISSUER and claims.get("aud") == audience
        good = good and int(claims["iat"]) - SKEW_S <= now_s < int(claims["exp"]) + SKEW_S
    except (JoseError, ValueError, TypeError, KeyError, AttributeError, AppError) as error:
        raise AppError("SDCRS_NOT_SIGNED_IN") from error
    if not good:
        raise AppError("SDCRS_NOT_SIGNED_IN")


@lru_cache(maxsize=16)
def _key(seed: bytes) -> OKPKey:
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))
