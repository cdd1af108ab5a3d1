"""The person or job on whose behalf something happens."""

from dataclasses import dataclass, field
from uuid import UUID

SYSTEM_ID = UUID("00000000-0000-7000-8000-000000000000")  # our jobs; no account has this id


@dataclass(frozen=True)
class Caller:
    """A signed-in person, as the session row says at this request. `scope` is what they may see, tenant by tenant."""

    session_id: UUID
    account_id: UUID
    username: str
    roles: frozenset[str]
    tenant_id: str  # home
    scope: tuple[str, ...]
    wards: tuple[str, ...] = ()
    locale: str = "en_IN"
    school_name: str | None = None
    demo: bool = field(default=False)

    @property
    def state_id(self) -> str:
        return self.tenant_id.split(".")[0]

    def has(self, *roles: str) -> bool:
        """Whether the person has any of these roles."""
        return not self.roles.isdisjoint(roles)
