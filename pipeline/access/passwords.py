"""Passwords: argon2id, never more than two at once, since each takes 64 MiB and a whole core."""

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

CONCURRENT_HASHES = 2
_slots = threading.BoundedSemaphore(CONCURRENT_HASHES)
_hasher = PasswordHasher()
_NO_ACCOUNT = _hasher.hash("no account has this password")  # verified when the user name is unknown, so both take as long


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _slots:
        return _hasher.hash(password)


def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password is right; takes as long when there is no stored hash."""
    with _slots:
        try:
            return _hasher.verify(stored or _NO_ACCOUNT, password) and stored is not None
        except (VerificationError, InvalidHashError):
            return False
