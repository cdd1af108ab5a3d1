"""What the identity flow's endpoints of steps 3 to 6 answer, and the shape of their errors."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Said(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class EnvelopeError(Said):
    """One error: its stable code, the sentence, and what belongs to it."""

    error_code: str
    message: str
    params: dict[str, Any] | None


class EnvelopeErrorAnswer(BaseModel):
    """A refusal."""

    model_config = ConfigDict(extra="forbid")

    id: str
    version: str
    responsetime: str
    response: None
    errors: list[EnvelopeError]


class Envelope(BaseModel):
    """What every answer has around it."""

    model_config = ConfigDict(extra="forbid")

    id: str
    version: str
    responsetime: str
    errors: list[EnvelopeError] = Field(max_length=0)


class RequestTaken(Said):
    """The id under which the request is known."""

    request_id: str


class RequestTakenAnswer(Envelope):
    """The request is taken."""

    response: RequestTaken


class CredentialShown(Said):
    """A request for a credential with its status."""

    request_id: str
    partner_id: str
    status_code: str
    status_comment: str | None
    credential_id: str | None
    issuances: int
    retry_count: int
    issuance_date: str | None
    registration_id: str
    tenant_id: str


class CredentialShownAnswer(Envelope):
    """A request for a credential as it stands."""

    response: CredentialShown


class CredentialIssued(Said):
    """Where the credential is and what signs it."""

    credential_id: str
    data_share_url: str
    signature: str
    issuance_date: str


class CredentialIssuedAnswer(Envelope):
    """The credential is issued."""

    response: CredentialIssued


class ShareMade(Said):
    """Where the share is, and the signature of what is shared."""

    url: str
    signature: str


class ShareMadeAnswer(Envelope):
    """The share is made, or was before."""

    response: ShareMade


class Taken(Said):
    """That it was taken."""

    status: str


class TakenAnswer(Envelope):
    """The event is taken in."""

    response: Taken


class Compared(Said):
    """Whether everything matched, and each field by itself."""

    auth_status: bool
    fields: dict[str, bool]
    transaction_id: str


class ComparedAnswer(Envelope):
    """The answer of an authentication."""

    response: Compared


class Key(BaseModel):
    """One public key (RFC 7517)."""

    kty: str
    crv: str
    x: str
    y: str
    kid: str
    use: str
    alg: str


class KeysAnswer(BaseModel):
    """A JWK set."""

    keys: list[Key]
