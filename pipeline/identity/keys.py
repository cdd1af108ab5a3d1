"""Keys of the credentials: one to sign for every master key of the keyring, and one for each partner to be encrypted for.

All are on P-256 and derived, so that nothing has to be stored and a rotation of master keys renews them. `kid` names the
master key and the purpose: what was signed or encrypted before a rotation is verified and opened by the key of its time.
Signed is with ES256 (JWS), encrypted with ECDH-ES+A256KW and A256GCM (JWE).
"""

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from pipeline.errors import AppError
from pipeline.vault.keys import Keyring

SIGNING = "credential"
SIGNED_AS = "ES256"
ENCRYPTED_AS = ("ECDH-ES+A256KW", "A256GCM")
TYPE = "credential+jws"  # a signature of ours over something else is never taken for a credential
MAX_HEADER = 2048  # characters; ours have some hundred and, encrypted, three hundred
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of the curve
MAX_TOKEN_BYTES = 16 * 1024 * 1024  # of a part in base64: what a data share holds, encoded twice; the library's own limits are for messages
_KID = re.compile(r"([A-Za-z0-9_-]{1,64})\.(credential|partner\.[A-Za-z0-9._-]{1,64})")


class _Signing(jws.JWSRegistry):
    """The library's checks, with room for biometrics."""

    max_payload_length = MAX_TOKEN_BYTES


class _Encryption(jwe.JWERegistry):
    """The same for what is encrypted."""

    max_ciphertext_length = MAX_TOKEN_BYTES


_SIGNING, _ENCRYPTION = _Signing(algorithms=[SIGNED_AS]), _Encryption(algorithms=list(ENCRYPTED_AS))


def partner_purpose(partner_id: str) -> str:
    """The purpose of the key that a partner is encrypted for."""
    return f"partner.{partner_id}"


def jwks(keyring: Keyring) -> dict[str, list[dict[str, Any]]]:
    """The public keys that credentials are verified with, of every master key, the current one first."""
    keyring.reload()
    ids = sorted((key_id for key_id, _ in keyring.masters), key=lambda key_id: key_id != keyring.current)
    return {"keys": [_public(keyring, key_id) for key_id in ids]}


def sign(keyring: Keyring, payload: bytes) -> str:
    """The payload as a compact JWS of the current key."""
    key_id = keyring.current  # asked once: a rotation may come in between
    header = {"alg": SIGNED_AS, "typ": TYPE, "kid": f"{key_id}.{SIGNING}"}
    return jws.serialize_compact(header, payload, _key(keyring, key_id, SIGNING), registry=_SIGNING)


def verified(keyring: Keyring, token: str) -> bytes:
    """What a compact JWS of ours says. Raises SDCRS_CREDENTIAL_SIGNATURE for any other text."""
    try:
        header = _header(token)
        key_id, purpose = _kid(header)
        if purpose != SIGNING or header.get("typ") != TYPE:
            raise ValueError("not signed as a credential")
        return jws.deserialize_compact(token, _key(keyring, key_id, SIGNING), registry=_SIGNING).payload
    except (JoseError, ValueError, TypeError, AppError) as error:
        raise AppError("SDCRS_CREDENTIAL_SIGNATURE") from error


def detached(token: str) -> str:
    """The signature without what it signs, as it is kept beside the thing (RFC 7515, appendix F)."""
    header, _, signature = token.split(".")
    return f"{header}..{signature}"


def encrypt(keyring: Keyring, partner_id: str, plaintext: bytes) -> str:
    """The bytes as a compact JWE that only the partner opens."""
    key_id, purpose = keyring.current, partner_purpose(partner_id)
    algorithm, content = ENCRYPTED_AS
    header = {"alg": algorithm, "enc": content, "kid": f"{key_id}.{purpose}"}
    return jwe.encrypt_compact(header, plaintext, _key(keyring, key_id, purpose), registry=_ENCRYPTION)


def decrypt(keyring: Keyring, partner_id: str, token: str) -> bytes:
    """What was encrypted for this partner. Raises SDCRS_CREDENTIAL_PARTNER when it was for another, or was altered."""
    try:
        key_id, purpose = _kid(_header(token))
        if purpose != partner_purpose(partner_id):
            raise ValueError("encrypted for somebody else")
        plaintext = jwe.decrypt_compact(token, _key(keyring, key_id, purpose), registry=_ENCRYPTION).plaintext
    except (JoseError, ValueError, TypeError, AppError) as error:
        raise AppError("SDCRS_CREDENTIAL_PARTNER") from error
    if plaintext is None:
        raise AppError("SDCRS_CREDENTIAL_PARTNER")
    return plaintext


def _public(keyring: Keyring, key_id: str) -> dict[str, Any]:
    public = _key(keyring, key_id, SIGNING).as_dict(private=False)
    return {name: public[name] for name in ("kty", "crv", "x", "y")} | {"kid": f"{key_id}.{SIGNING}", "use": "sig", "alg": SIGNED_AS}


def _header(token: str) -> dict[str, Any]:
    """The header of a compact JWS or JWE, unverified: it only says with which key to look. Raises ValueError."""
    first = token.partition(".")[0]
    if len(first) > MAX_HEADER:
        raise ValueError("a header of this size is none of ours")
    header = json.loads(urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    if not isinstance(header, dict):
        raise ValueError("no header")
    return header


def _kid(header: Mapping[str, Any]) -> tuple[str, str]:
    """Master key and purpose that a header names. Raises ValueError."""
    match = _KID.fullmatch(str(header.get("kid")))
    if match is None:
        raise ValueError("names no key of ours")
    return match.group(1), match.group(2)


def _key(keyring: Keyring, key_id: str, purpose: str) -> ECKey:
    # two derived keys make twice the bits that the curve needs: reduced, every scalar is as likely as any other
    halves = [keyring.derive(f"identity|{purpose}|{half}", key_id) for half in ("high", "low")]
    return _on_curve(b"".join(halves))


@lru_cache(maxsize=64)
def _on_curve(seed: bytes) -> ECKey:
    scalar = int.from_bytes(seed, "big") % (_ORDER - 1) + 1
    return ECKey.import_key(derive_private_key(scalar, SECP256R1()))
