"""Backup and restore: one encrypted file of the whole database. The keys are never in it.

The dump is made as role `backup`, which reads every row by a policy of its own and can change none. A restore brings the
rows back before triggers and policies exist, sets their transaction ids to 0 (those of another cluster mean nothing here)
and clears the followers' positions, so that every follower reads from the start and rebuilds what it keeps.
"""

import contextlib
import os
import secrets
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg import sql

from pipeline.database.engine import psycopg_url
from pipeline.errors import AppError

MAGIC = b"SDCRSBK1"
CHUNK_BYTES = 1 << 20  # encrypted piecewise: memory stays flat, and a cut or altered file is found at its place
NONCE_BYTES = 12
TAIL_BYTES = 2000  # of a failed tool's own words
NEWER_SETTING = b"SET transaction_timeout = 0;\n"  # Postgres 17 and later
WITH_XID = ("sdcrs.report_history", "packet.log", "audit.event")

Key = Callable[[str | None], tuple[str, bytes]]  # key id (None: the current one) -> key id and 32 bytes


def backup(app_url: str, role_prefix: str, programs: Path, target: Path, key: Key) -> int:
    """Write the database to `target`, which must not exist; returns its size in bytes.

    Raises SDCRS_BACKUP_FAILED with the tool's own words; an incomplete file is removed.
    """
    command = [str(programs / "pg_dump"), "--format=custom", "--no-owner", "--no-privileges", "--enable-row-security"]
    address, environment = _address(app_url)
    command += [f"--role={role_prefix}_backup", "--dbname", address]
    part = target.with_name(target.name + ".part")
    try:
        with part.open("xb") as file, _started(command, environment) as dump:
            assert dump.stdout is not None  # noqa: S101 - asked for above
            assert dump.stderr is not None  # noqa: S101
            _encrypt(iter(lambda: dump.stdout.read(CHUNK_BYTES), b""), file, key)  # type: ignore[union-attr]
            complaint = dump.stderr.read()[-TAIL_BYTES:].decode(errors="replace").strip()
        if dump.returncode:
            raise AppError("SDCRS_BACKUP_FAILED", detail=complaint)
        part.rename(target)
    except FileExistsError as error:
        raise AppError("SDCRS_BACKUP_FAILED", detail=f"{error.filename} exists already") from error
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(owner_url: str, programs: Path, source: Path, key: Key) -> None:
    """Bring a backup into an empty database; migrate it afterwards for roles, policies and grants.

    Raises SDCRS_RESTORE_FAILED when the database is not empty or the tool fails, SDCRS_DECRYPT_FAILED for another key or
    an altered file.
    """
    with psycopg.connect(psycopg_url(owner_url), autocommit=True) as conn:
        if conn.execute("SELECT to_regnamespace('sdcrs') IS NOT NULL").fetchone() == (True,):
            raise AppError("SDCRS_RESTORE_FAILED", detail="the database is not empty; restore into a new one")
        plain = source.with_name(f".{source.name}.{secrets.token_hex(4)}")
        try:
            plain.touch(mode=0o600)
            with source.open("rb") as encrypted, plain.open("wb") as file:
                file.writelines(_decrypt(encrypted, key))
            # transaction ids are set to 0 while no trigger guards the history and no policy hides a row
            _pg_restore(owner_url, programs, plain, ["--section=pre-data", "--section=data"])
            for name in WITH_XID:
                schema, table = name.split(".")
                conn.execute(sql.SQL("UPDATE {} SET xid = '0'").format(sql.Identifier(schema, table)))
            conn.execute("DELETE FROM jobs.follower")
            conn.execute("DELETE FROM jobs.heartbeat")
            _pg_restore(owner_url, programs, plain, ["--section=post-data"])
        finally:
            plain.unlink(missing_ok=True)


def _address(url: str) -> tuple[str, dict[str, str]]:
    """The address without its password, which goes into the environment: other users can read a command line."""
    parts = urlsplit(psycopg_url(url))
    host = parts.netloc.rpartition("@")[2]
    place = f"{parts.username}@{host}" if parts.username else host
    secret = {"PGPASSWORD": unquote(parts.password)} if parts.password else {}
    return urlunsplit(parts._replace(netloc=place)), {**os.environ, **secret}


def _started(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _pg_restore(owner_url: str, programs: Path, plain: Path, sections: list[str]) -> None:
    """Restore by way of psql, since the script asks older servers for a setting that only newer ones know."""
    address, environment = _address(owner_url)
    script = [str(programs / "pg_restore"), "--no-owner", "--no-privileges", "--no-policies", *sections, "--file=-", str(plain)]
    into = [str(programs / "psql"), "--quiet", "--no-psqlrc", "--single-transaction", "--set=ON_ERROR_STOP=1", "--dbname", address]
    with (
        _started(script, environment) as source,
        subprocess.Popen(into, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as psql,
    ):
        assert source.stdout is not None  # noqa: S101 - asked for above
        assert psql.stdin is not None  # noqa: S101
        with contextlib.suppress(BrokenPipeError):  # psql has ended; its own words below say why
            unknown = NEWER_SETTING
            for line in source.stdout:
                if line == unknown:
                    unknown = b""  # once, in the head of the script
                    continue
                psql.stdin.write(line)
        with contextlib.suppress(BrokenPipeError):
            psql.stdin.close()
        complaint = (psql.stderr.read() if psql.stderr else b"")[-TAIL_BYTES:].decode(errors="replace").strip()
        source.stdout.close()
    if psql.returncode or source.returncode:
        raise AppError("SDCRS_RESTORE_FAILED", detail=complaint or "pg_restore could not read the backup")


def _encrypt(pieces: Iterator[bytes], file: IO[bytes], key: Key) -> None:
    key_id, secret = key(None)
    nonce = secrets.token_bytes(NONCE_BYTES - 4)  # the rest counts the pieces
    file.write(MAGIC + struct.pack(">B", len(key_id)) + key_id.encode() + nonce)
    cipher, number, piece = AESGCM(secret), 0, next(pieces, b"")
    while True:
        following = next(pieces, b"")
        last = not following
        # the piece's number and whether it is the last are sealed with it: none can be moved, and the end cannot be cut off
        sealed = cipher.encrypt(nonce + struct.pack(">I", number), piece, struct.pack(">I?", number, last))
        file.write(struct.pack(">I?", len(sealed), last) + sealed)
        if last:
            return
        number, piece = number + 1, following


def _decrypt(file: IO[bytes], key: Key) -> Iterator[bytes]:
    try:
        if file.read(len(MAGIC)) != MAGIC:
            raise AppError("SDCRS_RESTORE_FAILED", detail="the file is not a backup of SDCRS")
        (length,) = struct.unpack(">B", file.read(1))
        _, secret = key(file.read(length).decode())
        nonce = file.read(NONCE_BYTES - 4)
        cipher, number, last = AESGCM(secret), 0, False
        while not last:
            size, last = struct.unpack(">I?", file.read(5))
            yield cipher.decrypt(nonce + struct.pack(">I", number), file.read(size), struct.pack(">I?", number, last))
            number += 1
    except (struct.error, InvalidTag, UnicodeDecodeError, ValueError) as error:
        raise AppError("SDCRS_DECRYPT_FAILED") from error
