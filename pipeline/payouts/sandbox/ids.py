"""Ids as the provider makes them: a prefix and 14 letters or digits that mean nothing."""

import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LENGTH = 14


def new_id(prefix: str) -> str:
    """A fresh id such as `pout_4fHx…`; 62^14 leaves no room for chance collisions, and a unique index stands behind it."""
    value = secrets.randbits(88)  # a little more than 62^14
    letters = []
    for _ in range(LENGTH):
        value, digit = divmod(value, 62)
        letters.append(ALPHABET[digit])
    return f"{prefix}_{''.join(letters)}"
