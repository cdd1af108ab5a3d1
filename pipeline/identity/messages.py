"""What the participants of steps 3 to 6 say to each other, in the process and over HTTP alike. Nothing here is stored as it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

CREDENTIAL_TYPE = "auth"
STATUS_TOPIC = "CREDENTIAL_STATUS_UPDATE"  # what becomes of credentials, from the authentication side to the generator
JSON = "application/json"


@dataclass(frozen=True)
class About:
    """The registration and, of its credentials, the one that a message is about: what its headers say."""

    tenant_id: str
    registration_id: UUID
    request_id: UUID


@dataclass(frozen=True)
class CredentialRequest:
    """One number of a person, for one partner. The same `about.request_id` again is the same request."""

    about: About
    state_id: str
    partner_id: str
    individual_id_hash: str
    token_id: str  # how the partner knows the person
    expires_at: datetime | None
    transaction_limit: int | None
    individual_id: str = field(repr=False)  # the number itself


@dataclass(frozen=True)
class Accepted:
    """The generator has the request, now or since before."""

    request_id: UUID


@dataclass(frozen=True)
class IssueRequest:
    """An issuance under ids that were chosen before: said again, nothing is issued twice."""

    request: CredentialRequest
    credential_id: UUID
    share_id: UUID
    event_id: UUID


@dataclass(frozen=True)
class Issued:
    """The credential is shared and its event is published. `signature`: detached JWS over what is shared."""

    credential_id: UUID
    data_share_url: str
    signature: str
    issued_at: datetime


@dataclass(frozen=True)
class ShareRequest:
    """Bytes for one subscriber under a policy, for a time and a number of uses."""

    about: About
    share_id: UUID
    policy_id: str
    subscriber_id: str
    valid_minutes: int
    uses: int
    signature: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Shared:
    """Where the bytes are to be had, and the signature of those that are kept (of the first, where it was asked twice)."""

    url: str
    signature: str


@dataclass(frozen=True)
class Publication:
    """An event for everybody who subscribes to its topic. `again`: also those who are said to have it already."""

    about: About
    event_id: UUID
    topic: str
    content: bytes
    packets: tuple[str, ...]  # of the catalogue, for which this publication stands
    content_type: str = JSON
    again: bool = False


@dataclass(frozen=True)
class Published:
    """The hub has the event."""

    event_id: UUID


@dataclass(frozen=True)
class Subscription:
    """What a subscriber asks the hub for."""

    topic: str
    callback: str
    secret: str = field(repr=False)
    lease_s: int


@dataclass(frozen=True)
class Delivered:
    """What a callback answered."""

    status: int


Headers = Mapping[str, str]  # names in lower case
Query = Mapping[str, str]
Json = dict[str, Any]
