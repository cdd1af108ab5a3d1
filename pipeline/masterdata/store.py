"""Master data in the database: every published document is a row, none is ever changed, the newest version counts.

A long-running process holds one MasterDataStore and asks it for the current state at the start of each job or request.
"""

import json
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, text

from pipeline.errors import AppError
from pipeline.masterdata.documents import Document
from pipeline.masterdata.master import MasterData

RELOAD_CHECK_S = 3.0  # how long a process may go on by rules that were just replaced; the check is one small query
PUBLISH_LOCK = 7_246_381_905  # any number that no other advisory lock of ours uses

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
_NEWEST = text("""
    SELECT DISTINCT ON (tenant_id, module, master) tenant_id, module, master, version, content
    FROM masterdata.document
    ORDER BY tenant_id, module, master, version DESC
""")
_INSERT = text("""
    INSERT INTO masterdata.document (tenant_id, module, master, version, content, checksum, published_at, published_by)
    VALUES (:tenant_id, :module, :master, :version, CAST(:content AS jsonb), :checksum, :now, :by)
""")
# Rows are only ever added, so their number tells one state from the next.
_STAMP = text("SELECT count(*) FROM masterdata.document")


def hold(conn: Connection) -> None:
    """Keep everybody else from publishing until the transaction ends: for who looks first and publishes then."""
    conn.execute(_LOCK, {"key": PUBLISH_LOCK})


def publish(conn: Connection, documents: Sequence[Document], now: datetime, by: str) -> list[Document]:
    """Add a new version of every document that differs from its newest; the whole must be right afterwards, or nothing is added.

    A tenant's first document of its kind gets the version that it came with, at least 1. Returns the documents as published, with
    their versions; empty when nothing differed. Needs the role `worker`. The caller commits. Raises SDCRS_INVALID_MASTER_DATA.
    """
    hold(conn)  # two publishers would count the same version
    newest = {(document.tenant_id, *document.key): document for document in _read(conn)}
    added: list[Document] = []
    for document in documents:
        identity = (document.tenant_id, *document.key)
        before = newest.get(identity)
        if before is not None and before.checksum == document.checksum:
            continue
        newest[identity] = replace(document, version=before.version + 1 if before else max(document.version, 1))
        added.append(newest[identity])
    if added:
        MasterData(list(newest.values()))
        conn.execute(
            _INSERT,
            [
                {
                    "tenant_id": document.tenant_id,
                    "module": document.module,
                    "master": document.master,
                    "version": document.version,
                    "content": json.dumps(document.content, ensure_ascii=False),
                    "checksum": document.checksum,
                    "now": now,
                    "by": by,
                }
                for document in added
            ],
        )
    return added


def load(conn: Connection) -> MasterData:
    """The newest version of every document. Raises SDCRS_NOT_MIGRATED when none was ever published."""
    documents = _read(conn)
    if not documents:
        raise AppError("SDCRS_NOT_MIGRATED", found="0 of the master data", needed="at least 1")
    return MasterData(documents)


def newest(conn: Connection) -> int:
    """A number that changes with every publication, at the price of one small query."""
    return int(conn.execute(_STAMP).scalar_one())


def _read(conn: Connection) -> list[Document]:
    return [
        Document(row.tenant_id, row.module, row.master, row.content, f"{row.module}/{row.master} of {row.tenant_id}", row.version)
        for row in conn.execute(_NEWEST)
    ]


class WorkerDatabase(Protocol):
    """The part of the database that this room uses."""

    def worker(self) -> AbstractContextManager[Connection]: ...


class MasterDataStore:
    """The current master data of a process, shared by its threads; follows publications within a few seconds."""

    def __init__(self, database: WorkerDatabase) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: tuple[int, MasterData] | None = None
        self._checked_at = 0.0

    def current(self) -> MasterData:
        """The newest state, at most RELOAD_CHECK_S old. While one thread looks, the others go on with what there is."""
        held = self._held
        if held is not None:
            if time.monotonic() - self._checked_at < RELOAD_CHECK_S or not self._lock.acquire(blocking=False):
                return held[1]
        else:
            self._lock.acquire()
        try:
            return self._refresh()
        finally:
            self._lock.release()

    def _refresh(self) -> MasterData:
        if self._held is not None and time.monotonic() - self._checked_at < RELOAD_CHECK_S:
            return self._held[1]  # another thread loaded it while this one waited
        with self._database.worker() as conn:
            stamp = newest(conn)
            if self._held is None or self._held[0] != stamp:
                self._held = (stamp, load(conn))
        self._checked_at = time.monotonic()
        return self._held[1]
