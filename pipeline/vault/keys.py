"""The installation's keys: one master key per id, everything else derived from it. Keys are never in a backup.

A key file is JSON `{"current": "<id>", "keys": {"<id>": "<base64 of 32 bytes>"}}`, readable by its owner alone. New keys are
added at its end and none is taken out: the first one makes the keyed hashes by which values are found, and seals of the audit
are verified with the key of their time.
"""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from pipeline.errors import AppError
from pipeline.settings import Settings

KEY_BYTES = 32  # AES-256 and HMAC-SHA256


@dataclass
class Keyring:
    """The master keys by id. `current` seals; the others only open what was sealed before a rotation.

    A running process learns of a new key from the first value that carries its id: the file is then read again.
    """

    current: str
    masters: tuple[tuple[str, bytes], ...]
    path: Path | None = None  # the file that they came from

    def derive(self, purpose: str, key_id: str | None = None) -> bytes:
        """A 32-byte key for one purpose, such as `vault|dj|name`. Raises SDCRS_DECRYPT_FAILED for an unknown key id."""
        wanted = key_id or self.current
        master = self._master(wanted)
        if master is None:
            self.reload()
            master = self._master(wanted)
        if master is None:
            raise AppError("SDCRS_DECRYPT_FAILED")
        return _derive(master, purpose)

    def _master(self, key_id: str) -> bytes | None:
        return next((master for known, master in self.masters if known == key_id), None)

    def reload(self) -> None:
        """Read the file again. What other threads hold stays valid: keys are only added. Raises SDCRS_BAD_SETTING."""
        if self.path is not None:
            found = read_keyring(self.path)
            self.masters, self.current = found.masters, found.current

    def backup_key(self, key_id: str | None) -> tuple[str, bytes]:
        """The id and the key of backups: the current one to write, the named one to read."""
        return key_id or self.current, self.derive("backup", key_id)

    def lookup_key(self, purpose: str) -> bytes:
        """The key of a keyed hash: always from the oldest master, since stored hashes must stay findable."""
        return _derive(self.masters[0][1], purpose)


@lru_cache(maxsize=512)
def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(master)


def open_keyring(settings: Settings) -> Keyring:
    """Read the key file, made at the first start outside production. Raises SDCRS_BAD_SETTING when it cannot be used."""
    path = settings.keys_file or settings.data_dir / "keys" / "master.json"
    if not path.exists():
        if settings.production:
            raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail=f"{path} does not exist")
        _create(path)
    if path.stat().st_mode & 0o077:
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail=f"{path} is readable by others; chmod 600 it")
    return read_keyring(path)


def read_keyring(path: Path) -> Keyring:
    """Parse a key file. Raises SDCRS_BAD_SETTING naming what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        masters = tuple((str(key_id), base64.b64decode(value, validate=True)) for key_id, value in content["keys"].items())
        current = str(content["current"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail=f"{path} is not a key file") from error
    if current not in dict(masters) or any(len(master) != KEY_BYTES for _, master in masters):
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail=f"{path} needs 32-byte keys and a current one among them")
    return Keyring(current, masters, path)


def add_key(keyring: Keyring) -> str:
    """Add a key to the file and make it the current one; returns its id. The file is replaced as a whole.

    Raises SDCRS_BAD_SETTING when the keys come from no file or it cannot be written.
    """
    if keyring.path is None:
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail="the keys come from no file")
    keyring.reload()
    known = dict(keyring.masters)
    key_id = next(name for name in (f"k{number}" for number in range(len(known) + 1, 10_000)) if name not in known)
    keys = {**known, key_id: secrets.token_bytes(KEY_BYTES)}
    content = {"current": key_id, "keys": {name: base64.b64encode(master).decode() for name, master in keys.items()}}
    try:
        temporary = _written_aside(keyring.path, content)
        temporary.replace(keyring.path)
    except OSError as error:
        raise AppError("SDCRS_BAD_SETTING", setting="KEYS_FILE", detail=f"{keyring.path} cannot be written: {error.strerror}") from error
    keyring.reload()
    return key_id


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"current": "k1", "keys": {"k1": base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}}
    temporary = _written_aside(path, content)
    try:  # linked into place: of two processes that start at once, one file wins and both read that one
        os.link(temporary, path)
    except FileExistsError:
        pass  # the other process's key stands
    finally:
        temporary.unlink()


def _written_aside(path: Path, content: Mapping[str, object]) -> Path:
    """A new file beside `path`, on the disk and for its owner alone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    return temporary
