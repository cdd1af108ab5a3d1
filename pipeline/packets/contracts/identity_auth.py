"""The body of demographic authentication."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.packets.contracts.common import Body
from pipeline.packets.contracts.fields import ONE_LINE, TenantId
from pipeline.packets.contracts.identity_credentials import Enveloped


class Demographics(Body):
    """What somebody says of themselves; at least one field."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200), ONE_LINE] | None = Field(default=None, repr=False)
    birth_year: Annotated[str, StringConstraints(pattern=r"^[12][0-9]{3}$")] | None = Field(default=None, repr=False)
    phone: Annotated[str, StringConstraints(pattern=r"^\+?[0-9 -]{7,20}$")] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def something_is_said(self) -> Self:
        """Nothing cannot be compared."""
        if self.name is None and self.birth_year is None and self.phone is None:
            raise ValueError("needs name, birthYear or phone")
        return self


class AuthBody(Body):
    """Whose number it is said to be."""

    tenant_id: TenantId
    individual_id: Annotated[str, StringConstraints(min_length=1, max_length=64), ONE_LINE] = Field(repr=False)
    demographics: Demographics


class AuthAsked(Enveloped[AuthBody]):
    """/idauthentication/v1/auth."""
