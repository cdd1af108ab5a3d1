"""Bodies between the participants of steps 3 to 6, in MOSIP's envelope: id, version, requesttime and the request itself."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import ConfigDict, Field, StringConstraints

from pipeline.packets.contracts.common import Body
from pipeline.packets.contracts.identity_events import Moment, Name, Uuid

Inner = TypeVar("Inner")
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{64}$")]


class Enveloped(Body, Generic[Inner]):
    """A request in its envelope; what the envelope says besides is not read."""

    model_config = ConfigDict(extra="ignore", alias_generator=None)

    id: Annotated[str, StringConstraints(max_length=64)] | None = None
    version: Annotated[str, StringConstraints(max_length=16)] | None = None
    requesttime: Annotated[str, StringConstraints(max_length=40)] | None = None
    metadata: Any = None
    request: Inner


class AboutBody(Body):
    """The registration and the credential request that a call is about."""

    tenant_id: Name
    registration_id: Uuid
    request_id: Uuid


class CredentialRequestBody(AboutBody):
    """One number of a person, for one partner. The same requestId again is the same request."""

    state_id: Name
    partner_id: Name
    individual_id: Annotated[str, StringConstraints(max_length=64)] = Field(default="", repr=False)
    individual_id_hash: Hash
    token_id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    expires_at: Moment | None = None
    transaction_limit: Annotated[int, Field(gt=0)] | None = None


class IssueBody(CredentialRequestBody):
    """An issuance under ids that the caller chose before."""

    credential_id: Uuid
    share_id: Uuid
    event_id: Uuid


class ShareBody(AboutBody):
    """Bytes to be shared, in base64, with the detached signature over them."""

    share_id: Uuid
    valid_minutes: Annotated[int, Field(ge=1, le=10_080)]
    uses: Annotated[int, Field(ge=1, le=100)]
    signature: Annotated[str, StringConstraints(min_length=10, max_length=1000)]
    data: Annotated[str, StringConstraints(min_length=4)] = Field(repr=False)


class CredentialAsked(Enveloped[CredentialRequestBody]):
    """/credentialrequest/v1/requestgenerator."""


class IssueAsked(Enveloped[IssueBody]):
    """/credentialservice/v1/issue."""


class ShareAsked(Enveloped[ShareBody]):
    """/datashare/v1/create."""
