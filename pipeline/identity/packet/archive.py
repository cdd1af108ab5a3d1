"""A component's zip, opened without trusting it: whatever could write elsewhere, swell or say two things at once is refused by name.

Nothing is ever unpacked to a disk. An archive is looked through by its own directory first; an entry is inflated when it is asked for.
"""

import io
import re
import stat
import struct
import zipfile
import zlib

from pipeline.errors import AppError

MAX_ARCHIVE_BYTES = 8 * 1024 * 1024  # ten fingers, two irises and a face are about one; scanned papers come besides
MAX_ENTRY_BYTES = 16 * 1024 * 1024
MAX_UNPACKED_BYTES = 32 * 1024 * 1024  # of one component: held in memory while it is looked at
MAX_ENTRIES = 64  # a real component has eight
MAX_RATIO = 120  # of one entry; text packs to a tenth, and deflate can do a thousand
RATIO_FROM_BYTES = 256 * 1024  # what is smaller when unpacked may be as repetitive as it likes
DIRECTORY_ENTRY_BYTES = 46 + 256  # its fixed part, with a name and some extra

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_ENCRYPTED = 0x1 | 0x40  # the old cipher and the strong one


class Archive:
    """The entries of one component by name. Not shared between threads."""

    def __init__(self, component: str, data: bytes) -> None:
        """Look through the directory. Raises the SDCRS_PACKET_… error of what is wrong with it."""
        self.component = component
        if len(data) > MAX_ARCHIVE_BYTES:
            raise AppError("SDCRS_PACKET_TOO_LARGE", component=component, maxBytes=MAX_ARCHIVE_BYTES)
        self._check_end(data)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, struct.error, UnicodeDecodeError, ValueError) as error:
            raise self._unreadable(str(error)) from error
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise AppError("SDCRS_PACKET_TOO_MANY_ENTRIES", component=component, maxEntries=MAX_ENTRIES)
        for info in infos:
            self._check_entry(info)
        self._check_all(infos)
        self._infos = {info.filename: info for info in infos}

    @property
    def names(self) -> tuple[str, ...]:
        """The entries in the archive's order."""
        return tuple(self._infos)

    def size(self, name: str) -> int:
        """Bytes of an entry when unpacked. Raises KeyError."""
        return self._infos[name].file_size

    def read(self, name: str) -> bytes:
        """One entry, whose own checksum was verified. Raises KeyError, and SDCRS_PACKET_NOT_A_ZIP when it cannot be unpacked."""
        info = self._infos[name]
        try:
            return self._zip.read(info)  # no more than the declared size, which was checked
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, struct.error, OSError, RuntimeError) as error:
            raise self._unreadable(f"{name}: {error}") from error

    def _check_end(self, data: bytes) -> None:
        """The directory's size, before the library makes an object of each of its entries; and that it is the only reading there is."""
        if len(data) < _END.size or data[-_END.size :][:4] != _END_MAGIC:
            raise self._unreadable("it does not end as a zip archive without a comment does")
        _, disk, start_disk, here, entries, size, offset, _ = _END.unpack(data[-_END.size :])
        if disk or start_disk or here != entries:
            raise self._unreadable("it is one of several parts")
        if entries > MAX_ENTRIES or size > MAX_ENTRIES * DIRECTORY_ENTRY_BYTES:
            raise AppError("SDCRS_PACKET_TOO_MANY_ENTRIES", component=self.component, maxEntries=MAX_ENTRIES)
        if offset + size != len(data) - _END.size:
            raise self._unreadable("there is something besides the archive")

    def _check_entry(self, info: zipfile.ZipInfo) -> None:
        name = info.orig_filename
        parts = re.split(r"[/\\]", name)
        if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name):
            raise AppError("SDCRS_PACKET_PATH_TRAVERSAL", component=self.component)
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG):
            raise AppError("SDCRS_PACKET_NOT_A_FILE", component=self.component)
        if not _NAME.fullmatch(name) or name != info.filename:
            raise AppError("SDCRS_PACKET_ENTRY_NAME", component=self.component)
        if info.flag_bits & _ENCRYPTED:
            raise AppError("SDCRS_PACKET_ENCRYPTED", component=self.component, entry=name)
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise self._unreadable(f"{name} is packed by a method that is not read here")
        if info.file_size > MAX_ENTRY_BYTES:
            raise self._bomb(f"{name} has {info.file_size} bytes")
        if info.file_size > RATIO_FROM_BYTES and info.file_size > MAX_RATIO * max(info.compress_size, 1):
            raise self._bomb(f"{name} grows by more than {MAX_RATIO} times")

    def _check_all(self, infos: list[zipfile.ZipInfo]) -> None:
        names = [info.filename.casefold() for info in infos]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise AppError("SDCRS_PACKET_DUPLICATE_ENTRY", component=self.component, entry=twice)
        unpacked = sum(info.file_size for info in infos)
        if unpacked > MAX_UNPACKED_BYTES:
            raise self._bomb(f"together {unpacked} bytes")

    def _unreadable(self, detail: str) -> AppError:
        return AppError("SDCRS_PACKET_NOT_A_ZIP", component=self.component, detail=detail[:200])

    def _bomb(self, detail: str) -> AppError:
        return AppError("SDCRS_PACKET_ZIP_BOMB", component=self.component, detail=detail)
