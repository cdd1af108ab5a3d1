"""Bodies about people: the officer search, and sign-in by password or through the state's identity provider."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from pipeline.packets.contracts.common import Body, Request
from pipeline.packets.contracts.fields import ONE_LINE, Code, Id, Line64, Line128, Line256, PageLimit, PageOffset, TenantId, Token

Verifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-._~]{43,128}$")]  # RFC 7636, of challenges too


class UserSearchRequest(Request):
    """/user/v1/_search: officers with their wards and load (05/02)."""

    tenant_id: TenantId
    user_name: Line64 | None = None
    uuid: Annotated[list[Id], Field(max_length=100)] | None = None  # one page
    role_codes: Annotated[list[Code], Field(max_length=20)] | None = None  # there are nine roles
    active: bool | None = None
    offset: PageOffset = 0
    limit: PageLimit = 100  # a municipality's officers fit on one page


class SignOutRequest(Request):
    """/user/_logout: this session, or all of the account's."""

    everywhere: bool = False


class TokenForm(Body):
    """/user/oauth/token, sent as a form. Unknown form fields set nothing and are not read."""

    model_config = ConfigDict(alias_generator=None, extra="ignore")

    grant_type: Literal["password", "refresh_token"]
    username: Line128 | None = None
    password: Annotated[str, StringConstraints(max_length=1024)] | None = Field(default=None, repr=False)  # more only costs hashing time
    tenant_id: TenantId | None = Field(default=None, alias="tenantId")
    user_type: Line64 | None = Field(default=None, alias="userType")
    scope: Line64 | None = None
    refresh_token: Token | None = Field(default=None, repr=False)


class AuthUrlQuery(Body):
    """/sso/v1/auth-url, as a query. An app may add its own PKCE challenge, which binds the sign-in to it."""

    model_config = ConfigDict(alias_generator=None, extra="ignore")

    redirect_uri: Line256
    client_type: Line64 | None = None
    code_challenge: Verifier | None = None
    code_challenge_method: Literal["S256"] | None = None


class TokenExchange(Body):
    """/sso/v1/token-exchange: the code that the identity provider gave."""

    model_config = ConfigDict(alias_generator=None)

    code: Token = Field(repr=False)
    state: Annotated[str, StringConstraints(min_length=1, max_length=256), ONE_LINE] = Field(repr=False)
    redirect_uri: Line256
    code_verifier: Verifier | None = Field(default=None, repr=False)  # of the challenge that the app sent itself, if it did
    iss: Line256 | None = None  # as the redirect named the provider (RFC 9207)


class TokenRefresh(Body):
    """/sso/v1/token-refresh."""

    model_config = ConfigDict(alias_generator=None)

    refresh_token: Token = Field(repr=False)
