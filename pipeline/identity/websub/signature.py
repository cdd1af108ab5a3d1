"""The signature of a delivery, and the secrets of our own subscribers, which are derived and kept nowhere."""

import hashlib
import hmac

from pipeline.identity.messages import Headers
from pipeline.vault.keys import Keyring

HEADER = "x-hub-signature"
ALGORITHM = "sha256"


def signature(secret: str, content: bytes) -> str:
    """`sha256=…` of a body under a subscriber's secret."""
    return f"{ALGORITHM}={hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}"


def own_secret(keyring: Keyring, topic: str, key_id: str | None = None) -> str:
    """The secret of our own subscription to a topic."""
    return keyring.derive(f"websub|{topic}", key_id).hex()


def is_genuine(keyring: Keyring, topic: str, headers: Headers, content: bytes) -> bool:
    """Whether a delivery to us is signed with a secret of ours, of this key or of one from before a rotation."""
    sent = headers.get(HEADER, "").encode("utf-8", "replace")
    ids = [key_id for key_id, _ in keyring.masters]
    return any(hmac.compare_digest(signature(own_secret(keyring, topic, key_id), content).encode(), sent) for key_id in ids)
