"""Encryption of single values: AES-256-GCM, bound to the place where the value stands so that it cannot be moved."""

import base64
import hashlib
import hmac
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.errors import AppError
from pipeline.vault.keys import Keyring

NONCE_BYTES = 12  # what GCM is specified for


def seal(keyring: Keyring, purpose: str, place: str, value: bytes) -> str:
    """`v1:key:nonce:ciphertext` of the value; `place` (state, table, column, row) must be given again to open it."""
    nonce, key_id = secrets.token_bytes(NONCE_BYTES), keyring.current
    ciphertext = AESGCM(keyring.derive(purpose, key_id)).encrypt(nonce, value, place.encode())
    return f"v1:{key_id}:{_b64(nonce)}:{_b64(ciphertext)}"


def unseal(keyring: Keyring, purpose: str, place: str, sealed: str) -> bytes:
    """The value. Raises SDCRS_DECRYPT_FAILED when key, place or content is not what was sealed."""
    try:
        version, key_id, nonce, ciphertext = sealed.split(":")
        if version != "v1":
            raise ValueError(version)
        return AESGCM(keyring.derive(purpose, key_id)).decrypt(_unb64(nonce), _unb64(ciphertext), place.encode())
    except (ValueError, InvalidTag) as error:
        raise AppError("SDCRS_DECRYPT_FAILED") from error


def keyed_hash(keyring: Keyring, purpose: str, value: str) -> bytes:
    """HMAC-SHA256 of a normalised value, by which an encrypted one is found again."""
    return hmac.new(keyring.lookup_key(f"lookup|{purpose}"), value.encode(), hashlib.sha256).digest()


def _b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode()


def _unb64(value: str) -> bytes:
    return base64.b64decode(value.encode(), altchars=b"-_", validate=True)
