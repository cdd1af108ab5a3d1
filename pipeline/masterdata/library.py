"""All documents together, each parsed, and the lookup: the tenant's own document, else its state's, else the common one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.masterdata.base import COMMON
from pipeline.masterdata.documents import MASTERS, Document, Key, invalid, parse
from pipeline.masterdata.tenants import TenantTree

TENANTS: Key = ("tenant", "tenants")


@dataclass(frozen=True)
class Entry:
    """A document and what it says, as models."""

    document: Document
    value: Any


class Library:
    """Every document of one state of the master data."""

    def __init__(self, documents: Sequence[Document]) -> None:
        """Raises SDCRS_INVALID_MASTER_DATA when a document does not fit its model, stands for no tenant, or is missing."""
        self._entries: dict[Key, dict[str, Entry]] = {key: {} for key in MASTERS}
        for document in documents:
            self._entries[document.key][document.tenant_id] = Entry(document, parse(document))
        if not self._entries[TENANTS]:
            raise invalid("tenant/tenants.json", "(whole file)", "is missing: there are no tenants")
        self.tree = TenantTree(self._entries[TENANTS][COMMON].value)
        for key, spec in MASTERS.items():
            self._check_level(key, spec.level)

    def _check_level(self, key: Key, level: str) -> None:
        module, master = key
        leaves = set(self.tree.leaves())
        for tenant_id, entry in self._entries[key].items():
            if tenant_id != COMMON and tenant_id not in self.tree:
                raise invalid(entry.document.source, "tenantId", f"tenant {tenant_id!r} does not exist")
            if level == "LEAF" and tenant_id not in leaves:
                raise invalid(
                    entry.document.source, "tenantId", f"{tenant_id!r} has tenants below it; {master} is for those that have none"
                )
        needed = leaves if level == "LEAF" else {COMMON}
        missing = sorted(needed - self._entries[key].keys())
        if missing:
            raise invalid(f"{module}/", master, f"is missing for {missing[0]}")

    def all(self, key: Key) -> tuple[Entry, ...]:
        """Every document of this master, whoever's it is."""
        return tuple(self._entries[key].values())

    def entry(self, key: Key, tenant_id: str = COMMON) -> Entry:
        """The document that counts for the tenant. Raises SDCRS_NOT_FOUND for an unknown tenant."""
        found = self._entries[key]
        for level in self.tree.chain(tenant_id):
            if level in found:
                return found[level]
        raise KeyError(key)  # only a LEAF master asked for above the leaves: a fault in our own code
