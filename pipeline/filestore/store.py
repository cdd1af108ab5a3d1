"""Where photos' bytes are: one folder or bucket, by file id, every object encrypted and bound to its id.

The original is kept byte for byte as evidence and is the only copy with EXIF. What people see is drawn from it when
first asked for, or with the upload, and then kept beside it: `photo`, upright, without EXIF or any note of its camera, and
`thumbnail`. They can be lost without harm, so only the original is forced to the disk. Who may read a file is not decided here.
"""

import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

import fsspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pipeline.clock import epoch_ms
from pipeline.errors import AppError
from pipeline.filestore.examine import THUMBNAIL_PX
from pipeline.filestore.measure import render
from pipeline.settings import Settings
from pipeline.vault.keys import Keyring

Variant = Literal["original", "photo", "thumbnail"]
LONGEST_PX = {"photo": 2048, "thumbnail": THUMBNAIL_PX}  # a large screen, a row of a list
LINK_TTL_S = 60  # long enough for a page to load what it shows, too short to be passed on
PATH = "/filestore/v1/files"
_MAGIC = b"SDF1"
_NONCE_BYTES = 12  # what GCM is specified for


class FileStore:
    """Bytes by file id, and links to them. Threads and processes share the place."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        url = settings.filestore_url or f"file://{settings.data_dir.absolute() / 'filestore'}"
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise AppError(
                "SDCRS_BAD_SETTING", setting="FILESTORE_URL", detail=f"{url.partition('://')[0]}:// cannot be used: {error}"
            ) from error
        self._local = "file" in (self._fs.protocol if isinstance(self._fs.protocol, tuple | list) else (self._fs.protocol,))
        self._keyring = keyring

    def put(self, file_id: UUID, data: bytes, *, durable: bool = True) -> None:
        """Store the original; when this returns it survives a power cut (unless `durable` is off: bulk loads call `sync`)."""
        self._write(file_id, "original", data, durable=durable)

    def put_copy(self, file_id: UUID, variant: Variant, data: bytes) -> None:
        """Keep what was drawn from the original already. It may be lost, and is drawn again then."""
        self._write(file_id, variant, data, durable=False)

    def get(self, file_id: UUID, variant: Variant = "photo") -> bytes:
        """The bytes of one variant, drawn from the original when it is not there yet. Raises SDCRS_NOT_FOUND and SDCRS_DECRYPT_FAILED."""
        try:
            return self._open(file_id, variant, self._fs.cat_file(self._path(file_id, variant)))
        except FileNotFoundError as error:
            if variant == "original":
                raise AppError("SDCRS_NOT_FOUND", kind="file", id=str(file_id)) from error
        drawn = render(self.get(file_id, "original"), LONGEST_PX[variant])
        self.put_copy(file_id, variant, drawn)
        return drawn

    def delete(self, file_id: UUID) -> None:
        """Remove all variants; what is not there is no error."""
        for variant in get_args(Variant):
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._path(file_id, variant))

    def reseal(self, file_id: UUID) -> bool:
        """Seal the original with the current key when an older one has; whether it was so. Its copies are drawn again when asked for.

        Raises SDCRS_DECRYPT_FAILED; a file that is not there any more is no error.
        """
        try:
            sealed = self._fs.cat_file(self._path(file_id, "original"))
        except FileNotFoundError:
            return False
        if _key_of(sealed)[0] == self._keyring.current:
            return False
        self.put(file_id, self._open(file_id, "original", sealed))
        for variant in ("photo", "thumbnail"):
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._path(file_id, variant))
        return True

    def sync(self) -> None:
        """After a bulk load: everything written so far survives a power cut."""
        if self._local:
            os.sync()

    def sign(self, file_id: UUID, variant: Variant, now: datetime, ttl_s: int = LINK_TTL_S) -> str:
        """Path and query of a link that anybody may follow for `ttl_s` seconds; the caller has checked that its reader may see the file."""
        expires = (epoch_ms(now) or 0) // 1000 + ttl_s
        # nothing in it needs quoting, and a page of reports has sixty of them
        return f"{PATH}/{file_id}?variant={variant}&expires={expires}&signature={self._signature(file_id, variant, expires)}"

    def verify_signature(self, file_id: UUID, variant: str, expires: str | int, signature: str, now: datetime) -> Variant:
        """The variant that a link names. Raises SDCRS_LINK_EXPIRED when it is over or was altered in any part."""
        given = str(expires)
        if not (given.isascii() and given.isdigit() and len(given) <= 12) or variant not in get_args(Variant):
            raise AppError("SDCRS_LINK_EXPIRED")
        genuine = hmac.compare_digest(self._signature(file_id, variant, int(given)).encode(), signature.encode("utf-8", "replace"))
        if not genuine or int(given) * 1000 < (epoch_ms(now) or 0):
            raise AppError("SDCRS_LINK_EXPIRED")
        return next(known for known in get_args(Variant) if known == variant)

    def _signature(self, file_id: UUID, variant: str, expires: int) -> str:
        key = self._keyring.derive("filestore|links")
        return hmac.digest(key, f"{file_id}|{variant}|{expires}".encode(), "sha256").hex()

    def _path(self, file_id: UUID, variant: Variant) -> str:
        # the last digits of a UUIDv7 are random: 4,096 folders of a few thousand files each after ten million photos
        return f"{self._root}/{file_id.hex[-3:]}/{file_id.hex}.{variant}"

    def _write(self, file_id: UUID, variant: Variant, data: bytes, *, durable: bool) -> None:
        path = self._path(file_id, variant)
        sealed = self._seal(file_id, variant, data)
        if self._local:
            _write_whole(Path(path), sealed, durable=durable)
        else:
            self._fs.pipe_file(path, sealed)  # object stores show a new object whole or not at all

    def _seal(self, file_id: UUID, variant: Variant, data: bytes) -> bytes:
        nonce, key_id = secrets.token_bytes(_NONCE_BYTES), self._keyring.current
        ciphertext = AESGCM(self._keyring.derive("filestore", key_id)).encrypt(nonce, data, f"{file_id}|{variant}".encode())
        return b"".join((_MAGIC, bytes((len(key_id.encode()),)), key_id.encode(), nonce, ciphertext))

    def _open(self, file_id: UUID, variant: Variant, sealed: bytes) -> bytes:
        key_id, end = _key_of(sealed)
        nonce, ciphertext = sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
        if not sealed.startswith(_MAGIC) or len(nonce) != _NONCE_BYTES:
            raise AppError("SDCRS_DECRYPT_FAILED")
        key = self._keyring.derive("filestore", key_id)
        try:
            return AESGCM(key).decrypt(nonce, ciphertext, f"{file_id}|{variant}".encode())
        except InvalidTag as error:
            raise AppError("SDCRS_DECRYPT_FAILED") from error


def _key_of(sealed: bytes) -> tuple[str, int]:
    """The id of the key that sealed an object, and where its nonce begins."""
    start = len(_MAGIC) + 1
    end = start + (sealed[start - 1] if len(sealed) >= start else 0)
    return sealed[start:end].decode("utf-8", "replace"), end


def _write_whole(path: Path, data: bytes, *, durable: bool) -> None:
    """Write aside and rename: a reader sees the whole file or none, whenever we are killed."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        file = temporary.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = temporary.open("xb")
    try:
        with file:
            os.fchmod(file.fileno(), 0o600)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # the name, too, must survive
        finally:
            os.close(folder)
