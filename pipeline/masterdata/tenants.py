"""The tree of tenants: states and the districts or cities in them. What a tenant does not say it takes from its parent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from pipeline.errors import AppError
from pipeline.masterdata.base import COMMON, Locale, Strict

INHERITED = (
    *("state_code", "timezone", "currency", "country_code", "locale", "helpdesk", "sms_sender"),
    *("manual_resolve_approval", "payee_verification", "city"),
)
DEFAULTS = {"payee_verification": "warn"}  # where no tenant above says anything
PayeeVerification = Literal["off", "warn", "required"]


class TenantEntry(Strict):
    """One tenant as the document has it. Fields left out come from the parent; a state (no parent) must have them all."""

    code: str = Field(pattern=r"^[a-z0-9-]+(\.[a-z0-9-]+)*$")
    name: str = Field(min_length=1)
    parent_code: str | None = None
    state_code: str | None = Field(default=None, pattern=r"^[A-Z]+$")  # in report numbers
    timezone: str | None = None
    currency: Literal["INR"] | None = None
    country_code: str | None = Field(default=None, pattern=r"^\+[1-9]\d{0,3}$")
    locale: Locale | None = None
    helpdesk: str | None = None
    sms_sender: str | None = Field(default=None, max_length=11)  # what a phone can show as a sender's name
    manual_resolve_approval: bool | None = None
    payee_verification: PayeeVerification | None = None
    city: str | None = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (KeyError, ValueError) as error:
                raise ValueError(f"{value!r} is not a time zone such as Asia/Kolkata") from error
        return value


@dataclass(frozen=True)
class Tenant:
    """A tenant with everything that it says itself or takes from above."""

    id: str
    name: str
    parent_id: str | None  # None: a state
    state_id: str  # the root it belongs to; its own id for a state
    state_code: str  # as in DR-DJ-2024-000123
    timezone: ZoneInfo
    currency: str
    country_code: str  # with the plus sign; put before national numbers
    locale: Locale  # of messages to people who chose none
    helpdesk: str
    sms_sender: str
    manual_resolve_approval: bool  # a second admin approves a manual resolve
    payee_verification: PayeeVerification  # whether a teacher who is no verified payee is paid, paid with a warning, or not paid
    city: str | None

    @property
    def is_state(self) -> bool:
        return self.parent_id is None


class TenantTree:
    """All tenants, and where a setting is looked up for each."""

    def __init__(self, entries: Sequence[TenantEntry]) -> None:
        """Raises SDCRS_INVALID_MASTER_DATA when a parent is missing, a code does not lie below its parent's, or a state lacks a field."""
        by_code = {entry.code: entry for entry in entries}
        self._tenants: dict[str, Tenant] = {}
        self._children: dict[str, list[str]] = {}
        for entry in sorted(entries, key=lambda entry: (entry.code.count("."), entry.code)):  # parents first
            self._tenants[entry.code] = self._resolve(entry, by_code)
            if entry.parent_code is not None:
                self._children.setdefault(entry.parent_code, []).append(entry.code)
        self._chains = {code: (*self._upward(code), COMMON) for code in self._tenants}

    def _resolve(self, entry: TenantEntry, by_code: Mapping[str, TenantEntry]) -> Tenant:
        if entry.parent_code is not None:
            if entry.parent_code not in by_code:
                raise _invalid(entry.code, "parentCode", f"tenant {entry.parent_code!r} does not exist")
            if not entry.code.startswith(f"{entry.parent_code}."):
                raise _invalid(entry.code, "code", f"must begin with {entry.parent_code + '.'!r}, its parent's code and a dot")
        elif "." in entry.code:
            raise _invalid(entry.code, "parentCode", "is missing: only a state has no parent")
        parent = None if entry.parent_code is None else self._tenants[entry.parent_code]
        values: dict[str, Any] = {}
        for name in INHERITED:
            own = getattr(entry, name)
            values[name] = own if own is not None else getattr(parent, name, DEFAULTS.get(name))
            if values[name] is None and name != "city":
                alias = TenantEntry.model_fields[name].alias or name
                raise _invalid(entry.code, alias, "is missing, and no tenant above has it")
        if isinstance(values["timezone"], str):
            values["timezone"] = ZoneInfo(values["timezone"])
        return Tenant(
            id=entry.code, name=entry.name, parent_id=entry.parent_code, state_id=parent.state_id if parent else entry.code, **values
        )

    def _upward(self, tenant_id: str) -> Iterator[str]:
        at: str | None = tenant_id
        while at is not None:
            yield at
            at = self._tenants[at].parent_id

    def __contains__(self, tenant_id: object) -> bool:
        return tenant_id in self._tenants

    def get(self, tenant_id: str) -> Tenant:
        """Raises SDCRS_NOT_FOUND for an unknown id."""
        try:
            return self._tenants[tenant_id]
        except KeyError:
            raise AppError("SDCRS_NOT_FOUND", kind="Tenant", id=tenant_id) from None

    def all(self) -> tuple[Tenant, ...]:
        """Every tenant, states before the tenants in them."""
        return tuple(self._tenants.values())

    def chain(self, tenant_id: str) -> tuple[str, ...]:
        """Where a setting is looked up: the tenant, those above it, `common`. Raises SDCRS_NOT_FOUND."""
        if tenant_id == COMMON:
            return (COMMON,)
        self.get(tenant_id)
        return self._chains[tenant_id]

    def descendants(self, tenant_id: str) -> tuple[str, ...]:
        """The tenant itself and all below it, in a fixed order. Raises SDCRS_NOT_FOUND."""
        self.get(tenant_id)
        return (tenant_id, *(below for child in self._children.get(tenant_id, ()) for below in self.descendants(child)))

    def leaves(self) -> tuple[str, ...]:
        """The tenants with none below them: they have a boundary, and reports."""
        return tuple(code for code in self._tenants if code not in self._children)


def _invalid(code: str, field: str, detail: str) -> AppError:
    return AppError("SDCRS_INVALID_MASTER_DATA", file="tenant/tenants.json", field=f"tenants[{code}].{field}", detail=detail)
