"""Events of the identity flow as the hub brings them: ids, a topic, an address, and no value of a person."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipeline.packets.contracts.common import Body

UUID_FORM = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
Uuid = Annotated[str, StringConstraints(pattern=UUID_FORM)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Moment = Annotated[str, StringConstraints(min_length=20, max_length=40, pattern=r"^\d{4}-\d\d-\d\dT[0-9:.]+(Z|[+-]\d\d:\d\d)$")]


class IssuedData(Body):
    """Which credential, of which request, for which registration."""

    request_id: Uuid
    credential_id: Uuid
    registration_id: Uuid
    tenant_id: Name
    state_id: Name
    partner_id: Name
    policy_id: Name
    signature: Annotated[str, StringConstraints(min_length=10, max_length=1000)]  # detached JWS over what is shared


class IssuedEventBody(Body):
    """The event itself."""

    id: Uuid
    transaction_id: Uuid
    type: Name
    timestamp: Moment
    data_share_uri: Annotated[str, StringConstraints(min_length=8, max_length=500)]
    data: IssuedData


class IssuedEvent(Body):
    """A credential was issued."""

    publisher: Name
    topic: Name
    published_on: Moment
    event: IssuedEventBody


class StatusData(Body):
    """What became of a credential."""

    request_id: Uuid
    credential_id: Uuid
    status: Literal["STORED", "FAILED"]
    reason: Annotated[str, StringConstraints(max_length=512)] | None = Field(default=None)


class StatusEventBody(Body):
    """The event itself."""

    id: Uuid
    type: Name
    timestamp: Moment
    data: StatusData


class StatusEvent(Body):
    """The authentication side has stored a credential, or has given it up."""

    publisher: Name
    topic: Name
    published_on: Moment
    event: StatusEventBody
